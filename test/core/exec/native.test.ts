import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { named, requireTool } from '../../tools.js';
import { Machine } from '../harness.js';
import { ALL, BASE, BY_FEATURE, divide, type Instruction, Random } from './random-code.js';

const gcc = requireTool('gcc');
const CASES = 12_000;
const RECORD = 10 * 8 + 64 + 8 + 16;
const DATA = 0x20000;
const REGISTERS = ['rax', 'rcx', 'rdx', 'rbx', 'rsi', 'rdi', 'r8', 'r9'];
const SIGFPE = 8n;

function hostFeatures(): Set<string> {
  const line = readFileSync('/proc/cpuinfo', 'utf8').match(/^flags\s*:(.*)$/m)?.[1] ?? '';
  return new Set(line.trim().split(/\s+/));
}

interface Case {
  readonly instruction: Instruction;
  readonly record: Buffer;
}

function makeCase(random: Random, instruction: Instruction): Case {
  const record = Buffer.alloc(RECORD);
  for (let n = 0; n < 8; n++) record.writeBigUInt64LE(random.value(), n * 8);
  record.writeBigUInt64LE(BigInt(0x202 | (random.next() & ALL)), 64);
  for (let n = 0; n < 8; n++) record.writeBigUInt64LE(random.value(), 80 + n * 8);
  if (instruction.divides && random.below(4) !== 0) {
    // Dividends that mostly do not overflow.
    record.writeBigUInt64LE(BigInt(random.below(3)), 2 * 8);
  }
  record.writeBigUInt64LE(BigInt(instruction.bytes.length), 144);
  record.set(instruction.bytes, 152);
  return { instruction, record };
}

/** Runs the case in the core, by the handlers or by the dispatcher, and answers its record. */
function inCore(machine: Machine, { instruction, record }: Case, alone: boolean): Buffer {
  const result = Buffer.from(record);
  const code = [...instruction.bytes, ...Array(40).fill(0x90), 0xeb, 0xfe];
  machine.load(0x1000, code);
  REGISTERS.forEach((name, n) => {
    machine.setReg(name, record.readBigUInt64LE(n * 8));
  });
  machine.setReg('rsp', 0x30000);
  machine.setReg('rbp', DATA);
  machine.set(L.RFLAGS, record.readBigUInt64LE(64));
  machine.load(DATA, record.subarray(80, 144));
  machine.set(L.RIP, 0x1000);
  machine.set32(L.FAULT_VECTOR, 0xff);
  const before = machine.icount;
  machine.run(alone ? 1 : 40);
  if (machine.icount === before) result.writeBigUInt64LE(machine.get32(L.FAULT_VECTOR) === 8 ? SIGFPE : 99n, 72);
  else {
    REGISTERS.forEach((name, n) => {
      result.writeBigUInt64LE(machine.reg(name), n * 8);
    });
    result.writeBigUInt64LE(machine.get(L.RFLAGS), 64);
    result.set(machine.ram(DATA, 64), 80);
  }
  return result;
}

/** A record as text, with undefined flags left out. */
function shown(record: Buffer, flags: number): string {
  if (record.readBigUInt64LE(72) !== 0n) return 'fault';
  const registers = REGISTERS.map((name, n) => `${name}=${record.readBigUInt64LE(n * 8).toString(16)}`);
  const status = (Number(record.readBigUInt64LE(64) & 0xfffn) & flags).toString(16);
  return `${registers.join(' ')} flags=${status} memory=${record.subarray(80, 144).toString('hex')}`;
}

describe('instructions against the host CPU', () => {
  it.skipIf(!gcc.available || process.arch !== 'x64')(
    named('random cases give the same state', gcc),
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'vmscope-native-'));
      try {
        const program = join(folder, 'native');
        execFileSync(gcc.path, ['-O1', '-o', program, fileURLToPath(new URL('native.c', import.meta.url))]);
        const features = hostFeatures();
        const generators = [
          ...BASE,
          divide,
          ...BY_FEATURE.filter(([feature]) => features.has(feature)).map(([, generator]) => generator),
        ];
        const random = new Random(0xc0ffee);
        const cases = Array.from({ length: CASES }, () => makeCase(random, random.pick(generators)(random)));
        const native = spawnSync(program, {
          input: Buffer.concat(cases.map(({ record }) => record)),
          maxBuffer: 1 << 28,
        });
        expect(native.stdout.length).toBe(CASES * RECORD);
        const machine = new Machine();
        machine.mode('long');
        const differences: string[] = [];
        cases.forEach((each, n) => {
          const { instruction } = each;
          const expected = shown(native.stdout.subarray(n * RECORD, (n + 1) * RECORD), instruction.flags);
          for (const alone of [true, false]) {
            const got = shown(inCore(machine, each, alone), instruction.flags);
            if (got !== expected && differences.length < 8) {
              const code = Buffer.from(instruction.bytes).toString('hex');
              differences.push(
                `${instruction.name} ${code} ${alone ? 'handler' : 'dispatcher'}\n  before ${shown(each.record, ALL)}\n  host   ${expected}\n  core   ${got}`,
              );
            }
          }
        });
        expect(differences).toEqual([]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    120_000,
  );
});
