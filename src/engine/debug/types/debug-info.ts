/** Types and variables of a guest's code, by DWARF of a file and BTF of its kernel. */

import type { CallFrames, FrameRule, FrameRules } from '../../../disasm/dwarf/call-frames.js';
import type { Dwarf, Pieces } from '../../../disasm/dwarf/index.js';
import type { DwarfScope, DwarfVariable } from '../../../disasm/dwarf/scope.js';
import type { Unit } from '../../../disasm/dwarf/units.js';
import { partsOfType, type TypeId, type TypeNode, type TypeWord, VOID } from '../../../disasm/type-node.js';
import type { CallerRules, CodeBlock, Debugger, OsFrameRow, TypedVariable, VariablePlace } from '../../debugger.js';
import type { Binary, Expression } from '../expression/syntax.js';
import type { Btf } from '../linux/btf.js';
import { BtfTypes, moduleOfType } from './btf-types.js';
import { type LocationContext, numberOf, placeOf, sum, Untold } from './location.js';
import { registerName } from './registers.js';

export interface DebugInfoSources {
  /** Of the image, or of the file of symbols; looked into when it is asked for. */
  dwarf(): Dwarf | undefined;
  /** Of the same file, which may have these alone. */
  frames(): CallFrames | undefined;
  /** Before distances are asked for: where the file is a kernel's, that is looked for. */
  place(): Promise<void>;
  /** Looks for the guest's kernel, unless that was done lately. */
  find(): Promise<unknown>;
  /** Of the kernel that runs; undefined where it has none, or is not found yet. */
  btf(): Promise<Btf | undefined>;
  /** Modules of the kernel that have types, and those of one. */
  typedModules(): Promise<string[]>;
  moduleBtf(module: string): Promise<Btf | undefined>;
  /** How far the code or datum at an address lies from where it was linked. */
  distance(address: bigint, as: 'loaded' | 'linked'): bigint;
  /** The system's own way from a frame to its caller's. */
  frameRow(address: bigint): OsFrameRow | undefined | Promise<OsFrameRow | undefined>;
  /** Files of the line table that begins at an offset of .debug_line. */
  files(offset: number): string[];
  /** Where from its per-CPU area a CPU notes what it runs; undefined where no such kernel is known. */
  currentTask(): Promise<bigint | undefined>;
  /** Addresses of symbols; of a module's. */
  symbol(name: string, module?: string): Promise<bigint | undefined>;
}

/** Of one answer. */
const MAX_NODES = 3000;
/** ms of a slice of work, between which the guest has its turns. */
const SLICE_MS = 8;
/** Registers that an ORC row may start from. */
const ROW_REGISTERS = 17;

/** DWARF's and BTF's types never lead to one another. */
const isBtf = (id: TypeId): boolean => id.startsWith('b');

export class DebugInfo implements NonNullable<Debugger['types']> {
  #btf: { of: Btf; types: BtfTypes } | undefined;
  readonly #ofModules = new WeakMap<Btf, BtfTypes>();

  /** @param pause lets other work go on between two slices; `now` in ms */
  constructor(
    private readonly sources: DebugInfoSources,
    private readonly pause: () => Promise<void>,
    private readonly now: () => number,
  ) {}

  async from(): Promise<'DWARF' | 'BTF' | undefined> {
    return this.sources.dwarf() ? 'DWARF' : (await this.#foundTypes()) ? 'BTF' : undefined;
  }

  async #foundTypes(): Promise<BtfTypes | undefined> {
    const known = await this.#kernelTypes();
    if (known !== undefined) return known;
    await this.sources.find();
    return this.#kernelTypes();
  }

  async #kernelTypes(): Promise<BtfTypes | undefined> {
    // a kernel without types, or one that starts
    const of = await this.sources.btf().catch(() => undefined);
    if (of === undefined) return undefined;
    if (this.#btf?.of !== of) this.#btf = { of, types: new BtfTypes(of) };
    return this.#btf.types;
  }

  async #moduleTypes(module: string): Promise<BtfTypes | undefined> {
    // one that is just unloaded, or damaged
    const of = await this.sources.moduleBtf(module).catch(() => undefined);
    if (of === undefined) return undefined;
    let types = this.#ofModules.get(of);
    if (types === undefined) this.#ofModules.set(of, (types = new BtfTypes(of, module)));
    return types;
  }

  /** In the kernel's types, then in those of each module. */
  async #inKernel<T>(find: (types: BtfTypes, module?: string) => T | undefined): Promise<T | undefined> {
    const kernel = await this.#foundTypes();
    const own = kernel && find(kernel);
    if (kernel === undefined || own !== undefined) return own;
    for (const module of await this.sources.typedModules().catch(() => [])) {
      const types = await this.#moduleTypes(module);
      const found = types && find(types, module);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #done<T>(work: Pieces<T>): Promise<T> {
    for (let since = this.now(); ; ) {
      const step = work.next();
      if (step.done) return step.value;
      if (this.now() - since < SLICE_MS) continue;
      await this.pause();
      since = this.now();
    }
  }

  async nodes(ids: readonly TypeId[]): Promise<[TypeId, TypeNode][]> {
    // types of a module lead to others of its own, or to the kernel's
    const modules = new Map<string | undefined, BtfTypes | undefined>();
    for (const id of ids.filter(isBtf)) {
      const module = moduleOfType(id);
      if (module !== undefined && !modules.has(module)) modules.set(module, await this.#moduleTypes(module));
    }
    if (ids.some(isBtf)) modules.set(undefined, await this.#kernelTypes());
    const nodeOf = (id: TypeId): TypeNode | undefined => {
      if (id === VOID) return { kind: 'void' };
      return isBtf(id) ? modules.get(moduleOfType(id))?.type(id) : this.sources.dwarf()?.type(id);
    };
    const found = new Map<TypeId, TypeNode>();
    const waiting = ids.map((id) => ({ id, far: false }));
    for (let at = 0; at < waiting.length && found.size < MAX_NODES; at++) {
      const { id, far } = waiting[at]!;
      const there = found.get(id);
      const isWhole = there !== undefined && !('partial' in there);
      if (isWhole || (there !== undefined && far)) continue;
      const node = nodeOf(id);
      if (node === undefined) continue;
      const isStruct = node.kind === 'struct' || node.kind === 'union';
      found.set(id, far && isStruct ? { ...node, members: [], partial: true } : node);
      if (node.kind === 'pointer') waiting.push({ id: node.to, far: true });
      else if (!(far && isStruct)) for (const part of partsOfType(node)) waiting.push({ id: part, far });
    }
    return [...found];
  }

  async named(word: TypeWord, name: string, near?: bigint): Promise<TypeId | undefined> {
    const dwarf = this.sources.dwarf();
    const linked = near === undefined ? undefined : await this.#linkedNow(near);
    const own = dwarf && (await this.#done(dwarf.named(word, name, linked)));
    return own ?? (await this.#inKernel((types) => types.named(word, name)));
  }

  async enumerator(name: string, near?: bigint): Promise<{ value: bigint; type: TypeId } | undefined> {
    const dwarf = this.sources.dwarf();
    const own =
      dwarf && near !== undefined ? await this.#done(dwarf.enumerator(name, await this.#linkedNow(near))) : undefined;
    return own ?? (await this.#inKernel((types) => types.enumerator(name)));
  }

  async #linkedNow(address: bigint): Promise<bigint> {
    await this.sources.place();
    return this.#linked(address);
  }

  #linked(address: bigint): bigint {
    return BigInt.asUintN(64, address - this.sources.distance(address, 'loaded'));
  }

  #placed(linked: bigint): bigint {
    return BigInt.asUintN(64, linked + this.sources.distance(linked, 'linked'));
  }

  async scope(pc: bigint): Promise<CodeBlock[] | undefined> {
    const dwarf = this.sources.dwarf();
    if (dwarf === undefined) return undefined;
    const linked = await this.#linkedNow(pc);
    const scope = await this.#done(dwarf.scope(linked));
    if (scope === undefined) return undefined;
    const rules = this.sources.frames()?.rules(linked);
    const row = rules === undefined ? await this.sources.frameRow(pc) : undefined;
    const context = this.#context(dwarf, scope, rules, row);
    const files = scope.lines === undefined ? [] : this.sources.files(scope.lines);
    return scope.blocks.map(({ kind, name, type, variables, ranges, callFile, callLine }) => {
      const file = callFile === undefined ? undefined : files[callFile];
      return {
        kind,
        ...(name === undefined ? {} : { name }),
        ...(type === undefined ? {} : { type }),
        variables: variables
          .filter(({ declared }) => !declared)
          .map((variable) => this.#variable(variable, { ...context, ...this.#ofUnit(dwarf, variable.unit) })),
        ranges: ranges.map(({ low, high }) => ({ low: this.#placed(low), high: this.#placed(high) })),
        ...(file === undefined || callLine === undefined ? {} : { call: { file, line: callLine } }),
      };
    });
  }

  #ofUnit(
    dwarf: Dwarf,
    unit: Unit,
  ): Pick<LocationContext, 'addressBytes' | 'offsetBytes' | 'version' | 'placed' | 'address' | 'base'> {
    return {
      addressBytes: unit.addressBytes,
      offsetBytes: unit.offsetBytes,
      version: unit.version,
      placed: (linked) => this.#placed(linked),
      address: (index) => dwarf.indexed(unit, index),
      base: (offset) => {
        const node = dwarf.type(`d${unit.offset + offset}`);
        if (node?.kind !== 'base' || node.encoding === 'float' || node.encoding === 'other') return undefined;
        return { bits: node.bytes * 8, signed: node.encoding === 'signed' || node.encoding === 'char' };
      },
    };
  }

  #context(
    dwarf: Dwarf,
    scope: DwarfScope,
    rules: FrameRules | undefined,
    row: OsFrameRow | undefined,
  ): LocationContext {
    const own = this.#ofUnit(dwarf, scope.unit);
    const cfa = (): Expression => {
      const { addressBytes } = scope.unit;
      if (rules) return cfaOf(rules, own);
      const name =
        row?.frame === 'call' && row.load === undefined ? registerName(row.register, addressBytes) : undefined;
      if (name === undefined) throw new Untold('its frame is not recorded');
      return sum({ kind: 'name', name, sign: `$${name}`, at: 0 }, BigInt(row!.offset));
    };
    const { frameBase } = scope;
    if (frameBase === undefined) return { ...own, cfa };
    return {
      ...own,
      cfa,
      frameBase: () => {
        const place = placeOf(frameBase, { ...own, cfa });
        if (place.kind === 'memory') return place.address;
        if (place.kind === 'value') return place.value;
        throw new Untold('its frame is not recorded');
      },
    };
  }

  #variable(variable: DwarfVariable, context: LocationContext): TypedVariable {
    const { name, type, parameter, line } = variable;
    return { name, type, parameter, place: this.#place(variable, context), ...(line === undefined ? {} : { line }) };
  }

  #place({ expression, constant, declared }: DwarfVariable, context: LocationContext): VariablePlace {
    if (expression !== undefined) {
      try {
        return placeOf(expression, context);
      } catch (error) {
        if (!(error instanceof Untold)) throw error;
        return { kind: 'none', why: error.message };
      }
    }
    if (constant instanceof Uint8Array) return { kind: 'bytes', bytes: constant.slice() };
    if (constant !== undefined)
      return { kind: 'value', value: { kind: 'number', value: BigInt.asUintN(64, constant), at: 0 } };
    return { kind: 'none', why: declared ? 'it is only declared' : 'optimized out' };
  }

  async variable(name: string, near?: bigint): Promise<TypedVariable | undefined> {
    if (name === 'current') return this.#current();
    const dwarf = this.sources.dwarf();
    await this.sources.place();
    const linked = near === undefined ? undefined : this.#linked(near);
    const own = dwarf && (await this.#done(dwarf.variable(name, linked)));
    if (dwarf && own) {
      const place = this.#place(own, this.#ofUnit(dwarf, own.unit));
      const at = place.kind === 'none' ? await this.sources.symbol(name) : undefined;
      // what is declared here may be defined in code without types
      if (at === undefined) return this.#variable(own, this.#ofUnit(dwarf, own.unit));
      return { ...this.#variable(own, this.#ofUnit(dwarf, own.unit)), place: memoryAt(at) };
    }
    const [first] = dwarf ? await this.#done(dwarf.functions(name)) : [];
    const low = first?.ranges[0]?.low;
    if (first && low !== undefined)
      return { name, type: first.type, parameter: false, place: memoryAt(this.#placed(low)) };
    const found = await this.#inKernel((types, module) => {
      const type = types.symbol(name);
      return type === undefined ? undefined : { type, module };
    });
    const at = found && (await this.sources.symbol(name, found.module));
    return found === undefined || at === undefined
      ? undefined
      : { name, type: found.type, parameter: false, place: memoryAt(at) };
  }

  /** The task that the CPU runs: a pointer to its `struct task_struct`, by the per-CPU area that GS leads to in the kernel. */
  async #current(): Promise<TypedVariable | undefined> {
    let offset = await this.sources.currentTask();
    if (offset === undefined) {
      await this.sources.find();
      offset = await this.sources.currentTask();
    }
    const type = offset === undefined ? undefined : await this.named('struct', 'task_struct');
    if (offset === undefined || type === undefined) return undefined;
    const register = (name: string): Expression => ({ kind: 'name', name, sign: `$${name}`, at: 0 });
    const binary = (op: Binary, a: Expression, b: Expression): Expression => ({ kind: 'binary', op, a, b, at: 0 });
    const number = (value: bigint): Expression => ({ kind: 'number', value, at: 0 });
    // programs have a GS of their own, and the kernel's is kept meanwhile
    const inKernel = binary('==', binary('&', register('cs'), number(3n)), number(0n));
    const [own, kept] = [register('gs_base'), register('kernel_gs_base')];
    const address = sum({ kind: 'choice', test: inKernel, a: own, b: kept, at: 0 }, BigInt.asUintN(64, offset));
    return { name: 'current', type: `p:${type}`, parameter: false, place: { kind: 'memory', address } };
  }

  async caller(pc: bigint): Promise<CallerRules | undefined> {
    const frames = this.sources.frames();
    const rules = frames?.rules(await this.#linkedNow(pc));
    if (frames === undefined || rules === undefined) return undefined;
    const unit = {
      addressBytes: frames.addressBytes,
      offsetBytes: 4,
      version: 4,
      placed: (at: bigint) => this.#placed(at),
    };
    try {
      const cfa = cfaOf(rules, unit);
      const registers = [...rules.registers].flatMap(([number, rule]) => {
        const name = number === rules.returnRegister ? 'rip' : registerName(number, unit.addressBytes);
        return name === undefined ? [] : [{ name, ...ruleValue(rule, cfa, unit) }];
      });
      return { cfa, registers, interrupted: rules.signal };
    } catch (error) {
      if (!(error instanceof Untold)) throw error;
      return undefined;
    }
  }

  async atCall(returnTo: bigint, register: string): Promise<Expression | undefined> {
    const dwarf = this.sources.dwarf();
    if (dwarf === undefined) return undefined;
    await this.sources.place();
    for (let number = 0; number < ROW_REGISTERS; number++) {
      if (registerName(number, dwarf.addressBytes) !== register) continue;
      const linked = this.#linked(returnTo);
      const found = await this.#done(dwarf.callValue(linked, number));
      const scope = found && (await this.#done(dwarf.scope(linked - 1n)));
      if (found === undefined || scope === undefined) return undefined;
      try {
        const rules = this.sources.frames()?.rules(linked - 1n);
        return numberOf(found, this.#context(dwarf, scope, rules, undefined));
      } catch (error) {
        if (!(error instanceof Untold)) throw error;
      }
    }
    return undefined;
  }
}

const memoryAt = (address: bigint): VariablePlace => ({
  kind: 'memory',
  address: { kind: 'number', value: address, at: 0 },
});

function cfaOf({ cfa }: FrameRules, context: LocationContext): Expression {
  if ('expression' in cfa) return numberOf(cfa.expression, context);
  const name = registerName(cfa.register, context.addressBytes);
  if (name === undefined) throw new Untold('its frame is not recorded');
  return sum({ kind: 'name', name, sign: `$${name}`, at: 0 }, BigInt(cfa.offset));
}

function ruleValue(rule: FrameRule, cfa: Expression, context: LocationContext): { value?: Expression } {
  const word = (address: Expression): Expression => ({
    ...{ kind: 'memory', space: 'gva', address, bytes: context.addressBytes as 4 | 8, signed: false, at: 0 },
  });
  switch (rule.kind) {
    case 'at':
      return { value: word(sum(cfa, BigInt(rule.offset))) };
    case 'is':
      return { value: sum(cfa, BigInt(rule.offset)) };
    case 'register': {
      const name = registerName(rule.register, context.addressBytes);
      return name === undefined ? {} : { value: { kind: 'name', name, sign: `$${name}`, at: 0 } };
    }
    case 'lost':
      return {};
    default:
      // they begin with the frame's address on their stack; compilers of C write none of them
      return {};
  }
}
