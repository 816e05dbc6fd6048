// Guest memory as the TLBs show it: the compiler looks at it for hints, and walks nothing.
import {
  GPR,
  JUMPS_SEEN,
  JUMPS_SEEN_ENTRIES,
  REG_RIP,
  REG_ZERO,
  TLB_ENTRIES,
  TLB_READ,
  TLB_WRITE,
} from '../core/layout.js';
import type { FindSeen, FindTable } from './discovery.js';

/** Most entries of a table that are looked at. */
const MAX_ENTRIES = 256;
/** What lies farther away is no code of the region: the table has ended. */
const NEAR = 1n << 20n;
const REGISTERS = 16;

/** Host address of a linear page in a TLB, under a context; 0: it is not there. */
export function pageOf(memory: DataView, tlb: number, page: bigint, context: number): number {
  const linear = BigInt.asUintN(64, page);
  const slot = tlb + Number((linear >> 12n) & BigInt(TLB_ENTRIES - 1)) * 16;
  if (memory.getBigUint64(slot, true) !== (linear | BigInt(context))) return 0;
  return (Number(linear & 0xffffffffn) + memory.getUint32(slot + 8, true)) >>> 0;
}

/** Reads tables of addresses around code at a linear address. */
export function findTable(memory: DataView, linear: bigint, context: number): FindTable {
  const start = (base: number): bigint | undefined => {
    if (base === REG_ZERO) return 0n;
    if (base === REG_RIP) return linear;
    return base < REGISTERS ? memory.getBigUint64(GPR + base * 8, true) : undefined;
  };
  return (base, offset, bytes) => {
    const found: number[] = [];
    const from = start(base);
    if (from === undefined) return found;
    for (let n = 0; n < MAX_ENTRIES; n++) {
      const at = BigInt.asUintN(bytes * 8, from + BigInt(offset + n * bytes));
      const within = Number(at & 0xfffn);
      const page = within + bytes > 4096 ? 0 : pageOf(memory, TLB_READ, at - BigInt(within), context);
      if (page === 0) break;
      const entry =
        bytes === 8 ? memory.getBigUint64(page + within, true) : BigInt(memory.getUint32(page + within, true));
      const distance = BigInt.asIntN(64, entry - linear);
      if (distance > NEAR || distance < -NEAR) break;
      found.push(Number(distance));
    }
    return found;
  };
}

/** Where the interpreter saw computed jumps go, around code at a linear address. */
export function findSeen(memory: DataView, linear: bigint): FindSeen {
  return (behind) => {
    const source = Number(BigInt.asUintN(32, linear + BigInt(behind)));
    const found: number[] = [];
    for (let at = JUMPS_SEEN; at < JUMPS_SEEN + JUMPS_SEEN_ENTRIES * 8; at += 8) {
      if (memory.getUint32(at, true) === source) found.push(behind + memory.getInt32(at + 4, true));
    }
    return found.sort((a, b) => a - b);
  };
}

/** CTX_MARK of core/mmu/tlb.ts. */
const MARK = 2;

/** Does the TLB of writes know a page that holds decoded code? */
export function writesBesideCode(memory: DataView): boolean {
  for (let at = TLB_WRITE; at < TLB_WRITE + TLB_ENTRIES * 16; at += 16) {
    if ((memory.getUint32(at, true) & MARK) !== 0) return true;
  }
  return false;
}

/** Of so many entries one may differ from the others. */
const FEW = 16;

/** What the TLB of reads adds to nearly all linear addresses of a context to make the host's; undefined: it differs. */
export function usualAddend(memory: DataView, context: number): number | undefined {
  const times = new Map<number, number>();
  let all = 0;
  for (let at = TLB_READ; at < TLB_READ + TLB_ENTRIES * 16; at += 16) {
    if ((memory.getUint32(at, true) & 0xfff) !== context) continue;
    const addend = memory.getInt32(at + 8, true);
    times.set(addend, (times.get(addend) ?? 0) + 1);
    all++;
  }
  for (const [addend, count] of times) if ((all - count) * FEW <= all) return addend;
  return undefined;
}
