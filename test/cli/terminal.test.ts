/** Terminals that are not this program's: another job's, or none. */
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as pty from '@lydell/node-pty';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { named, requireTool } from '../tools.js';
import { PROGRAM, SAMPLES, vmscope } from './vmscope.js';

const timeout = requireTool('timeout');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmscope-terminal-'));
  chmodSync(folder, 0o700);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What a shell's command writes to a terminal of its own until it ends. */
function inShell(command: string): Promise<string> {
  const shell = pty.spawn('/bin/sh', ['-c', command], { name: 'xterm-256color', cols: 200, rows: 24 });
  let text = '';
  shell.onData((data) => {
    text += data;
  });
  return new Promise((resolve) => {
    shell.onExit(() => resolve(text));
  });
}

test.skipIf(!timeout.available)(
  named('under timeout, which has no terminal in the foreground, the dashboard says so and ends', timeout),
  async () => {
    const run = `timeout 50 ${process.execPath} ${PROGRAM} run ${SAMPLES}/keyboard`;
    const text = await inShell(`${run}; echo "status $?"`);
    expect(text).toMatch(
      /^vmscope: run: the terminal belongs to another job: timeout needs --foreground.*\r\nstatus 2\r\n$/,
    );
    expect(await inShell(`${run} --headless --serial stdio --max-instructions 1000; echo "status $?"`)).toMatch(
      /standard input is not read[\s\S]*stopped after 1000 instructions\r\nstatus 124/,
    );
  },
  60_000,
);

/** Writes `AB` to port e9h and `C` to COM1, and halts. */
const CODE = 'b041e6e9 b042e6e9 baf803 b043ee faf4';

test.each(['stdio', '/dev/stdout', '/dev/fd/1'])(
  '--debugcon %s goes to standard output, also where that is a file',
  async (target) => {
    const image = join(folder, 'debug.bin');
    writeFileSync(image, Buffer.from(CODE.replace(/\s/g, ''), 'hex'));
    const args = ['run', image, '--at', '0x7c00', '--headless', '--debugcon', target];
    const piped = await vmscope(args);
    expect([...piped.stdout].sort().join('')).toBe('ABC');
    const file = join(folder, 'out');
    const fd = openSync(file, 'w');
    writeFileSync(fd, 'before ');
    await vmscope(args, { stdout: fd });
    closeSync(fd);
    const text = readFileSync(file, 'latin1');
    expect(text.slice(0, 7)).toBe('before ');
    expect([...text.slice(7)].sort().join('')).toBe('ABC');
  },
);

test('an output to a stream that is not open, and a copy of the screen without a BIOS, are refused', async () => {
  const closed = await vmscope(['run', `${SAMPLES}/crc32`, '--headless', '--debugcon', '/dev/fd/777']);
  expect([closed.status, closed.stderr.trim().split('\n').length]).toEqual([2, 1]);
  expect(closed.stderr).toContain('--debugcon /dev/fd/777: ');
  const sercon = await vmscope(['run', `${SAMPLES}/crc32`, '--headless', '--sercon', 'on']);
  expect([sercon.status, sercon.stderr]).toEqual([
    2,
    'vmscope: --sercon on: a guest without a BIOS has no copy of the screen on COM1\n',
  ]);
});
