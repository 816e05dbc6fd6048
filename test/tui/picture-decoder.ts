/** Pictures that a program has sent to its terminal, as kitty's images or sixels, put together again. */
import { inflateSync } from 'node:zlib';

export interface Shown {
  /** Cell of the upper left corner. */
  x: number;
  y: number;
  columns?: number;
  rows?: number;
  width: number;
  height: number;
  rgb: Uint8Array;
}

/** Takes what is written, piece by piece; knows cells' pixels as a terminal does. */
export class PictureDecoder {
  /** By number, as kitty keeps them. */
  readonly images = new Map<number, Shown>();
  readonly canvas: Uint8Array;
  /** Pixels of the canvas that a sixel has set. */
  readonly drawn: Uint8Array;
  sixels = 0;
  #pending = '';
  #cursor = { x: 0, y: 0 };
  #upload: { keys: Map<string, string>; data: string } | undefined;

  constructor(
    readonly cell: { width: number; height: number },
    readonly columns: number,
    readonly rows: number,
  ) {
    this.canvas = new Uint8Array(columns * cell.width * rows * cell.height * 3);
    this.drawn = new Uint8Array(columns * cell.width * rows * cell.height);
  }

  take(text: string): void {
    this.#pending += text;
    let end = 0;
    for (const token of this.#pending.matchAll(
      /\x1b(?:_G([^;\x1b]*);?([^\x1b]*)\x1b\\|P([\d;]*)q([^\x1b]*)\x1b\\|\[(\d+);(\d+)H)/g,
    )) {
      end = token.index + token[0].length;
      if (token[1] !== undefined) this.#kitty(token[1], token[2]!);
      else if (token[4] !== undefined) this.#sixel(token[4]);
      else this.#cursor = { x: Number(token[6]) - 1, y: Number(token[5]) - 1 };
    }
    this.#pending = this.#pending.slice(end);
    // what cannot begin a sequence that is still to come is done with
    const open = /\x1b(?:[_P][^\x1b]*\x1b?|\[[\d;]*)?$/.exec(this.#pending.slice(-200_000));
    this.#pending = open ? open[0] : '';
  }

  #kitty(control: string, data: string): void {
    const keys = new Map(control.split(',').map((pair) => pair.split('=') as [string, string]));
    if (this.#upload) {
      this.#upload.data += data;
    } else if (keys.get('a') === 'T') this.#upload = { keys, data };
    else if (keys.get('a') === 'd') {
      this.images.delete(Number(keys.get('i')));
      return;
    } else return;
    if (keys.get('m') === '1') return;
    const { keys: head, data: all } = this.#upload;
    this.#upload = undefined;
    const number = (key: string): number | undefined => (head.has(key) ? Number(head.get(key)) : undefined);
    const [width, height] = [number('s')!, number('v')!];
    const rgb = Uint8Array.from(inflateSync(Buffer.from(all, 'base64')));
    if (rgb.length !== width * height * 3) throw new Error(`${rgb.length} bytes for ${width}x${height}`);
    const size = { columns: number('c'), rows: number('r') };
    this.images.set(number('i')!, { ...this.#cursor, ...size, width, height, rgb });
  }

  /** kitty's images one below the other. */
  joined(): { width: number; height: number; rgb: Uint8Array } {
    const parts = [...this.images.values()].sort((a, b) => a.y - b.y);
    return {
      width: parts[0]!.width,
      height: parts.reduce((sum, { height }) => sum + height, 0),
      rgb: Buffer.concat(parts.map(({ rgb }) => rgb)),
    };
  }

  #sixel(text: string): void {
    this.sixels++;
    const registers = new Map<number, [number, number, number]>();
    const pitch = this.columns * this.cell.width;
    const [left, top] = [this.#cursor.x * this.cell.width, this.#cursor.y * this.cell.height];
    let [x, y, colour] = [0, 0, 0];
    for (const [whole, number, rgb, count, repeated, plain] of text.matchAll(
      /#(\d+)(?:;2;(\d+;\d+;\d+))?|!(\d+)([?-~])|([?-~])|[$-]|"[\d;]*/g,
    )) {
      if (number !== undefined) {
        colour = Number(number);
        if (rgb) registers.set(colour, rgb.split(';').map((part) => Math.round(Number(part) * 2.55)) as never);
      } else if (whole === '$') x = 0;
      else if (whole === '-') [x, y] = [0, y + 6];
      else if (whole[0] !== '"') {
        const bits = (repeated ?? plain)!.charCodeAt(0) - 63;
        for (let n = count === undefined ? 1 : Number(count); n > 0; n--, x++)
          for (let line = 0; line < 6; line++) {
            if (!(bits & (1 << line))) continue;
            const at = (top + y + line) * pitch + left + x;
            this.drawn[at] = 1;
            this.canvas.set(registers.get(colour)!, at * 3);
          }
      }
    }
  }

  /** Of the canvas, the part that sixels have drawn; it is a rectangle. */
  sixelPicture(): { width: number; height: number; rgb: Uint8Array } {
    const pitch = this.columns * this.cell.width;
    const first = this.drawn.indexOf(1);
    const last = this.drawn.lastIndexOf(1);
    const [left, top] = [first % pitch, Math.floor(first / pitch)];
    const width = (last % pitch) - left + 1;
    const height = Math.floor(last / pitch) - top + 1;
    const rows = Array.from({ length: height }, (_, y) => {
      const at = (top + y) * pitch + left;
      if (this.drawn.subarray(at, at + width).includes(0)) throw new Error(`line ${y} has a gap`);
      return this.canvas.subarray(at * 3, (at + width) * 3);
    });
    return { width, height, rgb: Buffer.concat(rows) };
  }
}
