/** Where this host's trace events are described, and what is missing to use them, with the way to get it. */
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EventFormat, parseEventFormat } from './event-format.js';

export type TracePlace = { path: string } | { why: string };

const text = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

/** `\040` for a blank, as /proc/mounts writes it. */
const unescaped = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** tracefs, or debugfs with tracefs in it. @param mounts text of /proc/mounts */
export function findTracing(mounts = text('/proc/mounts') ?? ''): TracePlace {
  const rows = mounts.split('\n').map((line) => line.split(' '));
  const own = rows.find(([, , type]) => type === 'tracefs')?.[1];
  const debug = rows.find(([, , type]) => type === 'debugfs')?.[1];
  const path = own !== undefined ? unescaped(own) : debug === undefined ? undefined : join(unescaped(debug), 'tracing');
  if (path === undefined) return { why: 'tracefs is not mounted: as root, mount -t tracefs nodev /sys/kernel/tracing' };
  try {
    accessSync(join(path, 'events'), constants.R_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM')
      return { why: `${path} is for root only: run as root, or mount -o remount,gid=GROUP,mode=0750 ${path}` };
    return { why: `${path}: ${(error as Error).message}` };
  }
  try {
    accessSync(join(path, 'events', 'kvm'), constants.R_OK);
  } catch {
    return { why: `${path} has no events of KVM: modprobe kvm` };
  }
  return { path };
}

/** An event of KVM; undefined where this kernel has none of that name. */
export function kvmEvent(path: string, name: string): EventFormat | undefined {
  const format = text(join(path, 'events', 'kvm', name, 'format'));
  return format === undefined ? undefined : parseEventFormat(format);
}

/** Instances that a vmscope which has died left in tracefs: switched off and removed by the next that traces. */
export const abandonedInstances = (path: string): string[] => {
  try {
    return readdirSync(join(path, 'instances')).filter((name) => {
      const pid = /^vmscope-(\d{1,9})$/.exec(name)?.[1];
      return pid !== undefined && text(`/proc/${pid}/stat`) === undefined;
    });
  } catch {
    return [];
  }
};
