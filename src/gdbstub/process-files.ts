/**
 * Files of the process that the guest is to a client. GEF fetches them when it connects and shows no registers without;
 * GDB and pwndbg read the maps.
 */
import type { Session } from './session.js';
import { buildSymbolElf } from './symbol-elf.js';

const PROCESS_FILE = /^\/proc\/\d+\/(exe|maps|environ|cmdline)$/;
/** A line of QEMU's `info mem`: start-end, size, rights. */
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) [0-9a-f]+ ([-u])r([-w])$/;
/** Mappings of which is asked whether they hold code. */
const ASKED = 2048;

const text = (content: string): Uint8Array => Buffer.from(content, 'utf8');

/** @linux Documentation/filesystems/proc.rst "/proc/PID/maps" */
async function maps(session: Session): Promise<string> {
  const { target, generalThread: thread } = session;
  const lines: string[] = [];
  const line = (start: string, end: string, rights: string): void => {
    const wide = (address: string): string => address.replace(/^0+(?=[0-9a-f]{8})/, '');
    lines.push(`${wide(start)}-${wide(end)} ${rights}p 00000000 00:00 0 \n`);
  };
  for (const row of ((await target.monitor?.('info mem', thread)) ?? '').split('\n')) {
    const [, start, end, , write] = MAPPING.exec(row) ?? [];
    if (start === undefined) continue;
    const region = lines.length < ASKED ? await target.memoryRegion?.(BigInt(`0x${start}`), thread) : undefined;
    line(start, end, `r${write}${region === undefined || region.execute ? 'x' : '-'}`);
  }
  // without paging all is mapped
  if (lines.length === 0) line('00000000', '100000000', 'rwx');
  return lines.join('');
}

/** Contents of /proc/PID/NAME; undefined for another path. */
export async function processFile(session: Session, path: string): Promise<Uint8Array | undefined> {
  const name = PROCESS_FILE.exec(path)?.[1];
  switch (name) {
    case 'exe':
      // a client that has the symbols gets them again; for others nothing is looked for
      return (session.symbolsServed ? await session.target.kernel?.symbols() : undefined) ?? buildSymbolElf([]);
    case 'maps':
      return text(await maps(session));
    case 'cmdline':
      return text(`${session.target.name}\0`);
    case 'environ':
      return text('\0');
    default:
      return undefined;
  }
}
