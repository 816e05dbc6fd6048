/**
 * Debian with systemd as it was installed with QEMU (samples/debian/build), on each kind of disk, and back on QEMU: the system is up in
 * every part, its disk and network card have the same names, the power button ends it, and its file system is clean. With
 * VMSCOPE_LONG_TESTS=1: many minutes. Debian's packages for it: mmdebstrap fdisk e2fsprogs mtools qemu-system-x86, and ovmf.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM, vmscope } from '../cli/vmscope.js';
import { named, requireFile, requireTool } from '../tools.js';

const long = process.env.VMSCOPE_LONG_TESTS === '1';
const names = ['mmdebstrap', 'sfdisk', 'mke2fs', 'mformat', 'qemu-system-x86_64', 'e2fsck', 'dumpe2fs'];
const tools = long ? names.map(requireTool) : [];
const able = long && tools.every((tool) => tool.available);
const root = fileURLToPath(new URL('../..', import.meta.url));
const OVMF = '/usr/share/ovmf/OVMF.fd';
const ROOT_AT_MIB = 66;
const SLOW = 5_400_000;
const LOGIN = 1_800_000;
const ANSWER = 'this host says so';

/** A machine with its serial port on standard input and output. */
class Machine {
  #text = '';
  private readonly child: ChildProcessWithoutNullStreams;
  /** Exit status, once it has ended. */
  readonly ended: Promise<number | null>;

  constructor(program: string, words: readonly string[]) {
    this.child = spawn(program, words);
    this.child.stdout.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text;
    });
    this.child.stderr.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text;
    });
    this.ended = once(this.child, 'close').then(([status]) => status as number | null);
  }

  get text(): string {
    return this.#text;
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }

  async until(pattern: RegExp, deadline = LOGIN): Promise<void> {
    const end = Date.now() + deadline;
    while (!pattern.test(this.#text)) {
      if (this.child.exitCode !== null || Date.now() > end)
        throw new Error(`${pattern} does not come:\n${this.#text.slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

interface Case {
  bus: 'ide' | 'sata' | 'nvme' | 'virtio';
  firmware: 'bios' | 'uefi';
  card: 'e1000' | 'virtio';
}

const CASES: readonly Case[] = [
  { bus: 'ide', firmware: 'bios', card: 'e1000' },
  { bus: 'virtio', firmware: 'bios', card: 'virtio' },
  { bus: 'sata', firmware: 'bios', card: 'e1000' },
  { bus: 'nvme', firmware: 'bios', card: 'virtio' },
  { bus: 'sata', firmware: 'uefi', card: 'e1000' },
  { bus: 'nvme', firmware: 'uefi', card: 'e1000' },
];

/** The empty CD drive of QEMU's pc, which it leaves away once an ide-hd is named. */
const CD = ['-device', 'ide-cd,bus=ide.1'];
/** QEMU's words for a disk; `serial` where there is no number by place. */
const QEMU_DEVICE = {
  ide: ['-device', 'ide-hd,drive=d,bus=ide.0', ...CD],
  sata: ['-device', 'ich9-ahci,id=ahci', '-device', 'ide-hd,drive=d,bus=ahci.0', ...CD],
  nvme: ['-device', 'nvme,drive=d,serial=my-disk'],
  virtio: ['-device', 'virtio-blk-pci,drive=d,serial=my-disk'],
};

let folder: string;
let server: Server;
let port: number;
let machine: Machine | undefined;
beforeAll(async () => {
  if (!able) return;
  execFileSync(`${root}samples/debian/build`, { stdio: 'pipe' });
  folder = mkdtempSync(join(tmpdir(), 'vmscope-debian-'));
  // not node:http, whose parser refuses lines that end as a shell's do
  server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => socket.end(`HTTP/1.0 200 OK\r\n\r\n${ANSWER}\n`));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
}, SLOW);
afterEach(() => machine?.kill());
afterAll(() => {
  server?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

function here({ bus, firmware, card }: Case, image: string): { machine: Machine; pressPower: () => Promise<void> } {
  const name = `debian-${bus}-${process.pid}`;
  const serial = bus === 'nvme' || bus === 'virtio' ? ',serial=my-disk' : '';
  const words = ['run', '--name', name, '-m', '512M', '--headless', '--serial', 'stdio', '--sercon', 'off'];
  const devices = ['--disk', `${image},format=raw,if=${bus}${serial}`, '--net', `user,model=${card}`];
  if (firmware === 'uefi') devices.push('--bios', OVMF);
  return {
    machine: new Machine(process.execPath, [PROGRAM, ...words, ...devices]),
    pressPower: async () => {
      const { status, stderr } = await vmscope(['send', name, 'system_powerdown'], { timeoutMs: 300_000 });
      expect([status, stderr]).toEqual([0, '']);
    },
  };
}

function onQemu({ bus, firmware, card }: Case, image: string): { machine: Machine; pressPower: () => Promise<void> } {
  const monitor = join(folder, 'monitor');
  const words = ['-M', 'pc', '-cpu', 'max', '-m', '512', '-display', 'none', '-serial', 'stdio'];
  const nic = card === 'virtio' ? 'virtio-net-pci' : card;
  const devices = ['-drive', `file=${image},format=raw,if=none,id=d`, ...QEMU_DEVICE[bus], '-nic', `user,model=${nic}`];
  if (firmware === 'uefi') devices.push('-bios', OVMF);
  return {
    machine: new Machine('qemu-system-x86_64', [...words, '-monitor', `unix:${monitor},server,nowait`, ...devices]),
    pressPower: async () => {
      const socket = connect(monitor);
      await once(socket, 'connect');
      socket.end('system_powerdown\n');
    },
  };
}

/** Logs in, asks what the system says of itself, and ends it by its power button. */
async function visit(at: ReturnType<typeof here>): Promise<{ report: string[]; status: number | null }> {
  machine = at.machine;
  await machine.until(/debian login: $/);
  machine.type('root\n');
  await machine.until(/root@debian:~# (\x1b\S*)?$/);
  machine.type(`report ${port}; echo that was "all"\n`);
  await machine.until(/\nthat was all/);
  const lines = machine.text.split(/\r?\n/).map((line) => line.replace(/^\x1b\[\?2004l\r?/, ''));
  await at.pressPower();
  await machine.until(/reboot: Power down/);
  // names that a drive's maker gives, and QEMU by chance
  const report = lines.filter((line) => /^(state|root|net|heard|disk|card): /.test(line) && !/eui\.|uuid\./.test(line));
  return { report, status: await machine.ended };
}

function expectClean(image: string): void {
  const part = join(folder, 'root.ext4');
  execFileSync('dd', [`if=${image}`, `of=${part}`, 'bs=1M', `skip=${ROOT_AT_MIB}`, 'count=1535', 'conv=sparse'], {
    stdio: 'ignore',
  });
  // told by its status: 0 is a file system without an error
  execFileSync('e2fsck', ['-fn', part], { stdio: 'pipe' });
  expect(execFileSync('dumpe2fs', ['-h', part], { stdio: 'pipe' }).toString()).toMatch(/Filesystem state: +clean\n/);
}

describe.skipIf(!able)(named('Debian that was installed with QEMU', ...tools), () => {
  it.for(CASES)('runs from $bus by $firmware with $card, and goes back', { timeout: SLOW }, async (at, { skip }) => {
    const ovmf = at.firmware === 'uefi' && requireFile(OVMF, 'ovmf');
    if (ovmf && !ovmf.available) skip(ovmf.reason);
    const image = join(folder, 'debian.img');
    copyFileSync(`${root}build/guests/debian/debian.img`, image, constants.COPYFILE_FICLONE);
    const { report, status } = await visit(here(at, image));
    expect(status).toBe(0);
    expect(report).toContain('state: running');
    expect(report).toContain(`heard: ${ANSWER}`);
    expect(report).toContain('net: ens3 10.0.2.15/24');
    expectClean(image);
    const there = await visit(onQemu(at, image));
    expect(report).toEqual(there.report);
    expectClean(image);
  });
});
