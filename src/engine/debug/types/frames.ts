/** Frames of a vCPU's stack with their registers, and with what was inlined as frames of its own. */
import type { Disassembler, SymbolTable } from '../../../disasm/index.js';
import { GENERAL_64 } from '../../../spec/registers.js';
import type { CallerRules, CodeBlock, Debugger, RegisterFile, SourceLine } from '../../debugger.js';
import { blockReader } from '../block-reader.js';
import { evaluateNode } from '../expression/evaluate.js';
import { codeBits, linearPc } from '../guest-mode.js';
import { backtrace, type Found } from '../unwind.js';
import { KEPT } from './registers.js';

/** A function's frame, or that of one that was inlined into it. */
export interface CodeFrame {
  /** From 0, the innermost. */
  level: number;
  /** Linear address at which it goes on. */
  pc: bigint;
  /** An address of the instruction that it is in: of a caller that of the call. */
  at: bigint;
  /** As they are in this frame; those of a caller that are lost are not here. */
  registers: RegisterFile;
  /** Its own blocks, outermost first; empty where nothing is told of its code. */
  blocks: CodeBlock[];
  name?: string;
  inlined: boolean;
  /** Where it stands in its source. */
  line?: SourceLine;
  found: Found;
  /** Linear address of the stack slot that holds the address at which it goes on; none for the innermost. */
  slot?: bigint;
}

const MAX_FRAMES = 64;
const GENERAL: readonly string[] = [...GENERAL_64, 'rip'];

interface Machine {
  debug: Debugger;
  vcpu: number;
  disassembler: Disassembler;
  symbols: SymbolTable;
}

interface Physical {
  registers: RegisterFile;
  pc: bigint;
  found: Found;
  slot?: bigint;
}

const isCall = ({ found }: Physical): boolean => found !== 'rip' && found !== 'iret';

/** Innermost first; each is found when it is asked for. */
export async function* codeFrames(machine: Machine, registers: RegisterFile): AsyncGenerator<CodeFrame> {
  const { debug } = machine;
  let level = 0;
  let now: Physical | undefined = { registers, pc: linearPc(registers), found: 'rip' };
  for (let count = 0; now !== undefined && count < MAX_FRAMES; count++) {
    const at: bigint = isCall(now) ? now.pc - 1n : now.pc;
    const blocks = (await debug.types?.scope(at)) ?? [];
    const [place] = (await debug.source?.locate([at])) ?? [];
    for (const frame of virtualFrames(now, at, blocks, place ?? undefined)) yield { ...frame, level: level++ };
    now = await callerOf(machine, now, at);
  }
}

/** A function's blocks, parted at what was inlined: the innermost first. */
function virtualFrames(
  { registers, pc, found, slot }: Physical,
  at: bigint,
  blocks: CodeBlock[],
  place: SourceLine | undefined,
): Omit<CodeFrame, 'level'>[] {
  const frames: Omit<CodeFrame, 'level'>[] = [];
  const shared = { pc, at, registers, found, ...(slot === undefined ? {} : { slot }) };
  let line = place;
  for (let end = blocks.length; end > 0; ) {
    let start = end - 1;
    while (start > 0 && blocks[start]!.kind === 'block') start--;
    const own = blocks.slice(start, end);
    const [first] = own;
    frames.push({
      ...{ ...shared, blocks: own, inlined: first!.kind === 'inlined' },
      ...(first!.name === undefined ? {} : { name: first!.name }),
      ...(line === undefined ? {} : { line }),
    });
    line = first!.call;
    end = start;
  }
  if (frames.length > 0) return frames;
  return [{ ...shared, blocks: [], inlined: false, ...(place === undefined ? {} : { line: place }) }];
}

async function callerOf(machine: Machine, now: Physical, at: bigint): Promise<Physical | undefined> {
  const rules = await machine.debug.types?.caller(at);
  const next = rules ? await byRules(machine, now, rules) : await byCode(machine, now);
  if (next === undefined || next.pc === 0n) return undefined;
  const [before, after] = [now.registers.rsp ?? 0n, next.registers.rsp ?? 0n];
  // stacks grow down; an interrupt's may be another one
  return after > before || next.found === 'iret' || rules?.interrupted ? next : undefined;
}

async function byRules(machine: Machine, now: Physical, rules: CallerRules): Promise<Physical | undefined> {
  const { debug, vcpu } = machine;
  const read = ({ space, address, bytes }: { space: 'gva' | 'gpa'; address: bigint; bytes: number }) =>
    debug.readMemory(space, address, bytes, vcpu);
  const names = { registers: now.registers };
  try {
    const cfa = await evaluateNode(rules.cfa, names, read);
    const registers = without(now.registers, KEPT[codeBits(now.registers) === 64 ? 8 : 4]!);
    registers.rsp = cfa;
    for (const { name, value } of rules.registers) {
      delete registers[name];
      if (value === undefined) continue;
      registers[name] = await evaluateNode(value, names, read).catch(() => undefined as never);
      if (registers[name] === undefined) delete registers[name];
    }
    const { rip } = registers;
    if (rip === undefined) return undefined;
    if (rules.interrupted) return { registers, pc: rip, found: 'iret' };
    return { registers, pc: rip, found: 'table', slot: cfa - BigInt(codeBits(now.registers) / 8) };
  } catch {
    // its stack is not there
    return undefined;
  }
}

/** What a caller has, before it is known what its callee has kept. */
function without(registers: RegisterFile, kept: readonly string[]): RegisterFile {
  const left: RegisterFile = {};
  for (const [name, value] of Object.entries(registers))
    if (!GENERAL.includes(name) || kept.includes(name)) left[name] = value;
  return left;
}

async function byCode({ debug, vcpu, disassembler, symbols }: Machine, now: Physical): Promise<Physical | undefined> {
  const { os } = debug;
  const frameRow = os ? (address: bigint) => os.frameRow(address).catch(() => undefined) : undefined;
  const read = blockReader(debug, vcpu);
  const context = { registers: now.registers, read, disassembler, symbols, ...(frameRow ? { frameRow } : {}) };
  const [, next] = await backtrace(context, 2);
  if (next === undefined) return undefined;
  // what the code has done to other registers is not followed
  const registers = without(now.registers, []);
  registers.rip = next.pc;
  registers.rsp = next.sp;
  if (next.bp !== undefined) registers.rbp = next.bp;
  return { registers, pc: next.pc, found: next.found, ...(next.slot === undefined ? {} : { slot: next.slot }) };
}
