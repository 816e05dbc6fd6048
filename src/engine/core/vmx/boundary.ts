import { XS_OK } from '../layout';

/** Work between two instructions while ATTENTION != 0: XS_OK to go on, or XS_EXIT. */
export function boundary(): i32 { return XS_OK; }
/** Called by whoever may have set RFLAGS.IF (IRET, SYSRET, task switch) or ended NMI blocking. */
export function windowMayOpen(): void {}
/** The VMM signals an external interrupt at a boundary: XS_EXIT (exit 1), XS_OK delivered through the IDT, -1 held back. */
export function externalInterrupt(vector: u32): i32 { return -1; }
export function nmi(): i32 { return -1; }
export function initSignal(): i32 { return -1; }
export function sipi(vector: u32): i32 { return -1; }
