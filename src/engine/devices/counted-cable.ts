/** Counts what passes a network card's cable, whatever the card: for who watches, and no state of the machine. */
import type { NetBackend } from './net-backend.js';

/** Frames and their bytes without checksums; receive is what came for the guest. */
export interface CableCounts {
  rxBytes: number;
  rxPackets: number;
  txBytes: number;
  txPackets: number;
}

export const noTraffic = (): CableCounts => ({ rxBytes: 0, rxPackets: 0, txBytes: 0, txPackets: 0 });

/** @param counting false while the machine repeats what has been counted before */
export function countedCable(cable: NetBackend, counts: CableCounts, counting: () => boolean): NetBackend {
  return {
    fromGuest(frame) {
      if (counting()) {
        counts.txPackets++;
        counts.txBytes += frame.length;
      }
      cable.fromGuest(frame);
    },
    get toGuest() {
      return cable.toGuest;
    },
    set toGuest(take) {
      cable.toGuest = (frame) => {
        if (counting()) {
          counts.rxPackets++;
          counts.rxBytes += frame.length;
        }
        take(frame);
      };
    },
    shape: cable.shape,
    save: () => cable.save(),
    load: (state) => cable.load(state),
    describe: () => cable.describe(),
  };
}
