/** Call frame information, read back by binutils. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildDebugFrame, type FrameRow } from '../../src/gdbstub/debug-frame.js';
import { buildSymbolElf } from '../../src/gdbstub/symbol-elf.js';
import { finish } from '../debug/linux-image.js';
import { named, requireTool } from '../tools.js';

const readelf = requireTool('readelf');
const RSP = 7;
const BASE = 0xffff_ffff_8100_0000n;

/** Rows as `readelf --debug-dump=frames-interp` prints them: address, CFA and the registers' rules. */
function interpreted(rows: FrameRow[]): { row: string; header: string }[] {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-frame-'));
  try {
    const file = join(folder, 'symbols.elf');
    const symbols = [{ name: 'start', address: BASE, size: 0x1000n, code: true }];
    writeFileSync(file, buildSymbolElf(symbols, finish(buildDebugFrame(rows))));
    const out = execFileSync(readelf.path, ['--wide', '--debug-dump=frames-interp', file], { encoding: 'utf8' });
    let header = '';
    return out.split('\n').flatMap((line) => {
      if (/ FDE /.test(line)) header = line;
      const row = /^ffffffff[0-9a-f]{8} .*$/.exec(line)?.[0].replace(/ +/g, ' ').trim();
      return row && header ? [{ row, header }] : [];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const call = (address: bigint, offset: number, rbp?: number): FrameRow => ({
  address,
  frame: 'call',
  register: RSP,
  offset,
  ...(rbp === undefined ? {} : { rbp }),
});

describe.skipIf(!readelf.available)(named('.debug_frame', readelf), () => {
  test('follows the stack pointer, RBP saved and not, and a frame pointer', () => {
    const rows = interpreted([
      call(BASE, 8),
      call(BASE + 1n, 16, -16),
      { address: BASE + 0x100n, frame: 'call', register: 6, offset: 16, rbp: -16 },
      call(BASE + 0x1000n, 8),
      { address: BASE + 0x10000n, frame: 'none', register: 0, offset: 0 },
      call(BASE + 0x20000n, 8),
    ]);
    const saved = 'u '.repeat(4).trim();
    expect(rows.map(({ row }) => row)).toEqual([
      `ffffffff81000000 rsp+8 u s ${saved} c-8`,
      `ffffffff81000001 rsp+16 u c-16 ${saved} c-8`,
      `ffffffff81000100 rbp+16 u c-16 ${saved} c-8`,
      `ffffffff81001000 rsp+8 u s ${saved} c-8`,
      `ffffffff81010000 rsp+8 u s ${saved} u`,
    ]);
    expect(rows[0].header).toMatch(/pc=ffffffff81000000\.\.ffffffff81020000$/);
  });

  test('finds all registers that an entry saved, and an interrupt’s frame', () => {
    const rows = interpreted([
      { address: BASE, frame: 'interrupt', register: RSP, offset: 0 },
      { address: BASE + 8n, frame: 'registers', register: RSP, offset: 8 },
      call(BASE + 0x20n, 8),
      call(BASE + 0x30n, 16),
    ]);
    expect(rows.map(({ row }) => row.split(' ').slice(0, 2))).toEqual([
      ['ffffffff81000000', 'rsp+0'],
      ['ffffffff81000008', 'rsp+8'],
      ['ffffffff81000020', 'rsp+8'],
    ]);
    // RSP and RIP: three quadwords above and at the frame; slots 19 and 16 of struct pt_regs
    expect(rows[0].row).toMatch(/ c\+24 .*c\+0$/);
    expect(rows[1].row).toMatch(/ c\+152 .*c\+128$/);
    expect(rows[1].row).toMatch(/ c\+40 /);
    expect(rows[2].row).toMatch(/ c-8$/);
  });

  test('loads the place from the stack where that is switched', () => {
    const rows = interpreted([
      { address: BASE, frame: 'call', register: RSP, offset: 8, load: 'first' },
      { address: BASE + 4n, frame: 'call', register: 6, offset: -16, load: 'last' },
      call(BASE + 8n, 8),
      call(BASE + 12n, 8),
    ]);
    expect(rows.map(({ row }) => row.split(' ')[1])).toEqual(['exp', 'exp', 'rsp+8']);
  });

  test('finds RBP where RBP points to, in code that realigns its stack', () => {
    const realigned = { frame: 'call', register: 6, offset: -40, load: 'last', rbp: 0 } as const;
    const rows = interpreted([
      { address: BASE, ...realigned, rbpFrom: 'rbp' },
      { address: BASE + 4n, ...realigned },
      { address: BASE + 8n, ...realigned, rbpFrom: 'rbp' },
      call(BASE + 12n, 8),
      call(BASE + 16n, 8),
    ]);
    expect(rows.map(({ row }) => row.split(' ').slice(1, 4))).toEqual([
      ['exp', 'u', 'exp'],
      ['exp', 'u', 'c+0'],
      ['exp', 'u', 'exp'],
      ['rsp+8', 'u', 's'],
    ]);
  });

  test('starts a description anew before it gets long', () => {
    const rows = interpreted(Array.from({ length: 200 }, (_, n) => call(BASE + BigInt(n * 4), 8 * (1 + (n % 9)))));
    expect(rows).toHaveLength(199);
    expect(new Set(rows.map(({ header }) => header)).size).toBe(5);
    rows.forEach(({ row }, n) => {
      expect(row).toMatch(new RegExp(`^${(BASE + BigInt(n * 4)).toString(16)} rsp\\+${8 * (1 + (n % 9))} `));
    });
  });
});
