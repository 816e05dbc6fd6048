/** An exit for tests of what is made of many. */
import type { ExitRecord } from '../../src/engine/debugger.js';

/** By HLT at 1000h. */
export const EXIT: ExitRecord = {
  ...{
    sequence: 1,
    icount: 0n,
    clock: 0n,
    vcpu: 0,
    reason: 12,
    qualification: 0n,
    rip: 0x1000n,
    csBase: 0n,
    gla: 0n,
    gpa: 0n,
  },
  ...{
    instructionLength: 1,
    bits: 64,
    instructionInfo: 0,
    interruptionInfo: 0,
    interruptionError: 0,
    vectoringInfo: 0,
  },
  ...{ vectoringError: 0, cr3: 0x5000n, rax: 0n, rcx: 0n, action: 'resume', detail: 0 },
};
