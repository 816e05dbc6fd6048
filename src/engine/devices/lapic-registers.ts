/** Registers of the local APIC, by memory offset divided by 16, and their bits. @sdm 3A 10.4.1 "The Local APIC Block Diagram" */

import { IA32_APIC_BASE, maskOf } from '../../spec/flags.js';

export const REG_ID = 0x02;
export const REG_VERSION = 0x03;
export const REG_TPR = 0x08;
export const REG_APR = 0x09;
export const REG_PPR = 0x0a;
export const REG_EOI = 0x0b;
export const REG_LDR = 0x0d;
export const REG_DFR = 0x0e;
export const REG_SVR = 0x0f;
export const REG_ISR = 0x10;
export const REG_TMR = 0x18;
export const REG_IRR = 0x20;
export const REG_ESR = 0x28;
export const REG_LVT_CMCI = 0x2f;
export const REG_ICR_LOW = 0x30;
export const REG_ICR_HIGH = 0x31;
export const REG_LVT_TIMER = 0x32;
export const REG_LVT_THERMAL = 0x33;
export const REG_LVT_PERFORMANCE = 0x34;
export const REG_LVT_LINT0 = 0x35;
export const REG_LVT_LINT1 = 0x36;
export const REG_LVT_ERROR = 0x37;
export const REG_INITIAL_COUNT = 0x38;
export const REG_CURRENT_COUNT = 0x39;
export const REG_DIVIDE = 0x3e;
export const REG_SELF_IPI = 0x3f;

/** Version 14h (xAPIC), seven LVT entries. */
export const VERSION = 0x0006_0014;
export const SVR_ENABLE = 0x100;
export const LVT_MASKED = 0x10000;
export const LVT_LEVEL = 0x8000;
export const LVT_REMOTE_IRR = 0x4000;
export const LVT_DELIVERY_STATUS = 0x1000;
export const LVT_TIMER_MODE = 0x60000;
/** Writable bits of LVT timer, thermal, performance, LINT0, LINT1, error, CMCI. */
export const LVT_BITS = [0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff, 0x107ff];
export const LVT_TIMER = 0;
export const LVT_LINT0 = 3;
export const LVT_LINT1 = 4;
export const LVT_ERROR = 5;
export const LVT_CMCI = 6;

/** Place of an LVT register in the list of entries; undefined for other registers. */
export function lvtIndex(register: number): number | undefined {
  if (register >= REG_LVT_TIMER && register <= REG_LVT_ERROR) return register - REG_LVT_TIMER;
  return register === REG_LVT_CMCI ? LVT_CMCI : undefined;
}

export const ICR_LOGICAL = 0x800;
export const ICR_ASSERT = 0x4000;
export const ICR_LEVEL = 0x8000;

export const ERROR_SEND_VECTOR = 0x20;
export const ERROR_RECEIVE_VECTOR = 0x40;
export const ERROR_REGISTER = 0x80;

export const BASE_BOOT = maskOf(IA32_APIC_BASE, 'BSP');
export const BASE_X2APIC = maskOf(IA32_APIC_BASE, 'EXTD');
export const BASE_ENABLE = maskOf(IA32_APIC_BASE, 'EN');
/** Address bits up to MAXPHYADDR. */
export const BASE_FIELD = maskOf(IA32_APIC_BASE, 'base');
export const DEFAULT_BASE = 0xfee0_0000n;

/** Registers that WRMSR takes in x2APIC mode. */
export const X2APIC_WRITABLE = new Set([
  ...[REG_TPR, REG_EOI, REG_SVR, REG_ESR, REG_ICR_LOW, REG_LVT_TIMER, REG_LVT_THERMAL, REG_LVT_PERFORMANCE],
  ...[REG_LVT_LINT0, REG_LVT_LINT1, REG_LVT_ERROR, REG_LVT_CMCI, REG_INITIAL_COUNT, REG_DIVIDE, REG_SELF_IPI],
]);

/** The timer's mode that does not exist. */
const TIMER_MODE_RESERVED = 0x60000;

/**
 * Is a value one that WRMSR takes for an x2APIC register? Reserved bits are #GP there, where a store to the window leaves
 * them out; what is read-only, and ICR's delivery status, which Intel's CPUs ignore, are not reserved bits.
 * @sdm 3A 10.12.1.2 "x2APIC Register Address Space"
 */
export function takesX2apic(index: number, value: bigint): boolean {
  const reserved = x2apicReserved(index);
  if ((value & reserved) !== 0n) return false;
  return index !== REG_LVT_TIMER || (Number(value) & TIMER_MODE_RESERVED) !== TIMER_MODE_RESERVED;
}

/** ICR holds the destination in its upper half; all other registers have 32 bits. */
const ICR_RESERVED = 0xfff3_2000n;
const UPPER_HALF = 0xffff_ffff_0000_0000n;

function x2apicReserved(index: number): bigint {
  if (index === REG_ICR_LOW) return ICR_RESERVED;
  const writable = X2APIC_BITS.get(index) ?? 0xffff_ffff;
  return UPPER_HALF | BigInt(~writable >>> 0);
}

/** Bits that are not reserved, of registers that have reserved ones. SVR: vector, enable, focus checking. */
const X2APIC_BITS = new Map<number, number>([
  [REG_TPR, 0xff],
  [REG_EOI, 0],
  [REG_SVR, 0x3ff],
  [REG_ESR, 0],
  [REG_DIVIDE, 0xb],
  [REG_SELF_IPI, 0xff],
  ...LVT_BITS.map((bits, i): [number, number] => [
    i === LVT_CMCI ? REG_LVT_CMCI : REG_LVT_TIMER + i,
    bits | LVT_DELIVERY_STATUS | (i === LVT_LINT0 || i === LVT_LINT1 ? LVT_REMOTE_IRR : 0),
  ]),
]);

const REGISTERS = new Set([
  ...[REG_ID, REG_VERSION, REG_TPR, REG_APR, REG_PPR, REG_EOI, REG_LDR, REG_DFR, REG_SVR, REG_ESR],
  ...[REG_ICR_LOW, REG_ICR_HIGH, REG_LVT_TIMER, REG_LVT_THERMAL, REG_LVT_PERFORMANCE, REG_LVT_LINT0, REG_LVT_LINT1],
  ...[REG_LVT_ERROR, REG_LVT_CMCI, REG_INITIAL_COUNT, REG_CURRENT_COUNT, REG_DIVIDE, REG_SELF_IPI],
  ...Array.from({ length: 24 }, (_, i) => REG_ISR + i),
]);

export function isRegister(index: number): boolean {
  return REGISTERS.has(index);
}
