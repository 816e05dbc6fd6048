import { describe, expect, it } from 'vitest';
import { drawPicture, nearest16, nearest256 } from '../../src/tui/picture/half-blocks.js';
import { CellPane, type ScreenLine } from '../../src/tui/screen/cell-pane.js';
import { attribute, type Theme } from '../../src/tui/screen/theme.js';
import { drawTrueColour, trueColour } from '../../src/tui/screen/true-colour.js';

describe('pictures as half blocks', () => {
  it('take the nearest colours that the terminal has', () => {
    const all = ([0x000000, 0xffffff, 0xff0000, 0x808080, 0x0a0a0a, 0x5f87af] as const).map((colour) =>
      nearest256([colour >> 16, (colour >> 8) & 0xff, colour & 0xff]),
    );
    expect(all).toEqual([16, 231, 196, 244, 232, 67]);
    expect([nearest16([0, 0, 0]), nearest16([255, 255, 255]), nearest16([255, 0, 0]), nearest16([0, 0, 168])]).toEqual([
      0, 15, 9, 4,
    ]);
    expect([nearest16([168, 168, 168]), nearest16([84, 84, 84])]).toEqual([7, 8]);
  });

  it('are two pixels a cell, as large as they are to be, in what colours there are', () => {
    const rgb = Uint8Array.from([255, 0, 0, 0, 0, 0, 255, 255, 255, 0, 0, 255, 0, 255, 0, 0, 0, 0]);
    const drawn = (theme: Partial<Theme>, width = 2, halves = 3): [number, string][][] => {
      const cells = new CellPane({ normal: 0, ...theme } as Theme);
      const height = Math.ceil(halves / 2);
      cells.place({ x: 0, y: 0, width, height });
      cells.clear();
      drawPicture(cells, { width: 2, height: 3, rgb }, { x: 0, y: 0, width, height }, halves);
      const lines = Array.from({ length: height }, (): ScreenLine => Array.from({ length: width }, () => [-1, '']));
      cells.blit(lines);
      return lines;
    };
    const [first, last] = drawn({ depth: 256 });
    expect([...first!]).toEqual([
      [attribute(196, 231), '▀'],
      [attribute(16, 21), '▀'],
    ]);
    // the last line has nothing below it; two pixels of one colour are a space
    expect([...last!]).toEqual([
      [attribute(46, 16), '▀'],
      [attribute(16, 16), ' '],
    ]);
    const exact = drawn({ depth: 256, trueColours: true });
    expect([...exact[0]!]).toEqual([
      [trueColour(0xff0000, 0xffffff), '▀'],
      [trueColour(0, 0x0000ff), '▀'],
    ]);
    // twice as large
    expect(drawn({ depth: 8 }, 4, 6)[0]!.map(([attr]) => attr)).toEqual([1, 1, 0, 0].map((n) => attribute(n, n)));
    expect(drawn({ depth: 8 }, 4, 6)[1]!.map(([attr]) => attr)).toEqual([7, 7, 4, 4].map((n) => attribute(n, n)));
    expect(drawn({ depth: 0 })[0]!.map(([, character]) => character)).toEqual(['*', '.']);
    expect(drawn({ depth: 256, ascii: true })[0]!.map(([, character]) => character)).toEqual([' ', ' ']);
  });

  it('in true colours are written beside blessed, where they differ, as short as they can be', () => {
    const line = (...cells: [number, string][]): ScreenLine => Object.assign(cells, { dirty: true });
    const red = trueColour(0xff0000, 0x000001);
    const lines = [line([5, 'a'], [red, '▀'], [red, '▀'], [trueColour(0xff0000, 0x020304), '▀'])];
    const shown = [line([5, 'a'], [0, ' '], [0, ' '], [0, ' '])];
    expect(drawTrueColour(lines, shown)).toBe(
      '\x1b7\x1b[1;2H\x1b[38;2;255;0;0;48;2;0;0;1m▀▀\x1b[48;2;2;3;4m▀\x1b[m\x1b8',
    );
    // blessed finds nothing left, and there is nothing to do again
    expect(shown[0]!.map((cell) => [...cell])).toEqual(lines[0]!.map((cell) => [...cell]));
    expect(drawTrueColour(lines, shown)).toBe('');
    lines[0]![1] = [7, 'x'];
    expect(drawTrueColour(lines, shown)).toBe('');
  });
});
