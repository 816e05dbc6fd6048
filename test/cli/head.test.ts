/** `vmscope ... | head`: who has read enough ends the program without a word. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM, SAMPLES, vmscope } from './vmscope.js';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-head-'));
const trace = join(folder, 'zoo.trace');
beforeAll(async () => {
  await vmscope(['run', join(SAMPLES, 'exit-zoo'), '--headless', '--trace', trace]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Closes standard output after its first bytes. */
function head(args: readonly string[]): Promise<{ status: number | null; signal: string | null; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => {
      stderr += text.toString();
    });
    child.stdout.once('data', () => child.stdout.destroy());
    child.on('close', (status, signal) => resolve({ status, signal, stderr }));
  });
}

/** mov al, 'x'; out 0e9h, al; jmp: writes to the debug console, and exits, for ever. */
const writes = join(folder, 'writes.bin');
writeFileSync(writes, Buffer.from('b078e6e9ebfc', 'hex'));
const WRITES = ['run', writes, '--at', '0x7c00', '--headless', '--serial', 'none'];

describe('a reader that has read enough', () => {
  it.each<[string, readonly string[]]>([
    ['a trace', ['trace', trace, '--format', 'json']],
    // more than a pipe holds
    ['what a script says', ['run', 'exit-zoo', '--headless', ...Array(60).fill(['--ex', 'help']).flat()]],
    ["a guest's console", ['run', join(SAMPLES, 'exit-zoo'), '--headless']],
    ["a guest's console, by its name", ['run', 'exit-zoo', '--headless', '--serial', 'file:/dev/stdout']],
    ["a guest's debug console", [...WRITES, '--debugcon', 'stdio']],
    ['the trace of a run', [...WRITES, '--trace', '/dev/stdout']],
  ])(
    'of %s ends it without a message',
    async (_, args) => {
      const { status, signal, stderr } = await head(args);
      expect([stderr, signal, status]).toEqual(['', null, 141]);
    },
    60_000,
  );

  it('of a file that was named is told', async () => {
    const fifo = join(folder, 'fifo');
    spawnSync('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const run = vmscope([...WRITES, '--debugcon', fifo, '--timeout', '50'], { timeoutMs: 60_000 });
    const read = (): number => {
      try {
        return readSync(reader, Buffer.alloc(1));
      } catch {
        return 0;
      }
    };
    while (read() === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    closeSync(reader);
    const { status, stderr } = await run;
    expect([status, stderr]).toEqual([141, `vmscope: writes: --debugcon ${fifo}: the reader has gone\n`]);
  }, 70_000);
});

it('top writes its CSV to its standard output where that is named', async () => {
  const { stdout, stderr, status } = await vmscope(['top', '--no-init-file', '-n', '1', '--csv', '/dev/stdout']);
  expect([stderr, status]).toEqual(['', 0]);
  expect(stdout).toMatch(/^Hostname,Time,/m);
});
