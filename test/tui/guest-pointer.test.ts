/** The terminal's mouse while the guest has it. */
import { describe, expect, it } from 'vitest';
import { GuestPointer } from '../../src/tui/guest-pointer.js';
import { mouseReport } from '../../src/tui/screen/mouse-report.js';

type Step = [dx: number, dy: number, wheel: number, buttons: number];

/** A guest with a screen of 640 x 400 in 80 x 25 cells from column 10 and row 5 on; `free`: it takes steps at once. */
function rig(free = true) {
  const steps: Step[] = [];
  const gates: (() => void)[] = [];
  const failures: unknown[] = [];
  const place = { area: { x: 10, y: 5, width: 80, height: 25 }, width: 640, height: 400 };
  const pointer = new GuestPointer(
    () => place,
    (...step) => {
      steps.push(step);
      return free ? Promise.resolve() : new Promise((resolve) => gates.push(resolve));
    },
    (error) => failures.push(error),
  );
  const send = (text: string): boolean => pointer.take(mouseReport(text)!);
  const rest = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { steps, gates, failures, pointer, send, rest };
}

/** As a terminal reports it: columns and rows from 1 on. */
const at = (code: number, x: number, y: number, final = 'M'): string => `\x1b[<${code};${x + 1};${y + 1}${final}`;

describe('mouse reports', () => {
  it('tell of moves, buttons as PS/2 mice number them, and the wheel', () => {
    expect(mouseReport('\x1b[<0;11;6M')).toEqual({ x: 10, y: 5, kind: 'down', button: 1, wheel: 0 });
    expect(mouseReport('\x1b[<0;11;6m')).toMatchObject({ kind: 'up', button: 1 });
    expect(mouseReport('\x1b[<1;1;1M')).toMatchObject({ kind: 'down', button: 4 });
    expect(mouseReport('\x1b[<2;1;1M')).toMatchObject({ kind: 'down', button: 2 });
    // with shift, meta and control, too
    expect(mouseReport('\x1b[<28;1;1M')).toMatchObject({ kind: 'down', button: 1 });
    expect(mouseReport('\x1b[<35;200;40M')).toEqual({ x: 199, y: 39, kind: 'move', button: 0, wheel: 0 });
    expect(mouseReport('\x1b[<34;1;1M')).toMatchObject({ kind: 'move', button: 2 });
    expect(mouseReport('\x1b[<64;1;1M')).toMatchObject({ kind: 'wheel', wheel: -1 });
    expect(mouseReport('\x1b[<65;1;1M')).toMatchObject({ kind: 'wheel', wheel: 1 });
    expect(mouseReport('\x1b[<66;1;1M')).toMatchObject({ kind: 'wheel', wheel: 0 });
    for (const no of ['\x1b[<128;1;1M', '\x1b[<0;0;1M', '\x1b[<0;1M', '\x1b[M   ', '\x1b[<999999;1;1M', 'x'])
      expect(mouseReport(no)).toBeUndefined();
  });
});

describe("the guest's pointer", () => {
  it('goes as far as the terminal’s, in its own pixels, with buttons and wheel', async () => {
    const { steps, send, rest } = rig();
    expect(send(at(35, 20, 10))).toBe(true);
    expect(send(at(35, 25, 8))).toBe(true);
    await rest();
    expect(steps).toEqual([[40, -32, 0, 0]]);
    send(at(0, 25, 8));
    await rest();
    send(at(32, 26, 8));
    await rest();
    send(at(0, 26, 8, 'm'));
    await rest();
    send(at(65, 26, 8));
    await rest();
    send(at(2, 26, 8));
    await rest();
    expect(steps.slice(1)).toEqual([
      [0, 0, 0, 1],
      [8, 0, 0, 1],
      [0, 0, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 2],
    ]);
  });

  it('leaves presses beside the screen to others, but not the release of what was pressed in it', async () => {
    const { steps, send, rest } = rig();
    expect(send(at(0, 5, 10))).toBe(false);
    expect(send(at(64, 95, 10))).toBe(false);
    expect(send(at(0, 20, 10))).toBe(true);
    expect(send(at(32, 5, 10))).toBe(true);
    expect(send(at(0, 5, 10, 'm'))).toBe(true);
    await rest();
    expect(steps.at(-1)![3]).toBe(0);
    expect(send(at(0, 5, 10))).toBe(false);
  });

  it('is pushed to the edge that the terminal’s goes beyond, once', async () => {
    const { steps, send, rest } = rig();
    send(at(35, 20, 10));
    send(at(35, 9, 10));
    await rest();
    // 84 pixels to the edge, and as far as the screen is wide
    expect(steps).toEqual([[-84 - 640, 0, 0, 0]]);
    send(at(35, 3, 10));
    await rest();
    send(at(35, 10, 10));
    await rest();
    expect(steps.slice(1)).toEqual([[4, 0, 0, 0]]);
  });

  it('takes moves together while the guest is slow, and loses no click', async () => {
    const { steps, gates, send, rest } = rig(false);
    send(at(35, 20, 10));
    send(at(35, 21, 10));
    for (let x = 22; x <= 60; x++) send(at(35, x, 10));
    send(at(0, 60, 10));
    send(at(0, 60, 10, 'm'));
    for (let x = 59; x >= 50; x--) send(at(35, x, 10));
    for (let n = 0; n < 4; n++) {
      await rest();
      gates.shift()?.();
    }
    await rest();
    expect(steps).toEqual([
      [8, 0, 0, 0],
      [312, 0, 0, 0],
      [0, 0, 0, 1],
      [-80, 0, 0, 0],
    ]);
  });

  it('keeps no more than a few steps of a flood, and ends where it ends', async () => {
    const { steps, gates, send, rest, pointer } = rig(false);
    send(at(35, 20, 10));
    for (let n = 0; n < 5000; n++) {
      send(at(0, 20 + (n % 50), 10));
      send(at(0, 20 + (n % 50), 10, 'm'));
    }
    pointer.release();
    for (let n = 0; n < 200; n++) {
      gates.shift()?.();
      await rest();
    }
    expect(steps.length).toBeLessThanOrEqual(65);
    expect(steps.reduce((sum, [dx]) => sum + dx, 0)).toBe(49 * 8);
    expect(steps.at(-1)![3]).toBe(0);
  });

  it('lets go of the buttons when it is taken away, and says why a guest takes nothing', async () => {
    const { steps, send, rest, pointer } = rig();
    send(at(0, 20, 10));
    pointer.release();
    await rest();
    expect(steps.at(-1)).toEqual([0, 0, 0, 0]);
    const failures: unknown[] = [];
    const refused = new GuestPointer(
      () => ({ area: { x: 0, y: 0, width: 10, height: 10 }, width: 100, height: 100 }),
      () => Promise.reject(new Error('in the past')),
      (error) => failures.push(error),
    );
    refused.take(mouseReport(at(0, 2, 2))!);
    await rest();
    expect(String(failures[0])).toContain('in the past');
    // it has no screen
    expect(
      new GuestPointer(
        () => undefined,
        () => Promise.resolve(),
        () => {},
      ).take(mouseReport(at(0, 2, 2))!),
    ).toBe(false);
  });
});
