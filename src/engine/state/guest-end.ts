/** How a guest ended. */
import { int, oneOf, record, type StateOf, text } from './schema.js';

const KINDS = [
  ...(['powered-off', 'reset', 'suspended', 'resumed', 'debug-exit', 'triple-fault'] as const),
  ...(['halted-forever', 'error', 'migrated'] as const),
] as const;

/** `status` is the process status of the command line. */
export const GUEST_END = record({ kind: oneOf(...KINDS), status: int(0, 255), message: text });
export type GuestEnd = StateOf<typeof GUEST_END>;
