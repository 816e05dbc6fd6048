/** What a local APIC holds between two accesses. */
import { BASE_BOOT, BASE_ENABLE, BASE_FIELD, BASE_X2APIC, DEFAULT_BASE, LVT_MASKED } from './lapic-registers.js';
import type { LapicTimerState } from './lapic-timer.js';

export interface LapicState {
  base: bigint;
  /** The ID in xAPIC mode, which software may change; in x2APIC mode it is the processor's own. */
  xapicId: number;
  tpr: number;
  ldr: number;
  dfr: number;
  svr: number;
  isr: Uint32Array;
  tmr: Uint32Array;
  irr: Uint32Array;
  esr: number;
  /** Errors since the last write to ESR. */
  errors: number;
  icrLow: number;
  icrHigh: number;
  lvt: number[];
  /** An ExtINT message waits for the processor. */
  extInt: boolean;
  lint0: boolean;
  /** Guest-physical address of the word for KVM's paravirtual end of interrupt. */
  eoiWord?: number;
  /** The word is set: the guest may end the interrupt in service by clearing it. */
  eoiOffered?: boolean;
  timer?: LapicTimerState;
}

/** IA32_APIC_BASE in parts. */
export interface DecodedBase {
  msr: bigint;
  gpa: number;
  enabled: boolean;
  x2apic: boolean;
}

export function decodeBase(msr: bigint): DecodedBase {
  return {
    msr,
    gpa: Number(msr & BASE_FIELD),
    enabled: (msr & BASE_ENABLE) !== 0n,
    x2apic: (msr & BASE_X2APIC) !== 0n,
  };
}

/** As after power-on. @sdm 3A 10.4.7.1 "Local APIC State After Power-Up or Reset" */
export function powerOn(id: number): LapicState {
  return {
    base: DEFAULT_BASE | BASE_ENABLE | (id === 0 ? BASE_BOOT : 0n),
    xapicId: id,
    tpr: 0,
    ldr: 0,
    dfr: 0xffffffff,
    svr: 0xff,
    isr: new Uint32Array(8),
    tmr: new Uint32Array(8),
    irr: new Uint32Array(8),
    esr: 0,
    errors: 0,
    icrLow: 0,
    icrHigh: 0,
    lvt: new Array(6).fill(LVT_MASKED),
    extInt: false,
    lint0: false,
  };
}
