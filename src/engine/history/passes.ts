/** Which intervals of the run a search backwards may pass over: nobody wrote there what would stop the guest. */

import { framesAsMemory } from '../memory/engine-frames.js';
import { type PagingState, translateGuest } from '../memory/guest-walk.js';
import { readEntry } from '../memory/physical.js';
import type { Vm } from '../vmm/vm.js';
import { linearPageBit, wroteLinear } from './interval-writes.js';
import type { Timeline } from './timeline.js';

const PAGE = 4096;
/** Chipset registers map firmware, the display and RAM there, by turns. */
const DISPLAY = 0xa0000n;
const FIRST_MIB = 0x100000n;

/** A range of memory whose writes stop the guest. */
export interface WatchedRange {
  readonly space: 'gva' | 'gpa';
  readonly address: bigint;
  readonly bytes: number;
}

/** Whether nothing in an interval can stop the guest. @param stands the interval that the machine is in, or at whose end */
export type Passes = (index: number, stands: number) => boolean;

/** @param ranges all that stops the guest */
export function passesOf(vm: Vm, timeline: Timeline, ranges: readonly WatchedRange[]): Passes {
  const frames = new Set<number>();
  const linear = new Set<bigint>();
  for (const { space, address, bytes } of ranges) {
    const end = address + BigInt(bytes);
    if (space === 'gpa' && address < FIRST_MIB && end > DISPLAY) return () => false;
    for (let page = address - (address % BigInt(PAGE)); page < end; page += BigInt(PAGE)) {
      const hpa = space === 'gpa' ? vm.frameOf(page) : undefined;
      if (space === 'gva') linear.add(BigInt.asUintN(64, page));
      else if (hpa === undefined) return () => false;
      else frames.add(hpa / PAGE);
    }
  }
  const byLinear = linear.size > 0 ? new LinearPasses(vm, timeline, [...linear]) : undefined;
  return (index, stands) =>
    !(frames.size > 0 && timeline.wrote(index, frames)) && (byLinear?.passes(index, stands) ?? true);
}

/** Where a linear page is in an address space now, and the frames of the tables that say so. */
interface Place {
  /** Its guest-physical page, by number; undefined: none. */
  readonly page: number | undefined;
  /** A table lies where no memory is. */
  readonly unknown: boolean;
  readonly tables: ReadonlySet<number>;
}

class LinearPasses {
  readonly #bits: ReadonlySet<number>;
  /** Walks by the tables as they stand while the machine stands there. */
  #walks = new Map<string, Place>();
  #at = -1;

  constructor(
    private readonly vm: Vm,
    private readonly timeline: Timeline,
    /** An address in each linear page. */
    private readonly pages: readonly bigint[],
  ) {
    this.#bits = new Set(pages.map(linearPageBit));
  }

  /**
   * Nobody can have written to the pages in an interval: the guest made no write translation of one, and no device wrote to
   * where one was, by tables that are as they were.
   * @param stands the interval in which the machine stands, or at whose end
   */
  passes(index: number, stands: number): boolean {
    const writes = this.timeline.writes(index);
    if (!writes) return false;
    for (const bit of this.#bits) if (wroteLinear(writes, bit)) return false;
    const { devices } = writes;
    if (!devices) return false;
    if (devices.pages.size === 0) return true;
    if (this.#at !== stands) this.#walks = new Map();
    this.#at = stands;
    for (const [key, space] of devices.spaces)
      for (const gva of this.pages) {
        const { page, tables, unknown } = this.#place(key, space, gva);
        if (unknown || (page !== undefined && devices.pages.has(page))) return false;
        for (let at = index; at <= stands; at++) if (this.timeline.wrote(at, tables)) return false;
      }
    return true;
  }

  #place(key: string, space: PagingState, gva: bigint): Place {
    const name = `${key} ${gva}`;
    let place = this.#walks.get(name);
    if (!place) this.#walks.set(name, (place = this.#walk(space, gva)));
    return place;
  }

  #walk(space: PagingState, gva: bigint): Place {
    const { vm } = this;
    const memory = framesAsMemory(vm, () => undefined);
    const tables = new Set<number>();
    let unknown = false;
    const output = translateGuest(space, gva, (address, bytes) => {
      const hpa = vm.frameOf(address);
      if (hpa === undefined) unknown = true;
      else tables.add(Math.floor(hpa / PAGE));
      return readEntry(memory, address, bytes);
    });
    return { page: output === undefined ? undefined : Number(output / BigInt(PAGE)), unknown, tables };
  }
}
