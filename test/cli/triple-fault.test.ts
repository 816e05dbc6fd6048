import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SAMPLES, vmscope } from './vmscope.js';

it('prints the chain of faults behind a triple fault', async () => {
  const { status, stdout, stderr } = await vmscope(['run', `${SAMPLES}/triple-fault`, '--headless']);
  expect(status).toBe(1);
  expect(stdout).not.toContain('still here');
  const [head, ...chain] = stderr.trimEnd().split('\n');
  expect(head).toMatch(/triple fault on vCPU 0 at RIP 0x[0-9a-f]+$/);
  expect(chain.map((line) => line.replace(/0x8:0x[0-9a-f]+/, 'CS:RIP'))).toEqual([
    '  1. #PF Page Fault reading 0x4000123456, error 0x0 (not present), instruction at CS:RIP',
    '  2. #PF Page Fault reading 0x40000010e0, error 0x0 (not present), while delivering #PF',
    '  3. #DF Double Fault',
    '  4. #PF Page Fault reading 0x4000001080, error 0x0 (not present), while delivering #DF',
    '  5. triple fault',
  ]);
});

/** A flat binary in 32-bit protected mode without an interrupt table. */
async function chainOf(code: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-faults-'));
  try {
    const file = join(folder, 'guest.bin');
    writeFileSync(file, Buffer.from(code.replace(/\s+/g, ''), 'hex'));
    const { status, stderr } = await vmscope(['run', file, '--at', '0x100000', '--headless']);
    expect(status).toBe(1);
    return stderr.trimEnd().split('\n').slice(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it('tells INT n from the exception of that number', async () => {
  for (const vector of ['0e', '10', '08', '02']) {
    const [first, second] = await chainOf(`cd${vector}`);
    const name = `INT 0x${Number.parseInt(vector, 16).toString(16)}`;
    expect(first).toBe(`  1. ${name} (software interrupt), instruction at 0x10:0x100000`);
    expect(second).toMatch(new RegExp(`^ {2}2\\. #GP .*while delivering ${name}$`));
  }
  // INT3 and INTO are exceptions by an instruction
  expect((await chainOf('cc'))[0]).toBe('  1. #BP Breakpoint, instruction at 0x10:0x100000');
});

/** Lets the timer's interrupt through and halts: mov al, 0feh; out 21h, al; PIT mode 2; sti; hlt. */
const TIMER = 'b0fee621 b034e643 b000e640e640 fb f4ebfd';
/** The master PIC with its vectors from `base` on. */
const pic = (base: string): string => `b011e620 b0${base}e621 b004e621 b001e621`;

it('tells the interrupt of a PIC that is not remapped from a double fault', async () => {
  for (const code of [TIMER, pic('08') + TIMER]) {
    const chain = await chainOf(code);
    expect(chain[0]).toMatch(
      /^ {2}1\. external interrupt 0x8 \(IRQ 0 of a PIC that is not remapped\), before the inst/,
    );
    expect(chain[1]).toMatch(/#GP General Protection.*while delivering external interrupt 0x8$/);
    expect(chain[3]).toBe('  4. #DF Double Fault');
  }
  expect((await chainOf(pic('20') + TIMER))[0]).toMatch(/^ {2}1\. external interrupt 0x20, before the instruction at/);
  expect((await chainOf(pic('00') + TIMER))[0]).toMatch(/^ {2}1\. external interrupt 0x0 \(an exception's vector\), /);
});
