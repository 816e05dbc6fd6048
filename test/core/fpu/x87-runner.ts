import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as L from '../../../src/engine/core/layout.js';
import type { Machine } from '../harness.js';
import { CODE, LENGTH, MEMORY, RECORD, STATE } from './x87-cases.js';

const DATA = 0x20000;
const SAVED = 0x21000;

/** Runs records on the host CPU. */
export function onHost(gcc: string, records: readonly Buffer[]): Buffer[] {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-x87-'));
  try {
    const program = join(folder, 'native');
    execFileSync(gcc, ['-O1', '-o', program, fileURLToPath(new URL('native-x87.c', import.meta.url))]);
    const { stdout } = spawnSync(program, { input: Buffer.concat(records), maxBuffer: 1 << 30 });
    if (stdout.length !== records.length * RECORD) throw new Error(`${stdout.length} bytes from the host's runner`);
    return records.map((_, n) => stdout.subarray(n * RECORD, (n + 1) * RECORD));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a record in the core: FRSTOR, the instruction, FNSAVE. */
export function inCore(machine: Machine, record: Buffer): Buffer {
  const result = Buffer.from(record);
  const code = record.subarray(CODE, CODE + Number(record.readBigUInt64LE(LENGTH)));
  machine.load(0x1000, [0xdd, 0x27, ...code, 0xdd, 0x37, 0xeb, 0xfe]);
  machine.load(DATA, record.subarray(MEMORY, MEMORY + 32));
  machine.load(SAVED, record.subarray(STATE, STATE + 112));
  machine.setReg('rax', record.readBigUInt64LE(0));
  machine.setReg('rbp', DATA);
  machine.setReg('rdi', SAVED);
  machine.set(L.RFLAGS, record.readBigUInt64LE(8));
  machine.set(L.X87_FSW, 0);
  machine.set(L.RIP, 0x1000);
  machine.set32(L.FAULT_VECTOR, 0xff);
  const before = machine.icount;
  machine.run(3);
  if (machine.icount - before !== 3n) {
    const vector = machine.get32(L.FAULT_VECTOR);
    result.writeBigUInt64LE(vector === 16 ? 8n : vector === 6 ? 4n : 99n, 16);
    return result;
  }
  result.writeBigUInt64LE(machine.reg('rax'), 0);
  result.writeBigUInt64LE(machine.get(L.RFLAGS), 8);
  result.set(machine.ram(SAVED, 112), STATE);
  result.set(machine.ram(DATA, 32), MEMORY);
  return result;
}

/** Fields of a record that differ from another's; empty when none does. `status`: bits of FSW that count. */
export function difference(expected: Buffer, got: Buffer, status: number, flags: number): string {
  const a = fields(expected, status, flags);
  const b = fields(got, status, flags);
  return [...a]
    .filter(([name, value]) => b.get(name) !== value)
    .map(([name, value]) => `${name} ${value} host, ${b.get(name)} core`)
    .join('; ');
}

/** What of a record is architecturally defined, as text. */
export function fields(record: Buffer, status = 0xffff, flags = 0x8d5): Map<string, string> {
  const fault = record.readBigUInt64LE(16);
  if (fault !== 0n) return new Map([['fault', `${fault}`]]);
  const word = (at: number): number => record.readUInt16LE(STATE + at);
  const all = new Map([
    ['fcw', word(0).toString(16)],
    ['fsw', (word(4) & status).toString(16)],
    ['ftw', word(8).toString(16)],
    ['rax', record.readBigUInt64LE(0).toString(16)],
    ['flags', (Number(record.readBigUInt64LE(8) & 0xfffn) & flags).toString(16)],
    ['memory', record.subarray(MEMORY, MEMORY + 16).toString('hex')],
  ]);
  for (let n = 0; n < 8; n++) {
    const at = STATE + 28 + n * 10;
    const significand = record.readBigUInt64LE(at).toString(16).padStart(16, '0');
    all.set(`st${n}`, `${record.readUInt16LE(at + 8).toString(16)}.${significand}`);
  }
  return all;
}
