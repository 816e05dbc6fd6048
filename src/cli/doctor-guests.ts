/** What this host offers for watching and attaching to guests of other programs. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { counted } from '../engine/counted.js';
import { traceRight } from '../targets/kvm-host/rights.js';
import { openLibvirt } from '../targets/libvirt/open.js';
import { defaultUris, parseUri, socketPaths } from '../targets/libvirt/uri.js';
import { ProcessFinder } from '../targets/qemu/processes.js';
import type { Finding } from './doctor.js';

export async function guestFindings(): Promise<Finding[]> {
  return [...(await libvirt()), processes(), memory(), counters(), tracing()];
}

async function libvirt(): Promise<Finding[]> {
  const uris = defaultUris();
  if (uris.length === 0) {
    const where = socketPaths(parseUri('qemu:///system'), false)[0];
    return [{ name: 'libvirt', state: 'note', text: `no socket (${where} ...): no libvirtd runs here` }];
  }
  return await Promise.all(
    uris.map(async (uri): Promise<Finding> => {
      try {
        (await openLibvirt(parseUri(uri), false)).close();
      } catch (error) {
        return { name: 'libvirt', state: 'no', text: `${uri}: ${(error as Error).message}` };
      }
      const write = await openLibvirt(parseUri(uri), true).then(
        (connection) => {
          connection.close();
          return 'may be told to pause, reset, attach';
        },
        (error: Error) => `only to look at: ${error.message}`,
      );
      return { name: 'libvirt', state: 'ok', text: `${uri} answers; its guests ${write}` };
    }),
  );
}

function processes(): Finding {
  const machines = new ProcessFinder().find(0);
  const reachable = machines.filter(({ qmp }) => qmp !== undefined).length;
  const text =
    machines.length === 0
      ? 'no process is a virtual machine'
      : `${counted(machines.length, 'process', 'processes')}, ${reachable} with a QMP socket (-qmp unix:PATH,server=on,wait=off)`;
  return { name: 'VM processes', state: machines.length ? 'ok' : 'note', text };
}

/** @see Documentation/admin-guide/LSM/Yama.rst */
function memory(): Finding {
  const scope = read('/proc/sys/kernel/yama/ptrace_scope')?.trim();
  if (process.getuid?.() === 0)
    return { name: 'guest memory', state: 'ok', text: 'of other programs: root may read it' };
  if (scope === undefined || scope === '0')
    return { name: 'guest memory', state: 'ok', text: "of this user's other programs may be read" };
  return {
    name: 'guest memory',
    state: 'no',
    text: `of other programs: by the monitor only, slowly (kernel.yama.ptrace_scope is ${scope}; root, or sysctl kernel.yama.ptrace_scope=0)`,
  };
}

/** Times of VM exits, as `vmscope top -4` shows them. */
function tracing(): Finding {
  const right = traceRight();
  if ('why' in right) return { name: 'exit trace', state: 'no', text: right.why };
  const by = right.by === 'perf' ? 'perf events' : 'an instance of tracefs';
  const text = `of KVM guests by ${by} (${right.path})${right.note ? `; ${right.note}` : ''}`;
  return { name: 'exit trace', state: right.note ? 'note' : 'ok', text };
}

/** Counters of exits of a guest that tells them by no monitor. */
function counters(): Finding {
  const debugfs = / (\S+) debugfs /.exec(read('/proc/mounts') ?? '')?.[1];
  const root = process.getuid?.() === 0;
  const text = [
    'of KVM guests by libvirt (since 8.9) or QMP (since 7.1)',
    root ? 'by their statistics files (QEMU since 8.1)' : 'by their statistics files for root only (CAP_SYS_PTRACE)',
    debugfs === undefined
      ? 'debugfs is not mounted (root: mount -t debugfs nodev /sys/kernel/debug)'
      : debugfsText(debugfs),
  ].join('; ');
  return { name: 'exit counters', state: root ? 'ok' : 'note', text };
}

function debugfsText(path: string): string {
  try {
    accessSync(`${path}/kvm`, constants.R_OK);
    return `by ${path}/kvm, unless the kernel is locked down`;
  } catch {
    return `${path}/kvm is not for this user`;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
