/** What a search through the history looks at: a value, and how its changes are noticed. */
import type { RewindableStore } from '../disk/rewindable-store.js';

/** A range of guest-physical memory that is RAM. */
export interface Piece {
  readonly gpa: number;
  readonly bytes: number;
  /** Its frame's address in the engine's memory. */
  readonly hpa: number;
}

interface Common {
  /** The value now, at whatever stage of a vCPU's turn, without any effect; undefined: it is nowhere. */
  read(): bigint | undefined;
}

export type Watched = Common &
  (
    | { kind: 'memory'; pieces: readonly Piece[] }
    /** Instructions of one vCPU change it, in these words of its block; and whoever acts on the vCPU while it is out of the guest. */
    | { kind: 'register'; vcpu: number; words: readonly number[] }
    /** The processor writes it at VM exits, the VMM between them; no instruction does. */
    | { kind: 'structure' }
    | { kind: 'sector'; store: RewindableStore; sector: number; device: string }
  );

/** Frames of the engine's memory, by number, that pieces lie in. */
export function framesOf(pieces: Iterable<Pick<Piece, 'hpa' | 'bytes'>>): ReadonlySet<number> {
  const frames = new Set<number>();
  for (const { hpa, bytes } of pieces)
    for (let frame = Math.floor(hpa / 4096); frame * 4096 < hpa + bytes; frame++) frames.add(frame);
  return frames;
}
