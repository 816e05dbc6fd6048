export * from './mmu/access'; export * from './mmu/tlb'; export * from './mmu/walk'; export * from './mmu/mode';
export * from './events/deliver'; export * from './events/debug'; export * from './exec/segment'; export * from './exec/descriptor';
export * from './exec/far'; export * from './exec/interrupt'; export * from './exec/syscall';
