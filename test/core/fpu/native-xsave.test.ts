import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { named, requireTool } from '../../tools.js';
import { Random } from '../exec/random-code.js';
import { Machine } from '../harness.js';

const gcc = requireTool('gcc');
const AREA_BYTES = 832;
const STATE = 32;
const AREA = STATE + AREA_BYTES;
const RECORD = AREA + AREA_BYTES;
const HEADER = 512;
/** Bits 16-23 of MXCSR_MASK: one maker's processors have one more MXCSR bit. */
const MXCSR_MASK_HIGH = AREA + 30;
/**
 * XINUSE may name a component that is in its initial configuration (SDM vol. 1 13.6), and does on a host that was interrupted
 * between XRSTOR and XSAVE: about one case in a million. So a case differs only if the host repeats its answer.
 */
const HOST_REPEATS = 3;
const GUEST_STATE = 0x20000;
const GUEST_AREA = 0x21fc0; // crosses a page
const OPERATIONS = ['fxsave', 'xsave', 'xsaveopt', 'xsavec', 'xrstor', 'fxrstor'];
/** REX.W forms on [rdi]. */
const CODE = ['480fae07', '480fae27', '480fae37', '480fc727', '480fae2f', '480fae0f'];
const SAVE_ALL = '31d2b807000000480fae27'; // xor edx, edx; mov eax, 7; xsave64 [rdi]

/** An image in the standard format that XRSTOR takes. */
function image(random: Random, record: Buffer, at: number): void {
  for (let n = 0; n < AREA_BYTES; n++) record[at + n] = random.next() & 0xff;
  const masks = random.below(2) ? 0x3f : random.below(64);
  record.writeUInt16LE(0x40 | masks | (random.below(4) << 10) | (random.pick([0, 2, 3]) << 8), at);
  record.writeUInt16LE((random.below(8) << 11) | (random.next() & 0x4700) | (random.next() & masks), at + 2);
  record[at + 5] = 0;
  record.writeUInt16LE(0, at + 6);
  record.fill(0, at + 8, at + 24);
  record.writeUInt32LE(random.next() & 0xffff, at + 24);
  if (random.below(2)) record.writeUInt32LE(0x1f80, at + 24);
  for (let n = 0; n < 8; n++) record.fill(0, at + 32 + n * 16 + 10, at + 48 + n * 16);
  record.fill(0, at + HEADER, at + HEADER + 64);
  record[at + HEADER] = random.below(8);
}

function makeCase(random: Random): Buffer {
  const record = Buffer.alloc(RECORD);
  const operation = random.below(OPERATIONS.length);
  record.writeBigUInt64LE(BigInt(operation), 0);
  record.writeBigUInt64LE(BigInt(random.below(8)), 8);
  image(random, record, STATE);
  if (operation >= 4) {
    image(random, record, AREA);
    if (operation === 4 && random.below(2)) {
      // the compacted format, at times with a header that is refused
      const held = random.below(8);
      record[AREA + HEADER] = held;
      record[AREA + HEADER + 8] = random.below(4) ? held | random.below(8) : random.below(8);
      record[AREA + HEADER + 15] = 0x80;
    }
    if (random.below(8) === 0) record[AREA + HEADER + random.below(64)] = random.next() & 0xff;
    if (random.below(8) === 0) record[AREA + 26] = 1;
  } else if (random.below(2)) record[AREA + HEADER] = random.below(8);
  else record.fill(0xaa, AREA, AREA + AREA_BYTES);
  return record;
}

function onHost(records: Buffer[]): Buffer[] {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-xsave-'));
  try {
    const program = join(folder, 'native');
    execFileSync(gcc.path, ['-O1', '-o', program, fileURLToPath(new URL('native-xsave.c', import.meta.url))]);
    const { stdout } = spawnSync(program, { input: Buffer.concat(records), maxBuffer: 1 << 28 });
    expect(stdout.length).toBe(records.length * RECORD);
    return records.map((_, n) => stdout.subarray(n * RECORD, (n + 1) * RECORD));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function inCore(machine: Machine, record: Buffer): Buffer {
  const result = Buffer.from(record);
  const operation = Number(record.readBigUInt64LE(0));
  machine.mode('long');
  machine.set(L.CR4, 0x40220);
  machine.set(L.XCR0, 7);
  machine.core.updateMode();
  machine.load(GUEST_STATE, record.subarray(STATE, STATE + AREA_BYTES));
  machine.load(GUEST_AREA, record.subarray(AREA, AREA + AREA_BYTES));
  machine.setReg('rax', 7);
  machine.setReg('rdx', 0);
  machine.setReg('rdi', GUEST_STATE);
  machine.exec('0fae2f', 1); // xrstor [rdi]
  machine.setReg('rax', record.readBigUInt64LE(8));
  machine.setReg('rdi', GUEST_AREA);
  const steps = operation >= 4 ? 4 : 1;
  const before = machine.icount;
  machine.exec(`${CODE[operation]}${operation >= 4 ? SAVE_ALL : ''}`, steps);
  result.writeBigUInt64LE(machine.icount - before === BigInt(steps) ? 0n : 1n, 16);
  result.set(machine.ram(GUEST_AREA, AREA_BYTES), AREA);
  return result;
}

/** The offset of the first byte that the core has otherwise than the host, or -1. */
function firstDifference(expected: Buffer, got: Buffer): number {
  return expected.findIndex((byte, i) => i >= 16 && i !== MXCSR_MASK_HIGH && byte !== got[i]);
}

const cpuinfo = process.platform === 'linux' ? readFileSync('/proc/cpuinfo', 'utf8') : '';
const features = /\bavx\b/.test(cpuinfo) && /\bxsavec\b/.test(cpuinfo) && /\bxsaveopt\b/.test(cpuinfo);

describe('state-saving instructions against the host CPU', () => {
  it.skipIf(!gcc.available || process.arch !== 'x64' || !features)(
    named('areas, headers and refusals are the same', gcc),
    () => {
      const random = new Random(0x5a5e);
      const records = Array.from({ length: 6000 }, () => makeCase(random));
      const host = onHost(records);
      const machine = new Machine();
      const found: string[] = [];
      records.forEach((record, n) => {
        let expected = host[n] as Buffer;
        const got = inCore(machine, record);
        const name = OPERATIONS[Number(record.readBigUInt64LE(0))];
        let at = firstDifference(expected, got);
        for (let again = 0; at >= 0 && again < HOST_REPEATS; again++) {
          expected = onHost([record])[0] as Buffer;
          at = firstDifference(expected, got);
        }
        if (at < 0 || found.length > 15) return;
        const place = at < STATE ? 'fault' : `area + ${at - AREA}`;
        const header = record.subarray(AREA + HEADER, AREA + HEADER + 24).toString('hex');
        found.push(
          `${name} mask ${record[8]} state ${record[STATE + HEADER]} header ${header}: ${place}: ` +
            `${expected.subarray(at, at + 8).toString('hex')} host, ${got.subarray(at, at + 8).toString('hex')} core`,
        );
      });
      expect(found.join('\n')).toBe('');
    },
    120_000,
  );
});
