/** `:detach`: the guest goes on without its screen, its shell and its terminal. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { connectGuest } from '../../src/cli/guest-socket.js';
import { PROGRAM, SAMPLES, vmscope } from '../cli/vmscope.js';
import { Tui } from '../pty.js';

const PATIENCE_MS = 60_000;
const bash = spawnSync('bash', ['--version']).status === 0;

it.skipIf(!bash)(
  'gives the shell its terminal back, outlives it, and is attached to and ended by others',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmscope-detach-'));
    const before = process.env.XDG_RUNTIME_DIR;
    process.env.XDG_RUNTIME_DIR = folder;
    const shell = new Tui('bash', ['--norc', '-i'], 100, 30, { XDG_RUNTIME_DIR: folder }, true);
    const alive = (pid: number) => spawnSync('kill', ['-0', String(pid)]).status === 0;
    const until = async (holds: () => boolean | Promise<boolean>): Promise<boolean> => {
      for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
        if (await holds()) return true;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return false;
    };
    let guest = 0;
    try {
      shell.send(`PS1='ready> '; ${process.execPath} ${PROGRAM} run ${join(SAMPLES, 'keyboard')} --name left\r`);
      await shell.until(/RUNNING/, PATIENCE_MS);
      const there = await connectGuest('left');
      guest = there.hello.pid;
      there.close();
      shell.send('q');
      await shell.until(/End it and quit\? y\/n, d leaves it running without a screen/, PATIENCE_MS);
      shell.send('d');
      await shell.until(/left goes on in the background[\s\S]*Stopped[\s\S]*ready> /, PATIENCE_MS);
      // it stands for a moment, so that the shell takes the terminal, and goes on
      const running = async () => {
        shell.send('jobs\r');
        await shell.settle();
        return /\[1\]\+ +Running/.test(shell.text());
      };
      expect(await until(running)).toBe(true);
      shell.send('echo typed by the $((1 + 1))nd\r');
      await shell.until(/typed by the 2nd/, PATIENCE_MS);
      shell.hangUp();
      expect(await until(() => !alive(shell.proc.pid))).toBe(true);
      expect(alive(guest)).toBe(true);
      expect((await vmscope(['send', 'left', 'state'], { timeoutMs: PATIENCE_MS })).stdout).toBe('RUNNING\n');
      expect((await vmscope(['send', 'left', 'quit'], { timeoutMs: PATIENCE_MS })).stdout).toBe('guest ended\n');
      expect(await until(() => !alive(guest))).toBe(true);
    } finally {
      shell.kill();
      if (guest > 0) spawnSync('kill', ['-9', String(guest)]);
      if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
      else process.env.XDG_RUNTIME_DIR = before;
      rmSync(folder, { recursive: true, force: true });
    }
  },
  4 * PATIENCE_MS,
);
