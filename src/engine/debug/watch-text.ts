import type { StopReason } from '../debugger.js';

type WatchStop = Extract<StopReason, { kind: 'watchpoint' }>;

/** Up to 8 bytes as one number, more as they lie. */
function value(bytes: Uint8Array): string {
  const digits = (order: Uint8Array) => [...order].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return bytes.length <= 8 ? `0x${digits(Uint8Array.from(bytes).reverse())}` : digits(bytes.subarray(0, 16));
}

/** `write of 0x2000+4: 0x00000005 -> 0x00000006` */
export function watchText({ access, address, length, before, after }: WatchStop, label?: string): string {
  const place = `${access} of ${label ?? `0x${address.toString(16)}`}+${length}`;
  if (after === undefined) return place;
  return before === undefined || access === 'read'
    ? `${place}: ${value(after)}`
    : `${place}: ${value(before)} -> ${value(after)}`;
}
