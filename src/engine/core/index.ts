// The exported surface of the core, one list; mirrored by CoreExports in src/engine/host/core-instance.ts.
export { run } from './run';
export { operandRead, operandWrite, push, pop, popCommit } from './exec/operand';
