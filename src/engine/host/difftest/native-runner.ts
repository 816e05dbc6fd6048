// Runs test cases in ring 3 of this machine's own CPU, in a helper process (native-cases.c, built with
// gcc on first use): the one oracle that no emulator stands in front of.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VECTOR } from '../../../spec/exceptions.js';
import { bedImage, bedState, CODE, type Mode, SUPERVISOR_PAGE } from '../../difftest/bed.js';
import type { Case, CaseRunner, Change, Outcome } from '../../difftest/case.js';
import { IF, IOPL, TF } from '../../difftest/flags.js';
import { notRun } from '../../difftest/outcome.js';

/** #DB, by which an instruction that completes ends. */
const { DB } = VECTOR;
const MODE_NUMBERS: Partial<Record<Mode, number>> = { long: 0, compat32: 1, compat16: 2 };
/** Modes that ring 3 of a 64-bit kernel may have. */
const NATIVE_MODES: readonly Mode[] = ['long', 'compat32', 'compat16'];

// Sizes of the structures in native-cases.c.
const BASE = 0x10000;
const IMAGE_BYTES = 0x30000;
const POKE_BYTES = 64;
const MAX_POKES = 2;
const TEST_BYTES = 16 + 17 * 8 + 16 + MAX_POKES * (8 + POKE_BYTES);
const RESULT_BYTES = 19 * 8 + 16;
const RSP = 4;
const MAX_CASES = 8192;
const MAX_OUTPUT = 256 << 20;

const FLAGS = (
  '-O2 -static -nostdlib -ffreestanding -fno-stack-protector -mgeneral-regs-only -mno-red-zone -fcf-protection=none ' +
  '-Wl,-Ttext-segment=0x550000000000 -mcmodel=large -fno-pie -no-pie'
).split(' ');

/** Next to this file in the sources; the build leaves C files where they are. */
function sourceFile(): string {
  const beside = fileURLToPath(new URL('./native-cases.c', import.meta.url));
  return existsSync(beside) ? beside : beside.replace(/([\\/])dist([\\/])(?!.*[\\/]dist[\\/])/, '$1src$2');
}

/** NOP, which completes wherever the mode exists. */
const nopIn = (mode: Mode, rsp = 0n): Case => ({
  ...{ name: 'NOP', mode, cpl: 3, seed: 1, code: Uint8Array.of(0x90), address: CODE, pokes: [] },
  ...{ gpr: BigUint64Array.from({ length: 16 }, (_, n) => (n === RSP ? rsp : 0n)), rflags: IF | TF | 2 },
});
const NONCANONICAL = 1n << 62n;
const isCanonical = (la: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, la)) === la;

/** Reads or loads selectors or tables, or is a system call. */
const USES_TABLES =
  /^(L[DEFGS]S |LAR|LSL|VER[RW]|S[GIL]DT|STR|SMSW|RETF|IRET|INT |ARPL|(RD|WR)[FG]SBASE)|Sw|Ap|Mp|^(PUSH|POP) [C-G]S|^(PUSH|POP) SS/;

export class NativeCaseRunner implements CaseRunner {
  readonly name = 'native';
  /** Modes of NATIVE_MODES that this kernel has: some are without 32-bit programs and local descriptor tables. */
  readonly modes: readonly Mode[];
  /** May a program begin where RSP is no canonical address? A paravirtual kernel's way there may fault. */
  private readonly anyStack: boolean;
  private readonly folder: string;
  private readonly program: string;

  private constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'vmscope-native-'));
    this.program = join(this.folder, 'native-cases');
    execFileSync('gcc', [...FLAGS, sourceFile(), '-o', this.program], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.modes = NATIVE_MODES.filter((mode) => this.completes(nopIn(mode)));
    this.anyStack = this.completes(nopIn('long', NONCANONICAL));
  }

  /** @throws Error when gcc is absent or this machine is no x86-64 Linux */
  static open(): NativeCaseRunner {
    if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('needs Linux on x86-64');
    return new NativeCaseRunner();
  }

  /** Does the case make sense outside the bed's own tables and privileges? */
  accepts(c: Case): boolean {
    if (c.cpl !== 3 || !this.modes.includes(c.mode) || c.pokes.length > MAX_POKES) return false;
    if (!this.anyStack && c.mode === 'long' && !isCanonical(c.gpr[RSP])) return false;
    return (c.rflags & (IF | IOPL)) === IF && !USES_TABLES.test(c.name);
  }

  private completes(c: Case): boolean {
    return this.run([c])[0].vector === DB;
  }

  run(cases: readonly Case[]): Outcome[] {
    const outcomes: Outcome[] = [];
    for (let from = 0; from < cases.length; ) {
      let to = from;
      while (to < cases.length && to - from < MAX_CASES && cases[to].seed === cases[from].seed) to++;
      outcomes.push(...this.batch(cases.slice(from, to)));
      from = to;
    }
    return outcomes;
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private batch(cases: readonly Case[]): Outcome[] {
    const input = encode(cases);
    const child = spawnSync(this.program, { input, maxBuffer: MAX_OUTPUT });
    const outcomes = child.stdout ? decode(cases, child.stdout) : [];
    while (outcomes.length < cases.length) {
      outcomes.push(notRun(cases[outcomes.length], `the native process ended: ${child.signal ?? child.status}`));
      // The case that ended the process is the first without a result; the others run again without it.
      if (outcomes.length < cases.length) outcomes.push(...this.batch(cases.slice(outcomes.length)));
    }
    return outcomes;
  }
}

function encode(cases: readonly Case[]): Buffer {
  const buffer = Buffer.alloc(8 + IMAGE_BYTES + cases.length * TEST_BYTES);
  buffer.writeUInt32LE(cases.length, 0);
  buffer.set(bedImage(cases[0].seed).subarray(BASE, BASE + IMAGE_BYTES), 8);
  cases.forEach((c, n) => {
    let at = 8 + IMAGE_BYTES + n * TEST_BYTES;
    buffer.writeUInt32LE(MODE_NUMBERS[c.mode] ?? 0, at);
    buffer.writeUInt32LE(c.address, at + 4);
    buffer.writeUInt32LE(c.code.length, at + 8);
    buffer.writeUInt32LE(c.pokes.length, at + 12);
    at += 16;
    for (const value of c.gpr) at = buffer.writeBigUInt64LE(value, at);
    at = buffer.writeBigUInt64LE(BigInt(c.rflags), at);
    buffer.set(c.code, at);
    at += 16;
    for (const poke of c.pokes) {
      buffer.writeUInt32LE(poke.address, at);
      buffer.writeUInt32LE(poke.bytes.length, at + 4);
      buffer.set(poke.bytes, at + 8);
      at += 8 + POKE_BYTES;
    }
  });
  return buffer;
}

function decode(cases: readonly Case[], output: Buffer): Outcome[] {
  const outcomes: Outcome[] = [];
  let at = 0;
  while (outcomes.length < cases.length && at + RESULT_BYTES <= output.length) {
    const c = cases[outcomes.length];
    const changeBytes = output.readUInt32LE(at + 19 * 8 + 8);
    if (at + RESULT_BYTES + changeBytes > output.length) break;
    const gpr = BigUint64Array.from({ length: 16 }, (_, i) => output.readBigUInt64LE(at + i * 8));
    // The kernel comes back to a 16-bit stack through a stack of its own, which shows in bits 32-63.
    if (c.mode !== 'long') gpr[RSP] &= 0xffff_ffffn;
    const vector = output.readUInt32LE(at + 19 * 8);
    const changes: Change[] = [];
    for (let p = at + RESULT_BYTES; p < at + RESULT_BYTES + changeBytes; ) {
      const length = output.readUInt32LE(p + 4);
      changes.push({ address: output.readUInt32LE(p), bytes: Uint8Array.from(output.subarray(p + 8, p + 8 + length)) });
      p += 8 + length;
    }
    const cr2 = vector === 14 ? output.readBigUInt64LE(at + 18 * 8) : 0n;
    outcomes.push({
      ending: 'exception',
      vector,
      errorCode: errorCodeOf(vector, output.readUInt32LE(at + 19 * 8 + 4), cr2),
      cr2,
      gpr,
      rip: output.readBigUInt64LE(at + 16 * 8),
      rflags: Number(output.readBigUInt64LE(at + 17 * 8)),
      selectors: selectorsOf(c.mode),
      changes,
      detail: '',
    });
    at += RESULT_BYTES + changeBytes;
  }
  return outcomes;
}

/**
 * The bed's supervisor pages are present, while here they are no pages; and Linux answers that a page of
 * the upper half is present whatever it is, so as not to tell programs about its own.
 */
function errorCodeOf(vector: number, code: number, cr2: bigint): number {
  if (vector !== 14) return code;
  if (cr2 < BigInt(BASE) || (cr2 & ~0xfffn) === BigInt(SUPERVISOR_PAGE)) return code | 1;
  return cr2 >> 47n !== 0n ? code & ~1 : code;
}

const SELECTORS = new Map<Mode, Uint16Array>(
  NATIVE_MODES.map((mode) => {
    const bed = bedState(mode, 3);
    const segments = [bed.es, bed.cs, bed.ss, bed.ds, bed.fs, bed.gs];
    return [mode, Uint16Array.from(segments, (segment) => segment.selector)];
  }),
);

/** The host's own selectors are not the bed's; instructions that show them are left out, so the bed's stand here. */
const selectorsOf = (mode: Mode): Uint16Array => SELECTORS.get(mode) ?? new Uint16Array(6);
