// What KVM_SET_GUEST_DEBUG really does on this host, found by trying it on a machine of one page: a capability
// bit does not tell that a paravirtual KVM answers no data breakpoint and runs ring 3 without any.
import { ALWAYS_ONE, DR7 } from '../../../spec/masks.js';
import { EXIT_REASONS } from '../kvm/exits.js';
import type { Kvm } from '../kvm/kvm.js';
import { GuestMemory } from '../kvm/memory.js';
import { KVM_REGS, KvmStruct } from '../kvm/structs.js';
import { type GuestDebug, INTERRUPTED, type KvmVcpu } from '../kvm/vcpu.js';

export interface DebugAbilities {
  singleStep: boolean;
  /** Execution breakpoints in the debug registers. */
  hardware: boolean;
  /** Data breakpoints in the debug registers. */
  watch: boolean;
  /** INT3 comes to the debugger. */
  software: boolean;
  /** Ring 3 runs on the CPU without the debugger's traps: single steps there would be the guest's. */
  blindInRing3: boolean;
}

const CODE = 0x1000;
const DATA = 0x2000;
const HANDLER = 0x4000;
const HLT = 0xf4;
/** nop; mov [2000h], al; nop; hlt */
const PROGRAM = [0x90, 0xa2, 0x00, 0x20, 0x90, 0xf4];
const AFTER_STORE = CODE + 4;
const MAX_RUNS = 4;

/** DR7 for one breakpoint in DR0. @sdm 3B 17.2.4 "Debug Control Register (DR7)" */
const EXECUTE_DR7 = ALWAYS_ONE.DR7 | DR7.G0;
const WRITE_BYTE_DR7 = EXECUTE_DR7 | (1n << 16n);

function stopsAt(vcpu: KvmVcpu, debug: GuestDebug): number | undefined {
  const sregs = vcpu.sregs().set('cs.base', 0).set('cs.selector', 0);
  vcpu.setSregs(sregs);
  vcpu.setRegs(new KvmStruct(KVM_REGS).set('rip', CODE).set('rsp', 0x3000).set('rflags', ALWAYS_ONE.RFLAGS));
  vcpu.setGuestDebug(debug);
  for (let run = 0; run < MAX_RUNS; run++) {
    const reason = vcpu.runRaw();
    if (reason === INTERRUPTED) continue;
    return reason === EXIT_REASONS.KVM_EXIT_DEBUG ? Number(vcpu.regs().getBig('rip')) : undefined;
  }
  return undefined;
}

/** @param paravirtual /dev/kvm works though the CPU shows neither VT-x nor SVM */
export function probeDebugging(kvm: Kvm, paravirtual: boolean): DebugAbilities {
  const none = { singleStep: false, hardware: false, watch: false, software: false, blindInRing3: paravirtual };
  if (kvm.capability('KVM_CAP_SET_GUEST_DEBUG') === 0) return none;
  const attempt = (debug: GuestDebug, expected: number, program: readonly number[] = PROGRAM): boolean => {
    // a machine for each, so that what one leaves pending cannot answer for the next
    const vm = kvm.createVm();
    try {
      const memory = new GuestMemory(0x10000);
      memory.bytes.set(program, CODE);
      // a trap that the guest gets after all ends at a HLT
      memory.bytes[HANDLER] = HLT;
      for (let vector = 0; vector < 256; vector++) memory.bytes[vector * 4 + 1] = HANDLER >> 8;
      vm.mapMemory(0, 0, memory);
      return stopsAt(vm.createVcpu(0), debug) === expected;
    } catch {
      return false;
    } finally {
      vm.close();
    }
  };
  const withInt3 = PROGRAM.with(4, 0xcc);
  return {
    singleStep: attempt({ singleStep: true }, CODE + 1),
    hardware: attempt({ hardware: { addresses: [BigInt(AFTER_STORE)], dr7: EXECUTE_DR7 } }, AFTER_STORE),
    watch: attempt({ hardware: { addresses: [BigInt(DATA)], dr7: WRITE_BYTE_DR7 } }, AFTER_STORE),
    software: attempt({ softwareBreakpoints: true }, AFTER_STORE, withInt3),
    blindInRing3: paravirtual,
  };
}
