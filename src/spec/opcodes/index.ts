// The opcode table: every encoding that this CPU knows, in the order in which the decoder tries them.
import { twoByte } from './0f.js';
import { threeByte, vexGeneral } from './0f38.js';
import { oneByte } from './one-byte.js';
import type { OpcodeRow } from './row.js';
import { simd } from './simd.js';
import { stateManagement } from './state-management.js';
import { x87 } from './x87.js';

export { OPCODE_FEATURES } from './features.js';
export type { Attribute, OpcodeRow } from './row.js';
export { CONDITIONS, VECTOR_GROUPS } from './row.js';

export const OPCODES: readonly OpcodeRow[] = [
  ...oneByte,
  ...x87,
  ...twoByte,
  ...stateManagement,
  ...simd,
  ...threeByte,
  ...vexGeneral,
];
