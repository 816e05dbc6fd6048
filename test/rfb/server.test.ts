import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { keyAt, keysOf } from '../../src/engine/devices/scancodes.js';
import { responseTo } from '../../src/rfb/authentication.js';
import type { Area, Look, Seat } from '../../src/rfb/screen.js';
import { type RfbServer, serveRfb } from '../../src/rfb/server.js';
import { type Format, RfbClient, RGB888 } from './client.js';

/** A screen that a test paints, and what was typed and moved before it. */
class Painted implements Seat {
  width: number;
  height: number;
  rgb: Uint8Array;
  readonly typed: string[] = [];
  readonly moved: number[][] = [];
  readonly keyboard = {
    capsLock: false,
    key: (name: string, down: boolean) => void this.typed.push(`${down ? '+' : '-'}${name}`),
    keyOf: (character: string) => {
      const keys = keysOf(character);
      return keys && { key: keys[keys.length - 1], shift: keys.includes('shift') };
    },
    keyAt,
  };
  readonly pointer = { move: (...move: number[]) => void this.moved.push(move) };
  readonly screen = { name: 'painted', look: () => this.#look() };
  #changed: Area[] = [];
  #resized = true;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.rgb = picture(width, height);
  }

  resize(width: number, height: number): void {
    [this.width, this.height, this.rgb] = [width, height, picture(width, height)];
    this.#resized = true;
  }

  paint(area: Area, colour: number): void {
    for (let y = area.y; y < area.y + area.height; y++)
      for (let x = area.x; x < area.x + area.width; x++)
        this.rgb.set([colour >> 16, colour >> 8, colour], (y * this.width + x) * 3);
    this.#changed.push(area);
  }

  get pixels(): number[] {
    return Array.from(
      { length: this.width * this.height },
      (_, i) => (this.rgb[i * 3] << 16) | (this.rgb[i * 3 + 1] << 8) | this.rgb[i * 3 + 2],
    );
  }

  #look(): Look {
    const [changed, resized] = [this.#changed, this.#resized];
    this.#changed = [];
    this.#resized = false;
    return { width: this.width, height: this.height, rgb: this.rgb, resized, changed };
  }
}

/** Tiles of one colour, of two, of four, of nine and of many. */
function picture(width: number, height: number): Uint8Array {
  const rgb = new Uint8Array(width * height * 3);
  const kinds = [1, 2, 4, 9, 5000];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const colours = kinds[((x >> 6) + (y >> 6)) % kinds.length];
      const colour = (((x * 7 + y * 13) % colours) * 0x3f1d5b + 0x123456) & 0xffffff;
      rgb.set([colour >> 16, colour >> 8, colour], (y * width + x) * 3);
    }
  }
  return rgb;
}

let server: RfbServer | undefined;
const clients: RfbClient[] = [];
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await server?.close();
});
const serve = async (seat: Seat, password?: { word: string | undefined }): Promise<number> => {
  server = await serveRfb({ seat, port: 0, ...(password ? { password } : {}) });
  return server.port;
};
const open = async (port: number): Promise<RfbClient> => {
  const client = await RfbClient.open(port);
  clients.push(client);
  return client;
};
const came = async (there: () => boolean): Promise<void> => {
  while (!there()) await new Promise((resolve) => setTimeout(resolve, 2));
};

const FORMATS: [string, Format, number][] = [
  ['32 bits', RGB888, 0xffffff],
  ['32 bits, blue first', { bits: 32, max: [255, 255, 255], shift: [0, 8, 16] }, 0xffffff],
  ['32 bits, the highest ones', { bits: 32, max: [255, 255, 255], shift: [24, 16, 8] }, 0xffffff],
  ['32 bits, big-endian', { bits: 32, bigEndian: true, max: [255, 255, 255], shift: [16, 8, 0] }, 0xffffff],
  ['32 bits, big-endian, the highest ones', { bits: 32, bigEndian: true, max: [255, 255, 255], shift: [24, 16, 8] }, 0],
  ['16 bits', { bits: 16, max: [31, 63, 31], shift: [11, 5, 0] }, 0],
  ['16 bits, big-endian', { bits: 16, bigEndian: true, max: [31, 63, 31], shift: [11, 5, 0] }, 0],
  ['8 bits', { bits: 8, max: [7, 7, 3], shift: [5, 2, 0] }, 0],
];

describe('an RFB server', () => {
  it.each(FORMATS)('sends the screen in %s, raw, by zlib and by ZRLE', async (_, format) => {
    const seat = new Painted(200, 150);
    const client = await open(await serve(seat));
    expect([client.width, client.height, client.name]).toEqual([200, 150, 'painted']);
    client.setFormat(format);
    const levels = (value: number, most: number): number => Math.round((Math.round((value * most) / 255) * 255) / most);
    const wanted = seat.pixels.map((rgb) =>
      format.max.reduce((all, most, i) => all * 256 + levels((rgb >> (16 - 8 * i)) & 255, most), 0),
    );
    for (const encoding of [0, 6, 16]) {
      client.setEncodings(encoding);
      client.pixels.fill(0);
      client.request();
      await client.update();
      expect(client.seen.at(-1)).toBe(encoding);
      expect([...client.pixels]).toEqual(wanted);
    }
  });

  it('sends what has changed, to each client once, and nothing while nothing has', async () => {
    const seat = new Painted(320, 240);
    const port = await serve(seat);
    const [one, two] = [await open(port), await open(port)];
    for (const client of [one, two]) {
      client.setEncodings(16);
      client.request();
      await client.update();
      client.request(true);
    }
    const rectangles = one.seen.length;
    seat.paint({ x: 100, y: 50, width: 30, height: 20 }, 0xff8000);
    await Promise.all([one.update(), two.update()]);
    for (const client of [one, two]) expect([...client.pixels]).toEqual(seat.pixels);
    expect(one.seen.length).toBe(rectangles + 1);
  });

  it('tells the new size to who takes it, and cuts the picture for who does not', async () => {
    const seat = new Painted(320, 240);
    const port = await serve(seat);
    const [able, plain] = [await open(port), await open(port)];
    able.setEncodings(0, -223);
    for (const client of [able, plain]) {
      client.request();
      await client.update();
    }
    seat.resize(160, 300);
    for (const client of [able, plain]) client.request(true);
    await able.update();
    expect([able.width, able.height]).toEqual([160, 300]);
    able.request(true);
    await able.update();
    expect([...able.pixels]).toEqual(seat.pixels);
    await plain.update();
    const { pixels } = seat;
    const cut = Array.from({ length: 320 * 240 }, (_, i) =>
      i % 320 < 160 ? pixels[Math.floor(i / 320) * 160 + (i % 320)] : 0,
    );
    expect([...plain.pixels]).toEqual(cut);
  });

  it.each(['RFB 003.003\n', 'RFB 003.005\n', 'RFB 003.007\n', 'RFB 003.008\n', 'RFB 003.889\n'])(
    'asks for the password that is set, by %j',
    async (version) => {
      const password: { word: string | undefined } = { word: undefined };
      const port = await serve(new Painted(16, 16), password);
      const enter = async (word: string): Promise<number> => {
        const client = new RfbClient(port);
        clients.push(client);
        expect(await client.greet(version)).toEqual([2]);
        if (!/003\n|005\n/.test(version)) client.send(2);
        client.socket.write(responseTo(await client.read(16), word));
        const result = (await client.read(4)).readUInt32BE();
        if (result === 0) await client.begin();
        else await client.closed;
        return result;
      };
      expect(await enter('')).toBe(1);
      password.word = 'secret';
      expect(await enter('Secret')).toBe(1);
      expect(await enter('secret')).toBe(0);
      password.word = 'longer than eight';
      expect(await enter('longer t')).toBe(0);
    },
  );

  it('encrypts as DES does', () => {
    const challenge = Uint8Array.from({ length: 16 }, (_, i) => i);
    expect(responseTo(challenge, 'secret').toString('hex')).toBe('ee22539f33a5983ec12f9c2edbc995dd');
    expect(responseTo(Buffer.alloc(16), '').toString('hex')).toBe('8ca64de9c1b123a7'.repeat(2));
  });

  it('types what a keysym means on a US keyboard, whatever shift the client holds', async () => {
    const seat = new Painted(16, 16);
    const client = await open(await serve(seat));
    const type = async (...events: [keysym: number, down: boolean][]): Promise<string> => {
      seat.typed.length = 0;
      for (const [keysym, down] of events) client.key(keysym, down);
      client.key(0xff0d, true);
      client.key(0xff0d, false);
      await came(() => seat.typed.at(-1) === '-enter');
      return seat.typed.slice(0, -2).join(' ');
    };
    const [shift, a, capital, paren, slash] = [0xffe1, 0x61, 0x41, 0x28, 0x2f];
    expect(await type([a, true], [a, false])).toBe('+a -a');
    expect(await type([capital, true], [capital, false])).toBe('+shift +a -shift -a');
    expect(await type([shift, true], [capital, true], [capital, false], [shift, false])).toBe('+shift +a -a -shift');
    // a German keyboard has the slash with shift; it goes up as 7 when shift went first
    expect(await type([shift, true], [slash, true], [slash, false], [shift, false])).toBe(
      '+shift -shift +/ +shift -/ -shift',
    );
    expect(await type([paren, true], [paren, false])).toBe('+shift +9 -shift -9');
    expect(await type([shift, true], [capital, true], [shift, false], [a, false])).toBe('+shift +a -shift -a');
    seat.keyboard.capsLock = true;
    expect(await type([capital, true], [capital, false])).toBe('+a -a');
    expect(await type([0x20ac, true], [0x20ac, false])).toBe('');
  });

  it('takes keys by their places from clients that tell them, and lets go of all when a client leaves', async () => {
    const seat = new Painted(16, 16);
    const client = await open(await serve(seat));
    client.setEncodings(0, -258);
    client.request();
    await client.update();
    expect(client.seen).toContain(-258);
    // y on a German keyboard is where z is; right control is behind e0
    client.socket.write(Buffer.from('ff00000100000079000000 2c'.replace(' ', ''), 'hex'));
    client.socket.write(Buffer.from('ff0000010000ffe40000009d', 'hex'));
    await came(() => seat.typed.length === 2);
    client.socket.destroy();
    await came(() => seat.typed.length === 4);
    expect(seat.typed).toEqual(['+z', '+right-ctrl', '-z', '-right-ctrl']);
  });

  it('moves the mouse by distances, with buttons and wheel', async () => {
    const seat = new Painted(640, 480);
    const client = await open(await serve(seat));
    client.pointer(100, 100, 0);
    client.pointer(110, 90, 0);
    client.pointer(110, 90, 4);
    client.pointer(110, 90, 0);
    client.pointer(110, 90, 8);
    client.pointer(110, 90, 0);
    client.pointer(111, 90, 16);
    await came(() => seat.moved.some(([, , wheel]) => wheel === 1));
    const sum = (at: number): number => seat.moved.reduce((total, move) => total + move[at], 0);
    expect([sum(0), sum(1), sum(2)]).toEqual([11, -10, 0]);
    expect(seat.moved.map((move) => move[3])).toContain(2);
    expect(seat.moved.map((move) => move[2])).toContain(-1);
  });

  it('serves the next client after 20,000 broken messages', async () => {
    const seat = new Painted(64, 64);
    const port = await serve(seat);
    const good = [
      Buffer.from('RFB 003.008\n'),
      Buffer.from([1, 1]),
      Buffer.from('0000000020180001 00ff00ff00ff1008 00000000'.replaceAll(' ', ''), 'hex'),
      Buffer.from('0200000100000010', 'hex'),
      Buffer.from('03000000000000400040', 'hex'),
      Buffer.from('0401000000000061', 'hex'),
      Buffer.from('050100100010', 'hex'),
      Buffer.from('0600000000000003616263', 'hex'),
      Buffer.from('ff00000100000061 0000001e'.replaceAll(' ', ''), 'hex'),
    ];
    let seed = 1;
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return Math.floor((seed / 2 ** 31) * below);
    };
    const broken = (): Buffer => {
      const message = Buffer.from(good[2 + random(good.length - 2)]);
      for (let i = random(3); i >= 0; i--) message[random(message.length)] = random(256);
      return random(4) === 0 ? message.subarray(0, random(message.length)) : message;
    };
    let sent = 0;
    const attack = (): Promise<void> =>
      new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => {});
        socket.once('close', () => resolve());
        socket.resume();
        if (random(8) > 0) socket.write(good[0]);
        if (random(8) > 0) socket.write(good[1]);
        const messages = Array.from({ length: 40 }, broken);
        sent += messages.length;
        socket.write(Buffer.concat(messages));
        if (random(8) === 0) socket.write(randomBytes(64));
        socket.end();
      });
    while (sent < 20_000) await Promise.all(Array.from({ length: 8 }, attack));
    await came(() => server?.clients().length === 0);
    const client = await open(port);
    client.request();
    await client.update();
    expect([...client.pixels]).toEqual(seat.pixels);
  });

  it('keeps one picture for a client that takes none, and serves others meanwhile', async () => {
    const seat = new Painted(400, 300);
    const port = await serve(seat);
    const stalled = await open(port);
    stalled.socket.pause();
    for (let i = 0; i < 200; i++) stalled.request();
    const client = await open(port);
    for (let i = 0; i < 2; i++) {
      client.request();
      await client.update();
    }
    expect([...client.pixels]).toEqual(seat.pixels);
  });

  it('drops who says nothing for long, for another one at the door', async () => {
    const port = await serve(new Painted(16, 16));
    const silent = Array.from({ length: 40 }, () => new RfbClient(port));
    clients.push(...silent);
    const client = await open(port);
    client.request();
    await client.update();
    await silent[0].closed;
  });
});
