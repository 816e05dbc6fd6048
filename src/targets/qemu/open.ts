/** From what a user names to a QEMU guest: its monitor, and its process where that is on this host. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { LibvirtMonitor, parseAttachName } from '../libvirt/monitor.js';
import type { SerialLine } from '../serial-line.js';
import { ProcessFinder, type VmProcess, vmProcess } from './processes.js';
import { openPty, serialPty } from './pty-line.js';
import { type Monitor, QmpClient } from './qmp.js';

export interface OpenedMonitor {
  monitor: Monitor;
  process?: VmProcess;
  engine: 'qemu' | 'libvirt';
  /** The whole name, with which the guest is found again. */
  target: string;
  /** Its first serial port, where that can be had: libvirt's console, or the terminal that QEMU made. */
  serial?: () => Promise<SerialLine>;
}

/** What begins like this is a guest of QEMU. */
export const isQemuTarget = (target: string): boolean => /^(qmp|pid|libvirt):/.test(target);

/**
 * @param target `qmp:PATH`, `pid:PID` or `libvirt:DOMAIN`
 * @param uri libvirt's, for a domain's name alone
 * @throws Error in one line
 */
export async function openMonitor(target: string, uri?: string): Promise<OpenedMonitor> {
  const rest = target.slice(target.indexOf(':') + 1);
  if (target.startsWith('libvirt:')) {
    const { uri: parsed, domain } = parseAttachName(rest, uri);
    const monitor = await LibvirtMonitor.open(parsed, domain);
    const uuid = monitor.domain.uuid.toString('hex');
    const local = parsed.transport === 'unix';
    const process = local
      ? new ProcessFinder().find(0).find((vm) => vm.uuid?.replaceAll('-', '').toLowerCase() === uuid)
      : undefined;
    const serial = () => monitor.console();
    return { monitor, process, engine: 'libvirt', target: `libvirt:${parsed.text}#${domain}`, serial };
  }
  let path = rest;
  let process: VmProcess | undefined;
  if (target.startsWith('pid:')) {
    const pid = /^\d{1,9}$/.test(rest) ? Number(rest) : 0;
    process = vmProcess(pid);
    if (!process) throw new Error(`${target}: no virtual machine has this process number`);
    if (process.kind !== 'qemu') throw new Error(`${target}: ${process.kind} has no monitor that vmscope speaks`);
    if (!process.qmp)
      throw new Error(`${target}: has no QMP socket; start QEMU with -qmp unix:PATH,server=on,wait=off`);
    path = process.qmp;
  }
  try {
    path = realpathSync(path);
  } catch {
    throw new Error(`${target}: no socket ${path}`);
  }
  const monitor = await QmpClient.connect(path).catch((error: Error) => {
    throw new Error(`${target}: ${error.message}`);
  });
  const pty = await serialPty(monitor).catch(() => undefined);
  const serial = pty === undefined ? {} : { serial: () => openPty(pty) };
  return { monitor, process: process ?? ownerOf(path), engine: 'qemu', target: `qmp:${path}`, ...serial };
}

/** The virtual machine that listens on a unix socket, where this user may see it. */
function ownerOf(path: string): VmProcess | undefined {
  const machines = new ProcessFinder().find(0);
  const inodes = new Set<string>();
  for (const line of readFileSync('/proc/net/unix', 'utf8').split('\n')) {
    const [, , , , , , inode, ...name] = line.trim().split(' ').filter(Boolean);
    if (inode && name.join(' ') === path) inodes.add(`socket:[${inode}]`);
  }
  return machines.find((vm) => vm.kind === 'qemu' && holds(vm.pid, inodes)) ?? machines.find(({ qmp }) => qmp === path);
}

function holds(pid: number, links: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return links.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}
