/** How often the dashboard looks at a guest that is halted and waits. */
import { describe, expect, it } from 'vitest';
import { Disassembler } from '../../src/disasm/index.js';
import type { Debugger, DebuggerEvent } from '../../src/engine/debugger.js';
import { Model } from '../../src/tui/model.js';

const guest = () => {
  const asked = { state: 0, drawn: 0, icount: 100n, clock: 0n };
  let tell: (event: DebuggerEvent) => void = () => {};
  const debug = {
    info: async () => ({ name: 'g', engine: 'vtx', image: '', vcpus: 1, memoryBytes: 0, unavailable: {} }),
    state: async () => {
      asked.state++;
      return { running: true, vcpu: 0, icount: asked.icount, clock: asked.clock };
    },
    symbols: async () => [],
    readRegisters: async () => ({ rip: 0n }),
    onEvent: (listener: (event: DebuggerEvent) => void) => {
      tell = listener;
      return () => {};
    },
  } as unknown as Debugger;
  return { asked, debug, tell: (event: DebuggerEvent) => tell(event) };
};

describe('the dashboard of a guest that runs and does nothing', () => {
  it('looks at it less often, draws less still, and is back at once when something happens', async () => {
    const { asked, debug, tell } = guest();
    const model = new Model(
      debug,
      await Disassembler.load(),
      () => void asked.drawn++,
      () => 0,
    );
    await model.start();
    const polls = async (count: number) => {
      const before = { ...asked };
      for (let n = 0; n < count; n++) await model.poll();
      return [asked.state - before.state, asked.drawn - before.drawn];
    };
    // One that moves is looked at each time.
    for (let n = 0; n < 10; n++) {
      asked.icount++;
      expect((await polls(1))[0]).toBe(1);
    }
    await polls(5);
    const [looks, drawn] = await polls(40);
    expect(looks).toBe(8);
    // Two of them read everything again, each of which is drawn when it is asked for and when it is there.
    expect(drawn).toBeLessThanOrEqual(4);
    // A key, an event, or an instruction more.
    model.stir();
    expect((await polls(2))[0]).toBe(2);
    await polls(40);
    tell({ type: 'serial', bytes: Uint8Array.of(65) });
    expect((await polls(2))[0]).toBe(2);
    await polls(40);
    asked.icount++;
    await polls(5);
    asked.icount++;
    expect((await polls(2))[0]).toBe(2);
    model.close();
  });
});

describe('the dashboard of a guest that runs now and then', () => {
  it('looks at one that is nearly always halted once a second, and reads all then', async () => {
    const { asked, debug, tell } = guest();
    const model = new Model(
      debug,
      await Disassembler.load(),
      () => void asked.drawn++,
      () => 0,
    );
    await model.start();
    const polls = async (count: number, instructions: bigint) => {
      const before = asked.state;
      for (let n = 0; n < count; n++) {
        // a tenth of a second
        asked.clock += 100_000_000n;
        asked.icount += instructions;
        await model.poll();
      }
      return asked.state - before;
    };
    expect(await polls(40, 50_000_000n)).toBe(40);
    // A timer that ticks: 20,000 instructions in 100 ms.
    await polls(100, 20_000n);
    const drawn = asked.drawn;
    expect(await polls(100, 20_000n)).toBe(10);
    expect(asked.drawn - drawn).toBeGreaterThanOrEqual(10);
    // The polls that would do nothing can be left out.
    await model.poll();
    const before = asked.state;
    for (let n = 0; n < 5; n++) {
      expect(model.skip()).toBeGreaterThanOrEqual(n === 0 ? 0 : 9);
      await model.poll();
      expect(asked.state - before).toBe(n + 1);
    }
    // What it writes is shown at once, and it is looked at as before.
    tell({ type: 'serial', bytes: Uint8Array.of(65) });
    expect(await polls(3, 20_000n)).toBe(3);
    model.close();
  });
});
