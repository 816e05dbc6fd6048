/**
 * Where guest-physical memory is in QEMU's process: the flat view of address space "memory" (`info mtree -f`), and for
 * each range of RAM or ROM its address in the process (`gpa2hva`). Only this view knows that ROMs lie over RAM.
 */
export interface FlatRange {
  start: bigint;
  /** Last byte + 1. */
  end: bigint;
  kind: string;
  name: string;
}

const MEMORY_KINDS = new Set(['ram', 'rom', 'romd', 'ramd', 'nv-ram']);
const MAX_RANGES = 4096;

/** Ranges that hold bytes, by address. @throws Error when the text has no flat view of memory */
export function parseFlatView(text: string): FlatRange[] {
  const lines = text.split('\n');
  const ranges: FlatRange[] = [];
  let inside = false;
  let found = false;
  for (const line of lines) {
    if (/^FlatView/.test(line)) inside = false;
    else if (/^ AS "memory"/.test(line)) inside = found = true;
    else if (inside) {
      const range =
        /^ {2}([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, ([a-z-]+)\): (.*?)(?: @[0-9a-f]+)?(?: KVM)?\s*$/.exec(line);
      if (!range || !MEMORY_KINDS.has(range[3]!) || ranges.length >= MAX_RANGES) continue;
      const [start, last] = [BigInt(`0x${range[1]}`), BigInt(`0x${range[2]}`)];
      if (last >= start) ranges.push({ start, end: last + 1n, kind: range[3]!, name: range[4]! });
    }
  }
  if (!found) throw new Error('QEMU shows no flat view of its memory (info mtree -f)');
  return ranges;
}

/** The address in QEMU's process that the monitor's answer to gpa2hva holds. */
export function parseHostAddress(text: string): bigint | undefined {
  const hex = /is (?:at )?(0x[0-9a-f]+)\s*$/i.exec(text.trim())?.[1];
  return hex === undefined ? undefined : BigInt(hex);
}
