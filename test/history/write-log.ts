// All changes of a machine's state, found the slow way: one step of the run after the other, and everything compared.
import { EPT_POOL, RAM_BASE } from '../../src/engine/core/layout.js';
import type { RegisterFile, Written } from '../../src/engine/debugger.js';
import { SECTOR_BYTES } from '../../src/engine/devices/block.js';
import type { Turns } from '../../src/engine/host/turns.js';
import type { Machine } from '../../src/engine/vmm/machine.js';
import { readMsr } from '../../src/engine/vmm/msrs.js';
import type { Vm } from '../../src/engine/vmm/vm.js';
import { MSRS } from '../../src/spec/msrs.js';
import { VMCS_FIELDS } from '../../src/spec/vmx/vmcs-fields.js';
import type { MemoryDisk } from '../devices/virtio/memory-disk.js';

/** Something of the machine: how it is read, and how one asks who wrote it. */
export interface Looked {
  name: string;
  what: Written;
  vcpu: number;
  read(): bigint | undefined;
}

export interface Change {
  icount: bigint;
  exit: number;
  before: bigint | undefined;
  after: bigint | undefined;
  stage: 'ran' | 'exited' | 'handled' | 'entered' | 'idle';
}

export interface WriteLog {
  changes: Map<string, Change[]>;
  /** For each name how many of its changes there were when the run came to an instruction count first. */
  until(name: string, icount: bigint): Change[];
  end: bigint;
}

/** What counts time, or what the steps themselves move. */
const UNSTEADY = /^(?:tsc|interruptibility|activity)$/;
const FIELDS = [
  ...['VM_EXIT_REASON', 'EXIT_QUALIFICATION', 'GUEST_PHYSICAL_ADDRESS', 'VM_EXIT_INSTRUCTION_LEN', 'VM_EXIT_INTR_INFO'],
  ...['GUEST_RIP', 'GUEST_RSP', 'GUEST_CR0', 'GUEST_CR3', 'GUEST_CR4', 'GUEST_CS_SELECTOR', 'GUEST_SS_AR_BYTES'],
  ...['CR0_READ_SHADOW', 'EXCEPTION_BITMAP', 'EPT_POINTER', 'TSC_OFFSET', 'GUEST_IDTR_BASE', 'GUEST_IA32_EFER'],
];
const KEPT_MSRS = [
  'IA32_PAT',
  'IA32_LSTAR',
  'IA32_STAR',
  'IA32_FMASK',
  'IA32_EFER',
  'IA32_APIC_BASE',
  'IA32_MTRR_DEF_TYPE',
];

/** All registers of a vCPU, read once for each instant: `passed` tells that it is another one. */
export class Files {
  readonly #files = new Map<number, RegisterFile>();

  constructor(private readonly machine: Machine) {}

  passed(): void {
    this.#files.clear();
  }

  of(vcpu: number): RegisterFile {
    let file = this.#files.get(vcpu);
    if (!file) this.#files.set(vcpu, (file = this.machine.view.readRegisters(vcpu)));
    return file;
  }
}

export function registersOf({ vm, machine }: { vm: Vm; machine: Machine }, files: Files): Looked[] {
  return vm.vcpus.flatMap(({ index }) => {
    const names = Object.keys(machine.view.readRegisters(index)).filter((name) => !UNSTEADY.test(name));
    const registers = names.map(
      (name): Looked => ({
        ...{ name: `${index}:${name}`, what: { kind: 'register', name }, vcpu: index },
        read: () => files.of(index)[name],
      }),
    );
    const fields = FIELDS.map((name): Looked => {
      const field = VMCS_FIELDS.find((row) => row.name === name)!;
      const read = () => vm.vcpus[index].vmcs.readField(field);
      return { name: `${index}:vmcs ${name}`, what: { kind: 'vmcs', encoding: field.encoding }, vcpu: index, read };
    });
    const msrs = KEPT_MSRS.map((name): Looked => {
      const { number } = MSRS.find((row) => row.name === name)!;
      const registers: Record<string, string> = { IA32_LSTAR: 'lstar', IA32_STAR: 'star', IA32_FMASK: 'fmask' };
      const read = () => (registers[name] ? files.of(index)[registers[name]] : readMsr(vm.vcpus[index], vm, number));
      return { name: `${index}:msr ${name}`, what: { kind: 'msr', number }, vcpu: index, read };
    });
    return [...registers, ...fields, ...msrs];
  });
}

/** Words of guest-physical memory. */
export function memoryOf({ vm }: { vm: Vm }, gpa: number, bytes: number): Looked[] {
  return Array.from({ length: bytes / 4 }, (_, n): Looked => {
    const address = gpa + n * 4;
    return {
      ...{ name: `0x${address.toString(16)}`, vcpu: 0 },
      what: { kind: 'memory', space: 'gpa', address: BigInt(address), length: 4 },
      read: () => BigInt(vm.host.get32(RAM_BASE + address)),
    };
  });
}

/** The EPT's entries that map a page, accessed and dirty flags aside. */
export function eptOf({ vm, machine }: { vm: Vm; machine: Machine }, gpa: bigint): Looked[] {
  const { levels } = machine.view.ept!.walk(0, gpa);
  return levels.map(
    ({ table, entryAddress }): Looked => ({
      ...{ name: `ept 0x${gpa.toString(16)} ${table}`, what: { kind: 'ept', gpa, level: table }, vcpu: 0 },
      read: () => (Number(entryAddress) >= EPT_POOL ? vm.host.get64(Number(entryAddress)) & ~0x300n : undefined),
    }),
  );
}

export function sectorsOf(disk: string, store: MemoryDisk, count: number): Looked[] {
  return Array.from(
    { length: count },
    (_, sector): Looked => ({
      ...{ name: `${disk} sector ${sector}`, what: { kind: 'sector', disk, sector }, vcpu: 0 },
      read: () => {
        const bytes = store.bytes.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
        return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
      },
    }),
  );
}

interface Stepped {
  vm: Vm;
  machine: Machine;
  turns: Turns;
}

/** Steps a machine from where it stands to an instruction count, or to its end, and compares all that is looked at. */
export function writeLog(
  { vm, machine, turns }: Stepped,
  files: Files,
  looked: readonly Looked[],
  icount: number,
): WriteLog {
  const changes = new Map<string, Change[]>(looked.map(({ name }) => [name, []]));
  vm.synchronize();
  files.passed();
  const values = looked.map(({ read }) => read());
  const marks: { icount: bigint; counts: Map<string, number> }[] = [];
  const mark = (): void => {
    const now = BigInt(machine.work.icount);
    if (marks.length > 0 && marks[marks.length - 1].icount >= now) return;
    const counts = new Map<string, number>();
    for (const [name, list] of changes) counts.set(name, list.length);
    marks.push({ icount: now, counts });
  };
  const compare = (stage: Change['stage']): void => {
    vm.synchronize();
    files.passed();
    for (const [n, { name, read }] of looked.entries()) {
      const after = read();
      if (after === values[n]) continue;
      const { work } = machine;
      changes.get(name)!.push({ icount: BigInt(work.icount), exit: work.exits, before: values[n], after, stage });
      values[n] = after;
    }
    mark();
  };
  mark();
  for (let n = 0; machine.work.icount < icount && n < 20 * icount; n++) {
    if (vm.end?.kind === 'resumed') machine.resume();
    const current = vm.vcpus.find(({ active }) => active)!;
    let stage: Change['stage'] = 'ran';
    let most = 1;
    if (current.pendingExit) {
      vm.exitGoal = { exits: vm.exits, pending: false };
      stage = 'handled';
    } else {
      vm.exitGoal = { exits: vm.exits + 1, pending: true };
      if (!current.inGuest) {
        most = 0;
        stage = 'entered';
      }
    }
    const before = machine.work.icount;
    let turn = turns.take(most);
    if (most === 0 && turn?.end.kind === 'limit' && machine.work.icount === before) {
      compare('entered');
      stage = 'ran';
      turn = turns.take(1);
    }
    vm.exitGoal = undefined;
    if (turn === undefined) {
      const deadline = vm.board.nextDeadline();
      if (deadline === undefined) break;
      vm.warpTo(deadline);
      compare('idle');
      continue;
    }
    if (vm.vcpus[turn.vcpu.index].pendingExit) stage = 'exited';
    compare(stage);
    if (turn.end.kind === 'ended' && !machine.outlives()) break;
  }
  return {
    changes,
    until: (name, at) => {
      const seen = marks.find((it) => it.icount >= at)?.counts.get(name);
      return changes.get(name)!.slice(0, seen);
    },
    end: BigInt(machine.work.icount),
  };
}
