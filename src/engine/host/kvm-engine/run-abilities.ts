// What KVM_RUN does otherwise than a CPU on this host, found by trying it on a machine of one page. Only a KVM that works
// without VT-x and SVM is tried: it runs much of a guest by its emulator, which has gaps and takes many instructions at once.
import { ALWAYS_ONE } from '../../../spec/masks.js';
import { EXIT_REASONS } from '../kvm/exits.js';
import type { Kvm } from '../kvm/kvm.js';
import { GuestMemory } from '../kvm/memory.js';
import { KVM_REGS, KvmStruct } from '../kvm/structs.js';
import { INTERRUPTED, type KvmVcpu } from '../kvm/vcpu.js';

export interface RunAbilities {
  /** The exit that was asked for comes at the first instruction boundary at which an interrupt can be taken. */
  promptWindow: boolean;
  /** Every instruction that KVM does not refuse gets on, and ring 3 comes into the kernel by the instruction that it ran. */
  completeEmulator: boolean;
}

const CODE = 0x1000;
const HLT = 0xf4;
/** sti; nop; cli; hlt */
const WINDOW = [0xfb, 0x90, 0xfa, HLT];
const MAX_RUNS = 4;

function windowIsPrompt(vcpu: KvmVcpu): boolean {
  vcpu.setSregs(vcpu.sregs().set('cs.base', 0).set('cs.selector', 0));
  vcpu.setRegs(new KvmStruct(KVM_REGS).set('rip', CODE).set('rsp', 0x3000).set('rflags', ALWAYS_ONE.RFLAGS));
  vcpu.page.set('request_interrupt_window', 1);
  for (let run = 0; run < MAX_RUNS; run++) {
    const reason = vcpu.runRaw();
    if (reason !== INTERRUPTED) return reason === EXIT_REASONS.KVM_EXIT_IRQ_WINDOW_OPEN;
  }
  return false;
}

/** @param paravirtual /dev/kvm works though the CPU shows neither VT-x nor SVM */
export function probeRunning(kvm: Kvm, paravirtual: boolean): RunAbilities {
  if (!paravirtual) return { promptWindow: true, completeEmulator: true };
  const vm = kvm.createVm();
  try {
    const memory = new GuestMemory(0x10000);
    memory.bytes.set(WINDOW, CODE);
    vm.mapMemory(0, 0, memory);
    return { promptWindow: windowIsPrompt(vm.createVcpu(0)), completeEmulator: false };
  } finally {
    vm.close();
  }
}
