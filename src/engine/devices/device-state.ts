/** Checking and copying of the plain, versioned state that devices save. */
import type { DeviceState } from './device.js';

/**
 * The state as the type that the device's own `save` made.
 * @throws Error naming the device and the version when it is not.
 */
export function expectState<T>(device: string, version: number, state: DeviceState): T {
  if (state.version !== version) {
    throw new Error(`${device}: state has version ${String(state.version)}, this program reads version ${version}`);
  }
  return state as unknown as T;
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
