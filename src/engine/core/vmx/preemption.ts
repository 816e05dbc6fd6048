import { LIMIT, XS_LIMIT } from '../layout';

/** ICOUNT at which run() must stop next: LIMIT or, when it is earlier, the VMX-preemption timer. */
export function runLimit(): u64 { return load<u64>(LIMIT); }
/** ICOUNT reached runLimit(): XS_EXIT when the VMX-preemption timer fired, else XS_LIMIT. */
export function limitReached(): i32 { return XS_LIMIT; }
