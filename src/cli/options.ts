import type { CpuModel } from '../engine/vmm/cpu-models.js';
import { CpuOptionError, parseCpu } from '../engine/vmm/cpu-option.js';

/** A mistake in the command line or an image that cannot be used: one line, status 2. */
export class UsageError extends Error {}

const UNITS: Record<string, number> = { '': 2 ** 20, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Memory size as QEMU writes it: a number of MiB, or with K, M or G. Answers bytes. @throws UsageError */
export function parseMemory(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?$/i.exec(text);
  const bytes = match ? Math.floor(Number(match[1]) * UNITS[match[2].toUpperCase()]) : Number.NaN;
  if (!Number.isFinite(bytes)) throw new UsageError(`--memory ${text}: not a size such as 128M or 1G`);
  if (bytes < 2 ** 20) throw new UsageError(`--memory ${text}: a guest needs at least 1M`);
  if (bytes > MAX_MEMORY_BYTES) {
    const most = MAX_MEMORY_BYTES / 2 ** 20;
    throw new UsageError(
      `--memory ${text}: at most ${most}M: guest RAM lies below the PCI hole, in one WebAssembly memory of 4 GiB; wider ones make guests a third slower`,
    );
  }
  return Math.ceil(bytes / 65536) * 65536;
}

/** A size as of --memory, at least 1 MiB. Answers bytes. @throws UsageError naming the option */
export function parseSize(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?$/i.exec(text);
  const bytes = match ? Math.floor(Number(match[1]) * UNITS[match[2].toUpperCase()]) : Number.NaN;
  if (!(bytes >= 2 ** 20 && bytes <= 2 ** 40)) throw new UsageError(`${option} ${text}: not a size such as 256M or 1G`);
  return bytes;
}

/** The engine's own tables and everything below the PCI hole. */
export const MAX_MEMORY_BYTES = 3 * 2 ** 30;

/** A whole number from `low` to `high`. @throws UsageError naming the option. */
export function parseCount(option: string, text: string, low: number, high: number): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < low || value > high) {
    const range = high === Number.MAX_SAFE_INTEGER ? `${low} up` : `${low} to ${high}`;
    throw new UsageError(`${option} ${text}: not a whole number from ${range}`);
  }
  return value;
}

/** MODEL[,vendor=MAKER][,+FEATURE][,-FEATURE] of --cpu. @throws UsageError */
export function parseCpuModel(text: string): CpuModel {
  try {
    return parseCpu(text);
  } catch (error) {
    if (error instanceof CpuOptionError) throw new UsageError(`--cpu ${text}: ${error.message}`);
    throw error;
  }
}

/** Node's timers hold 31 bits of milliseconds. */
const MAX_SECONDS = Math.floor((2 ** 31 - 1) / 1000);

/** Seconds, with a fraction or without. @throws UsageError naming the option */
export function parseTimeout(text: string, option = '--timeout'): number {
  const seconds = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds > 0 && seconds <= MAX_SECONDS))
    throw new UsageError(`${option} ${text}: not a number of seconds up to ${MAX_SECONDS}`);
  return seconds;
}

/** A name that can be shown in one line. @throws UsageError */
export function parseName(text: string): string {
  if (!/^[^\p{C}\u2028\u2029]{1,64}$/u.test(text)) {
    throw new UsageError(`--name ${JSON.stringify(text.slice(0, 80))}: not 1 to 64 printable characters`);
  }
  return text;
}

/** Serial port of the command line. */
export type SerialTarget =
  | { kind: 'stdio' }
  | { kind: 'none' }
  | { kind: 'file'; path: string }
  | { kind: 'unix'; path: string };

export function parseSerial(text: string): SerialTarget {
  if (text === 'stdio' || text === 'none') return { kind: text };
  const match = /^(file|unix):(.+)$/.exec(text);
  if (!match) throw new UsageError(`--serial ${text}: not stdio, none, file:F or unix:PATH`);
  return { kind: match[1] as 'file' | 'unix', path: match[2] };
}

/** Runs without a person give the same output each time, also where the guest prints the date. */
export const SCRIPTED_RTC = '2026-01-01T00:00:00';

/** Seconds since 1970 of `utc` (now) or of an ISO date in UTC. @throws UsageError */
export function parseRtc(text: string): number {
  if (text === 'utc') return Math.floor(Date.now() / 1000);
  const ms = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d)?$/.test(text)
    ? Date.parse(`${text.length === 10 ? `${text}T00:00:00` : text}Z`)
    : Number.NaN;
  if (!(ms >= 0)) throw new UsageError(`--rtc ${text}: not utc and not a date such as 2026-01-31T12:00:00`);
  return ms / 1000;
}
