/**
 * Where an interval of the run may have written, beside its frames: by linear addresses, and devices by their own. What is
 * said here is never too little: a page that is not in it was not written by that address.
 */
import { CR0, CR3, CR4, EFER, WRITTEN_PAGES, WRITTEN_PAGES_BYTES } from '../core/layout.js';
import type { PagingState } from '../memory/guest-walk.js';
import type { Vcpu } from '../vmm/vcpu.js';
import type { Vm } from '../vmm/vm.js';
import { fieldOffset } from '../vmm/vmcs.js';

const PAGE = 4096;
const ROOT_WORDS = 5;
const FIELDS = {
  cr0: fieldOffset('GUEST_CR0'),
  cr3: fieldOffset('GUEST_CR3'),
  cr4: fieldOffset('GUEST_CR4'),
  efer: fieldOffset('GUEST_IA32_EFER'),
};
/** More than that are not told apart. */
const MAX_DEVICE_PAGES = 4096;
const MAX_SPACES = 64;

/** Pages that devices wrote, and how linear addresses were translated while they did; undefined: too many of them. */
interface DeviceWrites {
  /** Numbers of guest-physical pages. */
  readonly pages: Set<number>;
  readonly spaces: Map<string, PagingState>;
}

export interface IntervalWrites {
  /** A bit for each linear page by its hash: a write translation was made for one (core/mmu/access.ts). */
  readonly linear: Uint8Array;
  readonly devices: DeviceWrites | undefined;
}

/** Host memory that one takes. */
export const INTERVAL_WRITES_BYTES = WRITTEN_PAGES_BYTES;

/** The bit of a linear page. @param gva any address in it */
export function linearPageBit(gva: bigint): number {
  const page = Number(BigInt.asUintN(32, gva >> 12n));
  return (page ^ (page >>> 16)) & (WRITTEN_PAGES_BYTES * 8 - 1);
}

export const wroteLinear = ({ linear }: IntervalWrites, bit: number): boolean =>
  (linear[bit >> 3] & (1 << (bit & 7))) !== 0;

/** What two intervals in a row have written. */
export function joined(a: IntervalWrites, b: IntervalWrites): IntervalWrites {
  const linear = a.linear.map((bits, i) => bits | b.linear[i]);
  if (!a.devices || !b.devices) return { linear, devices: undefined };
  const pages = new Set([...a.devices.pages, ...b.devices.pages]);
  const spaces = new Map([...a.devices.spaces, ...b.devices.spaces]);
  return { linear, devices: bounded({ pages, spaces }) };
}

const bounded = (writes: DeviceWrites): DeviceWrites | undefined =>
  writes.pages.size > MAX_DEVICE_PAGES || writes.spaces.size > MAX_SPACES ? undefined : writes;

const noDevices = (): DeviceWrites => ({ pages: new Set(), spaces: new Map() });

/** Notes them for the interval under way. */
export class WriteNotes {
  #devices: DeviceWrites | undefined = noDevices();
  /** How the vCPUs translated at the last write that was noted, and its page: most are as that one. */
  readonly #roots: number[] = [];
  #page = -1;

  constructor(private readonly vm: Vm) {
    vm.memory.written = (gpa, bytes) => this.#note(gpa, bytes);
    this.#clear();
  }

  close(): void {
    this.vm.memory.written = undefined;
  }

  /** What the interval has written that ends here; the next one begins. Translations are to be empty. */
  take(): IntervalWrites {
    const { host } = this.vm;
    const linear = host.u8.slice(WRITTEN_PAGES, WRITTEN_PAGES + WRITTEN_PAGES_BYTES);
    const devices = this.#devices;
    this.#clear();
    return { linear, devices };
  }

  #clear(): void {
    this.vm.host.u8.fill(0, WRITTEN_PAGES, WRITTEN_PAGES + WRITTEN_PAGES_BYTES);
    this.#devices = noDevices();
    this.#page = -1;
  }

  #note(gpa: number, bytes: number): void {
    const devices = this.#devices;
    if (!devices) return;
    const first = Math.floor(gpa / PAGE);
    const last = Math.floor((gpa + bytes - 1) / PAGE);
    const moved = this.#switched();
    if (!moved && first === this.#page && last === this.#page) return;
    if (last - first < MAX_DEVICE_PAGES) for (let page = first; page <= last; page++) devices.pages.add(page);
    if (moved || this.#page < 0)
      for (const vcpu of this.vm.vcpus) {
        const space = pagingOf(this.vm, vcpu);
        devices.spaces.set(Object.values(space).join(), space);
      }
    this.#page = last;
    this.#devices = last - first < MAX_DEVICE_PAGES ? bounded(devices) : undefined;
  }

  /** A vCPU translates otherwise than at the last note. */
  #switched(): boolean {
    const { host, vcpus } = this.vm;
    let switched = false;
    for (const [i, vcpu] of vcpus.entries()) {
      const { cr0, cr3, cr4, efer } = placesOf(vcpu);
      // what CR0, CR4 and EFER have of paging stands in their low halves
      for (const [n, at] of [cr3, cr3 + 4, cr0, cr4, efer].entries()) {
        const word = host.get32(at);
        if (this.#roots[i * ROOT_WORDS + n] === word) continue;
        this.#roots[i * ROOT_WORDS + n] = word;
        switched = true;
      }
    }
    return switched;
  }
}

/** Where the registers of a vCPU stand that decide how it translates, in the guest or out of it. */
function placesOf(vcpu: Vcpu): Record<keyof PagingState, number> {
  if (vcpu.inGuest) return { cr0: vcpu.at(CR0), cr3: vcpu.at(CR3), cr4: vcpu.at(CR4), efer: vcpu.at(EFER) };
  const { region } = vcpu.vmcs;
  return {
    cr0: region + FIELDS.cr0,
    cr3: region + FIELDS.cr3,
    cr4: region + FIELDS.cr4,
    efer: region + FIELDS.efer,
  };
}

function pagingOf({ host }: Vm, vcpu: Vcpu): PagingState {
  const at = placesOf(vcpu);
  return { cr0: host.get64(at.cr0), cr3: host.get64(at.cr3), cr4: host.get64(at.cr4), efer: host.get64(at.efer) };
}
