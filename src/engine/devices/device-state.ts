/** What devices share in saving their state and showing it. */
import type { Nanoseconds, Timer } from './device.js';

/** Arms a timer as it was when its deadline was saved. */
export function restoreTimer(timer: Timer, deadline: Nanoseconds | undefined): void {
  if (deadline === undefined) timer.cancel();
  else timer.arm(deadline);
}

/** Value in hexadecimal with a fixed count of digits, for the devices view. */
export function hex(value: number, digits = 2): string {
  return `0x${(value >>> 0).toString(16).padStart(digits, '0')}`;
}

/** The names of the set bits, or `-`. `names[i]` names bit i; empty names are left out. */
export function bitNames(value: number, names: readonly string[]): string {
  const set = names.filter((name, bit) => name !== '' && (value >>> bit) & 1);
  return set.length > 0 ? set.join(' ') : '-';
}
