/** KVM's paravirtual end of interrupt: the guest clears a bit of its memory instead of writing EOI. */
import type { GuestMemory } from './device.js';
import type { LapicRegisters } from './lapic-state.js';
import { highest, testBit } from './vector-set.js';

export class ParavirtualEoi {
  constructor(
    private readonly memory: GuestMemory | undefined,
    /** The local APIC's state, which holds the word's address and whether it is set. */
    private readonly state: () => LapicRegisters,
    private readonly endOfInterrupt: () => void,
  ) {}

  /**
   * Switches it on, with its word in guest memory, or off. While an edge-triggered interrupt is in service and none
   * waits, bit 0 of the word is set: the guest clears it.
   */
  setWord(gpa: number | undefined): void {
    this.withdraw();
    this.state().eoiWord = gpa;
  }

  /** An interrupt has been taken into service. */
  offer(vector: number): void {
    const { memory } = this;
    const state = this.state();
    const { eoiWord, irr, tmr } = state;
    if (eoiWord === undefined || !memory || eoiWord >= memory.bytes) return;
    if (highest(irr) >= 0 || testBit(tmr, vector)) return;
    memory.write(eoiWord, Uint8Array.of(memory.read(eoiWord, 1)[0] | 1));
    state.eoiOffered = true;
  }

  /** Sees whether the guest has ended the interrupt by its word. */
  sync(): void {
    const state = this.state();
    if (!state.eoiOffered || this.memory!.read(state.eoiWord!, 1)[0] & 1) return;
    state.eoiOffered = false;
    this.endOfInterrupt();
  }

  /** Makes the guest write EOI after all: something else waits for the end of the interrupt. */
  withdraw(): void {
    this.sync();
    const { memory } = this;
    const state = this.state();
    if (!state.eoiOffered) return;
    state.eoiOffered = false;
    memory!.write(state.eoiWord!, Uint8Array.of(memory!.read(state.eoiWord!, 1)[0] & ~1));
  }
}
