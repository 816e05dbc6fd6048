// A fixed set of cases and what a host CPU made of them, as hashes, for hosts without a compiler or these instructions.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { OpcodeRow } from '../../../src/spec/opcodes/row.js';
import { simd } from '../../../src/spec/opcodes/simd.js';
import { approximate, type Case, definedBytes, makeCase, Random } from './cases.js';

const FILE = new URL('recorded.json', import.meta.url);
const CASES = 8;

/** CVTPI2PS from memory enters the MMX state on Intel's CPUs and not on AMD's. @sdm 2A "CVTPI2PS" */
export const comparesX87 = (name: string): boolean => name !== 'CVTPI2PS';

/** Rows whose results every CPU agrees about. */
export const exactRows: readonly OpcodeRow[] = simd.filter((row) => row.group !== undefined && !approximate(row));

const key = (row: OpcodeRow): string =>
  `${row.bytes} ${row.mnemonic}${row.attributes.length ? ` ${row.attributes.join(' ')}` : ''}`;

/** The cases of each row, under the row's name in the file. */
export function recordedCases(): Map<string, Case[]> {
  const out = new Map<string, Case[]>();
  exactRows.forEach((row, n) => {
    const random = new Random(0x9e3779b9 ^ (n * 0x01000193));
    const name = out.has(key(row)) ? `${key(row)} ${row.operands}` : key(row);
    out.set(
      name,
      Array.from({ length: CASES }, () => makeCase(row, random)),
    );
  });
  return out;
}

/** Hash of the results of a row's cases. */
export function hashResults(name: string, results: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const result of results) for (const part of definedBytes(result, comparesX87(name))) hash.update(part);
  return hash.digest('hex').slice(0, 16);
}

export const readHashes = (): Record<string, string> =>
  JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, string>;

export function writeHashes(hashes: Record<string, string>): void {
  writeFileSync(FILE, `${JSON.stringify(hashes, null, 1)}\n`);
}
