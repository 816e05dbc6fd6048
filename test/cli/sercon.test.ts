/** SeaBIOS's copy of the screen on COM1. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { named, requireFile } from '../tools.js';
import { vmscope } from './vmscope.js';

const bios = requireFile('/usr/share/seabios/bios-256k.bin', 'seabios');
const folder = mkdtempSync(join(tmpdir(), 'vmscope-sercon-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** mov bx,7; mov ax,0e00h + letter; int 10h for each; then the end. */
function sector(text: string, end: string): string {
  const letters = [...text].map((letter) => `b8${letter.charCodeAt(0).toString(16)}0e cd10`).join('');
  const bytes = Buffer.alloc(512);
  Buffer.from(`bb0700${letters}${end}`.replace(/\s/g, ''), 'hex').copy(bytes);
  bytes.set([0x55, 0xaa], 510);
  const path = join(folder, `${end.replace(/\s/g, '')}.img`);
  writeFileSync(path, bytes);
  return path;
}

test.skipIf(!bios.available).each([
  ['cli; hlt', 'fa f4'],
  ['hlt; jmp $-1 with interrupts off', 'fa f4 ebfd'],
])(
  named('--sercon on shows the last character of a guest that halts for ever: %s', bios),
  async (_what, end) => {
    const args = ['--headless', '--sercon', 'on', '--disk', `${sector('Hi!', end)},format=raw,readonly`];
    const { stdout, stderr, status } = await vmscope(['run', ...args], { timeoutMs: 60_000 });
    expect(stdout.slice(-5)).toBe('\r\nHi!');
    expect([status, stderr]).toEqual([1, expect.stringContaining('halted with interrupts off')]);
  },
  90_000,
);
