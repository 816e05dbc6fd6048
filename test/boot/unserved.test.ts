/** A guest without a BIOS that calls one: the end says so. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { UNSERVED_PORT, UnservedInterrupts } from '../../src/engine/devices/unserved-interrupts.js';
import { SAMPLES, vmscope } from '../cli/vmscope.js';
import { scratchFolder } from '../disk/images.js';

const folder = scratchFolder();
const INT_10 = [0xcd, 0x10];
const INT_13 = [0xcd, 0x13];
const HALT = [0xfa, 0xf4];
const FOREVER = [0xeb, 0xfe];
/** mov ax, 0x1234; int 15h; out f4h, al with AX as it was after: 34h where the routine keeps it. */
const KEEPS_AX = [0xb8, 0x34, 0x12, 0xba, 0xf4, 0x00, 0xcd, 0x15, 0xee];
/** sti; three times hlt: the timer's routine calls INT 1Ch each time. */
const TICKS = [0xfb, 0xf4, 0xf4, 0xf4, ...HALT];
/** xor ax, ax; mov ds, ax; mov word [20h * 4], handler; mov [20h * 4 + 2], ax; int 20h; cli; hlt; handler: iret */
const OWN_VECTOR = [
  ...[0x31, 0xc0, 0x8e, 0xd8, 0xc7, 0x06, 0x80, 0x00, 0x11, 0x7c, 0xa3, 0x82, 0x00, 0xcd, 0x20],
  ...[...HALT, 0xcf],
];
const told = (called: string): string =>
  `vmscope: INT ${called} did nothing: the guest runs without a BIOS; --bios FILE, or a boot sector without --at, has one\n`;

async function errorsOf(code: readonly number[], ...words: string[]): Promise<string> {
  const sector = Buffer.alloc(512);
  sector.set(code);
  sector.writeUInt16LE(0xaa55, 510);
  writeFileSync(join(folder, 'boot.bin'), sector);
  const { stderr } = await vmscope(['run', join(folder, 'boot.bin'), '--at', '0x7c00', '--headless', ...words]);
  return stderr;
}

it('is told which interrupts did nothing, each once, where it halts', async () => {
  const stderr = await errorsOf([...INT_10, ...INT_13, ...INT_10, ...HALT]);
  expect(stderr).toBe(`${told('10h and 13h')}vmscope: boot: the guest is halted with interrupts off\n`);
});

it('... and where a limit ends it', async () => {
  const stderr = await errorsOf([...INT_13, ...FOREVER], '--max-instructions', '1000');
  expect(stderr).toBe(`${told('13h')}vmscope: boot: stopped after 1000 instructions\n`);
});

it('finds its registers as they were', async () => {
  expect(await errorsOf(KEEPS_AX, '--isa-debug-exit')).toBe(
    `${told('15h')}vmscope: boot: guest wrote 0x34 to the debug exit port\n`,
  );
});

it.each([
  ['the timer calls who hooks the clock', TICKS],
  ['a vector is set', OWN_VECTOR],
])('is told nothing where %s', async (_what, code) => {
  expect(await errorsOf(code)).not.toContain('did nothing');
});

it('is told nothing where it sets all the vectors that it calls', async () => {
  const { stderr } = await vmscope(['run', `${SAMPLES}/real-mode`, '--headless']);
  expect(stderr).toBe('');
});

it('keeps the vectors in the state, and forgets them at a reset', () => {
  const one = new UnservedInterrupts();
  for (const vector of [0x13, 0x10, 0x13]) one.portWrite(UNSERVED_PORT, 1, vector);
  const other = new UnservedInterrupts();
  other.load(one.save());
  expect(other.vectors).toEqual([0x13, 0x10]);
  expect(other.describe()).toEqual([['called', '13h 10h']]);
  other.reset();
  expect(other.vectors).toEqual([]);
});
