import { ALONE_RIP, TRACE_SEQUENCE } from '../../core/layout.js';
import { readRecord } from '../../debug/trace-reader.js';
import type * as D from '../../debugger.js';
import type { Watched } from '../../history/watched.js';
import { linearAt } from '../../vmm/code-address.js';
import type { Machine } from '../../vmm/machine.js';
import { Vm } from '../../vmm/vm.js';
import type { GuestHistory } from '../guest-history.js';
import type { RunStatus } from './status.js';
import type { Stops } from './stops.js';
import { writeSearch } from './write-search.js';

/** The verbs of going back, for a guest that keeps a history. */
export function historyGroup(
  past: GuestHistory,
  machine: Machine,
  status: RunStatus,
  stops: Stops,
  /** Lets the guest run to its next stop. */
  run: () => Promise<D.RunState>,
): NonNullable<D.Debugger['history']> {
  const goes = (way: () => Promise<void>): Promise<D.RunState> => {
    status.mustBeStopped();
    return status.untilStop(() => void way().catch(() => {}));
  };
  return {
    where: async () => past.where(),
    goTo: async (target) => {
      past.check(target);
      return goes(() => past.goTo(target));
    },
    stepBack: async (vcpu, count = 1) => {
      const target = status.vcpuOf(vcpu);
      return goes(() => past.stepBack(target, count));
    },
    wrote: async (what, vcpu = status.vcpu, became) => {
      status.mustBeStopped();
      const search = writeSearch(machine, what, status.vcpuOf(vcpu).index, became);
      const others = stops.breakpoints.list().filter(({ kind, enabled }) => kind === 'watch' && enabled);
      // the core tells one watchpoint for an access: it has to be the search's
      for (const { id } of others) stops.breakpoints.enable(id, false);
      const ids = search.watches.map((watch) => stops.breakpoints.add(watch).id);
      let done: D.Done | undefined;
      const tell = (found: D.Done): void => {
        done = found;
      };
      try {
        const state = await goes(() =>
          past.backToWrite(search.name, search.watched, new Set(ids), search.became, tell),
        );
        return { ...state, ...(done ? { done } : {}) };
      } finally {
        for (const id of ids) stops.breakpoints.remove(id);
        for (const { id } of others) stops.breakpoints.enable(id, true);
      }
    },
    reads: async (what, vcpu = status.vcpu) => {
      status.mustBeStopped();
      const { watched, watches } = writeSearch(machine, what, status.vcpuOf(vcpu).index, undefined);
      if (watched.kind !== 'memory' && watched.kind !== 'sector') throw new Error(UNSEEN[what.kind] ?? UNSEEN.other);
      const waits = watched.kind === 'sector' ? sectorRead(machine, stops, watched) : undefined;
      const ids = watches.map((watch) => stops.breakpoints.add({ ...watch, access: 'read' } as typeof watch).id);
      try {
        let state = await run();
        // the live end is where the guest goes on
        if (state.stop?.kind === 'history' && state.stop.at === 'end') state = await run();
        const { stop, position } = state;
        const found = stop?.kind === 'watchpoint' ? ids.includes(stop.id) : stop?.kind === 'until' && waits?.seen();
        if (!found || !position) return state;
        const after = watched.read();
        const doer: D.Doer =
          watched.kind === 'sector' ? { by: 'device', device: watched.device } : reader(machine, state);
        const done: D.Done = { doer, at: position, ...(after === undefined ? {} : { after }) };
        return { ...state, done };
      } finally {
        waits?.end();
        for (const id of ids) stops.breakpoints.remove(id);
      }
    },
    bookmark: async (name) => {
      status.mustBeStopped();
      return past.bookmark(name);
    },
    bookmarks: async () => past.bookmarks(),
    stops: async () => past.stops(),
    printed: async (line, icount, most) => past.printed(line, icount, most),
    branch: async (name) => {
      status.mustBeStopped();
      return past.branch(name);
    },
    branches: async () => past.branches(),
    switchTo: async (name) => {
      past.checkLine(name);
      return goes(() => past.switchTo(name));
    },
    deleteBranch: async (name) => past.deleteBranch(name),
    renameBranch: async (name, to) => past.renameBranch(name, to),
    compare: async (a, b) => {
      status.mustBeStopped();
      return past.compare(a, b, { vcpu: status.vcpu, stop: status.stop });
    },
    statesAt: async (exits) => {
      status.mustBeStopped();
      const { vm } = machine;
      // a reset of the guest begins its trace anew
      const before = past.where().exit - vm.host.getNumber(TRACE_SEQUENCE);
      const here = { vcpu: status.vcpu, stop: status.stop };
      return past.visit(
        exits.map((exit) => exit + before),
        here,
        () => stateAt(machine),
      );
    },
    continueBack: async () => goes(() => past.continueBack()),
    previousExit: async (condition = {}) => {
      status.mustBeStopped();
      stops.until = { exit: condition };
      return goes(() => past.previousExit());
    },
  };
}

/** What the vCPU of the newest exit has. */
async function stateAt({ vm, view }: Machine): Promise<D.ExitState> {
  const record = readRecord(vm.host, vm.host.getNumber(TRACE_SEQUENCE));
  const { sequence: exit, vcpu } = record;
  const registers = view.readRegisters(vcpu);
  return { exit, vcpu, registers, ...(view.vmcs ? { vmcs: await view.vmcs.read(vcpu) } : {}) };
}

/** Why nobody can tell of reads, by what is asked about. */
const UNSEEN: Record<string, string> & { other: string } = {
  register: 'reads of registers are not seen: reads takes memory, a pte, an idt, gdt or ldt, and of sectors',
  msr: 'RDMSR is seen only where it exits: break vmexit MSR_READ; reads takes memory, a pte, an idt, gdt or ldt, and of sectors',
  vmcs: 'the processor reads a VMCS at each VM entry and exit: wrote vmcs tells who changed it',
  ept: 'the processor reads EPT entries whenever it translates: wrote ept tells who changed one',
  other: 'reads takes memory, a pte, an idt, gdt or ldt, and of sectors',
};

/** Stops the guest where a disk is asked for a sector. */
function sectorRead(
  { vm }: Machine,
  stops: Stops,
  { store, sector }: Extract<Watched, { kind: 'sector' }>,
): { seen(): boolean; end(): void } {
  let seen = false;
  const waiting = { read: false };
  stops.sector = waiting;
  store.accesses = (first, count, access) => {
    if (access !== 'read' || sector < first || sector >= first + count) return;
    seen = waiting.read = true;
    vm.endSlice?.();
  };
  return {
    seen: () => seen,
    end: () => {
      stops.sector = undefined;
      store.accesses = undefined;
    },
  };
}

/** Who has made the access that the guest stands behind. */
function reader({ vm }: Machine, { stop, vcpu }: D.RunState): D.Doer {
  if (stop?.kind === 'watchpoint' && stop.by === 'device') return { by: 'device', device: stop.device ?? 'a device' };
  const { host } = vm;
  const rip = vm instanceof Vm ? linearAt(vm.vcpus[vcpu], host.get64(ALONE_RIP)) : 0n;
  return { by: 'instruction', vcpu, rip };
}
