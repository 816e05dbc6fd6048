/** After XS_FAULT: VM exit or delivery through the IDT. XS_OK (RIP is in the handler) or XS_EXIT. */
export function deliverFault(): i32 { return 0; }
/** Delivers an event in the interruption-information format: VM-entry injection, INT n, INT3, INTO, ICEBP. */
export function deliverEvent(info: u32, error: u32, length: u32): i32 { return 0; }
