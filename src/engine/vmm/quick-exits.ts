// What the core may answer by itself to exits that repeat: the tables of core/vmx/quick.ts, filled when an exit was handled.
import { subleafOf } from '../../spec/cpuid.js';
import { CR4 } from '../../spec/masks.js';
import type { CoreExports } from '../core/core-exports.js';
import {
  NEXT_EVENT,
  QUICK_CPUID,
  QUICK_ENTRIES,
  QUICK_ENTRY_BYTES,
  QUICK_LATCH_COUNT,
  QUICK_LATCHES,
  QUICK_MAX_LATCHES,
  QUICK_MSRS,
  QUICK_PORTS,
  QUICK_ROOM,
  QUICK_WAITS,
  XCR0,
} from '../core/layout.js';
import type { Board } from './board.js';
import { CoreApic } from './core-apic.js';
import type { CpuidRegisters } from './cpuid-model.js';
import { SteadyReads } from './steady-reads.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

const TABLE_BYTES = QUICK_ENTRIES * QUICK_ENTRY_BYTES;
const PORT_BYTES = 0x10000 / 8;
/** CPUID tells OSXSAVE and PKE of CR4. */
const CR4_SHOWN = Number(CR4.OSXSAVE | CR4.PKE);
const WRITTEN = 0x100;

export class QuickExits {
  /** False: every exit goes to the VMM. */
  on = true;
  /** Reads of devices that it answers. */
  readonly steady: SteadyReads;
  /** What it does for the local APICs. */
  readonly apic: CoreApic;
  readonly #host;
  readonly #core;
  /** QUICK_ROOM as it was last seen. */
  #room = 0;

  constructor(host: Vcpu['host'], core: CoreExports) {
    this.#host = host;
    this.#core = core;
    this.steady = new SteadyReads(host, core);
    this.apic = new CoreApic(host);
  }

  /**
   * Before a run of the core.
   * @param room exits that it may complete
   * @param event virtual time at which devices have work next; undefined: never
   */
  allow(room: number, event: number | undefined, vcpu: Vcpu, board: Board): void {
    const host = this.#host;
    this.#room = this.on ? Math.max(room, 0) : 0;
    host.set32(QUICK_ROOM, this.#room);
    this.steady.unsettle();
    this.apic.expect(vcpu, board);
    this.expect(event, vcpu.woken || board.interruptPending(vcpu.index));
  }

  /**
   * @param event virtual time at which devices have work next; undefined: never
   * @param waits something waits for the vCPU
   */
  expect(event: number | undefined, waits: boolean): void {
    const { u32 } = this.#host;
    u32[QUICK_WAITS / 4] = waits ? 1 : 0;
    const at = NEXT_EVENT / 4;
    u32[at] = event === undefined ? 0xffffffff : event >>> 0;
    u32[at + 1] = event === undefined ? 0xffffffff : Math.floor(event / 0x1_0000_0000);
  }

  /** After a run: how many exits the core completed. Devices hear of what was written to them meanwhile. */
  take(vm: Vm, vcpu: Vcpu): number {
    const { board } = vm;
    const host = this.#host;
    const room = host.get32(QUICK_ROOM);
    const count = this.#room - room;
    if (count === 0) return 0;
    this.#room = room;
    this.steady.tell(vcpu);
    this.apic.hear(vm, vcpu);
    for (let n = 0; n < host.get32(QUICK_LATCH_COUNT); n++) {
      const latch = QUICK_LATCHES + n * 8;
      const value = host.get32(latch + 4);
      if ((value & WRITTEN) === 0) continue;
      host.set32(latch + 4, 0);
      board.portWrite(vcpu.index, host.get32(latch), 1, value & 0xff);
    }
    return count;
  }

  /** Answers may be others now. */
  forget(): void {
    this.#host.u8.fill(0, QUICK_CPUID, QUICK_CPUID + TABLE_BYTES);
    this.#host.u8.fill(0, QUICK_MSRS, QUICK_MSRS + TABLE_BYTES);
  }

  /** Other devices may be at the ports now. */
  forgetPorts(): void {
    this.#host.u8.fill(0, QUICK_PORTS, QUICK_PORTS + PORT_BYTES);
    this.#host.set32(QUICK_LATCH_COUNT, 0);
  }

  keepCpuid(vcpu: Vcpu, leaf: number, subleaf: number, answer: CpuidRegisters): void {
    const { host, index, vmcs } = vcpu;
    const context = (vmcs.cr4 & CR4_SHOWN) | (index + 1);
    const { eax, ebx, ecx, edx } = answer;
    const words = [leaf, subleafOf(leaf, subleaf), context, host.get32(vcpu.at(XCR0)), eax, ecx, edx, ebx];
    this.#keep(QUICK_CPUID, index, words);
  }

  keepMsr({ index }: Vcpu, msr: number, value: bigint): void {
    this.#keep(QUICK_MSRS, index, [msr, 0, index + 1, 0, Number(value & 0xffffffffn), Number(value >> 32n)]);
  }

  /** A port was written. */
  keepPort(board: Board, port: number, bytes: number): void {
    const host = this.#host;
    for (let at = port; at < port + bytes && at < 0x10000; at++) {
      const kind = board.lateWrites?.(at);
      if (kind === undefined) continue;
      if (kind === 'latch') {
        const count = host.get32(QUICK_LATCH_COUNT);
        let n = 0;
        while (n < count && host.get32(QUICK_LATCHES + n * 8) !== at) n++;
        if (n >= QUICK_MAX_LATCHES) continue;
        if (n === count) {
          host.set32(QUICK_LATCHES + n * 8, at);
          host.set32(QUICK_LATCHES + n * 8 + 4, 0);
          host.set32(QUICK_LATCH_COUNT, count + 1);
        }
      }
      host.u8[QUICK_PORTS + (at >> 3)] |= 1 << (at & 7);
    }
  }

  #keep(table: number, vcpu: number, words: readonly number[]): void {
    const [first, second] = words;
    const entry = this.#core.quickEntry(table, vcpu, first, second);
    words.forEach((word, n) => {
      this.#host.set32(entry + n * 4, word >>> 0);
    });
  }
}
