import { EXIT_GLA, EXIT_GPA, EXIT_INSTRUCTION_INFO, EXIT_INTR_ERROR, EXIT_INTR_INFO, XS_EXIT } from '../layout';

@inline export function exitGla(gla: u64): void { store<u64>(EXIT_GLA, gla); }
@inline export function exitGpa(gpa: u64): void { store<u64>(EXIT_GPA, gpa); }
@inline export function exitInstructionInfo(info: u32): void { store<u32>(EXIT_INSTRUCTION_INFO, info); }
@inline export function exitInterruption(info: u32, error: u32): void {
  store<u32>(EXIT_INTR_INFO, info);
  store<u32>(EXIT_INTR_ERROR, error);
}
export function vmExit(reason: u32, qualification: u64): i32 { return XS_EXIT; }
