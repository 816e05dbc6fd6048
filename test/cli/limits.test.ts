import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Tui } from '../pty.js';
import { requireTool } from '../tools.js';
import { PROGRAM, vmscope } from './vmscope.js';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-limits-'));
afterAll(() => rmSync(folder, { recursive: true }));

function guest(name: string, code: string): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.from(code.replace(/\s+/g, ''), 'hex'));
  return path;
}

const run = (image: string, ...args: string[]) => vmscope(['run', image, '--at', '0x7c00', '--headless', ...args]);
/** mov cx,100h; loop $; mov al,0feh; out 64h,al; jmp $ : resets itself in a loop. */
const resets = guest('resets.bin', 'b90001 e2fe b0fe e664 ebfe');
/** jmp $ */
const spins = guest('spins.bin', 'ebfe');

describe('limits', () => {
  it('--max-instructions bounds a guest that resets itself for ever, and --stats counts over its resets', async () => {
    const { status, stderr } = await run(resets, '--max-instructions', '20000', '--stats', 'json');
    expect(status).toBe(124);
    const [message, stats] = stderr.trim().split('\n');
    expect(message).toMatch(/^vmscope: resets: stopped after \d+ instructions$/);
    const counts = JSON.parse(stats) as { icount: number; resets: number; exitsTotal: number };
    expect(counts.icount).toBeGreaterThanOrEqual(20_000);
    expect(counts.resets).toBeGreaterThan(50);
    expect(counts.exitsTotal).toBeGreaterThanOrEqual(counts.resets);
  });

  it('--until-exits bounds it as well', async () => {
    const { status, stderr } = await run(resets, '--until-exits', '40', '--stats', 'json');
    expect(status).toBe(124);
    const [message, stats] = stderr.trim().split('\n');
    expect(message).toBe('vmscope: resets: stopped after 40 VM exits');
    expect(JSON.parse(stats)).toMatchObject({ exitsTotal: 40 });
  });

  it.each(['1', '7', '8', '1000'])(
    '--until-exits %s stops at that exit, be it one of an event that is delivered',
    async (n) => {
      // sti; out 80h,al; int 40h; jmp $-6 with a stack in device memory, so that pushing exits
      const pushes = guest('pushes.bin', 'b800fe 8ed0 bc0001 b040 e680 cd40 ebfa');
      const { status, stderr } = await run(pushes, '--until-exits', n);
      expect(status).toBe(124);
      // before it may stand that nothing serves INT 40h
      expect(stderr.trim().split('\n').at(-1)).toBe(
        `vmscope: pushes: stopped after ${n} VM exit${n === '1' ? '' : 's'}`,
      );
    },
  );

  it.each([
    ['--timeout', '2', 'stopped after 2 s'],
    ['--max-instructions', '5000', 'stopped after 5000 instructions'],
    ['--until-exits', '40', 'stopped after 40 VM exits'],
  ])(
    '%s ends the dashboard with 124 too',
    async (option, value, message) => {
      const tui = new Tui(PROGRAM, ['run', resets, '--at', '0x7c00', option, value], 100, 30);
      try {
        await tui.until(/STOPPED: (paused|40 VM exits|5000 instructions)/, 30_000);
        tui.send('qy');
        expect(await tui.exit).toBe(124);
        expect(tui.raw).toContain(message);
      } finally {
        tui.kill();
      }
    },
    60_000,
  );

  it('--timeout ends with 124', async () => {
    const { status, stderr } = await run(spins, '--timeout', '1');
    expect([status, stderr]).toEqual([124, 'vmscope: spins: stopped after 1 s\n']);
  });

  it('--timeout is heard by a guest whose every fault faults again', async () => {
    // mov word [18h],handler; mov word [1ah],0; mov ax,1000h; mov ss,ax; xor sp,sp; handler: ud2
    // the stack goes round in a segment of its own, and never over the handler
    const faults = guest('faults.bin', 'c7061800137c c7061a000000 b80010 8ed0 31e4 0f0b');
    const { status } = await run(faults, '--timeout', '1');
    expect(status).toBe(124);
  });
});

const mkfifo = requireTool('mkfifo');
it.skipIf(!mkfifo.available)('an engine that does not come back ends with 3, and with what it did', async () => {
  const fifo = join(folder, 'debugcon');
  spawnSync(mkfifo.path, [fifo]);
  // a reader that never reads: the guest fills the pipe, and the thread of the engine hangs in the host's kernel
  const reader = spawn('sh', ['-c', 'exec sleep 60 < "$0"', fifo]);
  process.env.VMSCOPE_WATCHDOG_SECONDS = '2';
  try {
    // mov al,'x'; out 0e9h,al; jmp
    const { status, stderr } = await run(guest('fills.bin', 'b078 e6e9 ebfc'), '--debugcon', fifo);
    expect(stderr).toBe(
      'vmscope: fills: the engine has not come back for 2 s from the IO_INSTRUCTION exit of vCPU 0 at RIP 0x7c02, port 0xe9\n',
    );
    expect(status).toBe(3);
  } finally {
    delete process.env.VMSCOPE_WATCHDOG_SECONDS;
    reader.kill('SIGKILL');
  }
});

describe('memory', () => {
  it.each(['3073M', '3.5G', '8G'])('-m %s is refused with the reason', async (size) => {
    const { status, stderr } = await run(spins, '-m', size);
    const why =
      'guest RAM lies below the PCI hole, in one WebAssembly memory of 4 GiB; wider ones make guests a third slower';
    expect([status, stderr]).toEqual([2, `vmscope: --memory ${size}: at most 3072M: ${why}\n`]);
  });

  it('that the host does not have is told in a line, with status 2', () => {
    const limited = `ulimit -v 3500000; exec "${process.execPath}" "${PROGRAM}" run "${spins}" --at 0x7c00 --headless -m 3G`;
    const { status, stderr } = spawnSync('bash', ['-c', limited], { encoding: 'utf8', timeout: 60_000 });
    const line = 'vmscope: the host has no room for 3072 MiB of guest memory: give the guest less by -m\n';
    expect([status, stderr]).toEqual([2, line]);
  });
});
