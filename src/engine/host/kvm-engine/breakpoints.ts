// The debugger's breakpoints on KVM: in the debug registers where they fit and work, the rest as INT3 that guest
// memory holds only while it runs, or by stepping through the guest and looking after each instruction.

import { ALWAYS_ONE, DR7 } from '../../../spec/masks.js';
import type { Breakpoint, BreakpointSpec } from '../../debugger.js';
import type { BreakpointSink, Watch } from '../../machine-view.js';
import type { GuestDebug } from '../kvm/vcpu.js';
import type { DebugAbilities } from './debug-abilities.js';

const DEBUG_REGISTERS = 4;
const INT3 = 0xcc;
const DR7_BASE = ALWAYS_ONE.DR7 | DR7.GE;
const LENGTH_BITS: Record<number, bigint> = { 1: 0n, 2: 1n, 4: 3n, 8: 2n };
const WRITE = 1n;
const READ_OR_WRITE = 3n;

/** Guest memory at linear addresses, as far as it is mapped now. */
export interface LinearMemory {
  /** Guest-physical address. */
  translate(gva: bigint): number | undefined;
  bytes: Uint8Array;
}

interface Piece {
  watch: Watch;
  address: bigint;
  bytes: number;
}

/** A range as aligned pieces of 1, 2, 4 and 8 bytes, which is all that a debug register can watch. */
function pieces(watch: Watch): Piece[] {
  const all: Piece[] = [];
  const end = watch.address + BigInt(watch.length);
  for (let address = watch.address; address < end; ) {
    const bytes = [8, 4, 2].find((n) => address % BigInt(n) === 0n && address + BigInt(n) <= end) ?? 1;
    all.push({ watch, address, bytes });
    address += BigInt(bytes);
  }
  return all;
}

export interface WatchHit {
  id: number;
  access: 'read' | 'write' | 'access';
  address: bigint;
  length: number;
  before?: Uint8Array;
  after?: Uint8Array;
}

export class KvmBreakpoints implements BreakpointSink {
  private execute: ReadonlySet<bigint> = new Set();
  private watches: readonly Watch[] = [];
  private registers: (bigint | Piece)[] = [];
  private patched: { gva: bigint; gpa: number; byte: number }[] = [];
  private inMemory: bigint[] = [];
  /** Last contents of what is watched by stepping, by watch id. */
  private readonly contents = new Map<number, Uint8Array>();
  /** Breakpoints of the engine's own, which come first. */
  private own: readonly bigint[] = [];
  /** Breakpoints need every instruction looked at. */
  stepping = false;

  constructor(
    readonly abilities: DebugAbilities,
    private readonly memory: LinearMemory,
  ) {}

  check(spec: BreakpointSpec, _count: number, others: () => readonly Breakpoint[]): void {
    const { abilities } = this;
    if (spec.kind === 'exit') return;
    if (spec.kind === 'execute') {
      if (!abilities.hardware && !abilities.software && !abilities.singleStep) {
        throw new Error('this KVM gives no breakpoints (KVM_SET_GUEST_DEBUG does not work here)');
      }
      return;
    }
    if (spec.space === 'gpa') throw new Error('KVM watches linear addresses only');
    if (spec.access === 'read') {
      throw new Error('KVM cannot watch reads alone (the debug registers of x86 watch writes, or reads and writes)');
    }
    if (!abilities.watch) {
      if (!abilities.singleStep)
        throw new Error('this KVM gives no watchpoints (KVM_SET_GUEST_DEBUG does not work here)');
      if (spec.access !== 'write') {
        throw new Error('this KVM has no data breakpoints; stepping in their place sees writes only, not reads');
      }
      return;
    }
    const taken = others().flatMap((other) => (other.kind === 'watch' ? pieces(other) : [])).length;
    if (taken + pieces({ ...spec, id: 0 }).length > DEBUG_REGISTERS) {
      throw new Error('KVM has 4 debug registers for watchpoints, each for 1, 2, 4 or 8 aligned bytes');
    }
  }

  write(execute: ReadonlySet<bigint>, watches: readonly Watch[]): void {
    this.execute = execute;
    this.watches = watches;
    const { abilities } = this;
    this.registers = abilities.watch ? watches.flatMap(pieces).slice(0, DEBUG_REGISTERS) : [];
    const rest = [...execute];
    while (abilities.hardware && rest.length > 0 && this.own.length + this.registers.length < DEBUG_REGISTERS) {
      this.registers.push(rest.shift() as bigint);
    }
    this.inMemory = abilities.software ? rest : [];
    this.stepping = (rest.length > 0 && !abilities.software) || (watches.length > 0 && !abilities.watch);
    this.contents.clear();
    for (const watch of watches) this.contents.set(watch.id, this.read(watch));
  }

  setOwn(addresses: readonly bigint[]): void {
    this.own = addresses;
    this.write(this.execute, this.watches);
  }

  get any(): boolean {
    return this.own.length > 0 || this.execute.size > 0 || this.watches.length > 0;
  }

  /** A breakpoint here is an INT3 in memory, for all vCPUs. */
  inMemoryAt(linear: bigint): boolean {
    return this.inMemory.includes(linear);
  }

  /** Linear addresses at which execution stops. */
  get all(): ReadonlySet<bigint> {
    return this.execute;
  }

  has(linear: bigint): boolean {
    return this.execute.has(linear);
  }

  /** What KVM_SET_GUEST_DEBUG wants while the guest runs with these, single-stepping or not. */
  request(singleStep: boolean): GuestDebug {
    let dr7 = DR7_BASE;
    const registers = [...this.own, ...this.registers];
    registers.forEach((slot, i) => {
      dr7 |= 2n << BigInt(i * 2);
      if (typeof slot === 'bigint') return;
      const kind = slot.watch.access === 'write' ? WRITE : READ_OR_WRITE;
      dr7 |= (kind | (LENGTH_BITS[slot.bytes] << 2n)) << BigInt(16 + i * 4);
    });
    const addresses = registers.map((slot) => (typeof slot === 'bigint' ? slot : slot.address));
    return {
      ...(singleStep && { singleStep }),
      ...(addresses.length > 0 && { hardware: { addresses, dr7 } }),
      ...(this.inMemory.length > 0 && { softwareBreakpoints: true }),
    };
  }

  /** Puts INT3 into guest memory where there is none yet, before it runs; not where a vCPU steps off one. */
  arm(steppedOff: readonly (bigint | undefined)[] = []): void {
    for (const gva of this.inMemory) {
      if (steppedOff.includes(gva) || this.patched.some((patch) => patch.gva === gva)) continue;
      const gpa = this.memory.translate(gva);
      if (gpa === undefined) continue;
      this.patched.push({ gva, gpa, byte: this.memory.bytes[gpa] });
      this.memory.bytes[gpa] = INT3;
    }
  }

  /** Takes INT3 out again, before anybody looks. */
  disarm(): void {
    for (const { gpa, byte } of this.patched.reverse())
      if (this.memory.bytes[gpa] === INT3) this.memory.bytes[gpa] = byte;
    this.patched = [];
  }

  /** The data breakpoint that DR6 names. */
  hitBy(dr6: bigint): WatchHit | undefined {
    const i = this.registers.findIndex(
      (slot, n) => typeof slot !== 'bigint' && (dr6 >> BigInt(n + this.own.length)) & 1n,
    );
    if (i < 0) return undefined;
    const { watch, address, bytes } = this.registers[i] as Piece;
    const offset = Number(address - watch.address);
    const now = this.read(watch);
    const old = this.contents.get(watch.id);
    this.contents.set(watch.id, now);
    const hit = {
      id: watch.id,
      access: watch.access,
      address,
      length: bytes,
      after: now.slice(offset, offset + bytes),
    };
    return old === undefined ? hit : { ...hit, before: old.slice(offset, offset + bytes) };
  }

  /** The watched range that the last instruction changed. */
  changed(): WatchHit | undefined {
    if (this.abilities.watch) return undefined;
    for (const watch of this.watches) {
      const now = this.read(watch);
      const before = this.contents.get(watch.id) ?? now;
      const at = now.findIndex((byte, i) => byte !== before[i]);
      this.contents.set(watch.id, now);
      if (at < 0) continue;
      const end = now.length - [...now].reverse().findIndex((byte, i) => byte !== before[now.length - 1 - i]);
      return {
        ...{ id: watch.id, access: 'write' as const, address: watch.address + BigInt(at), length: end - at },
        ...{ before: before.slice(at, end), after: now.slice(at, end) },
      };
    }
    return undefined;
  }

  private read(watch: Watch): Uint8Array {
    return Uint8Array.from({ length: watch.length }, (_, i) => {
      const gpa = this.memory.translate(watch.address + BigInt(i));
      return gpa === undefined ? 0 : this.memory.bytes[gpa];
    });
  }
}
