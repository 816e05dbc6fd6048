/** Monitor commands about disks: `info block`. */
import type { Drive } from '../devices/block.js';
import { printable } from '../printable.js';

type Command = (context: { drives: readonly Drive[] }) => string;

function driveLine({ name, bus, kind, store, image }: Drive): string {
  const what = image === undefined ? '[not inserted]' : `${printable(image.file)} (${image.format})`;
  const size = store === undefined ? '' : `, ${store.sectors} sectors${store.readOnly ? ', read-only' : ''}`;
  return `${name}: ${what}\n    Attached to: ${bus}, ${kind}${size}`;
}

export const DRIVE_COMMANDS: Record<string, Command> = {
  'info block': ({ drives }) => drives.map(driveLine).join('\n\n') || 'no drives',
};
