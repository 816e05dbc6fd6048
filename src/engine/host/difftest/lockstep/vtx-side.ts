// The embedded engine in a lock-step run: one vCPU with the machine's devices, stepped between VM exits without a
// debugger's own, each access to a device and each interrupt noted.
import * as L from '../../../core/layout.js';
import type { RegisterFile } from '../../../debugger.js';
import { SEGMENT_REGISTERS } from '../../../registers-view.js';
import type { SliceEnd } from '../../../vmm/hypervisor.js';
import type { Machine } from '../../../vmm/machine.js';
import type { Vm } from '../../../vmm/vm.js';
import type { CoreStep } from './side.js';
import { fillFromFile, newQuick, QUICK_REGISTERS } from './state.js';

/** Exit reasons at which both sides come to user space: shutdown, HLT, port I/O, MMIO. */
const SHARED_EXITS = new Set([2, 12, 30, 48]);
const FREE_RUN = 100_000;

/** Address in the ACTIVE block of each quick register, and its bytes. */
const PLACES: readonly [address: number, bytes: number][] = QUICK_REGISTERS.map((name) => {
  const segment = SEGMENT_REGISTERS.findIndex((s) => name === s || name.startsWith(`${s}_`));
  if (segment >= 0) {
    const at = L.SEGMENTS + segment * L.SEGMENT_BYTES;
    if (name.endsWith('_base')) return [at + L.SEG_BASE, 8];
    if (name.endsWith('_limit')) return [at + L.SEG_LIMIT, 4];
    return name.endsWith('_ar') ? [at + L.SEG_AR, 4] : [at + L.SEG_SELECTOR, 2];
  }
  const system: Record<string, number> = {
    rip: L.RIP,
    rflags: L.RFLAGS,
    cr0: L.CR0,
    cr2: L.CR2,
    cr3: L.CR3,
    cr4: L.CR4,
    efer: L.EFER,
    gdtr_base: L.GDTR_BASE,
    gdtr_limit: L.GDTR_LIMIT,
    idtr_base: L.IDTR_BASE,
    idtr_limit: L.IDTR_LIMIT,
  };
  return [system[name] ?? L.GPR + QUICK_REGISTERS.indexOf(name) * 8, name.endsWith('_limit') ? 4 : 8];
});

/** A state in which an interrupt was delivered on the way, for a judge that has to come by there. */
export interface Delivery {
  at: RegisterFile;
  vector: number;
}

export class VtxSide {
  readonly ram: Uint8Array;
  readonly step: CoreStep = { before: newQuick(), after: newQuick(), code: new Uint8Array(0), accesses: [], exits: [] };
  /** Interrupts of a free run, in order. */
  readonly deliveries: Delivery[] = [];
  /** Registers between the instruction of this step and the delivery of an interrupt behind it. */
  middle: RegisterFile | undefined;
  private freely = false;
  private startIcount = 0;

  constructor(
    readonly machine: Machine,
    readonly vm: Vm,
  ) {
    this.ram = vm.memory.read(0, vm.memoryBytes);
    this.listen();
    this.refresh();
    this.step.before.set(this.step.after);
  }

  get ended(): boolean {
    return this.vm.end !== undefined;
  }

  get icount(): number {
    return this.vm.icount;
  }

  registers(): RegisterFile {
    return this.machine.view.readRegisters(0);
  }

  /** Nothing was retired since begin(). */
  get stood(): boolean {
    return this.vm.icount === this.startIcount;
  }

  /** Makes the state before the next step what the last one left. */
  begin(): void {
    const { step } = this;
    step.before.set(step.after);
    step.accesses.length = 0;
    step.exits.length = 0;
    this.deliveries.length = 0;
    this.middle = undefined;
    this.startIcount = this.vm.icount;
    delete step.interrupt;
    delete step.nmi;
  }

  /** One instruction, the delivery of an interrupt before it included. */
  one(): SliceEnd {
    const [vcpu] = this.vm.vcpus;
    const end = this.vm.runSlice(vcpu, 1);
    this.refresh();
    // a HLT whose limit comes before the interrupt that ends it
    if (end.kind === 'limit' && vcpu.halted) return { kind: 'idle', deadline: this.vm.board.nextDeadline() };
    return end;
  }

  /** Runs until the next exit that the judge has too, before it is handled. */
  runToExit(): SliceEnd {
    const { vm } = this;
    const [vcpu] = vm.vcpus;
    const note = vm.exitFilter;
    vm.exitFilter = (which) => (note?.(which) ?? false) || SHARED_EXITS.has(vcpu.vmcs.reason & 0xffff);
    this.freely = true;
    try {
      for (;;) {
        const end = vm.runSlice(vcpu, FREE_RUN);
        if (end.kind !== 'limit') return end;
      }
    } finally {
      vm.exitFilter = note;
      this.freely = false;
      this.refresh();
    }
  }

  /** HLT: time goes on to the next event of a device; false when there is none. */
  warp(): boolean {
    const deadline = this.vm.board.nextDeadline();
    if (deadline === undefined) return false;
    this.vm.warpTo(deadline);
    return true;
  }

  close(): void {
    this.machine.close();
  }

  /** Brings `after` up to date. */
  private refresh(): void {
    const { after } = this.step;
    const [vcpu] = this.vm.vcpus;
    if (!vcpu.inGuest) {
      fillFromFile(after, this.registers());
      return;
    }
    const { u32, u16 } = this.vm.host;
    for (let i = 0; i < PLACES.length; i++) {
      const [address, bytes] = PLACES[i];
      after[i * 2] = bytes === 2 ? u16[address >> 1] : u32[address >> 2];
      after[i * 2 + 1] = bytes === 8 ? u32[(address >> 2) + 1] : 0;
    }
  }

  private listen(): void {
    const { vm, step } = this;
    const { board } = vm;
    vm.exitFilter = () => {
      step.exits.push(vm.vcpus[0].vmcs.reason & 0xffff);
      return false;
    };
    // the board's, which each element of string I/O comes to by itself
    const portRead = board.portRead.bind(board);
    const portWrite = board.portWrite.bind(board);
    const mmioRead = board.mmioRead.bind(board);
    const mmioWrite = board.mmioWrite.bind(board);
    board.portRead = (vcpu, port, bytes) => {
      const value = portRead(vcpu, port, bytes);
      step.accesses.push({ kind: 'in', address: port, bytes, value: BigInt(value >>> 0) });
      return value;
    };
    board.portWrite = (vcpu, port, bytes, value) => {
      step.accesses.push({ kind: 'out', address: port, bytes, value: BigInt.asUintN(bytes * 8, BigInt(value)) });
      portWrite(vcpu, port, bytes, value);
    };
    board.mmioRead = (vcpu, gpa, bytes) => {
      const value = mmioRead(vcpu, gpa, bytes);
      step.accesses.push({ kind: 'read', address: gpa, bytes, value });
      return value;
    };
    board.mmioWrite = (vcpu, gpa, bytes, value) => {
      step.accesses.push({ kind: 'write', address: gpa, bytes, value: BigInt.asUintN(bytes * 8, value) });
      mmioWrite(vcpu, gpa, bytes, value);
    };
    const acknowledge = board.acknowledgeInterrupt.bind(board);
    board.acknowledgeInterrupt = (index) => {
      const at = this.freely || !this.stood ? this.registers() : undefined;
      const vector = acknowledge(index);
      if (this.freely && at) this.deliveries.push({ at, vector });
      else {
        step.interrupt = vector;
        this.middle = at;
      }
      return vector;
    };
    const takeNmi = board.takeNmi.bind(board);
    board.takeNmi = (index) => {
      const taken = takeNmi(index);
      if (taken) {
        step.nmi = true;
        if (!this.stood && !this.freely) this.middle = this.registers();
      }
      return taken;
    };
  }
}
