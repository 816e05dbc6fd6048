import { fillHandlerTable } from './generated/handler-table';
import { fillRowTable } from './generated/rows';

// The exported surface of the core, one list; mirrored by CoreExports in core-exports.ts beside it.
export { dropDerived, init, selectVcpu } from './machine';
export { addBreakpoint, clearBreakpoints, removeBreakpoint } from './exec/breakpoints';
export { run } from './run';
export { callAlone, callCpuid, callInvlpg, callLean, callPause, callPort, callRdmsr, callSegment, callWhole, callWrmsr, storeFlags } from './exec/regions';
export { crc32 } from './exec/checksum';
export { squareRoot128 } from './fpu/arith';
export { divide128 } from './fpu/wide';
export { crypto } from './simd/crypto';
export { dropBlocks, installRegion, invalidatePageCode } from './decode/cache';
export { updateMode } from './mmu/mode';
export { flushAllVcpus, flushTlb, forgetTranslations } from './mmu/tlb';
export { translateForVmm } from './mmu/vmm-walk';
export { checkEntry, loadGuest, saveGuest, vmLaunch, vmResume } from './vmx/entry';
export { initVmcs, vmRead, vmWriteField, vmcsTouched } from './vmx/vmcs';
export { externalInterrupt, initSignal, nmi, sipi } from './vmx/boundary';
export { keepSteady } from './vmx/steady';
export { quickEntry } from './vmx/quick';

fillHandlerTable();
fillRowTable();
