// Which events and instructions leave the guest, and what they record.
import { MODE, MODE_CODE64, REG_RIP, REG_ZERO, RIP_BASE, XS_OK } from '../layout';
import { uAddrSize, uBase, uDisp, uIndex, uIsMem, uModReg, uOpSize, uReg, uRm, uScale, uSeg } from '../uop';
import { VEC_PF } from '../generated/events';
import { EXCEPTION_BITMAP, PAGE_FAULT_ERROR_CODE_MASK, PAGE_FAULT_ERROR_CODE_MATCH } from '../generated/vmcs';
import { CPU2_DESCRIPTOR_TABLE_EXITING } from '../generated/controls';
import { EXIT_REASON_GDTR_IDTR } from '../generated/exits';
import { exitInstructionInfo, vmExit } from './exit';
import { field32, secondaryControls } from './vmcs';

/**
 * True when the exception bitmap (with the page-fault mask and match for #PF) says that the exception exits.
 * @sdm 3C 25.2 "Other Causes of VM Exits"
 */
export function interceptException(vector: u32, error: u32): bool {
  const set = (field32(EXCEPTION_BITMAP) >> vector & 1) != 0;
  if (vector != VEC_PF) return set;
  return set == ((error & field32(PAGE_FAULT_ERROR_CODE_MASK)) == field32(PAGE_FAULT_ERROR_CODE_MATCH));
}

/**
 * Instruction information of a memory operand: scaling 1:0, address size 9:7, segment 17:15, index
 * 21:18 and 22 (none), base 26:23 and 27 (none); bit 10 set for a register operand.
 */
export function operandInfo(u: usize): u32 {
  if (!uIsMem(u)) return 0x400 | uRm(u) << 3;
  const base = uBase(u);
  const index = uIndex(u);
  const hasIndex = index < <u32>REG_ZERO;
  const size: u32 = uAddrSize(u) == 8 ? 2 : uAddrSize(u) == 4 ? 1 : 0;
  let info = size << 7 | uSeg(u) << 15 | (hasIndex ? uScale(u) : 0);
  info |= hasIndex ? index << 18 : 0x400000;
  return info | (base < <u32>REG_ZERO ? base << 23 : 0x8000000);
}

/** Exit qualification of an instruction with a memory operand: its displacement; RIP-relative, the address itself. */
export function displacement(u: usize): u64 {
  if (!uIsMem(u)) return 0;
  const value = <u64><i64>uDisp(u);
  if (uBase(u) == <u32>REG_RIP) return load<u64>(RIP_BASE) + value;
  return uAddrSize(u) == 8 ? value : uAddrSize(u) == 4 ? value & 0xffffffff : value & 0xffff;
}

/**
 * LGDT and its like: XS_EXIT when "descriptor-table exiting" makes the instruction exit with `reason` (46 or 47), else XS_OK.
 * @sdm 3C 27.2.5 "Information for VM Exits Due to Instruction Execution", tables 27-10 and 27-11
 */
export function interceptDescriptorTable(u: usize, reason: u32): i32 {
  if (!(secondaryControls() & CPU2_DESCRIPTOR_TABLE_EXITING)) return XS_OK;
  let info = operandInfo(u) | (uModReg(u) & 3) << 28;
  if (reason == EXIT_REASON_GDTR_IDTR && uOpSize(u) != 2 && !(load<u32>(MODE) & MODE_CODE64)) info |= 0x800;
  exitInstructionInfo(info);
  return vmExit(reason, displacement(u));
}

/** Exit of an instruction with a memory operand and a register: INVEPT, INVVPID, INVPCID, VMREAD, VMWRITE and the VMCS-pointer ones. */
export function exitWithOperands(u: usize, reason: u32, register: bool): i32 {
  exitInstructionInfo(operandInfo(u) | (register ? uReg(u) << 28 : 0));
  return vmExit(reason, displacement(u));
}

/** Exit of RDRAND and RDSEED: destination 6:3, operand size 12:11. */
export function exitRandom(u: usize, reason: u32): i32 {
  const size: u32 = uOpSize(u) == 8 ? 2 : uOpSize(u) == 4 ? 1 : 0;
  exitInstructionInfo(uRm(u) << 3 | size << 11);
  return vmExit(reason, 0);
}
