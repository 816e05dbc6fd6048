/** Monitor commands about disks: `info block` and `info snapshots`. */
import type { Drive } from '../devices/block.js';
import { fromUnixSeconds } from '../devices/calendar.js';
import { printable } from '../printable.js';

type Command = (context: { drives: readonly Drive[] }) => string;

function driveLine({ name, bus, kind, store, image }: Drive): string {
  const what = image === undefined ? '[not inserted]' : `${printable(image.file)} (${image.format})`;
  const size = store === undefined ? '' : `, ${store.sectors} sectors${store.readOnly ? ', read-only' : ''}`;
  return `${name}: ${what}\n    Attached to: ${bus}, ${kind}${size}`;
}

function snapshotLines({ name, image }: Drive): string[] {
  if (image === undefined || image.snapshots.length === 0) return [];
  const rows = image.snapshots.map(({ id, name: tag, dateSeconds }) => {
    const { year, month, day, hour, minute, second } = fromUnixSeconds(dateSeconds);
    const two = (value: number) => String(value).padStart(2, '0');
    const date = `${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}`;
    return `${printable(id).padEnd(10)}${printable(tag).padEnd(24)}${date}`;
  });
  return [`List of snapshots present on ${name}:`, `${'ID'.padEnd(10)}${'TAG'.padEnd(24)}DATE (UTC)`, ...rows];
}

export const DRIVE_COMMANDS: Record<string, Command> = {
  'info block': ({ drives }) => drives.map(driveLine).join('\n\n') || 'no drives',
  'info snapshots': ({ drives }) => drives.flatMap(snapshotLines).join('\n') || 'There is no snapshot available.',
};

export const DRIVE_HELP = `info block            disks and CD-ROM drives
info snapshots        snapshots inside the disks' images`;
