import type { MachineView } from '../../debug/machine-view.js';
import type * as D from '../../debugger.js';
import type { GuestHistory } from '../guest-history.js';
import type { RunStatus } from './status.js';
import type { Stops } from './stops.js';

/** The verbs of going back, for a guest that keeps a history. */
export function historyGroup(
  past: GuestHistory,
  view: MachineView,
  status: RunStatus,
  stops: Stops,
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
    wrote: async (what, vcpu = status.vcpu) => {
      const written = placeOf(view, what, status.vcpuOf(vcpu).index);
      if ('read' in written) return goes(() => past.backToChange(written.read));
      status.mustBeStopped();
      const { id } = stops.breakpoints.add({ kind: 'watch', access: 'write', ...written });
      try {
        return await goes(() => past.backToWatch(id));
      } finally {
        stops.breakpoints.remove(id);
      }
    },
    bookmark: async (name) => {
      status.mustBeStopped();
      return past.bookmark(name);
    },
    bookmarks: async () => past.bookmarks(),
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
    continueBack: async () => goes(() => past.continueBack()),
    previousExit: async (condition = {}) => {
      status.mustBeStopped();
      stops.until = { exit: condition };
      return goes(() => past.previousExit());
    },
  };
}

/** Where something stands that a watchpoint can watch, or how its value is read. @throws Error when it is nowhere */
function placeOf(
  view: MachineView,
  what: D.Written,
  vcpu: number,
): { space: 'gva' | 'gpa'; address: bigint; length: number } | { read: () => bigint | undefined } {
  switch (what.kind) {
    case 'memory':
      return { space: what.space, address: what.address, length: what.length };
    case 'register':
      if (!Object.hasOwn(view.readRegisters(vcpu, [what.name]), what.name))
        throw new Error(`there is no register ${what.name}`);
      return { read: () => view.readRegisters(vcpu, [what.name])[what.name] };
    case 'vmcs':
      if (view.vmcsField?.(vcpu, what.encoding) === undefined)
        throw new Error(`there is no VMCS field 0x${what.encoding.toString(16)}`);
      return { read: () => view.vmcsField?.(vcpu, what.encoding) };
    case 'pte': {
      const { levels, mode } = view.walk(vcpu, what.gva);
      const entry = levels.at(-1);
      if (!entry) throw new Error('paging is off: there is no entry');
      return { space: 'gpa', address: entry.entryAddress, length: mode === '32-bit' ? 4 : 8 };
    }
    case 'ept': {
      const address = view.ept?.walk(vcpu, what.gpa).levels.at(-1)?.entryAddress;
      if (address === undefined) throw new Error('there is no EPT');
      const bytes = (): Buffer => Buffer.from(view.readMemory(vcpu, 'hpa', address, 8));
      // accessed and dirty flags aside, which each access sets
      return { read: () => bytes().readBigUInt64LE() & ~0x300n };
    }
    case 'idt':
    case 'gdt': {
      const table = `${what.kind}r_base`;
      const long = (view.readRegisters(vcpu, ['efer']).efer & 0x400n) !== 0n;
      const length = what.kind === 'idt' && long ? 16 : 8;
      const address = view.readRegisters(vcpu, [table])[table] + BigInt(what.index * length);
      return { space: 'gva', address, length };
    }
  }
}
