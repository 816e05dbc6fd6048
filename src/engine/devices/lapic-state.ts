/** What a local APIC holds between two accesses. */
import { count, flag, list, optional, record, type StateOf, u32, u64, word, words } from '../state/schema.js';
import { BASE_BOOT, BASE_ENABLE, BASE_FIELD, BASE_X2APIC, DEFAULT_BASE, LVT_MASKED } from './lapic-registers.js';
import { LAPIC_TIMER_STATE } from './lapic-timer.js';

const LVTS = 7;
const VECTOR_WORDS = 8;

export const LAPIC_STATE = record({
  base: u64,
  /** The ID in xAPIC mode, which software may change; in x2APIC mode it is the processor's own. */
  xapicId: u32,
  tpr: word,
  ldr: word,
  dfr: word,
  svr: word,
  isr: words(VECTOR_WORDS),
  tmr: words(VECTOR_WORDS),
  irr: words(VECTOR_WORDS),
  esr: word,
  /** Errors since the last write to ESR. */
  errors: word,
  icrLow: word,
  icrHigh: word,
  lvt: list(word, LVTS),
  /** An ExtINT message waits for the processor. */
  extInt: flag,
  lint0: flag,
  /** Guest-physical address of the word for KVM's paravirtual end of interrupt. */
  eoiWord: optional(count),
  /** The word is set: the guest may end the interrupt in service by clearing it. */
  eoiOffered: flag,
  timer: LAPIC_TIMER_STATE,
});
export type LapicState = StateOf<typeof LAPIC_STATE>;
/** All but the timer, which keeps its own. */
export type LapicRegisters = Omit<LapicState, 'timer'>;

/** Where its vectors lie: in service, trigger mode, requested, and how many of each were accepted. */
export interface ApicVectors {
  readonly isr: Uint32Array;
  readonly tmr: Uint32Array;
  readonly irr: Uint32Array;
  readonly accepted: Float64Array;
}

export function ownVectors(): ApicVectors {
  const words = () => new Uint32Array(VECTOR_WORDS);
  return { isr: words(), tmr: words(), irr: words(), accepted: new Float64Array(32 * VECTOR_WORDS) };
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
export function powerOn(id: number): LapicRegisters {
  return {
    base: DEFAULT_BASE | BASE_ENABLE | (id === 0 ? BASE_BOOT : 0n),
    xapicId: id,
    tpr: 0,
    ldr: 0,
    dfr: 0xffffffff,
    svr: 0xff,
    isr: new Uint32Array(VECTOR_WORDS),
    tmr: new Uint32Array(VECTOR_WORDS),
    irr: new Uint32Array(VECTOR_WORDS),
    esr: 0,
    errors: 0,
    icrLow: 0,
    icrHigh: 0,
    lvt: new Array(LVTS).fill(LVT_MASKED),
    extInt: false,
    lint0: false,
    eoiWord: undefined,
    eoiOffered: false,
  };
}
