// /dev/kvm through koffi.
export { CAPABILITIES, type CapabilityName } from './capabilities.js';
export { DirtyLog } from './dirty-log.js';
export { errnoName, KvmError, type KvmErrorKind } from './errors.js';
export * from './exits.js';
export { acceptKicks, blockKicks, consumeKick, type KickTarget, kick } from './kick.js';
export { type CpuidEntry, Kvm } from './kvm.js';
export { GuestMemory } from './memory.js';
export { describeProbe, type KvmProbe, type KvmProbeIo, probeKvm } from './probe.js';
export { KvmStats } from './stats.js';
export * as structs from './structs.js';
export { KvmStruct } from './structs.js';
export { type GuestDebug, INTERRUPTED, KvmVcpu } from './vcpu.js';
export { KvmVm, type MemorySlot } from './vm.js';
