/** The guest's kernel as gdb takes it: a file of symbols, and the place that KASLR picked. */
import { bareName } from '../disasm/index.js';
import { unwindRows } from '../engine/debug/linux/orc.js';
import type { Debugger, OsInfo, OsModule, OsUnwindTable, TargetSymbol } from '../engine/debugger.js';
import { inSlices } from '../engine/host/slices.js';
import { buildDebugFrame, type FrameRow } from '../gdbstub/debug-frame.js';
import { buildSymbolElf } from '../gdbstub/symbol-elf.js';
import type { Target } from '../gdbstub/target.js';
import { elapsed } from './elapsed.js';

const KERNEL_HALF = 0xffff_8000_0000_0000n;
const FOUR_GIB = 1n << 32n;
/** Where kernels are linked to: of 64 bits and of 32, with the usual place in physical memory. */
const LINKED: readonly bigint[] = [0xffff_ffff_8100_0000n, 0xc100_0000n];
/** Before Linux 6.15 per-CPU symbols of 64-bit kernels are offsets from 0. */
const perCpuIsLinked = (release: string): boolean => {
  const [major, minor] = release.split('.').map((part) => Number.parseInt(part, 10));
  return major > 6 || (major === 6 && minor >= 15);
};
const PAGING = 1n << 31n;
/** So long a client that has its own symbols waits for their place. */
const PLACE_MS = 8000;
/** So long a client waits for a name. */
const NAME_MS = 2000;

/** Call frames of a kernel's tables, made once. */
function frameMaker(): (table: OsUnwindTable) => Promise<Uint8Array> {
  const made = new WeakMap<OsUnwindTable, Promise<Uint8Array>>();
  return (table) => {
    const frames = made.get(table) ?? inSlices(buildDebugFrame(unwindRows(table)), () => {});
    made.set(table, frames);
    return frames;
  };
}

const linkedTo = (base: bigint): bigint => (base < FOUR_GIB ? LINKED[1] : LINKED[0]);
const less = (address: bigint, by: bigint): bigint => BigInt.asUintN(64, address - by);

/**
 * The rows, `by` lower, and one at the start of each function: LLDB takes a description for that of one function.
 * @param functions their addresses, ascending
 */
function* rowsByFunction(table: OsUnwindTable, functions: readonly bigint[], by: bigint): Generator<FrameRow> {
  let next = 0;
  let before: FrameRow | undefined;
  for (const row of unwindRows(table)) {
    for (; next < functions.length && functions[next] <= row.address; next++) {
      if (before !== undefined && before.address < functions[next] && functions[next] < row.address)
        yield { ...before, address: less(functions[next], by), first: true };
    }
    const starts = functions[next - 1] === row.address;
    before = row;
    yield { ...row, address: less(row.address, by), ...(starts ? { first: true } : {}) };
  }
}

/** Without paging no kernel runs, and a search of the whole memory is for nothing. */
async function pagingOf(debug: Debugger): Promise<boolean> {
  const { vcpus } = await debug.info();
  for (let vcpu = 0; vcpu < vcpus; vcpu++) {
    if ((await debug.readRegisters(vcpu, ['cr0'])).cr0 & PAGING) return true;
  }
  return false;
}

const within = async <T>(ms: number, work: Promise<T>): Promise<T | undefined> =>
  Promise.race([work.catch(() => undefined), elapsed(ms).then(() => undefined)]);

export function kernelOf(debug: Debugger, os: NonNullable<Debugger['os']>): NonNullable<Target['kernel']> {
  const frames = frameMaker();

  const paging = (): Promise<boolean> => pagingOf(debug);
  const system = async (): Promise<OsInfo | undefined> =>
    (await os.release()) !== undefined || (await paging()) ? os.foresee() : undefined;

  return {
    async name() {
      const release = await os.release();
      if (release !== undefined) return `linux-${release}`;
      const found = (await paging()) ? await within(NAME_MS, os.info()) : undefined;
      return found && `${found.kind}-${found.release}`;
    },
    async symbols(linked = false) {
      const info = await system().catch(() => undefined);
      if (info === undefined) return undefined;
      const unwind = await os.unwind().catch(() => undefined);
      // the client keeps the file, and may be LLDB
      const by = linked ? info.base - linkedTo(info.base) : 0n;
      const lowest = info.base < FOUR_GIB ? info.base : KERNEL_HALF;
      const named = (await debug.symbols())
        .filter(({ address }) => address >= lowest)
        .map(({ name, address, size, kind }) => ({
          // gdb takes what stands in brackets for something else
          name: bareName(name),
          address: less(address, by),
          size,
          code: kind === 'function',
        }));
      if (unwind === undefined) return buildSymbolElf(named, undefined, undefined, info.bits);
      if (!linked) return buildSymbolElf(named, await frames(unwind));
      const functions = named.filter(({ code }) => code).map(({ address }) => BigInt.asUintN(64, address + by));
      const rows = rowsByFunction(unwind, functions, by);
      return buildSymbolElf(named, await inSlices(buildDebugFrame(rows), () => {}));
    },
    async place() {
      const info = await within(PLACE_MS, system());
      if (info === undefined || LINKED.includes(info.base)) return undefined;
      const fromZero = info.base >= FOUR_GIB && !perCpuIsLinked(info.release);
      const movedBy = info.base - linkedTo(info.base);
      return { text: info.base, movedBy, ...(fromZero ? { perCpuMoved: true } : {}) };
    },
  };
}

const MODULE_PATH = /^\/lib\/modules\/[^/]+\/([\w.-]+)\.ko$/;
/** The guest may have anything there. */
const MODULE_NAME = /^[\w.-]+$/;
const IN_MODULE = / \[([\w.-]+)\]$/;

/** Functions by module, kept while the same modules are loaded: a client opens one after the other. */
function functionsByModule(debug: Debugger): (modules: readonly OsModule[]) => Promise<Map<string, TargetSymbol[]>> {
  let kept: { key: string; functions: Map<string, TargetSymbol[]> } | undefined;
  return async (modules) => {
    const key = modules.map(({ name, address }) => `${name}@${address}`).join();
    if (kept?.key === key) return kept.functions;
    const functions = new Map<string, TargetSymbol[]>(modules.map(({ name }) => [name, []]));
    for (const symbol of await debug.symbols()) {
      if (symbol.kind === 'function') functions.get(IN_MODULE.exec(symbol.name)?.[1] ?? '')?.push(symbol);
    }
    kept = { key, functions };
    return functions;
  };
}

/** Modules of 64-bit kernels, as a client finds them by path; their functions are what the guest's kernel knows of them. */
export function librariesOf(debug: Debugger, os: NonNullable<Debugger['os']>): NonNullable<Target['libraries']> {
  const functionsOf = functionsByModule(debug);
  const modules = async (): Promise<OsModule[]> => {
    const loaded = (await pagingOf(debug)) ? ((await within(NAME_MS, os.modules())) ?? []) : [];
    return loaded.filter(({ name, address }) => MODULE_NAME.test(name) && address >= KERNEL_HALF);
  };
  return {
    async list() {
      const loaded = await modules();
      if (loaded.length === 0) return [];
      const release = (await within(NAME_MS, os.info()))?.release ?? 'unknown';
      const folder = `/lib/modules/${release.replace(/[^\w.+~-]/g, '_')}`;
      return loaded.map(({ name, address }) => ({ path: `${folder}/${name}.ko`, address }));
    },
    async symbols(path) {
      const name = MODULE_PATH.exec(path)?.[1];
      if (name === undefined) return undefined;
      const loaded = await modules();
      const module = loaded.find((it) => it.name === name);
      if (module === undefined) return undefined;
      const end = module.address + BigInt(module.bytes);
      const functions = ((await functionsOf(loaded)).get(name) ?? [])
        .filter(({ address }) => address >= module.address && address < end)
        .map((symbol) => ({
          ...{ name: bareName(symbol.name), size: symbol.size, code: true },
          address: symbol.address - module.address,
        }));
      return buildSymbolElf(functions, undefined, 0n);
    },
  };
}
