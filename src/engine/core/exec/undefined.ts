// Encodings that only fault.
import { fault, faultCode } from '../state';
import { VEC_GP, VEC_UD } from '../generated/events';

/** UD0, UD1, UD2 and everything that the opcode table does not know. */
export function execUd(u: usize): i32 { return fault(VEC_UD); }

/** An instruction longer than 15 bytes. @sdm 2A 2.3.11 "AVX Instruction Length" */
export function execGeneralProtection(u: usize): i32 { return faultCode(VEC_GP, 0); }
