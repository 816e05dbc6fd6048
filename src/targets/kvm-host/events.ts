/** The trace events of KVM that tell of exits, read by the kernel's own formats. */
import { readdirSync } from 'node:fs';
import { type EventFormat, exitReasonReader, fieldReader } from './event-format.js';
import { kvmEvent } from './place.js';

export interface ExitEvent {
  tid: number;
  ns: bigint;
  /**
   * `count`: something that KVM did for the guest, where it tells of no exits. `port`, `mmio write`: begins there, and
   * ends with the entry; `mmio read`: ends there, and has begun with the exit.
   */
  kind: 'exit' | 'entry' | 'count' | 'port' | 'mmio read' | 'mmio write';
  /** Of port and MMIO the address with the direction. */
  reason: string;
  /** vCPU's number, where the event has it. */
  vcpu?: number;
}

type Decode = (tid: number, ns: bigint, record: DataView, at: number) => ExitEvent | undefined;

/** KVM_TRACE_MMIO_READ and _WRITE; 0 is a read that nobody has answered yet. @linux include/trace/events/kvm.h */
const [MMIO_READ, MMIO_WRITE] = [1, 2];

/** What KVM does for a guest, by the event that tells of it, with the field whose value makes it out. */
const DEEDS: Record<string, string> = {
  kvm_pio: 'ioport',
  kvm_mmio: 'mmio',
  kvm_cpuid: 'cpuid',
  kvm_msr: 'msr',
  kvm_hypercall: 'hypercall',
  kvm_page_fault: 'page fault',
};

function kvmModules(): string[] {
  try {
    return readdirSync('/sys/module').filter((name) => name.startsWith('kvm'));
  } catch {
    return [];
  }
}

export class ExitEvents {
  readonly #decoders = new Map<number, { bytes: number; decode: Decode }>();
  readonly formats: EventFormat[] = [];

  private constructor(
    formats: readonly EventFormat[],
    /** Why there are no times, where this KVM tells of no exits. */
    readonly note: string | undefined,
  ) {
    for (const format of formats) {
      this.formats.push(format);
      this.#decoders.set(format.id, { bytes: format.bytes, decode: decoderOf(format) });
    }
  }

  /**
   * The events of a kernel's tracefs.
   * @param modules names in /sys/module: a paravirtual KVM has kvm_exit in its list and never fires it
   * @throws Error when the kernel has none of them
   */
  static of(path: string, modules: readonly string[] = kvmModules()): ExitEvents {
    const named = (names: string[]): EventFormat[] => names.flatMap((name) => kvmEvent(path, name) ?? []);
    const silent = modules.includes('kvm_pvm') && !modules.some((name) => /^kvm_(intel|amd)$/.test(name));
    const formats = named(silent ? Object.keys(DEEDS) : ['kvm_exit', 'kvm_entry', 'kvm_pio', 'kvm_mmio']);
    if (formats.length === 0) throw new Error(`${path}: this kernel has no events of KVM's exits`);
    const note = silent
      ? "this host's KVM (kvm_pvm) reports no exits: what it did for guests is counted instead"
      : undefined;
    return new ExitEvents(formats, note);
  }

  /** For tests and other sources of formats. */
  static from(formats: readonly EventFormat[]): ExitEvents {
    return new ExitEvents(formats, undefined);
  }

  /** An event from its record, which starts with the event's number; undefined for others, and what is too short. */
  decode(tid: number, ns: bigint, record: DataView, at: number, length: number): ExitEvent | undefined {
    if (length < 8) return undefined;
    const found = this.#decoders.get(record.getUint16(at, true));
    return found && length >= found.bytes ? found.decode(tid, ns, record, at) : undefined;
  }
}

const hex = (value: number | undefined): string => `0x${(value ?? 0).toString(16)}`;

function decoderOf(format: EventFormat): Decode {
  const vcpu = fieldReader(format, 'vcpu_id');
  if (format.name === 'kvm_exit') {
    const reason = exitReasonReader(format);
    return (tid, ns, record, at) => ({ tid, ns, kind: 'exit', reason: reason(record, at), vcpu: vcpu(record, at) });
  }
  if (format.name === 'kvm_entry')
    return (tid, ns, record, at) => ({ tid, ns, kind: 'entry', reason: '', vcpu: vcpu(record, at) });
  if (format.name === 'kvm_pio') {
    const [port, rw] = [fieldReader(format, 'port'), fieldReader(format, 'rw')];
    return (tid, ns, record, at) => {
      const reason = `${hex(port(record, at))}:${rw(record, at) ? 'POUT' : 'PIN'}`;
      return { tid, ns, kind: 'port', reason };
    };
  }
  if (format.name === 'kvm_mmio') {
    const [gpa, type] = [fieldReader(format, 'gpa'), fieldReader(format, 'type')];
    return (tid, ns, record, at) => {
      const way = type(record, at);
      if (way !== MMIO_READ && way !== MMIO_WRITE) return undefined;
      const [letter, kind] = way === MMIO_READ ? (['R', 'mmio read'] as const) : (['W', 'mmio write'] as const);
      return { tid, ns, kind, reason: `${hex(gpa(record, at))}:${letter}` };
    };
  }
  const reason = DEEDS[format.name] ?? format.name;
  return (tid, ns) => ({ tid, ns, kind: 'count', reason });
}
