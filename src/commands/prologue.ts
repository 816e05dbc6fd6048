/** Where a function's variables begin to be what they are called. */
import type { Session } from './command.js';

/** ENDBR64 or ENDBR32. */
const ENDBR = /^f30f1ef[ab]/;
/** PUSH of the frame pointer, and MOV of the stack pointer to it, in the encodings of assemblers. */
const SET_UP = /^55(?:48)?(?:89e5|8bec)/;
const LONGEST = 16;

/**
 * As gdb: a function that sets up a frame, and whose arguments lie in it, is stopped in at its first line behind that.
 * Optimized code tells of its variables from the first instruction on.
 * @param gva of a function's first instruction
 */
export async function behindPrologue(session: Session, gva: bigint): Promise<bigint> {
  const { types, source } = session.debug;
  if (!types || !source?.piece) return gva;
  const blocks = await types.scope(gva);
  const [func] = blocks ?? [];
  if (func?.kind !== 'function' || func.ranges[0]?.low !== gva) return gva;
  if (func.variables.some(({ parameter, place }) => parameter && place.kind === 'value')) return gva;
  const bytes = await session.debug.readMemory('gva', gva, LONGEST, session.vcpu);
  const text = Buffer.from(bytes).toString('hex');
  const endbr = ENDBR.exec(text)?.[0].length ?? 0;
  const setUp = SET_UP.exec(text.slice(endbr))?.[0].length;
  if (setUp === undefined) return gva;
  const pc = gva + BigInt((endbr + setUp) / 2);
  const piece = await source.piece(pc);
  if (piece === undefined) return gva;
  const inside = (at: bigint): boolean => func.ranges.some(({ low, high }) => at >= low && at < high);
  if (piece.start === pc || !inside(piece.end)) return pc;
  return piece.end;
}
