/** `info migrate`, in QEMU's words. */
import type { MigrationStatus } from '../../debugger.js';

const KB = 1024;
const PAGE_KB = 4;

/** `info migrate`; empty before the first migration, as QEMU has it. */
export function migrationText(status: MigrationStatus | undefined): string {
  if (status === undefined) return '';
  const { phase, error, totalMs, setupMs, downtimeMs } = status;
  const kb = (bytes: number): string => `${Math.floor(bytes / KB)} kbytes`;
  return [
    `Migration status: ${phase}${error === undefined ? '' : ` (${error})`}`,
    `total time: ${totalMs} ms`,
    ...(downtimeMs === undefined ? [] : [`downtime: ${downtimeMs} ms`]),
    `setup: ${setupMs} ms`,
    `transferred ram: ${kb(status.transferredBytes)}`,
    `throughput: ${mbps(status).toFixed(2)} mbps`,
    `remaining ram: ${kb(status.remainingBytes)}`,
    `total ram: ${kb(status.totalBytes)}`,
    `duplicate: ${status.zeroPages} pages`,
    `normal: ${status.normalPages} pages`,
    `normal bytes: ${status.normalPages * PAGE_KB} kbytes`,
    `dirty sync count: ${status.rounds}`,
    `page size: ${PAGE_KB} kbytes`,
  ].join('\n');
}

function mbps({ transferredBytes, totalMs, setupMs }: MigrationStatus): number {
  const ms = totalMs - setupMs;
  return ms <= 0 ? 0 : (transferredBytes * 8) / ms / 1000;
}
