/** The terminal that QEMU made for a serial port (`-serial pty`): its other end, as `screen` or `minicom` would open it. */
import { constants, openSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import type { SerialLine } from '../serial-line.js';
import type { Monitor } from './qmp.js';

/** Path of the terminal of the first serial port; undefined where it has none. */
export async function serialPty(monitor: Monitor): Promise<string | undefined> {
  const all = await monitor.execute('query-chardev');
  for (const item of Array.isArray(all) ? (all as { label?: unknown; filename?: unknown }[]) : []) {
    const path = /^pty:(\/dev\/pts\/\d{1,9})$/.exec(String(item?.filename))?.[1];
    if (path !== undefined && /serial|charserial|compat_monitor/.test(String(item.label))) return path;
  }
  return undefined;
}

export async function openPty(path: string): Promise<SerialLine> {
  const fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  const stream = new ReadStream(fd);
  // No echo, no lines: the guest is the other side.
  stream.setRawMode(true);
  let over = false;
  let end: (reason: string) => void = () => {};
  const closed = new Promise<string>((resolve) => {
    end = resolve;
  });
  const line: SerialLine = {
    onData: () => {},
    closed,
    async write(bytes) {
      if (over) throw new Error(`${path}: closed`);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    },
    close: () => finish('closed'),
  };
  const finish = (reason: string): void => {
    if (over) return;
    over = true;
    stream.destroy();
    end(reason);
  };
  stream.on('data', (bytes: Buffer) => line.onData(bytes));
  stream.on('error', (error: Error) => finish(`${path}: ${error.message}`));
  stream.on('close', () => finish(`${path}: closed`));
  return line;
}
