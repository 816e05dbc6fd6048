import { UsageError } from './options.js';

/** Where a GDB stub is. */
export type GdbAddress =
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'unix'; path: string }
  /** The other end of this process's standard input and output. */
  | { kind: 'stdio' };

/** Port of `--gdb` alone and of `-s`: QEMU's. */
export const GDB_PORT = 1234;
/** sun_path holds 108 bytes on Linux. */
const MAX_PATH_BYTES = 107;

/** `PORT`, `HOST:PORT` (with `tcp:` before it, as QEMU has it), `unix:PATH`, `stdio`; undefined when it is none. */
export function readGdbAddress(text: string): GdbAddress | undefined {
  if (text === 'stdio') return { kind: 'stdio' };
  const path = /^unix:(.+)$/s.exec(text)?.[1];
  if (path !== undefined) return Buffer.byteLength(path) > MAX_PATH_BYTES ? undefined : { kind: 'unix', path };
  const match = /^(?:(.*):)?(\d+)$/.exec(text.replace(/^tcp:/, ''));
  const port = match ? Number(match[2]) : Number.NaN;
  if (!match || port > 65535) return undefined;
  return { kind: 'tcp', host: (match[1] ?? '').replace(/^\[(.*)\]$/, '$1') || '127.0.0.1', port };
}

/** The same; loopback unless a host is named. @throws UsageError naming the option */
export function parseGdbAddress(option: string, text: string): GdbAddress {
  const address = readGdbAddress(text);
  if (address === undefined) {
    throw new UsageError(`${option} ${text}: not [HOST:]PORT, stdio or unix:PATH of at most ${MAX_PATH_BYTES} bytes`);
  }
  return address;
}

/** As a user gives it. */
export function showGdbAddress(address: GdbAddress): string {
  if (address.kind === 'stdio') return 'stdio';
  if (address.kind === 'unix') return `unix:${address.path}`;
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

/** What gdb takes behind `target remote`. */
export function targetOf(address: GdbAddress): string {
  if (address.kind === 'unix') return address.path;
  if (address.kind === 'stdio') return '-';
  const anywhere = address.host === '127.0.0.1' || address.host === '0.0.0.0' || address.host === '::';
  return anywhere ? `:${address.port}` : showGdbAddress(address);
}
