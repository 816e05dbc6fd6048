export function eptPointer(): u64 { return 0; }
export function vpid(): u32 { return 0; }
