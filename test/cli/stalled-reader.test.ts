/** Standard output that nobody reads: it stops the guest, and nothing else. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { named, requireTool } from '../tools.js';
import { PROGRAM } from './vmscope.js';

const mkfifo = requireTool('mkfifo');
const gdb = requireTool('gdb');
const folder = mkdtempSync(join(tmpdir(), 'vmscope-stalled-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function guest(name: string, code: string): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.from(code.replace(/\s+/g, ''), 'hex'));
  return path;
}

/** mov dx,3f8h; mov al,'x'; out dx,al; jmp */
const writesForEver = guest('writes.bin', 'baf803 b078 ee ebfd');
/** mov dx,3f8h; mov ecx,2000000; mov al,'x'; out dx,al; loopd; cli; hlt */
const writesMuch = guest('much.bin', 'baf803 66b980841e00 b078 ee 67e2fc fa f4');
const MUCH = 2_000_000;

interface Run {
  stderr(): string;
  until(text: RegExp): Promise<void>;
  interrupt(): void;
  ended: Promise<number | null>;
}

function start(stdout: number | 'pipe', image: string, ...more: string[]): Run & { child: ReturnType<typeof spawn> } {
  const args = [PROGRAM, 'run', image, '--at', '0x7c00', '--headless', '--name', 'writer', ...more];
  const child = spawn(process.execPath, args, { stdio: ['ignore', stdout, 'pipe'] });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return {
    child,
    stderr: () => stderr,
    async until(text) {
      while (!text.test(stderr)) await once(child.stderr as NodeJS.EventEmitter, 'data');
    },
    interrupt: () => void child.kill('SIGINT'),
    ended: once(child, 'close').then(([status]) => status as number | null),
  };
}

const LEFT = /vmscope: standard output: its reader has left (\d+) bytes unread\n/;
/** Little more than what the program keeps before it holds the guest back. */
const MOST = 8 * 2 ** 20;

describe.skipIf(!mkfifo.available)(named('a pipe that nobody reads', mkfifo), () => {
  let fd: number;
  beforeAll(() => {
    const fifo = join(folder, 'out');
    spawnSync(mkfifo.path, [fifo]);
    fd = openSync(fifo, constants.O_RDWR);
  });
  afterAll(() => closeSync(fd));

  test('leaves --timeout and Ctrl-C their effect, and keeps little in memory', { timeout: 60_000 }, async () => {
    const timed = start(fd, writesForEver, '--timeout', '2');
    expect(await timed.ended).toBe(124);
    expect(Number(LEFT.exec(timed.stderr())?.[1])).toBeLessThan(MOST);
    const socket = join(folder, 'gdb');
    const run = start(fd, writesForEver, '--gdb', `unix:${socket}`);
    await run.until(/GDB stub on/);
    if (gdb.available) {
      const commands = [`target remote ${socket}`, 'x/i $pc', 'stepi', 'p $_exitcode', 'detach'];
      const { stdout } = spawnSync(gdb.path, ['-nx', '-batch', ...commands.flatMap((command) => ['-ex', command])], {
        encoding: 'utf8',
        timeout: 30_000,
      });
      expect(stdout).toMatch(/=> 0x7c0[56]:/);
    }
    run.interrupt();
    expect(await run.ended).toBe(130);
  });
});

test('a slow reader gets every byte, and holds the guest back meanwhile', { timeout: 60_000 }, async () => {
  const run = start('pipe', writesMuch);
  const { stdout } = run.child;
  let bytes = 0;
  while (bytes < MUCH) {
    const piece = stdout?.read() as Buffer | null;
    if (piece === null) await once(stdout as NodeJS.EventEmitter, 'readable');
    else bytes += piece.length;
  }
  expect(bytes).toBe(MUCH);
  stdout?.resume();
  // it halts with interrupts off
  expect(await run.ended).toBe(1);
});
