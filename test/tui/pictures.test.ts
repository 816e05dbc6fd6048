/** The guest's screen in the terminal's own pixels: what a terminal says of itself, and what it is sent. */
import { describe, expect, it, vi } from 'vitest';
import type { Picture } from '../../src/engine/debugger.js';
import { ScreenLooks } from '../../src/engine/devices/vga/screen-looks.js';
import { fitted } from '../../src/engine/smaller-picture.js';
import { ScreenMirror, type SeenScreen } from '../../src/tui/picture/mirror.js';
import { Pace } from '../../src/tui/picture/pace.js';
import { parsePictures } from '../../src/tui/picture/pictures.js';
import { partsOf, placeOf } from '../../src/tui/picture/place.js';
import { TerminalPictures } from '../../src/tui/picture/terminal-pictures.js';
import { CellPane, type ScreenLine } from '../../src/tui/screen/cell-pane.js';
import { createTheme, type Theme } from '../../src/tui/screen/theme.js';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';
import { PictureDecoder } from './picture-decoder.js';

const CELL = { width: 8, height: 16 };
const COLUMNS = 40;
const ROWS = 20;
/** Every look finds that its time has come. */
const noWait = (): Pace => {
  let now = 0;
  return new Pace(() => (now += 1000));
};

/** A picture of few colours, or of more than any terminal has registers for. */
function paint(width: number, height: number, colour: (x: number, y: number) => [number, number, number]): Picture {
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) rgb.set(colour(x, y), (y * width + x) * 3);
  return { mode: `${width}x${height}x32`, width, height, rgb };
}
const few = (x: number, y: number): [number, number, number] => [(x % 4) * 85, (y % 3) * 102, 51];
const many = (x: number, y: number): [number, number, number] => [x & 255, (y * 3) & 255, (x * y) & 255];

type Sized = Pick<Picture, 'width' | 'height' | 'rgb'>;
const isSame = (a: Sized, b: Sized): boolean =>
  a.width === b.width && a.height === b.height && Buffer.compare(a.rgb, b.rgb) === 0;

/** What changes of a screen, as the engine's watch tells it. */
class FakeWatch {
  picture: Picture;
  #before: Uint8Array | undefined;
  looks = 0;
  constructor(picture: Picture) {
    this.picture = picture;
  }
  look() {
    this.looks++;
    const { mode, width, height, rgb } = this.picture;
    const resized = this.#before?.length !== rgb.length;
    const changed: { x: number; y: number; width: number; height: number }[] = [];
    for (let y = 0; y < height; y++) {
      const [from, end] = [y * width * 3, (y + 1) * width * 3];
      const same = !resized && Buffer.compare(rgb.subarray(from, end), this.#before!.subarray(from, end)) === 0;
      if (!same) changed.push({ x: 0, y, width, height: 1 });
    }
    this.#before = rgb.slice();
    return { mode, width, height, rgb, resized, changed };
  }
}

describe('looks at a screen', () => {
  it('tell each viewer what is new to it, and nothing where nothing is', () => {
    const watch = new FakeWatch(paint(20, 40, few));
    const looks = new ScreenLooks(watch);
    const first = looks.look(0);
    expect(first).toMatchObject({ mode: '20x40x32', width: 20, height: 40, version: 1 });
    expect(first.lines!.map(({ y, rgb }) => [y, rgb.length / 60])).toEqual([[0, 40]]);
    expect(looks.look(1)).toEqual({ mode: '20x40x32', width: 20, height: 40, version: 1 });
    watch.picture.rgb[17 * 60] = 255;
    expect(looks.look(1).lines!.map(({ y, rgb }) => [y, rgb.length / 60])).toEqual([[16, 16]]);
    watch.picture.rgb[39 * 60] = 255;
    // one that has seen the first change, and one that has not
    expect(looks.look(2).lines!.map(({ y, rgb }) => [y, rgb.length / 60])).toEqual([[32, 8]]);
    expect(looks.look(1).lines!.map(({ y, rgb }) => [y, rgb.length / 60])).toEqual([[16, 24]]);
    // of another machine's screen
    expect(looks.look(99).lines!.map(({ y }) => y)).toEqual([0]);
    const small = looks.look(0, { width: 10, height: 10 });
    expect(small.picture).toMatchObject({ width: 5, height: 10 });
    expect(small.lines).toBeUndefined();
    watch.picture = paint(30, 10, few);
    expect(looks.look(3)).toMatchObject({ width: 30, height: 10, lines: [{ y: 0 }] });
  });

  it('keep a picture in shape, whatever cells look like', () => {
    expect(fitted({ width: 640, height: 480 }, { width: 80, height: 60 })).toEqual({ width: 80, height: 60 });
    expect(fitted({ width: 640, height: 480 }, { width: 80, height: 100 })).toEqual({ width: 80, height: 60 });
    expect(fitted({ width: 640, height: 480 }, { width: 200, height: 30 })).toEqual({ width: 40, height: 30 });
    expect(fitted({ width: 640, height: 480 }, { width: 80, height: 100, aspect: 2 })).toEqual({
      width: 80,
      height: 30,
    });
    expect(fitted({ width: 8, height: 2000 }, { width: 10, height: 10 })).toEqual({ width: 1, height: 10 });
    expect(fitted({ width: 8, height: 8 }, { width: 40, height: 40 })).toEqual({ width: 40, height: 40 });
  });

  it('are put together again by who sees them, changes alone', async () => {
    const watch = new FakeWatch(paint(20, 40, few));
    const looks = new ScreenLooks(watch);
    let bytes = 0;
    const look = async (since: number) => {
      const answer = looks.look(since);
      for (const { rgb } of answer.lines ?? []) bytes += rgb.length;
      return answer;
    };
    const mirror = new ScreenMirror({ look } as never, noWait());
    const first = await mirror.whole();
    expect(Buffer.compare(first.pixels.rgb, watch.picture.rgb)).toBe(0);
    bytes = 0;
    watch.picture.rgb[17 * 60] = 200;
    const second = await mirror.whole();
    expect(Buffer.compare(second.pixels.rgb, watch.picture.rgb)).toBe(0);
    expect(bytes).toBe(16 * 60);
    expect([second.changedSince(first.version, 0, 16), second.changedSince(first.version, 0, 17)]).toEqual([
      false,
      true,
    ]);
  });

  it('come from a target that tells whole pictures alone, too', async () => {
    const picture = vi.fn(async (width: number, height: number) => paint(width, height, few));
    const look = async () => {
      throw new Error('no such call');
    };
    const mirror = new ScreenMirror({ look, picture } as never, noWait());
    expect(await mirror.small({ width: 10, height: 8 })).toMatchObject({ mode: '10x8x32', pixels: { width: 10 } });
    await expect(new ScreenMirror({} as never, noWait()).small({ width: 1, height: 1 })).rejects.toThrow('no pictures');
  });

  it('come ten times a second at most, and less often where they take many bytes', async () => {
    let now = 0;
    const pace = new Pace(
      () => now,
      async (ms) => {
        now += ms;
      },
    );
    await pace.turn();
    await pace.turn();
    expect(now).toBe(100);
    pace.wrote(1_000_000, 5);
    await pace.turn();
    expect(now).toBe(600);
    pace.wrote(1e12, 5);
    await pace.turn();
    expect(now).toBe(2600);
    pace.wrote(10, 300);
    await pace.turn();
    expect(now).toBe(2900);
  });
});

describe('places of pictures', () => {
  it('are pixel for pixel where there is room, else smaller', () => {
    const room = { columns: 40, rows: 20 };
    const screen = { width: 300, height: 200 };
    const exact = { columns: 38, rows: 13, width: 300, height: 200, byTerminal: false };
    expect(placeOf(screen, room, CELL, true)).toEqual(exact);
    expect(placeOf(screen, room, CELL, false)).toEqual(exact);
    const large = { width: 640, height: 400 };
    expect(placeOf(large, room, CELL, true)).toEqual({ columns: 40, rows: 13, ...large, byTerminal: true });
    const small = { width: 320, height: 200, columns: 40, rows: 13, byTerminal: false };
    expect(placeOf(large, room, CELL, false)).toEqual(small);
    expect(placeOf(large, room, CELL, false, { width: 100, height: 1000 })).toMatchObject({ width: 100, height: 63 });
    // a terminal that does not say how large its cells are
    expect(placeOf(screen, room, undefined, true)).toMatchObject({ columns: 40, rows: 13, byTerminal: true });
  });

  it('are cut into parts without a gap, for any size', () => {
    for (const height of [1, 2, 7, 200, 768, 1600])
      for (const rows of [1, 2, 13, 36, 100]) {
        const screen = { width: 10, height };
        for (const byTerminal of [true, false]) {
          const sent = byTerminal ? height : Math.min(height, rows * CELL.height);
          const covers = byTerminal ? rows : Math.ceil(sent / CELL.height);
          const place = { columns: 2, rows: covers, width: 10, height: sent, byTerminal };
          const parts = partsOf(place, screen, CELL);
          expect(parts.length).toBeLessThanOrEqual(16);
          expect(parts[0]).toMatchObject({ row: 0, from: 0, screenFrom: 0 });
          expect(parts.at(-1)).toMatchObject({ end: sent, screenEnd: height });
          for (const [i, part] of parts.entries()) {
            const next = parts[i + 1];
            if (next) expect([next.row, next.from]).toEqual([part.row + part.rows, part.end]);
          }
        }
      }
  });
});

/** A terminal that answers, and the screen that blessed keeps of it. */
class Rig {
  readonly decoder = new PictureDecoder(CELL, COLUMNS, ROWS);
  readonly pane: CellPane;
  readonly pictures: TerminalPictures;
  readonly theme: Theme = createTheme(256, { LANG: 'C.UTF-8' });
  lines: ScreenLine[] = this.blank();
  onTerminal: ScreenLine[] = this.blank();
  raw = '';
  expecting = false;
  changes = 0;

  constructor(choice = 'auto', silent = false) {
    this.pane = new CellPane(this.theme);
    this.pane.place({ x: 1, y: 1, width: COLUMNS - 2, height: ROWS - 2 });
    const host = {
      ...{ columns: COLUMNS, rows: ROWS, theme: this.theme, coloursOpen: true },
      expect: (answers: boolean) => {
        this.expecting = answers;
      },
      changed: () => void this.changes++,
    };
    this.pictures = new TerminalPictures(host, parsePictures(choice), silent, 1);
  }

  blank(): ScreenLine[] {
    return Array.from({ length: ROWS }, () => Array.from({ length: COLUMNS }, (): [number, string] => [0x3ffff, ' ']));
  }

  /** One frame: the pane, what lies on it, and what blessed would draw. @returns cells that it would write */
  frame(seen?: SeenScreen, over?: { x: number; y: number }): number {
    this.pictures.begin();
    this.pane.clear();
    const { way } = this.pictures;
    if (seen && (way === 'kitty' || way === 'sixel')) {
      const place = this.pictures.place(seen, { columns: this.pane.width, rows: this.pane.height });
      const area = { x: 0, y: 0, width: place.columns, height: place.rows };
      for (let y = 0; y < area.height; y++) this.pane.put(0, y, 'B'.repeat(area.width));
      this.pictures.show({ cells: this.pane, area: this.pane.onScreen(area), place, seen });
    }
    this.pane.blit(this.lines);
    if (over) {
      this.lines[over.y]![over.x] = [0, '!'];
      this.lines[over.y]!.dirty = true;
    }
    this.write(this.pictures.compose(this.lines, this.onTerminal));
    let written = 0;
    for (const [y, line] of this.lines.entries())
      for (const [x, [attr, character]] of line.entries()) {
        const shown = this.onTerminal[y]![x]!;
        if (shown[0] === attr && shown[1] === character) continue;
        [shown[0], shown[1]] = [attr, character];
        written++;
      }
    this.write(this.pictures.output());
    return written;
  }

  write(text: string): void {
    this.raw += text;
    this.decoder.take(text);
  }

  answer(...replies: string[]): void {
    for (const reply of replies) this.pictures.reply(reply);
  }

  text(): string {
    return this.onTerminal.map((line) => line.map(([, character]) => character).join('')).join('\n');
  }
}

const KITTY = ['\x1b_Gi=31;OK\x1b\\', '\x1b[6;16;8t', '\x1b[4;320;320t', '\x1b[?62;c'];
const SIXEL = ['\x1b[6;16;8t', '\x1b[?62;4;6c'];

function seenOf(
  picture: Picture,
  version = 1,
  changed: (from: number, end: number) => boolean = () => true,
): SeenScreen {
  const { mode, width, height } = picture;
  return {
    ...{ mode, width, height, pixels: picture, version },
    changedSince: (since, from, end) => since < version && changed(from, end),
  };
}

describe('a terminal with pictures', () => {
  it('that is kitty is sent each pixel, and what changes alone after that', () => {
    const rig = new Rig();
    const picture = paint(300, 200, many);
    rig.frame(seenOf(picture));
    expect(rig.raw).toContain('a=q');
    expect(rig.expecting).toBe(true);
    rig.answer(...KITTY);
    expect([rig.pictures.way, rig.expecting]).toEqual(['kitty', false]);
    rig.frame(seenOf(picture));
    expect(isSame(rig.decoder.joined(), picture)).toBe(true);
    expect([...rig.decoder.images.values()][0]).toMatchObject({ x: 1, y: 1, columns: undefined });
    rig.raw = '';
    rig.frame(seenOf(picture));
    expect(rig.raw).toBe('');
    picture.rgb.fill(7, 100 * 900, 101 * 900);
    rig.frame(seenOf(picture, 2, (from, end) => from <= 100 && end > 100));
    expect(rig.raw.match(/a=T/g)).toHaveLength(1);
    expect(isSame(rig.decoder.joined(), picture)).toBe(true);
    rig.write(rig.pictures.close());
    expect(rig.decoder.images.size).toBe(0);
  });

  it('makes pictures smaller itself where it is kitty and there is no room', () => {
    const rig = new Rig();
    const picture = paint(640, 400, few);
    rig.frame();
    expect(rig.pictures.way).toBe('blocks');
    rig.frame();
    rig.answer(...KITTY);
    rig.frame(seenOf(picture));
    expect(isSame(rig.decoder.joined(), picture)).toBe(true);
    const parts = [...rig.decoder.images.values()];
    expect(parts.every(({ columns }) => columns === 38)).toBe(true);
    expect(parts.reduce((sum, { rows }) => sum + rows!, 0)).toBe(12);
  });

  it.each([
    ['few colours, exactly', few, 2],
    ['more colours than it has, nearly', many, 60],
  ])('that has sixels is sent a picture of %s', (_, colour, most) => {
    const rig = new Rig();
    const picture = paint(300, 200, colour);
    rig.frame(seenOf(picture));
    rig.answer(...SIXEL);
    expect(rig.pictures.way).toBe('blocks');
    rig.frame();
    expect(rig.raw).toContain('\x1b[?1;1;0S');
    rig.answer('\x1b[?1;0;1024S', '\x1b[?2;0;2000;2000S', '\x1b[?62;4c');
    expect(rig.pictures.way).toBe('sixel');
    rig.frame(seenOf(picture));
    const shown = rig.decoder.sixelPicture();
    expect([shown.width, shown.height]).toEqual([300, 200]);
    const worst = shown.rgb.reduce((max, value, i) => Math.max(max, Math.abs(value - picture.rgb[i]!)), 0);
    expect(worst).toBeLessThanOrEqual(most);
    const before = rig.decoder.sixels;
    rig.frame(seenOf(picture, 2, (from) => from === 0));
    expect(rig.decoder.sixels).toBe(before + 1);
  });

  it('with 16 colours for sixels gets no more', () => {
    const rig = new Rig();
    rig.frame(seenOf(paint(64, 64, many)));
    rig.answer(...SIXEL);
    rig.frame();
    rig.answer('\x1b[?1;0;16S', '\x1b[?62;4c');
    rig.frame(seenOf(paint(64, 64, many)));
    const registers = [...rig.raw.matchAll(/#(\d+);2;/g)].map(([, number]) => Number(number));
    expect(Math.max(...registers)).toBeLessThan(16);
    expect(new Set(registers).size).toBeGreaterThan(8);
  });

  it.each(['kitty', 'sixel'] as const)('that is %s shows what lies on a picture, and then the picture again', (way) => {
    const rig = new Rig();
    const picture = paint(160, 96, few);
    rig.frame();
    void rig.pictures.way;
    rig.frame();
    rig.answer(...(way === 'kitty' ? KITTY : SIXEL));
    rig.frame();
    if (way === 'sixel') rig.answer('\x1b[?1;0;256S', '\x1b[?62;4c');
    rig.frame(seenOf(picture));
    expect(rig.text()).not.toContain('B');
    rig.raw = '';
    expect(rig.frame(seenOf(picture), { x: 5, y: 3 })).toBe(20 * 6);
    expect(rig.text().match(/B/g)).toHaveLength(20 * 6 - 1);
    expect(rig.text()).toContain('B!B');
    expect(rig.decoder.images.size).toBe(0);
    rig.raw = '';
    // all cells are written: sixels lie where a letter may be
    rig.frame(seenOf(picture));
    expect(rig.text()).not.toMatch(/[B!]/);
    expect(rig.raw.length).toBeGreaterThan(500);
    // another view
    expect(rig.frame()).toBe(20 * 6);
    expect(rig.decoder.images.size).toBe(0);
    // and a terminal that was cleared for another size
    rig.frame(seenOf(picture));
    rig.onTerminal = rig.blank();
    rig.raw = '';
    rig.frame(seenOf(picture));
    expect(rig.raw.length).toBeGreaterThan(500);
  });

  it('that says nothing gets blocks after a second, whatever it says later', () => {
    vi.useFakeTimers();
    try {
      const rig = new Rig();
      rig.frame(seenOf(paint(64, 64, few)));
      expect(rig.expecting).toBe(true);
      vi.advanceTimersByTime(1000);
      expect([rig.pictures.way, rig.expecting]).toEqual(['blocks', false]);
      rig.answer(...KITTY);
      expect(rig.pictures.way).toBe('blocks');
    } finally {
      vi.useRealTimers();
    }
  });

  it('that sends rubbish gets blocks', () => {
    const rubbish = [
      '\x1b_Gi=31;EINVAL\x1b\\',
      '\x1b_Gi=30;OK\x1b\\',
      '\x1b_G;;;;\x1b\\',
      '\x1b[6;0;0t',
      '\x1b[6;999999;999999t',
      '\x1b[6t',
      '\x1b[?1;0;0S',
      '\x1b[?2;0;1;1S',
      '\x1b[?2;3S',
      `\x1bP1$r${';'.repeat(3000)}m\x1b\\`,
      '\x1bP\x1b\\',
      '\x1b[?c',
    ];
    const rig = new Rig();
    rig.frame(seenOf(paint(64, 64, few)));
    rig.answer(...rubbish);
    expect(rig.pictures.way).toBe('blocks');
    expect(rig.pictures.cell).toBeUndefined();
  });

  it('that has sixels and tells no size of cells: xterm tells what fits into it', () => {
    const rig = new Rig();
    rig.frame(seenOf(paint(64, 64, few)));
    rig.answer('\x1b[?63;1;2;4c');
    rig.frame();
    rig.answer('\x1b[?1;0;1024S', `\x1b[?2;0;${COLUMNS * 9};${ROWS * 19}S`, '\x1b[?63;4c');
    expect([rig.pictures.way, rig.pictures.cell]).toEqual(['sixel', { width: 9, height: 19 }]);
    // in a window that is no whole number of cells; and one that is larger than its pictures may be
    rig.answer(`\x1b[?2;0;${COLUMNS * 8 + 7};${ROWS * 16 + 15}S`);
    expect([rig.pictures.way, rig.pictures.cell]).toEqual(['sixel', { width: 8, height: 16 }]);
    rig.pictures.resized();
    rig.answer('\x1b[?2;0;1000;900S');
    expect([rig.pictures.way, rig.pictures.cell]).toEqual(['blocks', undefined]);
    rig.answer(`\x1b[?2;0;${COLUMNS * 9};${ROWS * 19}S`);
    expect(rig.pictures.way).toBe('sixel');
    const other = new Rig();
    other.frame(seenOf(paint(64, 64, few)));
    other.answer('\x1b[?63;1;2;4c');
    other.frame();
    other.answer('\x1b[?2;0;1000;1000S', '\x1b[?63;4c');
    expect(other.pictures.way).toBe('blocks');
  });

  it('is not asked where the user has said how, or it is too simple; true colours are learnt of one that is', () => {
    for (const rig of [new Rig('blocks'), new Rig('none'), new Rig('auto', true)]) {
      rig.frame(seenOf(paint(64, 64, few)));
      expect([rig.raw, rig.expecting]).toEqual(['', false]);
    }
    expect(new Rig('none').pictures.way).toBe('none');
    const rig = new Rig();
    rig.frame(seenOf(paint(64, 64, few)));
    rig.answer('\x1bP1$r0;48:2::1:2:3m\x1b\\', '\x1b[?1;2c');
    expect([rig.pictures.way, rig.theme.trueColours]).toEqual(['blocks', true]);
    expect(() => parsePictures('jpeg')).toThrow(
      '"jpeg" is not a way to show pictures; use one of auto, kitty, sixel, blocks, none',
    );
  });
});

describe('a guest in a graphics mode', () => {
  it('is looked at while its screen is on the terminal, and not while nobody sees it', async () => {
    const debug = new FakeDebugger();
    let looks = 0;
    Object.assign(debug.console!, {
      screen: async () => undefined,
      picture: async () => paint(64, 48, few),
      look: async () => {
        looks++;
        const { rgb } = paint(16, 12, few);
        return {
          mode: '1024x768x32',
          width: 1024,
          height: 768,
          version: looks,
          picture: { width: 16, height: 12, rgb },
        };
      },
    });
    const cells = await Cells.open(debug, { view: 'console' });
    await cells.key('v');
    await cells.until(/VGA 1024x768x32 VBE[\s\S]*▀/);
    expect(looks).toBeGreaterThan(0);
    await cells.key('g', 'd');
    const seen = looks;
    for (let n = 0; n < 10; n++) {
      cells.dashboard.model.invalidate();
      await cells.settle();
    }
    expect(looks).toBe(seen);
    await cells.key('g', 'c');
    await vi.waitFor(
      async () => {
        cells.dashboard.model.invalidate();
        await cells.settle();
        expect(looks).toBeGreaterThan(seen);
      },
      { timeout: 20_000 },
    );
  });
});
