// VMX and SMX instructions in VMX non-root operation: they exit, after the faults that come before the exit.
import { MEMORY_END, RAX, RCX, VMMCALL_EXITS, XS_OK } from '../layout';
import { code64, cr4, fault, longMode, protectedMode, v8086 } from '../state';
import { UF_PREFIX_66, UF_REP, uFlags, uModReg, uOpcode, uRm } from '../uop';
import { CR4_SMXE } from '../generated/register-bits';
import { VEC_UD } from '../generated/events';
import { EPTP_INDEX, EPTP_LIST_ADDRESS, EPT_POINTER, VM_FUNCTION_CONTROL } from '../generated/vmcs';
import { CPU2_ENABLE_VM_FUNCTIONS } from '../generated/controls';
import {
  EXIT_REASON_GETSEC, EXIT_REASON_INVEPT, EXIT_REASON_INVVPID, EXIT_REASON_VMCALL, EXIT_REASON_VMCLEAR, EXIT_REASON_VMFUNC,
  EXIT_REASON_VMLAUNCH, EXIT_REASON_VMPTRLD, EXIT_REASON_VMPTRST, EXIT_REASON_VMREAD, EXIT_REASON_VMRESUME,
  EXIT_REASON_VMWRITE, EXIT_REASON_VMXOFF, EXIT_REASON_VMXON,
} from '../generated/exits';
import { enterContext } from '../mmu/tlb';
import { validEptp } from '../vmx/entry-checks-controls';
import { vmExit } from '../vmx/exit';
import { exitWithOperands } from '../vmx/intercept';
import { field, secondaryControls, setField } from '../vmx/vmcs';

/** Exits at any privilege level and in any mode. @sdm 3C 30.3 "VMCALL" */
export function execVmcall(u: usize): i32 { return vmExit(EXIT_REASON_VMCALL, 0); }

/** Undefined on this processor, unless the VMM offers its guests what KVM does. */
export function execVmmcall(u: usize): i32 { return load<u32>(VMMCALL_EXITS) ? execVmcall(u) : fault(VEC_UD); }

/** Real-address mode, virtual-8086 mode and compatibility mode know no VMX instructions. */
@inline function allowed(): bool { return protectedMode() && !v8086() && (!longMode() || code64()); }

/**
 * All VMX instructions but VMCALL and VMFUNC. Opcode bytes: 0F 01 C2-C4, 0F 78, 0F 79, 0F C7 /6 and /7,
 * 66 0F 38 80 and 81.
 * @sdm 3C 25.1.2 "Instructions That Cause VM Exits Unconditionally"
 */
export function execVmxInstruction(u: usize): i32 {
  if (!allowed()) return fault(VEC_UD);
  switch (uOpcode(u)) {
    case 0x01:
    case 0xc2:
    case 0xc3:
    case 0xc4: {
      const n = uOpcode(u) == 0x01 ? uRm(u) & 7 : uOpcode(u) & 7;
      return vmExit(n == 2 ? EXIT_REASON_VMLAUNCH : n == 3 ? EXIT_REASON_VMRESUME : EXIT_REASON_VMXOFF, 0);
    }
    case 0x78: return exitWithOperands(u, EXIT_REASON_VMREAD, true);
    case 0x79: return exitWithOperands(u, EXIT_REASON_VMWRITE, true);
    case 0x80: return exitWithOperands(u, EXIT_REASON_INVEPT, true);
    case 0x81: return exitWithOperands(u, EXIT_REASON_INVVPID, true);
    default: return exitWithOperands(u, pointerReason(u), false);
  }
}

/** VMPTRLD, VMCLEAR (66), VMXON (F3): 0F C7 /6; VMPTRST: 0F C7 /7. */
function pointerReason(u: usize): u32 {
  if (uModReg(u) == 7) return EXIT_REASON_VMPTRST;
  if (uFlags(u) & UF_REP) return EXIT_REASON_VMXON;
  return uFlags(u) & UF_PREFIX_66 ? EXIT_REASON_VMCLEAR : EXIT_REASON_VMPTRLD;
}

/** Exits wherever CR4.SMXE lets it exist. @sdm 2D "GETSEC" */
export function execGetsec(u: usize): i32 {
  return cr4() & CR4_SMXE ? vmExit(EXIT_REASON_GETSEC, 0) : fault(VEC_UD);
}

/** VM function 0: EPTP switching. @sdm 3C 25.5.6.3 "EPTP Switching" */
export function execVmfunc(u: usize): i32 {
  if (!(secondaryControls() & CPU2_ENABLE_VM_FUNCTIONS)) return fault(VEC_UD);
  const leaf = load<u32>(RAX);
  const index = load<u32>(RCX);
  if (leaf != 0 || !(field(VM_FUNCTION_CONTROL) & 1) || index >= 512) return vmExit(EXIT_REASON_VMFUNC, 0);
  const list = field(EPTP_LIST_ADDRESS);
  if (list + 4096 > load<u64>(MEMORY_END)) return vmExit(EXIT_REASON_VMFUNC, 0);
  const eptp = load<u64>(<usize>list + (index << 3));
  if (!validEptp(eptp)) return vmExit(EXIT_REASON_VMFUNC, 0);
  setField(EPT_POINTER, eptp);
  setField(EPTP_INDEX, index);
  enterContext();
  return XS_OK;
}
