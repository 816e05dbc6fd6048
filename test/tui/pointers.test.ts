/** Conditions by what an exit was about, and chains of pointers. */
import { describe, expect, it } from 'vitest';
import { parseExitCondition } from '../../src/engine/debug/exit-condition.js';
import { exitMatches } from '../../src/engine/debug/trace-reader.js';
import type { ExitRecord } from '../../src/engine/debugger.js';
import { Guest } from '../../src/engine/host/guest.js';
import { flatGuest } from '../engine/flat-guest.js';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

const exit = (reason: number, more: Partial<ExitRecord> = {}): ExitRecord =>
  ({ reason, qualification: 0n, rax: 0n, rcx: 0n, interruptionInfo: 0, ...more }) as ExitRecord;
const holds = (text: string, record: ExitRecord) => exitMatches(record, parseExitCondition(text, {}));

describe('conditions on exits', () => {
  it('name port, size, count, msr, leaf, vector and control register', () => {
    const out = exit(30, { qualification: 0x3f80003n });
    expect(holds('IO_INSTRUCTION if port == 0x3f8', out)).toBe(true);
    expect(holds('any if port == 0x3f8 and size == 4', out)).toBe(true);
    expect(holds('any if port >= 0x400', out)).toBe(false);
    for (const reason of [31, 32])
      expect(holds('any if msr == 0xc0000080', exit(reason, { rcx: 0xffff_ffff_c000_0080n }))).toBe(true);
    // what one exit of a repeated instruction stands for
    expect(holds('IO_INSTRUCTION if count == 512', exit(30, { elements: 512 }))).toBe(true);
    expect(holds('IO_INSTRUCTION if count > 511', exit(30, { elements: 511 }))).toBe(false);
    expect(holds('any if leaf == 7 and subleaf == 1', exit(10, { rax: 7n, rcx: 1n }))).toBe(true);
    expect(holds('EXCEPTION_NMI if vector == 14', exit(0, { interruptionInfo: 0x80000b0e | 0 }))).toBe(true);
    expect(holds('HLT if level == 1', exit(12))).toBe(true);
    expect(holds('CR_ACCESS if cr = 4', exit(28, { qualification: 0x104n }))).toBe(true);
  });

  it('do not hold for exits that are about something else', () => {
    for (const text of [
      'any if port != 1',
      'any if size != 9',
      'any if count != 1',
      'any if msr != 1',
      'any if leaf != 1',
      'any if vector != 1',
      'any if cr != 9',
      // of guests in guests; this one is of the first
      'any if level != 1',
    ])
      expect(holds(text, exit(12)), text).toBe(false);
    expect(() => parseExitCondition('any if ports == 1', {})).toThrow(
      /an exit has no field "ports"; it has port, size, count, msr, leaf, subleaf, vector, level, cr, sequence/,
    );
  });
});

describe('the words of the stack', () => {
  it('follow pointers to names and text, with what is permitted there', async () => {
    const debug = new FakeDebugger();
    const put = async (address: bigint, value: bigint) =>
      void (await debug.writeMemory('gva', address, new Uint8Array(new BigUint64Array([value]).buffer)));
    const top = 0x7ff00n;
    await put(top, 0x401020n); // code
    await put(top + 8n, 0x403000n); // pointer to a pointer to text
    await put(0x403000n, 0x404000n);
    await debug.writeMemory('gva', 0x404000n, new TextEncoder().encode('hello, world\0'));
    await put(top + 16n, 0x405000n); // to itself
    await put(0x405000n, 0x405000n);
    await put(top + 24n, 5n);
    await put(top + 32n, 0xffff_ffff_ffff_ffffn);
    const cells = await Cells.open(debug, { columns: 200, rows: 60 });
    for (let n = 0; n < 20 && cells.dashboard.focus !== 'stack'; n++) await cells.key('tab');
    await cells.key('v', 'z');
    const row = (address: bigint) =>
      cells
        .text()
        .split('\n')
        .find((line) => line.includes(` ${address.toString(16).padStart(8, '0')} `))!;
    expect(row(top)).toMatch(/→ main/);
    expect(row(top + 8n)).toMatch(/0000000000403000 → rwx → rwx 404000 "hello, world"/);
    expect(row(top + 16n)).toMatch(/→ rwx\b/);
    expect(row(top + 24n)).not.toContain('→');
    expect(row(top + 32n)).not.toContain('→');
  });

  it('and registers too, where there is room beside them', async () => {
    const debug = new FakeDebugger();
    const text = new TextEncoder().encode('hello, world\0');
    await debug.writeMemory('gva', 0x404000n, text);
    await debug.writeRegister(0, 'rsi', 0x404000n);
    await debug.writeRegister(0, 'rdi', 0x401020n);
    const cells = await Cells.open(debug, { columns: 110, rows: 40 });
    expect(cells.text()).toMatch(/\brsi 0000000000404000 +→ rwx "hello, world/);
    expect(cells.text()).toMatch(/\brdi 0000000000401020 +→ main/);
  });
});

describe('lists of places', () => {
  it('have a cursor, and Enter goes to the place in memory', async () => {
    const debug = new FakeDebugger();
    await debug.writeMemory('gva', 0x7ff10n, new TextEncoder().encode('needle in the stack\0'));
    const cells = await Cells.open(debug, { columns: 120, rows: 40 });
    cells.dashboard.command('telescope 0x7ff00 4');
    await cells.until(/telescope 0x7ff00 4 {2}Esc closes {2}↑ ↓ {2}Enter goes there/);
    await cells.key('down', 'down', 'enter');
    await cells.until(/Memory {2}gva → gpa 7ff10/);
    expect(cells.dashboard.focus).toBe('memory');
  });

  it('are what a search finds, too', async () => {
    const debug = new Guest(flatGuest('f4', { at: 0x100000 }).machine, { paced: false, waitForInput: true });
    for (const at of [0x7f10n, 0x7f30n]) await debug.writeMemory('gpa', at, new TextEncoder().encode('needle'));
    const cells = await Cells.open(debug, { columns: 120, rows: 40 });
    cells.dashboard.command('search "needle"');
    await cells.until(/2 found/);
    await cells.key('down', 'enter');
    await cells.until(/Walk {2}gpa 7f30/);
  });
});
