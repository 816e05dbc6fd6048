// Task switches: the checks that come first, then the VM exit (in VMX non-root operation a task switch always exits).
import { cpl, longMode } from '../state';
import { AR_P } from '../generated/register-bits';
import { VEC_GP, VEC_NP, VEC_TS } from '../generated/events';
import { EXIT_REASON_TASK_SWITCH } from '../generated/exits';
import { accessStatus } from '../mmu/access';
import { vmExit } from '../vmx/exit';
import { descriptor, descriptorAr, descriptorLimit, readDescriptor, rejectSelector } from './segment';

export const TASK_BY_CALL: u32 = 0;
export const TASK_BY_IRET: u32 = 1;
export const TASK_BY_JMP: u32 = 2;
export const TASK_BY_GATE: u32 = 3;

/**
 * Switches to the task of a TSS selector: XS_FAULT, or XS_EXIT with reason 9.
 * `direct`: the selector stands in the instruction, so privilege is checked.
 * @sdm 3A 8.3 "Task Switching"; 3C 26.2 "Other Causes of VM Exits"
 */
export function taskSwitch(selector: u32, source: u32, direct: bool): i32 {
  const vector: u32 = source == TASK_BY_IRET ? VEC_TS : VEC_GP;
  if ((selector & 0xfffc) == 0 || selector & 4) {
    rejectSelector(vector, selector);
    return accessStatus();
  }
  if (!readDescriptor(selector, vector)) return accessStatus();
  const ar = descriptorAr(descriptor);
  const type = ar & 0x1f;
  // 1, 9: available 16- and 32-bit TSS; 3, 11: busy
  const wanted: u32 = source == TASK_BY_IRET ? 3 : 1;
  const dpl = ar >> 5 & 3;
  if (longMode() || (type & ~8) != wanted || (direct && (dpl < cpl() || dpl < (selector & 3)))) {
    rejectSelector(vector, selector);
    return accessStatus();
  }
  if (!(ar & AR_P)) rejectSelector(VEC_NP, selector);
  else if (descriptorLimit(descriptor) < (type & 8 ? <u32>0x67 : <u32>0x2b)) rejectSelector(VEC_TS, selector);
  else return vmExit(EXIT_REASON_TASK_SWITCH, <u64>(selector & 0xffff) | <u64>source << 30);
  return accessStatus();
}
