/** By what exits are put together: their reason, or what each was about. */
import { msrName } from '../../spec/msrs.js';
import { portName } from '../../spec/ports.js';
import { exitReasonName } from '../../spec/vmx/exit-reasons.js';
import type { ExitGroupKey, ExitRecord } from '../debugger.js';
import { EXIT_FACTS } from './exit-facts.js';
import { recordedRip } from './exit-place.js';
import { exitSubject } from './explain-exit.js';

/** Rows that a group can be by, as they are typed, with what `by` of it shows. */
export const EXIT_GROUPS: Readonly<Record<ExitGroupKey, string>> = {
  reason: 'exit reason',
  subject: 'what each was about',
  port: 'I/O port',
  msr: 'MSR',
  leaf: 'CPUID leaf',
  gpa: 'guest-physical page',
  rip: 'instruction',
  task: "the guest's task",
  vcpu: 'vCPU',
  cr3: 'CR3',
};
export const EXIT_GROUP_KEYS = Object.keys(EXIT_GROUPS) as ExitGroupKey[];

/** What tells a group from others: numbers where its name depends on symbols that the guest's thread has not. */
export interface ExitGroup {
  readonly reason?: number;
  readonly value?: bigint;
  readonly text?: string;
}

/** The name of a task by its CR3; undefined where it is not known. */
export type TaskOf = (cr3: bigint) => string | undefined;
/** The name of an address; undefined for none. */
export type LabelOf = (address: bigint) => string | undefined;

const PAGE = 0xfffn;
const LOW = 0xffff_ffffn;
/** Leaves whose answer depends on ECX. @sdm 2A 3.3 "CPUID" */
const SUBLEAVES = new Set([
  4n,
  7n,
  0xbn,
  0xdn,
  0xfn,
  0x10n,
  0x12n,
  0x14n,
  0x17n,
  0x18n,
  0x1bn,
  0x1dn,
  0x1fn,
  0x8000_001dn,
]);
const IO_IN = 8n;
const EPT_REASONS = new Set([48, 49]);

/** CR3 without PCID and the bits above an address. @sdm 3A 4.5.2 "Use of CR3 with Ordinary Paging" */
export const tableOf = (cr3: bigint): bigint => cr3 & 0x000f_ffff_ffff_f000n;

/** The group of an exit; undefined where it has none of that kind: a HLT has no port. */
export function exitGroup(exit: ExitRecord, by: ExitGroupKey, taskOf?: TaskOf): ExitGroup | undefined {
  const reason = exit.reason & 0xffff;
  switch (by) {
    case 'reason':
      return { reason };
    case 'subject':
      return { reason, text: exitSubject(exit).trim() };
    case 'port': {
      const value = EXIT_FACTS.port(exit);
      return value === undefined ? undefined : { value, text: exit.qualification & IO_IN ? 'in' : 'out' };
    }
    case 'msr': {
      const value = EXIT_FACTS.msr(exit);
      return value === undefined ? undefined : { value, text: reason === 31 ? 'read' : 'written' };
    }
    case 'leaf': {
      const leaf = EXIT_FACTS.leaf(exit);
      if (leaf === undefined) return undefined;
      return { value: leaf, ...(SUBLEAVES.has(leaf) ? { text: `.${(exit.rcx & LOW).toString(16)}` } : {}) };
    }
    case 'gpa':
      return EPT_REASONS.has(reason) ? { reason, value: exit.gpa & ~PAGE } : undefined;
    case 'rip':
      return { value: recordedRip(exit) };
    case 'task': {
      const text = taskOf?.(exit.cr3);
      return text === undefined ? { value: tableOf(exit.cr3) } : { text };
    }
    case 'vcpu':
      return { value: BigInt(exit.vcpu) };
    case 'cr3':
      return { value: tableOf(exit.cr3) };
  }
}

export const groupId = ({ reason, value, text }: ExitGroup): string =>
  `${reason ?? ''} ${value?.toString(16) ?? ''} ${text ?? ''}`;

/** A group as people read it. */
export function groupName(by: ExitGroupKey, { reason = 0, value = 0n, text = '' }: ExitGroup, label: LabelOf): string {
  const hex = value.toString(16);
  switch (by) {
    case 'reason':
      return exitReasonName(reason);
    case 'subject':
      return `${exitReasonName(reason)} ${text}`.trimEnd();
    case 'port': {
      const name = portName(Number(value));
      return `port ${hex} ${text}${name ? ` (${name})` : ''}`;
    }
    case 'msr':
      return `${msrName(Number(value))} ${text}`;
    case 'leaf':
      return `leaf ${hex}${text}`;
    case 'gpa':
      return `${exitReasonName(reason)} page ${hex}`;
    case 'rip': {
      const name = label(value);
      return name === undefined ? hex : `${hex} ${name}`;
    }
    case 'task':
      return text || `cr3 ${hex}`;
    case 'vcpu':
      return `vcpu ${value}`;
    case 'cr3':
      return `cr3 ${hex}`;
  }
}
