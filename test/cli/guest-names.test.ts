/** What a user learns who asks for a guest that is not there. */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownFolder, runningGuestNames } from '../../src/cli/guest-socket.js';
import { openGuest } from '../../src/cli/open-guest.js';

let folder: string;
let before: string | undefined;
const open: { close(): void }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vs-'));
  before = process.env.XDG_RUNTIME_DIR;
  process.env.XDG_RUNTIME_DIR = folder;
});

afterEach(() => {
  for (const one of open.splice(0)) one.close();
  if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
  else process.env.XDG_RUNTIME_DIR = before;
  rmSync(folder, { recursive: true, force: true });
});

function listening(name: string): Promise<Server> {
  const server = createServer((socket) => void socket.on('error', () => {}));
  open.push(server);
  return new Promise((resolve) => server.listen(join(ownFolder(), `${name}.sock`), () => resolve(server)));
}

/** A socket whose owner has died, as kill -9 leaves it. */
async function dead(name: string): Promise<void> {
  const path = join(ownFolder(), `${name}.sock`);
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.stdout.write('x'))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
}

describe('the names of running guests', () => {
  it('are of those that answer; the sockets of the others are removed', async () => {
    await listening('alive');
    await dead('gone');
    writeFileSync(join(ownFolder(), 'file.sock'), '');
    const names = await runningGuestNames();
    expect(names).toContain('alive');
    expect(names).not.toContain('gone');
    expect(existsSync(join(ownFolder(), 'gone.sock'))).toBe(false);
    await expect(openGuest('gone')).rejects.toThrow(/^no running guest "gone"; running: alive$/);
  });

  it('are few in one line, however many there are', async () => {
    for (let n = 0; n < 20; n++) await listening(`g${String(n).padStart(2, '0')}`);
    await expect(openGuest('other')).rejects.toThrow(/; running: g00, g01, .*g07 and 12 more$/);
    expect(readdirSync(ownFolder())).toHaveLength(20);
  });

  it('lead to a QEMU of that name, by the form that attach takes', async () => {
    const program = join(folder, 'qemu-system-x86_64');
    copyFileSync('/bin/bash', program);
    const machine = (qmp: string, name: string) => {
      const args = ['-c', 'read x', '-name', `guest=${name}`, '-qmp', `unix:${qmp},server=on`];
      const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'ignore'] });
      open.push({ close: () => void child.kill('SIGKILL') });
      return new Promise<number>((resolve) => child.once('spawn', () => resolve(child.pid!)));
    };
    const bare = await machine('/tmp/x.qmp', 'bare-one');
    await machine('/var/lib/libvirt/qemu/x/monitor.sock', 'by-libvirt');
    const told = async (name: string) => (await openGuest(name).catch((error: Error) => error)) as Error;
    await expect.poll(async () => (await told('bare-one')).message).toMatch(`QEMU has one of that name: pid:${bare}`);
    await expect.poll(async () => (await told('by-libvirt')).message).toMatch('of that name: libvirt:by-libvirt');
  });
});
