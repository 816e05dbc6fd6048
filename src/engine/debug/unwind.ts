/**
 * Who called: frames of the guest's stack without debug information. The way out of a function is followed in its
 * code: PUSH, POP, LEAVE and sums with the stack pointer up to the RET tell where the return address lies, in code
 * with and without frame pointers. Where that fails the RBP chain is tried, then the stack is searched for return
 * addresses: values that point behind a CALL. A kernel that has tables for its own code is believed first.
 */
import type { Disassembler, Instruction, SymbolTable } from '../../disasm/index.js';
import type { OsFrameRow, RegisterFile } from '../debugger.js';
import { callerByRow } from './frame-step.js';
import { codeBase, codeBits, linearPc, stackBits } from './guest-mode.js';

/** How a frame was found, the surest first. */
export type Found = 'rip' | 'table' | 'ret' | 'iret' | 'frame pointer' | 'scan';

export interface Frame {
  /** Linear address of the instruction that runs next in this frame. */
  pc: bigint;
  found: Found;
  /** Linear address of the stack slot that holds the return address to this frame; none for the innermost. */
  slot?: bigint;
  /** Stack and frame pointer (offsets in SS) as they are once control is here; the latter undefined when not known. */
  sp: bigint;
  bp: bigint | undefined;
}

/** Reads guest memory by linear address; short where it is not mapped. */
export type ReadMemory = (gva: bigint, length: number) => Promise<Uint8Array>;

export interface Unwinding {
  disassembler: Disassembler;
  read: ReadMemory;
  registers: RegisterFile;
  symbols?: SymbolTable;
  /** The guest system's own table. */
  frameRow?: (address: bigint) => Promise<OsFrameRow | undefined>;
}

const MAX_FRAMES = 64;
const MAX_STEPS = 1500;
/** Slots above the stack pointer that are searched for a return address. */
const SCAN_SLOTS = 256;
const MAX_FRAME_BYTES = 1n << 20n;
const LONGEST_CALL = 7;
const CODE_BYTES = 128;
const KERNEL_HALF = 0xffff_8000_0000_0000n;
/** Registers that a table may start from, besides RBP and RSP, by DWARF number. */
const DWARF: Record<number, string> = { 1: 'rdx', 5: 'rdi', 10: 'r10', 13: 'r13' };

/** The frames, innermost first. @param most so many at most */
export async function backtrace(context: Unwinding, most = MAX_FRAMES): Promise<Frame[]> {
  const unwinder = new Unwinder(context);
  const frames = [unwinder.innermost()];
  const slots = new Set<bigint>();
  while (frames.length < most) {
    const last = frames.at(-1)!;
    const caller = await unwinder.caller(last);
    if (!caller || caller.sp === last.sp) break;
    // where a thread begins there is no return address, and its place holds 0
    if (caller.pc === 0n && caller.found !== 'iret') break;
    // Of a return address that was found before this is the end: the chain runs in a circle.
    if (caller.slot !== undefined && slots.has(caller.slot)) break;
    if (caller.slot !== undefined) slots.add(caller.slot);
    // A word that was searched for and says the same again is a copy of it that an earlier call has left.
    if (caller.found === 'scan' && caller.pc === last.pc) frames[frames.length - 1] = { ...last, sp: caller.sp };
    else frames.push(caller);
  }
  return frames;
}

/** The frame to which the current function returns, if its code tells: never one that was guessed. */
export async function returnFrame(context: Unwinding): Promise<Frame | undefined> {
  const unwinder = new Unwinder(context);
  const innermost = unwinder.innermost();
  return (await unwinder.byTable(innermost)) ?? unwinder.byCode(innermost);
}

/** A state on the way out of a function. */
interface Path {
  pc: bigint;
  sp: bigint;
  bp: bigint | undefined;
  /** Stack words that the path itself writes; undefined: not known. */
  written: Map<bigint, bigint | undefined>;
}

class Unwinder {
  private readonly bits;
  private readonly segmentBase: bigint;
  private readonly stackBase: bigint;
  private readonly spBits: number;
  private readonly word: bigint;
  private readonly realMode: boolean;

  constructor(private readonly context: Unwinding) {
    const { registers } = context;
    this.bits = codeBits(registers);
    this.segmentBase = codeBase(registers);
    this.spBits = stackBits(registers);
    this.stackBase = this.bits === 64 ? 0n : (registers.ss_base ?? 0n);
    this.word = BigInt(this.bits / 8);
    this.realMode = ((registers.cr0 ?? 0n) & 1n) === 0n;
  }

  private get framePointer(): string {
    return { 64: 'rbp', 32: 'ebp', 16: 'bp' }[this.bits];
  }

  innermost(): Frame {
    const { registers } = this.context;
    return {
      pc: linearPc(registers),
      found: 'rip',
      sp: this.offset(registers.rsp ?? 0n),
      bp: this.offset(registers.rbp ?? 0n),
    };
  }

  async caller(frame: Frame): Promise<Frame | undefined> {
    const row = await this.row(frame);
    // the table knows the outermost frame as well
    if (row) return row.frame === 'none' ? undefined : this.byTable(frame);
    return (await this.byCode(frame)) ?? (await this.byFramePointer(frame)) ?? (await this.byScan(frame));
  }

  private async row(frame: Frame): Promise<OsFrameRow | undefined> {
    const { frameRow } = this.context;
    if (frameRow === undefined || this.bits !== 64 || frame.pc < KERNEL_HALF) return undefined;
    // a call at a function's end returns to what is another function's start
    return frameRow(frame.found === 'rip' || frame.found === 'iret' ? frame.pc : frame.pc - 1n);
  }

  /** By the table of the guest's system. */
  async byTable(frame: Frame): Promise<Frame | undefined> {
    const row = await this.row(frame);
    if (row === undefined || row.frame === 'none') return undefined;
    const { registers } = this.context;
    const base =
      { 6: frame.bp, 7: frame.sp }[row.register] ??
      (frame.found === 'rip' ? registers[DWARF[row.register]!] : undefined);
    if (base === undefined) return undefined;
    const steps = callerByRow(row, base, frame.bp);
    let step = steps.next();
    while (!step.done) step = steps.next(await this.readWord(step.value));
    if (step.value === undefined) return undefined;
    const { interrupted, ...caller } = step.value;
    return { ...caller, found: interrupted ? 'iret' : 'table' };
  }

  /** Follows the code to its RET, all branches side by side, each instruction once. */
  async byCode(frame: Frame): Promise<Frame | undefined> {
    const start: Path = { pc: frame.pc, sp: frame.sp, bp: frame.bp, written: new Map() };
    const paths: Path[] = [start];
    const seen = new Set<bigint>();
    const bounds = this.bounds(frame.pc);
    for (let steps = 0; steps < MAX_STEPS && paths.length; steps++) {
      const path = paths.shift()!;
      if (seen.has(path.pc)) continue;
      seen.add(path.pc);
      const instruction = await this.instruction(path.pc);
      if (!instruction) continue;
      const result = await this.follow(path, instruction);
      if (!Array.isArray(result)) {
        // A path that fell into other code behind a call that never returns ends at no return address.
        if (result.found === 'iret' || (await this.isReturnAddress(result.pc))) return result;
        continue;
      }
      for (const next of result) if (!bounds || (next.pc >= bounds.from && next.pc < bounds.to)) paths.push(next);
    }
    return undefined;
  }

  /** The function's extent where the image tells its size. A jump out of it may be a tail call, but ends here. */
  private bounds(pc: bigint): { from: bigint; to: bigint } | undefined {
    const symbol = this.context.symbols?.lookup(pc)?.symbol;
    return symbol?.size ? { from: symbol.address, to: symbol.address + symbol.size } : undefined;
  }

  /** What one instruction does to the stack: the paths after it, or the frame that it returns to. */
  private async follow(path: Path, instruction: Instruction): Promise<Path[] | Frame> {
    const mnemonic = instruction.mnemonic.split(' ').at(-1)!;
    const [first = '', second = ''] = instruction.operands.split(', ');
    const next: Path = { ...path, pc: path.pc + BigInt(instruction.bytes.length), written: new Map(path.written) };
    const target = instruction.target;
    if (/^[il]?ret/.test(mnemonic)) return this.returns(path, mnemonic);
    if (mnemonic === 'jmp') {
      if (target === undefined) return [];
      // a RET may stand elsewhere: kernels with return thunks jump to it
      const there = await this.instruction(target);
      return there && /^ret/.test(there.mnemonic) ? this.returns(path, 'ret') : [{ ...next, pc: target }];
    }
    if (/^(?:j|loop)/.test(mnemonic)) return target === undefined ? [next] : [next, { ...next, pc: target }];
    if (/^(?:ud\d|sysret|sysexit|ljmp|\.byte)/.test(mnemonic)) return [];
    if (mnemonic === 'push') return this.push(next, first, second);
    if (/^pushf/.test(mnemonic)) return this.pushed(next, this.word, undefined);
    if (/^pusha/.test(mnemonic)) return this.moved(next, -8n * (mnemonic === 'pushal' ? 4n : 2n));
    if (/^popa/.test(mnemonic))
      return [{ ...this.moved(next, 8n * (mnemonic === 'popal' ? 4n : 2n))[0]!, bp: undefined }];
    if (mnemonic === 'pop') return this.pop(next, first);
    if (/^popf/.test(mnemonic)) return this.moved(next, this.word);
    if (mnemonic === 'leave') return next.bp === undefined ? [] : this.pop({ ...next, sp: next.bp }, this.framePointer);
    if (mnemonic === 'enter') return [];
    const reads = mnemonic === 'cmp' || mnemonic === 'test' || mnemonic === 'call';
    if (isStack(first) && !reads) return this.setsStack(next, mnemonic, second);
    if (isFrame(first) && !reads) {
      next.bp = mnemonic === 'mov' && isStack(second) ? next.sp : undefined;
      const lea = mnemonic === 'lea' ? displacement(second, isStack) : undefined;
      if (lea !== undefined) next.bp = this.offset(next.sp + lea);
    }
    return [next];
  }

  private push(next: Path, first: string, second: string): Path[] {
    const bytes = first && !second ? operandBytes(first) : undefined;
    return this.pushed(next, bytes ?? this.word, isFrame(first) ? next.bp : undefined);
  }

  private pushed(next: Path, bytes: bigint, value: bigint | undefined): Path[] {
    next.sp = this.offset(next.sp - bytes);
    next.written.set(next.sp, value);
    return [next];
  }

  private async pop(next: Path, register: string): Promise<Path[]> {
    if (isFrame(register)) next.bp = await this.stackWord(next, next.sp);
    const moved = this.moved(next, operandBytes(register) ?? this.word);
    return isStack(register) ? [] : moved;
  }

  private moved(next: Path, bytes: bigint): Path[] {
    next.sp = this.offset(next.sp + bytes);
    return [next];
  }

  private setsStack(next: Path, mnemonic: string, source: string): Path[] {
    const number = /^-?(?:0x[0-9a-f]+|\d+)$/.test(source) ? immediate(source) : undefined;
    if (mnemonic === 'add' && number !== undefined) return this.moved(next, number);
    if (mnemonic === 'sub' && number !== undefined) return this.moved(next, -number);
    if (mnemonic === 'inc') return this.moved(next, 1n);
    if (mnemonic === 'dec') return this.moved(next, -1n);
    if (mnemonic === 'and' && number !== undefined) return [{ ...next, sp: this.offset(next.sp & number) }];
    if (mnemonic === 'mov' && isFrame(source) && next.bp !== undefined) return [{ ...next, sp: next.bp }];
    if (mnemonic === 'lea') {
      const fromStack = displacement(source, isStack);
      if (fromStack !== undefined) return this.moved(next, fromStack);
      const fromFrame = displacement(source, isFrame);
      if (fromFrame !== undefined && next.bp !== undefined) return [{ ...next, sp: this.offset(next.bp + fromFrame) }];
    }
    return [];
  }

  private async returns(path: Path, mnemonic: string): Promise<Path[] | Frame> {
    const far = /^(?:retf|lret|iret)/.test(mnemonic);
    const interrupt = mnemonic.startsWith('iret');
    const word = interrupt && mnemonic === 'iretd' ? 4n : interrupt && mnemonic === 'iret' ? 2n : this.word;
    const offset = await this.stackWord(path, path.sp, word);
    if (offset === undefined) return [];
    let base = this.segmentBase;
    let sp = this.offset(path.sp + word);
    if (far) {
      const selector = await this.stackWord(path, sp, word);
      if (selector === undefined) return [];
      sp = this.offset(sp + word);
      if (this.realMode) base = (selector & 0xffffn) << 4n;
      if (interrupt) {
        sp = this.offset(sp + word);
        const outer = ((selector & 3n) !== ((this.context.registers.cs ?? 0n) & 3n) || word === 8n) && !this.realMode;
        if (outer) {
          const popped = await this.stackWord(path, sp, word);
          if (popped === undefined) return [];
          sp = popped;
        }
      }
    }
    const pc = this.bits === 64 ? offset : BigInt.asUintN(32, base + offset);
    return { pc, found: interrupt ? 'iret' : 'ret', slot: this.linear(path.sp), sp, bp: path.bp };
  }

  private async byFramePointer(frame: Frame): Promise<Frame | undefined> {
    const { bp } = frame;
    if (bp === undefined || bp < frame.sp || bp - frame.sp > MAX_FRAME_BYTES) return undefined;
    const pc = await this.readWord(bp + this.word);
    if (pc === undefined) return undefined;
    const linear = this.code(pc);
    if (!(await this.isReturnAddress(linear))) return undefined;
    const sp = this.offset(bp + 2n * this.word);
    return { pc: linear, found: 'frame pointer', slot: this.linear(bp + this.word), sp, bp: await this.readWord(bp) };
  }

  private async byScan(frame: Frame): Promise<Frame | undefined> {
    for (let n = 0n; n < SCAN_SLOTS; n++) {
      const at = this.offset(frame.sp + n * this.word);
      const value = await this.readWord(at);
      if (value === undefined) return undefined;
      const pc = this.code(value);
      if (!(await this.isReturnAddress(pc))) continue;
      return { pc, found: 'scan', slot: this.linear(at), sp: this.offset(at + this.word), bp: frame.bp };
    }
    return undefined;
  }

  /** Whether a CALL ends right before this address. */
  async isReturnAddress(pc: bigint): Promise<boolean> {
    if (pc < BigInt(LONGEST_CALL)) return false;
    const bytes = await this.context.read(pc - BigInt(LONGEST_CALL), LONGEST_CALL);
    if (bytes.length < LONGEST_CALL) return false;
    for (let length = 2; length <= LONGEST_CALL; length++) {
      const start = LONGEST_CALL - length;
      // Cheaper than disassembling each: E8 and 9A, or FF behind at most two prefixes.
      if (!bytes.subarray(start, start + 3).some((byte) => byte === 0xe8 || byte === 0x9a || byte === 0xff)) continue;
      const [line] = this.decode(bytes.subarray(start), pc - BigInt(length));
      if (line?.bytes.length === length && /^l?call/.test(line.mnemonic)) return true;
    }
    return false;
  }

  private async instruction(pc: bigint): Promise<Instruction | undefined> {
    const page = pc - (pc % BigInt(CODE_BYTES));
    const bytes = await this.context.read(page, 2 * CODE_BYTES);
    return this.decode(bytes.subarray(Number(pc - page)), pc)[0];
  }

  private decode(bytes: Uint8Array, pc: bigint): Instruction[] {
    const { disassembler } = this.context;
    return disassembler.disassemble(bytes.subarray(0, 15), pc, {
      bits: this.bits,
      segmentBase: this.segmentBase,
      count: 1,
    });
  }

  private async stackWord(path: Path, sp: bigint, word = this.word): Promise<bigint | undefined> {
    return path.written.has(sp) ? path.written.get(sp) : this.readWord(sp, word);
  }

  private async readWord(sp: bigint, word = this.word): Promise<bigint | undefined> {
    const bytes = await this.context.read(this.linear(sp), Number(word));
    return bytes.length < Number(word) ? undefined : littleEndian(bytes);
  }

  private code(offset: bigint): bigint {
    return this.bits === 64 ? offset : BigInt.asUintN(32, this.segmentBase + offset);
  }

  private linear(sp: bigint): bigint {
    return this.bits === 64 ? this.offset(sp) : BigInt.asUintN(32, this.stackBase + this.offset(sp));
  }

  private offset(sp: bigint): bigint {
    return BigInt.asUintN(this.spBits, sp);
  }
}

export function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

const isStack = (operand: string): boolean => /^[re]?sp$/.test(operand);
const isFrame = (operand: string): boolean => /^[re]?bp$/.test(operand);
const immediate = (text: string): bigint => (text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text));

/** Bytes of a register or sized memory operand; undefined for an immediate or a segment register. */
function operandBytes(operand: string): bigint | undefined {
  if (/^r/.test(operand) || operand.startsWith('qword')) return 8n;
  if (/^e[a-ds]|^e[a-z]{2}$/.test(operand) && operand !== 'es') return 4n;
  if (operand.startsWith('dword')) return 4n;
  if (/^[a-ds][xip]$|^bp$|^word/.test(operand)) return 2n;
  return undefined;
}

/** Displacement of `[register + number]` for the register that `is` accepts. */
function displacement(operand: string, is: (register: string) => boolean): bigint | undefined {
  const match = /\[(\w+)(?: ([+-]) (0x[0-9a-f]+|\d+))?\]$/.exec(operand);
  if (!match || !is(match[1]!)) return undefined;
  const value = BigInt(match[3] ?? 0);
  return match[2] === '-' ? -value : value;
}
