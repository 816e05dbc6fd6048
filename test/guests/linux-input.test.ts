/** Debian's kernel for real machines before a mouse, a CD drive and a VNC viewer. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { connectGuest } from '../../src/cli/guest-socket.js';
import type { Debugger } from '../../src/engine/debugger.js';
import { PROGRAM } from '../cli/vmscope.js';
import { named, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const apt = requireTool('apt-get');
const kernel = apt.available ? requireScript(`${root}samples/linux/fetch-hardware`) : apt;
const viewer = ['xtigervncviewer', 'Xvfb', 'xdotool'].map(requireTool);
const LONG = process.env.VMSCOPE_LONG_TESTS === '1';
const folder = mkdtempSync(join(tmpdir(), 'vmscope-input-'));
const hardware = `${root}build/guests/linux-hardware`;
const SLOW = 300_000;
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));

interface Running {
  target: Debugger;
  /** Until COM1 has shown it. */
  shows(text: RegExp): Promise<RegExpExecArray>;
  ended: Promise<number | null>;
}

async function boot(name: string, script: string, ...options: string[]): Promise<Running> {
  const child = spawn(process.execPath, [
    ...[PROGRAM, 'run', '--kernel', `${hardware}/vmlinuz`, '--initrd', `${hardware}/initrd.gz`, '-m', '256M'],
    ...[
      '--headless',
      '--name',
      name,
      '--timeout',
      '280',
      '--append',
      `console=ttyS0 quiet RUN="${script}"`,
      ...options,
    ],
  ]);
  children.push(child);
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('latin1').on('data', (text: string) => {
      printed += text;
    });
  let over = false;
  const ended = new Promise<number | null>((resolve) =>
    child.once('close', (status) => {
      over = true;
      resolve(status);
    }),
  );
  const shows = async (text: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = text.exec(printed.replace(/^.*ommand line.*$/gm, ''));
      if (found) return found;
      if (over) throw new Error(`${text} was not shown:\n${printed.slice(-2000)}`);
      await soon();
    }
  };
  await shows(/GUEST-UP/);
  const { target } = await connectGuest(name);
  return { target, shows, ended };
}

test.skipIf(!kernel.available)(
  named('Linux binds psmouse, which hears the mouse, and reads a disc that is put in', kernel),
  async () => {
    const [disk, disc] = ['disk.img', 'disc.iso'].map((name) => join(folder, name));
    writeFileSync(disk, Buffer.alloc(1 << 20));
    writeFileSync(disc, Buffer.concat([Buffer.from('THE-DISC\n'), Buffer.alloc(409_600 - 9)]));
    const script = [
      'while ! grep Explorer /proc/bus/input/devices; do sleep 1; done',
      'echo MICE $(head -c 3 /dev/input/mice | od -An -tx1)',
      'while ! head -c 8 /dev/sr0 2>/dev/null | grep THE-DISC; do sleep 1; done',
    ].join('; ');
    const { target, shows, ended } = await boot('input', script, '--disk', `${disk},format=raw,if=ide`);
    await shows(/ImExPS\/2 Generic Explorer Mouse/);
    // it is heard from when the device is open on
    let moved = false;
    const bytes = shows(/MICE (\w\w) (\w\w) (\w\w)/).finally(() => {
      moved = true;
    });
    while (!moved) {
      expect(await target.monitor('mouse_move 7 3')).toBe('');
      for (let i = 0; i < 10 && !moved; i++) await soon();
    }
    const [, buttons, right, down] = (await bytes).map((byte) => Number.parseInt(byte, 16));
    expect([buttons & 0x3f, right % 7, (256 - down) % 3]).toEqual([0x28, 0, 0]);
    expect(await target.monitor('info block')).toMatch(/^cdrom0: \[not inserted\]$/m);
    expect(await target.monitor(`change cdrom0 ${disc}`)).toBe('');
    await shows(/^THE-DISC/m);
    expect(await ended).toBe(0);
  },
  SLOW,
);

test.skipIf(!LONG || [kernel, ...viewer].some(({ available }) => !available))(
  named('TigerVNC under Xvfb logs in at tty1', kernel, ...viewer),
  async () => {
    const script = [
      'mkdir -p /etc; echo root:$(mkpasswd -m sha256 secret saltsalt):0:0::/root:/bin/sh >/etc/passwd',
      'getty -L 38400 tty1 linux',
    ].join('; ');
    const append = ['--vnc', '127.0.0.1:391'];
    const { target, shows } = await boot('login', script, ...append);
    const [tiger, xvfb, xdotool] = viewer.map(({ path }) => path);
    const display = ':93';
    const env = { ...process.env, DISPLAY: display, HOME: folder };
    children.push(spawn(xvfb, [display, '-screen', '0', '1024x768x24'], { stdio: 'ignore' }));
    const tool = (...args: string[]): Promise<number | null> =>
      new Promise((resolve) => {
        spawn(xdotool, args, { env, stdio: 'ignore' }).once('close', resolve);
      });
    while ((await tool('getmouselocation')) !== 0) await soon();
    // displays from 100 on are ports to TigerVNC
    children.push(spawn(tiger, ['-SecurityTypes', 'None', '127.0.0.1::6291'], { env, stdio: 'ignore' }));
    while (!/Client: 127/.test((await target.monitor('info vnc')) ?? '')) await soon();
    while ((await tool('search', '--onlyvisible', '--name', 'vmscope')) !== 0) await soon();
    const screen = async (text: RegExp): Promise<void> => {
      for (;;) {
        const shown = await target.console!.screen();
        if (shown && text.test(String.fromCharCode(...shown.cells.map((cell) => cell & 0xff)))) return;
        await soon();
      }
    };
    await screen(/login: /);
    // without a window manager nobody else gives the window the keys
    await tool('search', '--name', 'vmscope', 'windowfocus');
    await tool('type', '--delay', '100', 'root\n');
    await screen(/Password: /);
    await tool('type', '--delay', '100', 'secret\n');
    await screen(/# /);
    await tool('type', '--delay', '100', 'echo IN_BY_VNC $((40+2)) >/dev/ttyS0\n');
    await shows(/IN_BY_VNC 42/);
  },
  SLOW,
);
