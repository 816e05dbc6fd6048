/** What this host offers for watching and attaching to guests of other programs. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { openLibvirt } from '../targets/libvirt/open.js';
import { defaultUris, parseUri, socketPaths } from '../targets/libvirt/uri.js';
import { ProcessFinder } from '../targets/qemu/processes.js';
import type { Finding } from './doctor.js';

export async function guestFindings(): Promise<Finding[]> {
  return [...(await libvirt()), processes(), memory(), tracing()];
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
      : `${machines.length} processes, ${reachable} with a QMP socket (-qmp unix:PATH,server=on,wait=off)`;
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

function tracing(): Finding {
  const mount = / (\S+) tracefs /.exec(read('/proc/mounts') ?? '')?.[1];
  if (mount === undefined)
    return { name: 'tracefs', state: 'note', text: 'not mounted: mount -t tracefs nodev /sys/kernel/tracing (root)' };
  try {
    accessSync(`${mount}/events/kvm`, constants.R_OK);
    return { name: 'tracefs', state: 'ok', text: `${mount} has KVM's events` };
  } catch (error) {
    const denied = (error as NodeJS.ErrnoException).code === 'EACCES';
    return {
      name: 'tracefs',
      state: 'no',
      text: `${mount}: ${denied ? 'for root only' : "KVM's events are not there: modprobe kvm"}`,
    };
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
