/** Loaded modules and their symbols. */
import type { KernelSymbol } from './kallsyms.js';
import type { LinuxKernel } from './kernel.js';
import { cString, dataView } from './physical.js';

/** A piece of a module's memory. */
export interface ModuleArea {
  address: bigint;
  bytes: number;
  /** What runs once at its start and is freed then; it is there while the module starts. */
  init: boolean;
}

export interface LinuxModule {
  name: string;
  /** Start of its code, and the bytes of all that stays of it. */
  address: bigint;
  bytes: number;
  areas: ModuleArea[];
  /** Address of its symbols: another one while it starts. */
  kallsyms: bigint;
  /** Address of its struct module. */
  module: bigint;
}

/** Sizes of the ELF symbol tables' entries, and where their parts stand. */
const SYMBOL = {
  64: { bytes: 24, value: 8, size: 16, info: 4, home: 6 },
  32: { bytes: 16, value: 4, size: 8, info: 12, home: 14 },
};
/** More than any module has, and than all modules of a kernel have. */
const MAX_SYMBOLS = 1 << 17;
const MAX_MODULES = 4096;
/** `enum mod_mem_type`: code, data, read-only data, data that is read-only after the start; the same of the init part. */
const CORE_KINDS = 4;

/** Newest first, as /proc/modules lists them. */
export function readModules(kernel: LinuxKernel): LinuxModule[] {
  const list = kernel.btf.offsetOf('module', 'list');
  const head = kernel.address('modules');
  return [...kernel.list(head, list, MAX_MODULES)].map((module) => readModule(kernel, module));
}

function readModule(kernel: LinuxKernel, module: bigint): LinuxModule {
  const { btf } = kernel;
  const name = btf.member('module', 'name');
  const text = kernel.text8(module + BigInt(name.offset), Math.min(name.bytes, 256));
  const areas = btf.find('module', 'core_layout') === undefined ? memoryAreas(kernel, module) : layouts(kernel, module);
  const core = areas.filter(({ init }) => !init);
  const bytes = core.reduce((sum, area) => sum + area.bytes, 0);
  const table = btf.find('module', 'kallsyms');
  const kallsyms = table === undefined ? 0n : kernel.pointer(module + BigInt(table.offset));
  return { name: text, address: core[0]?.address ?? 0n, bytes, areas, kallsyms, module };
}

/** Before 6.4 two pieces. */
function layouts(kernel: LinuxKernel, module: bigint): ModuleArea[] {
  return (['core_layout', 'init_layout'] as const).map((layout) => {
    const at = (member: string): bigint => module + BigInt(kernel.btf.offsetOf('module', `${layout}.${member}`));
    return {
      address: kernel.pointer(at('base')),
      bytes: kernel.u32(at('size')),
      init: layout === 'init_layout',
    };
  });
}

/** Since 6.4 an array of kinds of memory: code first, then data; those of the init part come last. */
function memoryAreas(kernel: LinuxKernel, module: bigint): ModuleArea[] {
  const { btf } = kernel;
  const memory = btf.member('module', 'mem');
  const entry = btf.sizeOf('module_memory');
  const size = BigInt(btf.offsetOf('module_memory', 'size'));
  const base = BigInt(btf.offsetOf('module_memory', 'base'));
  const first = module + BigInt(memory.offset);
  const kinds = Math.min(2 * CORE_KINDS, Math.floor(memory.bytes / entry));
  return Array.from({ length: kinds }, (_, kind) => {
    const at = first + BigInt(kind * entry);
    return { address: kernel.pointer(at + base), bytes: kernel.u32(at + size), init: kind >= CORE_KINDS };
  });
}

/** Address of a module's BTF, and its bytes. */
export interface ModuleTypes {
  name: string;
  address: bigint;
  bytes: number;
}

/**
 * Types of modules that are loaded, as /sys/kernel/btf shows them. The kernel frees a module's own section and keeps a
 * copy (`btf_modules`, CONFIG_DEBUG_INFO_BTF_MODULES), in which all numbers go on from its own.
 */
export function moduleTypes(kernel: LinuxKernel): ModuleTypes[] {
  const { btf } = kernel;
  if (!kernel.has('btf_modules') || btf.find('btf_module', 'btf') === undefined) return [];
  const at = (path: string): bigint => BigInt(btf.offsetOf('btf', path));
  const name = btf.member('btf', 'name');
  const list = btf.offsetOf('btf_module', 'list');
  return [...kernel.list(kernel.address('btf_modules'), list, MAX_MODULES)].map((entry) => {
    const own = kernel.pointer(entry + BigInt(btf.offsetOf('btf_module', 'btf')));
    return {
      name: kernel.text8(own + BigInt(name.offset), Math.min(name.bytes, 256)),
      address: kernel.pointer(own + at('data')),
      bytes: kernel.u32(own + at('data_size')),
    };
  });
}

/** Whether an address lies in a part of the module that is there now. */
export function isInModule({ areas }: LinuxModule, address: bigint): boolean {
  return areas.some((area) => area.address !== 0n && address >= area.address && address < endOf(area));
}

export const endOf = ({ address, bytes }: ModuleArea): bigint => address + BigInt(bytes);

/**
 * Symbols of a module's functions and data, with their module: `name [module]`. While it starts, its table has all of
 * them; afterwards those of what stays.
 */
export function moduleSymbols(kernel: LinuxKernel, module: LinuxModule): KernelSymbol[] {
  const { btf } = kernel;
  if (module.kallsyms === 0n) return [];
  const at = (path: string): bigint => module.kallsyms + BigInt(btf.offsetOf('mod_kallsyms', path));
  const count = Math.min(kernel.u32(at('num_symtab')), MAX_SYMBOLS);
  const strings = kernel.pointer(at('strtab'));
  const entry = SYMBOL[kernel.bits];
  const bytes = kernel.read(kernel.pointer(at('symtab')), count * entry.bytes);
  const data = dataView(bytes);
  const word = (at: number): bigint =>
    kernel.bits === 64 ? data.getBigUint64(at, true) : BigInt(data.getUint32(at, true));
  const symbols: KernelSymbol[] = [];
  for (let symbol = 0; symbol < count; symbol++) {
    const own = symbol * entry.bytes;
    const address = word(own + entry.value);
    const kind = bytes[own + entry.info] & 0xf;
    if (data.getUint16(own + entry.home, true) === 0 || kind > 2 || !isInModule(module, address)) continue;
    const text = symbolName(kernel, strings + BigInt(data.getUint32(own, true)));
    if (text === '') continue;
    const type = kind === 2 ? 't' : 'd';
    symbols.push({ name: `${text} [${module.name}]`, type, address, size: word(own + entry.size) });
  }
  return symbols;
}

/** A name may end at the end of what is mapped. */
function symbolName(kernel: LinuxKernel, address: bigint): string {
  const inPage = 4096 - Number(address & 0xfffn);
  const head = kernel.read(address, Math.min(inPage, 256));
  return head.includes(0) || inPage >= 256
    ? cString(head)
    : cString(head) + kernel.text8(address + BigInt(inPage), 256);
}
