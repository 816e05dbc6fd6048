/** Monitor commands about disks: `info block`, `info blockstats`. */
import { counted } from '../counted.js';
import type { Drive } from '../devices/block.js';
import { printable } from '../printable.js';

type Command = (context: { drives: readonly Drive[] }) => string;

function driveLine({ name, bus, kind, store, image }: Drive): string {
  const what = image === undefined ? '[not inserted]' : `${printable(image.file)} (${image.format})`;
  const size = store === undefined ? '' : `, ${counted(store.sectors, 'sector')}${store.readOnly ? ', read-only' : ''}`;
  return `${name}: ${what}\n    Attached to: ${bus}, ${kind}${size}`;
}

/** In QEMU's words; how long requests take is virtual time and no measure. */
function trafficLine({ name, traffic }: Drive): string {
  if (traffic === undefined) return `${name}: not counted`;
  const { readBytes, writeBytes, readRequests, writeRequests, flushRequests } = traffic;
  return `${name}: rd_bytes=${readBytes} wr_bytes=${writeBytes} rd_operations=${readRequests} wr_operations=${writeRequests} flush_operations=${flushRequests}`;
}

export const DRIVE_COMMANDS: Record<string, Command> = {
  'info block': ({ drives }) => drives.map(driveLine).join('\n\n') || 'no drives',
  'info blockstats': ({ drives }) => drives.map(trafficLine).join('\n') || 'no drives',
};
