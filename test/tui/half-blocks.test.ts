import { describe, expect, it } from 'vitest';
import { CellPane, type ScreenLine } from '../../src/tui/screen/cell-pane.js';
import { drawPicture, nearest16, nearest256 } from '../../src/tui/picture/half-blocks.js';
import { attribute, type Theme } from '../../src/tui/screen/theme.js';

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

  it('are two pixels a cell, and end with the pane', () => {
    const cells = new CellPane({ normal: 0 } as Theme);
    cells.place({ x: 0, y: 0, width: 2, height: 2 });
    cells.clear();
    const rgb = Uint8Array.from([255, 0, 0, 0, 0, 0, 255, 255, 255, 0, 0, 255, 0, 255, 0, 0, 0, 0]);
    drawPicture(cells, { mode: 'test', width: 2, height: 3, rgb }, 256);
    const lines = [0, 1].map(
      (): ScreenLine => [
        [0, ' '],
        [0, ' '],
      ],
    );
    cells.blit(lines);
    expect([...lines[0]!]).toEqual([
      [attribute(196, 231), '▀'],
      [attribute(16, 21), '▀'],
    ]);
    // the last line has nothing below it
    expect(lines[1]![0]).toEqual([attribute(46, 16), '▀']);
    drawPicture(cells, { mode: 'test', width: 2, height: 3, rgb }, 0);
    cells.blit(lines);
    expect(lines[0]!.map(([, character]) => character)).toEqual(['*', '.']);
  });
});
