import { describe, expect, it } from 'vitest';
import { countedCable, noTraffic } from '../../src/engine/devices/counted-cable.js';
import type { NetBackend } from '../../src/engine/devices/net-backend.js';
import { record } from '../../src/engine/state/schema.js';

describe('a cable that counts', () => {
  it('passes frames both ways, and counts them unless the machine repeats its run', () => {
    const sent: number[] = [];
    const taken: number[] = [];
    const end: NetBackend = {
      fromGuest: (frame) => void sent.push(frame.length),
      toGuest: () => {},
      shape: record({}),
      save: () => ({ saved: 1 }),
      load: () => {},
      describe: () => [['end', 'of the cable']],
    };
    let repeats = false;
    const counts = noTraffic();
    const cable = countedCable(end, counts, () => !repeats);
    cable.toGuest = (frame) => void taken.push(frame.length);
    cable.fromGuest(new Uint8Array(60));
    end.toGuest(new Uint8Array(1514));
    end.toGuest(new Uint8Array(100));
    repeats = true;
    cable.fromGuest(new Uint8Array(70));
    end.toGuest(new Uint8Array(80));
    expect(sent).toEqual([60, 70]);
    expect(taken).toEqual([1514, 100, 80]);
    expect(counts).toEqual({ rxBytes: 1614, rxPackets: 2, txBytes: 60, txPackets: 1 });
    expect(cable.save()).toEqual({ saved: 1 });
    expect(cable.describe()).toEqual([['end', 'of the cable']]);
  });
});
