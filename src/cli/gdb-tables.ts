/** The tables of GDB's `info os`: exits, exit-counts, vmcs, ept. */
import type { Debugger, ExitRecord } from '../engine/debugger.js';
import type { OsTable } from '../gdbstub/target.js';
import { exitReasonName } from '../spec/vmx/exit-reasons.js';

/** GDB reads a table as a whole: as many of the newest exits as still print at once. */
const EXITS_SHOWN = 1000;

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** Guest-physical addresses as this exit defines them are 0 for most reasons; GDB shows an empty cell. */
const hexOrEmpty = (value: bigint): string => (value === 0n ? '' : hex(value));

function exitRow(exit: ExitRecord): Record<string, string> {
  return {
    '#': String(exit.sequence),
    icount: String(exit.icount),
    vcpu: String(exit.vcpu),
    reason: exitReasonName(exit.reason),
    rip: hex(exit.rip),
    qualification: hex(exit.qualification),
    gla: hexOrEmpty(exit.gla),
    gpa: hexOrEmpty(exit.gpa),
    action: exit.action,
  };
}

/** @param currentThread vCPU of the last stop, whose VMCS and EPT are shown. */
export function osTables(debug: Debugger, currentThread: () => number): OsTable[] {
  const { exits, vmcs, ept, os } = debug;
  const tables: OsTable[] = [];
  if (exits !== undefined) {
    tables.push(
      {
        name: 'exits',
        title: 'VM exits',
        description: `Listing of the newest ${EXITS_SHOWN} VM exits`,
        rows: async () => (await exits.records(-1, EXITS_SHOWN)).map(exitRow),
      },
      {
        name: 'exit-counts',
        title: 'VM exits by reason',
        description: 'Counts of VM exits by reason',
        rows: async () =>
          Object.entries(await exits.counts()).map(([reason, count]) => ({ reason, count: String(count) })),
      },
    );
  }
  if (vmcs !== undefined) {
    tables.push({
      name: 'vmcs',
      title: 'VMCS',
      description: 'Listing of the VMCS fields of the current vCPU',
      rows: async () =>
        (await vmcs.read(currentThread())).map((field) => ({
          encoding: hex(field.encoding),
          field: field.name,
          value: hex(field.value),
          meaning: field.decoded.join(' '),
        })),
    });
  }
  if (ept !== undefined) {
    tables.push({
      name: 'ept',
      title: 'EPT',
      description: 'Listing of the EPT mappings',
      rows: async () =>
        (await ept.ranges()).map((range) => ({
          gpa: hex(range.gpa),
          hpa: hex(range.hpa),
          bytes: hex(range.bytes),
          access: `${range.read ? 'r' : '-'}${range.write ? 'w' : '-'}${range.execute ? 'x' : '-'}`,
          type: range.memoryType,
          page: hex(range.pageBytes),
          label: range.label,
        })),
    });
  }
  if (os !== undefined) {
    tables.push(
      {
        name: 'dmesg',
        title: 'Kernel log',
        description: "Listing of the guest kernel's log",
        rows: async () =>
          (await os.log()).map(({ ns, level, text }) => ({ ns: String(ns), level: String(level), text })),
      },
      {
        name: 'processes',
        title: 'Guest processes',
        description: 'Listing of the processes of the guest',
        rows: async () =>
          (await os.processes()).map(({ pid, ppid, state, cr3, name }) => ({
            pid: String(pid),
            ppid: String(ppid),
            state,
            cr3: cr3 === undefined ? '' : hex(cr3),
            name,
          })),
      },
      {
        name: 'guest-modules',
        title: 'Guest modules',
        description: "Listing of the modules of the guest's kernel",
        rows: async () =>
          (await os.modules()).map(({ name, address, bytes }) => ({ name, address: hex(address), bytes: hex(bytes) })),
      },
    );
  }
  return tables;
}
