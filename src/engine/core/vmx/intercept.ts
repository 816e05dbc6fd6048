import { XS_OK } from '../layout';

/** LGDT and its like: XS_EXIT when "descriptor-table exiting" makes the instruction exit with `reason` (46 or 47), else XS_OK. */
export function interceptDescriptorTable(u: usize, reason: u32): i32 { return XS_OK; }
/** True when the exception bitmap (with the page-fault mask and match for #PF) says that the exception exits. */
export function interceptException(vector: u32, error: u32): bool { return false; }
