/**
 * A guest's RAM in the process that is its virtual machine, found without asking that: by the size of the mapping. What
 * the host has not given to the guest yet, or has swapped out, reads as zeroes and stays where it is: looking must not
 * cost the host memory.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import type { PhysicalMemory } from '../../engine/debug/linux/physical.js';
import type { VmProcess } from './processes.js';

const PAGE = 4096;
const GIB = 2 ** 30;
/** Of an entry of /proc/PID/pagemap. @linux Documentation/admin-guide/mm/pagemap.rst */
const PRESENT = 0x80;
/** Where QEMU puts what does not fit below 4 GiB. */
const ABOVE = 4 * GIB;

/** Bytes of RAM below 4 GiB, as QEMU's machines divide it; undefined where that is not known. */
export function bytesBelow4G({ kind, machine, memoryBytes = 0 }: VmProcess): number | undefined {
  if (kind !== 'qemu') return memoryBytes <= 3 * GIB ? memoryBytes : undefined;
  if (/^(pc-)?q35/.test(machine ?? '')) return memoryBytes < 0xb000_0000 ? memoryBytes : 2 * GIB;
  if (/^(pc|isapc|pc-i440fx.*)$/.test(machine ?? 'pc')) return memoryBytes < 0xe000_0000 ? memoryBytes : 3 * GIB;
  return memoryBytes <= 2 * GIB ? memoryBytes : undefined;
}

/** @returns address of the only writable mapping of that size; undefined where there is none, or more than one */
export function ramMapping(maps: string, bytes: number): number | undefined {
  const found = [...maps.matchAll(/^([0-9a-f]{1,16})-([0-9a-f]{1,16}) rw/gm)]
    .map(([, start, end]) => [Number.parseInt(start!, 16), Number.parseInt(end!, 16)] as const)
    .filter(([start, end]) => end - start === bytes);
  return found.length === 1 ? found[0]![0] : undefined;
}

export class ProcessRam implements PhysicalMemory {
  /** End of the guest's memory. */
  readonly bytes: number;

  private constructor(
    private readonly mem: number,
    private readonly pagemap: number,
    private readonly host: number,
    private readonly below: number,
    size: number,
  ) {
    this.bytes = size > below ? ABOVE + size - below : size;
  }

  /** @throws Error in a few words that say what is missing */
  static open(vm: VmProcess): ProcessRam {
    const { pid, memoryBytes } = vm;
    const below = bytesBelow4G(vm);
    if (!memoryBytes || below === undefined) throw new Error('the layout of its memory is not known');
    const opened: number[] = [];
    try {
      const host = ramMapping(readFileSync(`/proc/${pid}/maps`, 'latin1'), memoryBytes);
      if (host === undefined) throw new Error('its memory is not in one piece in its process');
      for (const name of ['mem', 'pagemap']) opened.push(openSync(`/proc/${pid}/${name}`, 'r'));
      const ram = new ProcessRam(opened[0]!, opened[1]!, host, below, memoryBytes);
      ram.view(0, 1);
      return ram;
    } catch (error) {
      for (const fd of opened) closeSync(fd);
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EACCES' || code === 'EPERM')
        throw new Error('its memory is for root only, or needs CAP_SYS_PTRACE');
      throw code === 'ENOENT' || code === 'ESRCH' ? new Error('its process has gone') : new Error(message);
    }
  }

  /** A copy. @throws Error when the process has gone */
  view(gpa: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#piece(bytes, gpa, 0, Math.min(this.below, this.bytes), 0);
    if (this.bytes > ABOVE) this.#piece(bytes, gpa, ABOVE, this.bytes, this.below);
    return bytes;
  }

  /** The part of `bytes`, which begins at `gpa`, that lies from `start` to `end`; these are at `offset` of the mapping. */
  #piece(bytes: Uint8Array, gpa: number, start: number, end: number, offset: number): void {
    const from = Math.max(gpa, start);
    const to = Math.min(gpa + bytes.length, end);
    if (from >= to) return;
    const address = this.host + offset + from - start;
    const first = Math.floor(address / PAGE);
    const pages = Math.floor((address + to - from - 1) / PAGE) - first + 1;
    const entries = Buffer.alloc(pages * 8);
    if (readSync(this.pagemap, entries, 0, entries.length, first * 8) !== entries.length)
      throw new Error('its process has gone');
    for (let page = 0; page < pages; ) {
      let next = page;
      while (next < pages && entries[next * 8 + 7]! & PRESENT) next++;
      if (next > page) {
        const at = Math.max(address, (first + page) * PAGE);
        const until = Math.min(address + to - from, (first + next) * PAGE);
        const target = from - gpa + at - address;
        if (readSync(this.mem, bytes, target, until - at, at) !== until - at) throw new Error('its process has gone');
      }
      page = next + 1;
    }
  }

  close(): void {
    closeSync(this.mem);
    closeSync(this.pagemap);
  }
}
