import type { Schema } from '../state/schema.js';

/** The other end of a network card's cable; its state is part of the card's. */
export interface NetBackend<S extends object = object> {
  /** An Ethernet frame that the guest sent, without its checksum. */
  fromGuest(frame: Uint8Array): void;
  /** Set by the card: takes a frame for the guest. */
  toGuest: (frame: Uint8Array) => void;
  readonly shape: Schema<S>;
  save(): S;
  load(state: S): void;
  describe(): [string, string][];
}
