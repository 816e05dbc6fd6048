/** Before an instruction, while ATT_STEP is set: XS_OK, or XS_FAULT for an execution breakpoint of DR0-3. */
export function debugBefore(): i32 { return 0; }
/** After an instruction that completed, while ATT_STEP was set before it: RF is cleared, TF traps. */
export function debugAfter(): void {}
/** A port access: #DB trap when DR0-3 with CR4.DE watch it. */
export function debugPort(port: u32, bytes: u32): void {}
