// The ways of a loop that has a strip (strips.ts): into it, at the end of an ordinary turn, and at the end of a turn in its copy.
import type { Node } from './discovery.js';
import type { RegionWriter } from './region-writer.js';
import type { StripWay } from './strips.js';

/** Where such a way begins, and how it goes on. */
export interface TurnEnd {
  readonly from: Node;
  /** The loop's head, as an offset from the start of `from`. */
  readonly offset: number;
  /** On the way into the loop it is looked whether enough instructions are left. */
  readonly looks: boolean;
  /** Instructions that must be left, by node. */
  readonly ahead: readonly number[];
  /** Goes to a node without a look. */
  goOn(to: number): void;
}

/** Writes the way, which ends at the loop's head or in the copy. */
export function writeTurn(writer: RegionWriter, { way, strip }: StripWay, end: TurnEnd): void {
  const { code, strips } = writer;
  const { head, copyHead: copy } = strip;
  const { from, offset, looks, ahead, goOn } = end;
  const { state } = writer.flags;
  const look = (least: number): void => {
    writer.look(least, offset);
    writer.pay();
  };
  /** Ends what was opened for when the copy may run. */
  const goCopy = (): void => {
    goOn(copy);
    code.close();
    writer.resume(from, state, 0);
  };
  if (way !== 'next turn of the copy') writer.leaveStrip();
  if (way === 'into the loop') {
    if (looks) look(ahead[head]);
    strips.enter(strip, ahead[head]);
  } else if (way === 'next turn') {
    strips.openLimit();
    look(Math.max(ahead[head], ahead[copy]));
    const fails = code.open('block');
    strips.begin(strip, ahead[copy], fails);
    goCopy();
    strips.failed(strip, ahead[head]);
    code.close();
  } else {
    writer.pay();
    strips.openNext();
    goCopy();
    writer.leaveStrip();
    strips.end();
    look(ahead[head]);
  }
  goOn(head);
}
