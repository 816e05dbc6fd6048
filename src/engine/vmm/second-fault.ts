import { VECTOR } from '../../spec/exceptions.js';
import { EVENT_TYPE, EVENT_VALID } from './entry-events.js';

const { DF, PF } = VECTOR;
const CONTRIBUTORY = new Set([VECTOR.DE, VECTOR.TS, VECTOR.NP, VECTOR.SS, VECTOR.GP]);
const contributory = (vector: number): boolean => CONTRIBUTORY.has(vector);

/**
 * What a fault during the delivery of an event comes to: the fault itself, a double fault, or shutdown. `event` is in the
 * format of the VMCS; not valid: nothing was being delivered.
 * @sdm 3A 6.15 "Exception and Interrupt Reference", table 6-5
 */
export function secondFault(event: number, vector: number): 'serial' | 'double' | 'triple' {
  if ((event & EVENT_VALID) === 0 || ((event >> 8) & 7) !== EVENT_TYPE.hardwareException) return 'serial';
  const first = event & 0xff;
  const second = contributory(vector) || vector === PF;
  if (first === DF) return second ? 'triple' : 'serial';
  if (contributory(first)) return contributory(vector) ? 'double' : 'serial';
  return first === PF && second ? 'double' : 'serial';
}
