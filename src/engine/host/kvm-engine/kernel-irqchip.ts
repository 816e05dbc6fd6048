// Interrupt controllers in the kernel, as QEMU's kernel-irqchip has them: all of them (on), or the local APICs while the
// 8259 pair and the I/O APIC stay the program's own (split).
import { MSR } from '../../../spec/msrs.js';
import type { IrqchipModels, OutsideIrqchip } from '../../devices/outside-irqchip.js';
import type { Pic8259 } from '../../devices/pic-8259.js';
import type { Stateful } from '../../state/saved.js';
import { bytes, list, record, type StateOf, u8, u64 } from '../../state/schema.js';
import { KvmError } from '../kvm/errors.js';
import {
  KVM_GUESTDBG_BLOCKIRQ,
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_IRQCHIP_PIC_SLAVE,
  MP_STATES,
} from '../kvm/exits.js';
import { KVM_IRQCHIP, KVM_LAPIC_STATE, KvmStruct } from '../kvm/structs.js';
import type { KvmVm } from '../kvm/vm.js';
import {
  ioapicFromKernel,
  ioapicToKernel,
  lapicFromKernel,
  lapicToKernel,
  picFromKernel,
  picToKernel,
} from './irqchip-state.js';
import type { KvmCpu } from './kvm-cpu.js';

export type KernelIrqchipMode = 'on' | 'split' | 'off';

const PINS = 24;
const PIC_PINS = 16;
const REDIRECTION_LEVEL = 0x8000;
const REDIRECTION_MASKED = 0x1_0000;
const REDIRECTION_LOGICAL = 0x800;

const irqchipShape = (vcpus: number, chips: number) =>
  record({
    chips: list(bytes(KVM_IRQCHIP.size), chips),
    levels: list(u8, { atMost: 256 }),
    lapics: list(bytes(KVM_LAPIC_STATE.size), vcpus),
    deadlines: list(u64, vcpus),
    mpStates: list(u8, vcpus),
  });
type IrqchipState = StateOf<ReturnType<typeof irqchipShape>>;

/** What the controllers need of the machine. */
export interface IrqchipMachine {
  readonly vcpus: readonly KvmCpu[];
  now(): number;
  /** All vCPUs stand. */
  stand(): void;
}

export class KernelIrqchip implements OutsideIrqchip {
  private models: IrqchipModels | undefined;
  private readonly levels = new Set<number>();
  /** KVM can hold interrupts back while a debugger steps. */
  readonly blocksInterrupts: boolean;

  private constructor(
    private readonly vm: KvmVm,
    readonly extent: 'all' | 'lapics',
  ) {
    this.blocksInterrupts = (vm.capability('KVM_CAP_SET_GUEST_DEBUG2') & KVM_GUESTDBG_BLOCKIRQ) !== 0;
  }

  /** Before the first vCPU. @throws KvmError naming the capability that this KVM lacks */
  static create(vm: KvmVm, mode: KernelIrqchipMode): KernelIrqchip | undefined {
    if (mode === 'off') return undefined;
    const wanted = mode === 'on' ? 'KVM_CAP_IRQCHIP' : 'KVM_CAP_SPLIT_IRQCHIP';
    for (const name of [wanted, 'KVM_CAP_IRQ_ROUTING', 'KVM_CAP_SIGNAL_MSI', 'KVM_CAP_MP_STATE'] as const) {
      if (vm.capability(name) === 0) {
        throw new KvmError(
          'missing-capability',
          `--kernel-irqchip ${mode}: this KVM lacks ${name}`,
          'use --kernel-irqchip off',
        );
      }
    }
    if (mode === 'on') {
      vm.createIrqchip();
      vm.setRouting(
        Array.from({ length: PINS }, (_, gsi) => gsi).flatMap((gsi) => [
          ...(gsi < PIC_PINS
            ? [{ gsi, chip: gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, pin: gsi & 7 }]
            : []),
          // the override that the MADT tells of: IRQ 0 comes in at pin 2
          ...(gsi === 2 ? [] : [{ gsi, chip: KVM_IRQCHIP_IOAPIC, pin: gsi === 0 ? 2 : gsi }]),
        ]),
      );
    } else vm.enableCapability('KVM_CAP_SPLIT_IRQCHIP', PINS);
    return new KernelIrqchip(vm, mode === 'on' ? 'all' : 'lapics');
  }

  /** The 8259 pair that this vCPU takes interrupts from, where that is the program's own. */
  picOf({ index }: KvmCpu): Pic8259 | undefined {
    return this.extent === 'lapics' && index === 0 ? this.models?.pic : undefined;
  }

  /** A debugger steps it, and it is halted. */
  waits(cpu: KvmCpu): boolean {
    return cpu.steps !== undefined && this.halted(cpu);
  }

  halted({ vcpu }: KvmCpu): boolean {
    return vcpu.mpState() === MP_STATES.KVM_MP_STATE_HALTED;
  }

  /** The kernel holds it back: it is halted, or waits for its start. */
  sleeps({ vcpu }: KvmCpu): boolean {
    return vcpu.mpState() !== MP_STATES.KVM_MP_STATE_RUNNABLE;
  }

  /** Halted with interrupts off, or never started. */
  isDeaf(cpu: KvmCpu): boolean {
    const state = cpu.vcpu.mpState();
    const { KVM_MP_STATE_HALTED: halted, KVM_MP_STATE_RUNNABLE: runnable } = MP_STATES;
    return state === halted ? !cpu.interruptsEnabled : state !== runnable;
  }

  /** KVM_EXIT_IOAPIC_EOI. */
  endOfInterrupt(vector: number): void {
    this.models?.ioapic.endOfInterrupt(vector);
  }

  attach(models: IrqchipModels): void {
    this.models = models;
  }

  setLine(gsi: number, high: boolean): void {
    if (high) this.levels.add(gsi);
    else this.levels.delete(gsi);
    this.vm.irqLine(gsi, high);
  }

  message(address: number, data: number): void {
    this.vm.signalMsi(address, data);
  }

  /** KVM exits for the end of interrupts that it finds level-triggered here. */
  routesChanged(): void {
    if (this.extent === 'all' || !this.models) return;
    const { low, high } = this.models.ioapic.save();
    this.vm.setRouting(
      low.flatMap((entry, gsi) => {
        if ((entry & REDIRECTION_LEVEL) === 0 || (entry & REDIRECTION_MASKED) !== 0) return [];
        const logical = (entry & REDIRECTION_LOGICAL) === 0 ? 0 : 4;
        const address = (0xfee0_0000 | ((high[gsi] >>> 24) << 12) | logical) >>> 0;
        return [{ gsi, address, data: (entry & 0x7ff) | 0xc000 }];
      }),
    );
  }

  /** Gives the kernel's controllers what the models have: at power-on. The vCPUs stand. */
  load(vcpus: readonly KvmCpu[]): void {
    const { models, vm } = this;
    if (!models) return;
    if (this.extent === 'all') {
      const pics = [KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE].map((chip) => vm.irqchip(chip));
      picToKernel(models.pic, pics);
      for (const pic of pics) vm.setIrqchip(pic);
      const ioapic = vm.irqchip(KVM_IRQCHIP_IOAPIC);
      ioapicToKernel(models.ioapic, ioapic);
      vm.setIrqchip(ioapic);
      for (let gsi = 0; gsi < PINS; gsi++) if (gsi !== 2) vm.irqLine(gsi, this.levels.has(gsi));
    }
    for (const { index, vcpu } of vcpus) {
      const page = vcpu.lapic();
      lapicToKernel(models.lapics[index], page);
      vcpu.setLapic(page);
    }
    this.routesChanged();
  }

  /** What the kernel keeps where it has all controllers. The devices' models are in place before it is loaded. */
  stateOf(vcpus: readonly KvmCpu[]): Stateful<IrqchipState> {
    const { vm } = this;
    const kinds = [KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, KVM_IRQCHIP_IOAPIC];
    return {
      name: 'kernel-irqchip',
      format: { kind: 'kvm-irqchip', version: 1, shape: irqchipShape(vcpus.length, kinds.length) },
      save: () => ({
        chips: kinds.map((chip) => vm.irqchip(chip).bytes),
        levels: [...this.levels].sort((a, b) => a - b),
        lapics: vcpus.map(({ vcpu }) => vcpu.lapic().bytes),
        deadlines: vcpus.map(({ vcpu }) => vcpu.msrs([MSR.IA32_TSC_DEADLINE])[0] ?? 0n),
        mpStates: vcpus.map(({ vcpu }) => vcpu.mpState()),
      }),
      load: ({ chips, levels, lapics, deadlines, mpStates }) => {
        this.levels.clear();
        for (const gsi of levels) this.levels.add(gsi);
        for (let gsi = 0; gsi < PINS; gsi++) if (gsi !== 2) vm.irqLine(gsi, this.levels.has(gsi));
        // what an edge just now has made of them is overwritten
        for (const bytes of chips) vm.setIrqchip(new KvmStruct(KVM_IRQCHIP, bytes));
        for (const { index, vcpu } of vcpus) {
          vcpu.setLapic(new KvmStruct(KVM_LAPIC_STATE, lapics[index]));
          if (deadlines[index] !== 0n) vcpu.setMsrs([[MSR.IA32_TSC_DEADLINE, deadlines[index]]]);
          vcpu.setMpState(mpStates[index]);
        }
      },
    };
  }

  machine: IrqchipMachine | undefined;

  refresh(): void {
    const { models, vm, machine } = this;
    if (!models || !machine || vm.handle.closed) return;
    machine.stand();
    if (this.extent === 'all') {
      picFromKernel(
        models.pic,
        [KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE].map((chip) => vm.irqchip(chip)),
      );
      ioapicFromKernel(models.ioapic, vm.irqchip(KVM_IRQCHIP_IOAPIC));
    }
    for (const { index, vcpu, sregs } of machine.vcpus) {
      lapicFromKernel(models.lapics[index], vcpu.lapic(), {
        base: sregs.getBig('apic_base'),
        tscDeadline: vcpu.msrs([MSR.IA32_TSC_DEADLINE])[0] ?? 0n,
        now: machine.now(),
      });
    }
  }
}
