import { describeErrorCode, exceptionRow } from '../../spec/exceptions.js';
import {
  FAULT_LOG,
  FAULT_LOG_BYTES,
  FAULT_LOG_ENTRIES,
  FAULT_LOG_ERROR,
  FAULT_LOG_NESTED,
  FAULT_LOG_TYPE_SHIFT,
  FAULT_LOG_VCPU_SHIFT,
} from '../core/layout.js';
import type { FaultStep } from '../debugger.js';
import { EVENT_TYPE } from '../vmm/entry-events.js';
import type { Vm } from '../vmm/vm.js';

const PAGE_FAULT = 14;
const DOUBLE_FAULT = 8;

/** Interruption types of the events that are exceptions, of whatever origin. */
const EXCEPTION_TYPES: ReadonlySet<number> = new Set([
  EVENT_TYPE.nmi,
  EVENT_TYPE.hardwareException,
  EVENT_TYPE.privilegedSoftwareException,
  EVENT_TYPE.softwareException,
]);
/** Where firmware leaves the vectors of the master PIC: among the CPU's exceptions. */
const FIRMWARE_PIC = { first: 8, last: 15 };

interface Entry {
  vector: number;
  /** Interruption type. */
  type: number;
  error?: number;
  rip: bigint;
  cs: number;
  address: bigint;
  /** It arose while the entry before it was being delivered. */
  nested: boolean;
  vcpu: number;
  /** What its vCPU had retired. */
  icount: number;
}

/** The events that led to the newest one, oldest first: a fault, the fault in its delivery, what came of both, and so on. */
export function faultChain(vm: Vm): FaultStep[] {
  const all = entries(vm);
  const last = all.at(-1);
  const own = all.filter((entry) => entry.vcpu === last?.vcpu);
  let first = own.length - 1;
  while (first > 0 && own[first].nested) first--;
  return own.slice(Math.max(first, 0)).map((entry, i, chain) => step(entry, chain[i - 1], icountOf(vm, entry)));
}

/** Instructions of all vCPUs when it arose: since then, in the turn of its vCPU, that alone has run. */
const icountOf = (vm: Vm, { vcpu, icount }: Entry): bigint => BigInt(vm.icount - (vm.vcpus[vcpu].icount - icount));

/** Name of the event that was delivered last: `#PF`, `external interrupt 0x20`. */
export function newestEvent(vm: Vm): string | undefined {
  const newest = entries(vm).at(-1);
  return newest && eventName(newest);
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
      type: (flags >>> FAULT_LOG_TYPE_SHIFT) & 7,
      ...(flags & FAULT_LOG_ERROR ? { error: host.get32(at + 4) } : {}),
      rip: host.get64(at + 8),
      address: host.get64(at + 16),
      nested: (flags & FAULT_LOG_NESTED) !== 0,
      vcpu: flags >>> FAULT_LOG_VCPU_SHIFT,
      icount: host.getNumber(at + 24),
      cs: host.get32(at + 36),
    });
  }
  return found;
}

function step(entry: Entry, before: Entry | undefined, icount: bigint): FaultStep {
  const { vector, error, rip, address } = entry;
  return {
    vector,
    name: eventName(entry),
    rip,
    icount,
    ...(error === undefined ? {} : { error }),
    ...(isException(entry, PAGE_FAULT) ? { address } : {}),
    text: [title(entry), accessText(entry), errorText(entry), cause(entry, before)].join(''),
  };
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** Whether an event is the exception of that number, and not an interrupt to the same vector. */
const isException = ({ vector, type }: Entry, wanted: number): boolean =>
  vector === wanted && EXCEPTION_TYPES.has(type);

const exceptionOf = ({ vector, type }: Entry) => (EXCEPTION_TYPES.has(type) ? exceptionRow(vector) : undefined);

/** `#PF`, `INT 0x10`, `external interrupt 0x8`. */
function eventName(entry: Entry): string {
  const row = exceptionOf(entry);
  if (row) return row.mnemonic;
  const { vector, type } = entry;
  if (type === EVENT_TYPE.softwareInterrupt) return `INT ${hex(vector)}`;
  return `${type === EVENT_TYPE.externalInterrupt ? 'external interrupt' : 'interrupt'} ${hex(vector)}`;
}

function title(entry: Entry): string {
  const row = exceptionOf(entry);
  if (row) return `${row.mnemonic} ${row.title}`;
  const { vector, type } = entry;
  if (type === EVENT_TYPE.softwareInterrupt) return `${eventName(entry)} (software interrupt)`;
  if (type !== EVENT_TYPE.externalInterrupt || exceptionRow(vector) === undefined) return eventName(entry);
  const { first, last } = FIRMWARE_PIC;
  const whose =
    vector >= first && vector <= last ? `IRQ ${vector - first} of a PIC that is not remapped` : "an exception's vector";
  return `${eventName(entry)} (${whose})`;
}

function errorText(entry: Entry): string {
  const { vector, error } = entry;
  if (error === undefined || isException(entry, DOUBLE_FAULT)) return '';
  const meaning = describeErrorCode(vector, error) || (vector === PAGE_FAULT ? 'not present' : '');
  return `, error ${hex(error)}${meaning === '' ? '' : ` (${meaning})`}`;
}

const WRITE = 2;
const FETCH = 16;

function accessText(entry: Entry): string {
  if (!isException(entry, PAGE_FAULT)) return '';
  const { error = 0, address } = entry;
  return ` ${error & FETCH ? 'fetching' : error & WRITE ? 'writing' : 'reading'} ${hex(address)}`;
}

function cause(entry: Entry, before: Entry | undefined): string {
  const { type, nested, rip, cs } = entry;
  if (isException(entry, DOUBLE_FAULT)) return '';
  if (nested && before) return `, while delivering ${eventName(before)}`;
  const where =
    type === EVENT_TYPE.externalInterrupt || type === EVENT_TYPE.nmi ? 'before the instruction' : 'instruction';
  return `, ${where} at ${hex(cs)}:${hex(rip)}`;
}
