/** Why a cell of the table of guests is empty: what its source said, or what the figure needs. */
import type { DiskLook, Missing } from '../../engine/fleet.js';
import type { DeviceRow, GuestRow } from './rows.js';

/** The group of counters that a column is from. */
const GROUPS: Record<string, Missing> = {
  cpu: 'cpu',
  time: 'cpu',
  ready: 'run queue',
  mem: 'memory',
  memory: 'memory',
  used: 'used memory',
  blockrdrq: 'disks',
  blockwrrq: 'disks',
  latency: 'disks',
  netrx: 'nics',
  nettx: 'nics',
  exits: 'exits',
  reason: 'exits',
  allexits: 'exits',
  polls: 'exits',
};
/** Sums and rates of an interval. */
const OF_INTERVAL = new Set([
  ...['cpu', 'ready', 'blockrdrq', 'blockwrrq', 'latency', 'netrx', 'nettx', 'exits', 'reason', 'instructions'],
  ...['polls', 'faults', 'minorfaults', 'processread', 'processwrite'],
]);
/** Of the process that the guest is. */
const OF_PROCESS = new Set(['rss', 'faults', 'minorfaults', 'processread', 'processwrite', 'pid', 'up']);

const OTHERS: Record<string, string> = {
  latency: 'no request in this interval',
  reason: 'no exit in this interval',
  instructions: "only vmscope's own engine counts them",
  job: 'no migration, backup or other job',
  id: 'libvirt numbers its running domains, and no others',
  processread: 'the I/O figures of its process are readable by its user and root only',
  processwrite: 'the I/O figures of its process are readable by its user and root only',
  polls: 'KVM polls before halts are not counted by its source',
  used: 'its source does not report it',
};

/** @param id of a column in which the row has nothing */
export function whyEmpty(id: string, row: GuestRow): string {
  const { sample } = row;
  if (id !== 'id' && sample.state === 'shut off') return 'it does not run';
  const group = GROUPS[id];
  const told = group && sample.missing?.[group];
  if (told) return told;
  if (OF_INTERVAL.has(id) && row.seconds === undefined) return 'a rate needs two refreshes';
  if (OF_PROCESS.has(id) && sample.process === undefined) return 'its process is not on this host';
  if (id === 'latency' && !sample.disks?.some(isTimed)) return UNTIMED;
  return OTHERS[id] ?? sample.stateText ?? 'its source does not report it';
}

/** As whyEmpty(), for a disk or network interface. */
export function whyDeviceEmpty(id: string, row: DeviceRow): string {
  if (row.guest.seconds === undefined) return 'a rate needs two refreshes';
  if (id === 'path') return 'nothing is in it, or its source does not report it';
  if (id !== 'readms' && id !== 'writems') return 'its source does not count it';
  const disk = row.guest.sample.disks?.find(({ device }) => device === row.device);
  return disk && !isTimed(disk) ? UNTIMED : 'no request in this interval';
}

const UNTIMED = 'its source does not time requests';
const isTimed = ({ readNs, writeNs }: DiskLook): boolean => readNs !== undefined || writeNs !== undefined;

/** `USED: no balloon driver; RXBY TXBY: QEMU does not count its network`: each reason once. */
export function whyLine<Row>(
  columns: readonly { id: string; title: string }[],
  row: Row,
  whyOf: (id: string, row: Row) => string,
): string {
  const reasons = new Map<string, string[]>();
  for (const { id, title } of columns) {
    const why = whyOf(id, row);
    const titles = reasons.get(why);
    if (titles) titles.push(title);
    else reasons.set(why, [title]);
  }
  return [...reasons].map(([why, titles]) => `${titles.join(' ')}: ${why}`).join('; ');
}
