import type { CoreExports } from '../../src/engine/core/core-exports.js';
import * as L from '../../src/engine/core/layout.js';
import { Jit, type JitMode } from '../../src/engine/jit/jit.js';
import { Machine, type Mode } from '../core/harness.js';

/** The same machine three times: one instruction after the other by its handler, without the compiler, and with it. */
export class Pair {
  readonly stepped: Machine;
  readonly plain: Machine;
  readonly compiled: Machine;
  readonly jit: Jit;

  constructor(mode: Mode, prepare: (machine: Machine) => void, jit: JitMode = 'always') {
    this.stepped = new Machine();
    this.plain = new Machine();
    this.compiled = new Machine();
    this.jit = new Jit(this.compiled.core as unknown as CoreExports, this.compiled.memory, jit);
    for (const machine of [this.stepped, this.plain, this.compiled]) {
      machine.mode(mode);
      prepare(machine);
    }
  }

  /**
   * Runs `count` instructions; the answers of run() are equal. Once one run is not stepped, none may be.
   * @throws Error with what differs
   */
  run(count: number, stepped = false): number {
    if (stepped) for (let n = 0; n < count; n++) this.stepped.run(1);
    const a = this.plain.run(count);
    const b = this.compiled.run(count);
    this.jit.compileWaiting();
    const differences = difference(this.plain, this.compiled);
    if (a !== b) differences.unshift(`run ${a} ${b}`);
    if (stepped) differences.push(...difference(this.stepped, this.plain).map((text) => `by handlers ${text}`));
    if (differences.length > 0) throw new Error(`compiled code differs: ${differences.join('; ')}`);
    return a;
  }

  /** Instructions that ran in compiled code. */
  get inRegions(): number {
    return Number(this.compiled.get(L.COUNTERS + L.COUNTER_REGION_INSTRUCTIONS * 8));
  }
}

const REGISTERS = 'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' ');

const SYSTEM = { cr0: L.CR0, cr2: L.CR2, 'kernel gs base': L.KERNEL_GS_BASE };

function difference(a: Machine, b: Machine): string[] {
  const out: string[] = [];
  const check = (name: string, at: number): void => {
    const [one, other] = [a.get(at), b.get(at)];
    if (one !== other) out.push(`${name} ${one.toString(16)} ${other.toString(16)}`);
  };
  REGISTERS.forEach((name, n) => {
    check(name, L.GPR + n * 8);
  });
  check('rip', L.RIP);
  check('rflags', L.RFLAGS);
  check('icount', L.ICOUNT);
  check('clock', L.CLOCK_OFFSET);
  check('interruptibility', L.INTERRUPTIBILITY);
  for (const [name, at] of Object.entries(SYSTEM)) check(name, at);
  for (let at = 0; at < 8 * L.SEGMENT_BYTES; at += 8) check(`segments ${at.toString(16)}`, L.SEGMENTS + at);
  for (let n = 0; n < 32; n++) check(`ymm ${n}`, L.YMM + n * 16);
  // registers, control and status, tags, where the last instruction was, MXCSR
  for (let at = 0; at < 0xa0; at += 8) check(`x87 ${at.toString(16)}`, L.X87 + at);
  const [one, other] = [a.bytes.subarray(L.RAM_BASE), b.bytes.subarray(L.RAM_BASE)];
  if (Buffer.compare(one, other) !== 0) {
    const at = one.findIndex((value, n) => value !== other[n]);
    out.push(`memory at ${at.toString(16)}`);
  }
  return out;
}
