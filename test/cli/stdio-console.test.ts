/** The user's terminal as serial console: what is the guest's and what is the monitor's. */
import { describe, expect, test } from 'vitest';
import { StdioConsole } from '../../src/cli/stdio-console.js';
import type { Debugger } from '../../src/engine/debugger.js';

function terminal(): { type(text: string): Promise<void>; guest(): string; said(): string; lines: string[] } {
  let guest = '';
  let said = '';
  const lines: string[] = [];
  const target = {
    console: { serialInput: async (bytes: Uint8Array) => void (guest += Buffer.from(bytes).toString('latin1')) },
    monitor: async (line: string) => {
      lines.push(line);
      return 'done\n';
    },
  } as unknown as Debugger;
  const serial = new StdioConsole(
    target,
    true,
    (text) => (said += text),
    () => {},
  );
  return {
    type: (text) => serial.input(Buffer.from(text, 'latin1')),
    guest: () => guest,
    said: () => said,
    lines,
  };
}

describe('the serial console on a terminal', () => {
  test.each([
    ['cursor position', '\x1b[12;9R'],
    ['status', '\x1b[0n'],
    ['device attributes', '\x1b[?62;22c'],
    ['secondary device attributes', '\x1b[>0;276;0c'],
  ])("the terminal's %s is the guest's that asked, also when the monitor is at the keyboard", async (_, report) => {
    const { type, guest, said, lines } = terminal();
    await type('\x01cinfo');
    for (const byte of report) await type(byte);
    await type(' ps\r');
    expect(guest()).toBe(report);
    expect(lines).toEqual(['info ps']);
    expect(said()).toContain('(vmscope) info ps\r\n');
  });

  test.each([
    ['arrow', '\x1b[A'],
    ['delete', '\x1b[3~'],
    ['an Alt key', '\x1bx'],
    ['an endless sequence', `\x1b[${'1;'.repeat(15)}`],
  ])('%s is no text of the monitor line', async (_, keys) => {
    const { type, guest, lines } = terminal();
    await type(`\x01c${keys}help\r`);
    expect(guest()).toBe('');
    expect(lines).toEqual(['help']);
  });

  test('the guest gets every byte while it is at the keyboard', async () => {
    const { type, guest } = terminal();
    await type('a\x1b[A\x1b[12;9R\x01\x01');
    expect(guest()).toBe('a\x1b[A\x1b[12;9R\x01');
  });
});
