// Fields of the guest's non-register state: what it waits for, what blocks its events, which debug exceptions are pending.
import type { BitField } from '../flags.js';

const bit = (at: number, name: string): BitField => ({ name, hi: at, lo: at, title: name });

/** Activity states by their number. @sdm 3C 24.4.2 "Guest Non-Register State" */
export const ACTIVITY_STATES = ['active', 'HLT', 'shutdown', 'wait-for-SIPI'] as const;

/** @sdm 3C 24.4.2 "Guest Non-Register State", table 24-3 "Format of Interruptibility State" */
export const INTERRUPTIBILITY: readonly BitField[] = [
  bit(0, 'blocking by STI'),
  bit(1, 'blocking by MOV SS'),
  bit(2, 'blocking by SMI'),
  bit(3, 'blocking by NMI'),
  bit(4, 'enclave interruption'),
];

/** @sdm 3C 24.4.2 "Guest Non-Register State", table 24-4 "Format of Pending-Debug-Exceptions" */
export const PENDING_DEBUG: readonly BitField[] = [
  ...[0, 1, 2, 3].map((n) => bit(n, `B${n}`)),
  bit(11, 'BLD'),
  bit(12, 'enabled breakpoint'),
  bit(14, 'BS'),
  bit(16, 'RTM'),
];
