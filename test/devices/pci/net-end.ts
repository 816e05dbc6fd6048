import type { NetBackend } from '../../../src/engine/devices/net-backend.js';
import { record } from '../../../src/engine/state/schema.js';

/** The end of a cable that keeps what comes. */
export class NetEnd implements NetBackend {
  readonly frames: Uint8Array[] = [];
  toGuest: (frame: Uint8Array) => void = () => {};
  readonly shape = record({});

  fromGuest(frame: Uint8Array): void {
    this.frames.push(frame.slice());
  }

  save(): object {
    return {};
  }

  load(): void {}

  describe(): [string, string][] {
    return [];
  }
}
