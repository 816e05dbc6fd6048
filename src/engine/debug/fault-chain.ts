import { describeErrorCode, exceptionRow } from '../../spec/exceptions.js';
import {
  FAULT_LOG,
  FAULT_LOG_BYTES,
  FAULT_LOG_ENTRIES,
  FAULT_LOG_ERROR,
  FAULT_LOG_NESTED,
  FAULT_LOG_VCPU_SHIFT,
} from '../core/layout.js';
import type { FaultStep } from '../debugger.js';
import type { Vm } from '../vmm/vm.js';

const PAGE_FAULT = 14;
const DOUBLE_FAULT = 8;

interface Entry {
  vector: number;
  error?: number;
  rip: bigint;
  cs: number;
  address: bigint;
  /** It arose while the entry before it was being delivered. */
  nested: boolean;
  vcpu: number;
}

/** The events that led to the newest one, oldest first: a fault, the fault in its delivery, what came of both, and so on. */
export function faultChain(vm: Vm): FaultStep[] {
  const all = entries(vm);
  const last = all.at(-1);
  const own = all.filter((entry) => entry.vcpu === last?.vcpu);
  let first = own.length - 1;
  while (first > 0 && own[first].nested) first--;
  return own.slice(Math.max(first, 0)).map((entry, i, chain) => step(entry, chain[i - 1]));
}

function entries(vm: Vm): Entry[] {
  const { host } = vm;
  const count = host.get32(FAULT_LOG);
  const found: Entry[] = [];
  for (let n = Math.max(0, count - FAULT_LOG_ENTRIES); n < count; n++) {
    const at = FAULT_LOG + 16 + (n % FAULT_LOG_ENTRIES) * FAULT_LOG_BYTES;
    const flags = host.get32(at + 32);
    found.push({
      vector: host.get32(at),
      ...(flags & FAULT_LOG_ERROR ? { error: host.get32(at + 4) } : {}),
      rip: host.get64(at + 8),
      address: host.get64(at + 16),
      nested: (flags & FAULT_LOG_NESTED) !== 0,
      vcpu: flags >>> FAULT_LOG_VCPU_SHIFT,
      cs: host.get32(at + 36),
    });
  }
  return found;
}

function step(entry: Entry, before: Entry | undefined): FaultStep {
  const { vector, error, rip, address } = entry;
  return {
    vector,
    name: mnemonic(vector),
    rip,
    ...(error === undefined ? {} : { error }),
    ...(vector === PAGE_FAULT ? { address } : {}),
    text: [title(vector), accessText(entry), errorText(entry), cause(entry, before)].join(''),
  };
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
const mnemonic = (vector: number): string => exceptionRow(vector)?.mnemonic ?? `interrupt ${hex(vector)}`;

function title(vector: number): string {
  const row = exceptionRow(vector);
  return row ? `${row.mnemonic} ${row.title}` : mnemonic(vector);
}

function errorText({ vector, error }: Entry): string {
  if (error === undefined || vector === DOUBLE_FAULT) return '';
  const meaning = describeErrorCode(vector, error) || (vector === PAGE_FAULT ? 'not present' : '');
  return `, error ${hex(error)}${meaning === '' ? '' : ` (${meaning})`}`;
}

const WRITE = 2;
const FETCH = 16;

function accessText({ vector, error = 0, address }: Entry): string {
  if (vector !== PAGE_FAULT) return '';
  return ` ${error & FETCH ? 'fetching' : error & WRITE ? 'writing' : 'reading'} ${hex(address)}`;
}

function cause({ vector, nested, rip, cs }: Entry, before: Entry | undefined): string {
  if (vector === DOUBLE_FAULT) return '';
  if (nested && before) return `, while delivering ${mnemonic(before.vector)}`;
  return `, instruction at ${hex(cs)}:${hex(rip)}`;
}
