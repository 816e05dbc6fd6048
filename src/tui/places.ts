/** The places visited, to go back to and forth from. */
import { NothingThere } from '../commands/command.js';
import type { AddressSpace } from '../engine/debugger.js';
import type { View } from './layout.js';

export interface Place {
  view: View;
  code?: bigint;
  memory?: { address: bigint; space: AddressSpace };
}

const MAX_PLACES = 100;

const same = (a: Place, b: Place) =>
  a.view === b.view &&
  a.code === b.code &&
  a.memory?.address === b.memory?.address &&
  a.memory?.space === b.memory?.space;

export class Places {
  private readonly list: Place[] = [];
  private at = -1;

  /** Puts a place behind the current one; what came after that is forgotten. */
  add(place: Place): void {
    const last = this.list[this.at];
    if (last && same(last, place)) return;
    this.list.splice(this.at + 1);
    this.list.push(place);
    if (this.list.length > MAX_PLACES) this.list.shift();
    this.at = this.list.length - 1;
  }

  /** Moves by `step`. @throws Error when there is no place there. */
  go(step: number): Place {
    const place = this.list[this.at + step];
    if (!place) throw new NothingThere(step < 0 ? 'no place before this' : 'no place after this');
    this.at += step;
    return place;
  }
}
