/** The other end of a network card's cable. */
export interface NetBackend {
  /** An Ethernet frame that the guest sent, without its checksum. */
  fromGuest(frame: Uint8Array): void;
  /** Set by the card: takes a frame for the guest. */
  toGuest: (frame: Uint8Array) => void;
  save(): Record<string, unknown>;
  load(state: Record<string, unknown>): void;
  describe(): [string, string][];
}
