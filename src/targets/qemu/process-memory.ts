/**
 * Guest-physical memory through /proc/PID/mem: at the speed of a copy, without stopping the guest and without asking
 * QEMU but for the map. Needs the right to trace the process.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { PhysicalMemory } from '../../engine/debug/linux/physical.js';
import { type FlatRange, parseFlatView, parseHostAddress } from './flat-view.js';
import type { Monitor } from './qmp.js';

interface Mapped extends FlatRange {
  /** Address in QEMU's process. */
  host: bigint;
}

/** The map is asked for again after this: PAM registers, hotplug and SMM change it. */
const MAP_MS = 2000;
/** No more of guest memory is searched for a kernel. */
const MAX_SEARCH = 1n << 40n;

export class ProcessMemory implements PhysicalMemory {
  #ranges: Mapped[] = [];
  #text = '';
  #askedMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #closed = false;

  private constructor(
    private readonly fd: number,
    private readonly monitor: Monitor,
  ) {}

  /** @throws Error in one line that names the right that is missing */
  static async open(pid: number, monitor: Monitor): Promise<ProcessMemory> {
    let fd: number;
    try {
      fd = openSync(`/proc/${pid}/mem`, 'r+');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const why =
        code === 'EACCES' || code === 'EPERM'
          ? 'needs the same user and the right to trace it (root, CAP_SYS_PTRACE, or kernel.yama.ptrace_scope 0)'
          : (error as Error).message;
      throw new Error(`memory of process ${pid}: ${why}`);
    }
    const memory = new ProcessMemory(fd, monitor);
    try {
      await memory.refresh();
      if (memory.#ranges.length === 0) throw new Error('QEMU shows no RAM');
      memory.view(Number(memory.#ranges[0]!.start), 1);
      return memory;
    } catch (error) {
      memory.close();
      throw error;
    }
  }

  /** Asks for the map again if it may have changed. */
  async refresh(): Promise<void> {
    if (performance.now() - this.#askedMs < MAP_MS) return;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    await this.#asking;
  }

  async #ask(): Promise<void> {
    const text = await this.monitor.human('info mtree -f');
    this.#askedMs = performance.now();
    const end = text.search(/\n\nFlatView #(?!0)/);
    const own = end < 0 ? text : text.slice(0, end);
    if (own === this.#text) return;
    const ranges: Mapped[] = [];
    for (const range of parseFlatView(text)) {
      const answer = await this.monitor.human(`gpa2hva 0x${range.start.toString(16)}`).catch(() => '');
      const host = parseHostAddress(answer);
      if (host !== undefined) ranges.push({ ...range, host });
    }
    this.#ranges = ranges;
    this.#text = own;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.fd);
  }

  get ranges(): readonly FlatRange[] {
    return this.#ranges;
  }

  /** End of main memory, which is what stands at address 0 and all of that name: a search looks through it. */
  get bytes(): number {
    const main = this.#ranges.find(({ start }) => start === 0n)?.name.replace(/\d+$/, '');
    const ram = this.#ranges.filter(({ kind, name }) => kind === 'ram' && name.replace(/\d+$/, '') === main);
    return Number(ram.reduce((end, range) => max(end, range.end), 0n) % MAX_SEARCH);
  }

  /** A copy; holes read as zeroes. @throws Error when QEMU's memory cannot be read */
  view(gpa: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const read = this.#each(BigInt(gpa), length, (host, at, count) => readSync(this.fd, bytes, at, count, host));
    if (read === 'failed') throw new Error('the memory of QEMU cannot be read: has it ended?');
    return bytes;
  }

  /** Bytes up to the first hole. */
  read(gpa: bigint, length: number): Uint8Array {
    const end = this.#reach(gpa, length);
    return end === 0 ? new Uint8Array(0) : this.view(Number(gpa), end);
  }

  /** Writes up to the first hole. @returns how many bytes */
  write(gpa: bigint, bytes: Uint8Array): number {
    const length = this.#reach(gpa, bytes.length);
    const wrote = this.#each(gpa, length, (host, at, count) => writeSync(this.fd, bytes, at, count, Number(host)));
    if (wrote === 'failed') throw new Error('the memory of QEMU cannot be written');
    return length;
  }

  /** How many of `length` bytes from `gpa` on are memory. */
  #reach(gpa: bigint, length: number): number {
    let at = gpa;
    const end = gpa + BigInt(length);
    for (const range of this.#ranges) if (range.start <= at && at < range.end) at = range.end < end ? range.end : end;
    return Number(at - gpa);
  }

  #each(gpa: bigint, length: number, move: (host: bigint, at: number, count: number) => number): 'done' | 'failed' {
    if (this.#closed) return 'failed';
    const end = gpa + BigInt(length);
    for (const range of this.#ranges) {
      const from = max(range.start, gpa);
      const to = range.end < end ? range.end : end;
      for (let at = from; at < to; ) {
        const count = move(range.host + (at - range.start), Number(at - gpa), Number(to - at));
        if (count <= 0) return 'failed';
        at += BigInt(count);
      }
    }
    return 'done';
  }
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
