/** A guest's screen for VNC clients: ours, and those of Debian. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseVnc, showVnc } from '../../src/cli/vnc-options.js';
import { VncServer } from '../../src/cli/vnc-server.js';
import { Guest } from '../../src/engine/host/guest.js';
import { responseTo } from '../../src/rfb/authentication.js';
import { build } from '../state/machine-run.js';
import { named, requireTool } from '../tools.js';
import { RfbClient } from './client.js';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-vnc-'));
const sample = new URL('../../samples/keyboard/keyboard.elf', import.meta.url).pathname;
const gvnccapture = requireTool('gvnccapture');
const vncsnapshot = requireTool('vncsnapshot');
const jpegtopnm = requireTool('jpegtopnm');

let guest: Guest;
let server: VncServer;
let port: number;

/** Width, height and pixels of a PNG of eight bits a colour. @png 9 "Filtering" */
function decodePng(file: string): { width: number; height: number; rgb: number[] } {
  const bytes = readFileSync(file);
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  const step = { 2: 3, 6: 4 }[bytes[25]]!;
  const data: Buffer[] = [];
  for (let at = 8; at < bytes.length; at += bytes.readUInt32BE(at) + 12)
    if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT')
      data.push(bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at)));
  const lines = inflateSync(Buffer.concat(data));
  const pitch = width * step;
  let above = new Uint8Array(pitch);
  const rgb: number[] = [];
  for (let y = 0; y < height; y++) {
    const filter = lines[y * (pitch + 1)];
    const line = Uint8Array.from(lines.subarray(y * (pitch + 1) + 1, (y + 1) * (pitch + 1)));
    for (let i = 0; i < pitch; i++) {
      const [a, b, c] = [i < step ? 0 : line[i - step], above[i], i < step ? 0 : above[i - step]];
      const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
      const paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
      line[i] += [0, a, b, (a + b) >> 1, paeth][filter];
    }
    for (let x = 0; x < width; x++) rgb.push(...line.subarray(x * step, x * step + 3));
    above = line;
  }
  return { width, height, rgb };
}

beforeAll(async () => {
  const { machine } = build({ file: sample, memoryMib: 8 });
  guest = new Guest(machine, { paced: false, waitForInput: true });
  const text = [...'vmscope by VNC'].flatMap((letter, i) => [letter.charCodeAt(0), 0x1e + i]);
  await guest.writeMemory('gpa', 0xb8000n, Uint8Array.from(text));
  server = await VncServer.open(guest, { at: { kind: 'tcp', host: '127.0.0.1', port: 0 } });
  guest.screenServer = server;
  port = Number(/127\.0\.0\.1:(\d+)/.exec(server.info())![1]);
});
afterAll(async () => {
  await server.close();
  await guest.quit();
  rmSync(folder, { recursive: true });
});

const pixelsOf = ({ rgb }: { rgb: ArrayLike<number> }): number[] =>
  Array.from({ length: rgb.length / 3 }, (_, i) => (rgb[3 * i] << 16) | (rgb[3 * i + 1] << 8) | rgb[3 * i + 2]);

describe('the screen of a guest by VNC', () => {
  test('is that of screendump, and follows what the guest writes', async () => {
    const client = await RfbClient.open(port);
    client.setEncodings(16);
    client.request();
    await client.update();
    expect([...client.pixels]).toEqual(pixelsOf(guest.machine.picture()));
    client.request(true);
    await guest.writeMemory('gpa', 0xb8000n + 160n, Uint8Array.from([0x41, 0x4f]));
    await client.update();
    expect([...client.pixels]).toEqual(pixelsOf(guest.machine.picture()));
    expect(await guest.monitor('info vnc')).toMatch(/Server: 127\.0\.0\.1:\d+\n {4}Auth: none\n {2}Client: 127/);
    client.socket.destroy();
  });

  test('takes keys and the mouse, which are inputs of the run', async () => {
    const client = await RfbClient.open(port);
    client.key(0x61, true);
    client.key(0x61, false);
    client.pointer(1, 1, 0);
    client.pointer(1, 1, 1);
    const { keyboard } = guest.machine.pc.pc;
    const held = (): number => keyboard.mouseButtons;
    while (held() !== 1) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(keyboard.save().output).toBe(0x1e);
    client.socket.destroy();
    while (held() !== 0) await new Promise((resolve) => setTimeout(resolve, 2));
  });

  test.skipIf(!gvnccapture.available)(
    named('gvnccapture takes a picture equal to screendump', gvnccapture),
    async () => {
      const file = join(folder, 'captured.png');
      await run(gvnccapture.path, [`127.0.0.1:${port - 5900}`, file]);
      const dumped = join(folder, 'dumped.png');
      await guest.console.screendump!(dumped);
      expect(decodePng(file)).toEqual(decodePng(dumped));
    },
  );

  test.skipIf(!vncsnapshot.available || !jpegtopnm.available)(
    named('vncsnapshot takes a picture equal to screendump, as far as JPEG can be', vncsnapshot, jpegtopnm),
    async () => {
      const file = join(folder, 'snapshot.jpg');
      const said = await run(vncsnapshot.path, ['-quality', '100', `127.0.0.1:${port - 5900}`, file]);
      expect(said).toMatch(/720x400 screen/);
      const ppm = execFileSync(jpegtopnm.path, ['-quiet', file]);
      const picture = guest.machine.picture();
      const head = Buffer.from(`P6\n${picture.width} ${picture.height}\n255\n`);
      expect(ppm.subarray(0, head.length)).toEqual(head);
      // colours stand for two by two pixels there, brightness for each
      const brightness = (rgb: Uint8Array): number[] =>
        Array.from(
          { length: rgb.length / 3 },
          (_, i) => 0.3 * rgb[3 * i] + 0.59 * rgb[3 * i + 1] + 0.11 * rgb[3 * i + 2],
        );
      const wanted = brightness(picture.rgb);
      const differences = brightness(ppm.subarray(head.length)).map((value, i) => Math.abs(value - wanted[i]));
      expect(differences).toHaveLength(wanted.length);
      expect(wanted.some((value) => value > 100)).toBe(true);
      expect(differences.filter((difference) => difference > 32)).toHaveLength(0);
    },
  );

  test('asks for a password that the monitor sets', async () => {
    const guarded = await VncServer.open(guest, { at: { kind: 'tcp', host: '127.0.0.1', port: 0 }, password: {} });
    const guardedPort = Number(/127\.0\.0\.1:(\d+)/.exec(guarded.info())![1]);
    const enter = async (word: string): Promise<number> => {
      const client = new RfbClient(guardedPort);
      expect(await client.greet()).toEqual([2]);
      client.send(2);
      client.socket.write(responseTo(await client.read(16), word));
      const result = (await client.read(4)).readUInt32BE();
      client.socket.destroy();
      return result;
    };
    try {
      expect(await guest.monitor('set_password vnc word')).toMatch(/^set_password vnc word: clients need no password/);
      guest.screenServer = guarded;
      expect(await guest.monitor('info vnc')).toContain('no password set');
      expect(await enter('')).toBe(1);
      expect(await guest.monitor('change vnc password word')).toBe('');
      expect(await enter('word')).toBe(0);
      expect(await guest.monitor('set_password vnc')).toBe('set_password vnc: usage: set_password vnc WORD');
      expect(await guest.monitor('set_password vnc other')).toBe('');
      expect(await enter('word')).toBe(1);
    } finally {
      guest.screenServer = server;
      await guarded.close();
    }
  });

  test('says of an address and a password what is wrong with them', async () => {
    const file = join(folder, 'word');
    writeFileSync(file, 'secret\nmore\n');
    expect(parseVnc(`[::1]:3,password-file=${file}`)).toEqual({
      at: { kind: 'tcp', host: '::1', port: 5903 },
      password: { word: 'secret' },
    });
    expect(showVnc(parseVnc(':0')!)).toBe('127.0.0.1:0');
    expect(parseVnc('none')).toBeUndefined();
    writeFileSync(file, '\n');
    const wrong: [string, RegExp][] = [
      ['screen', /use \[HOST:\]N/],
      [':60000', /use \[HOST:\]N/],
      [':1,websocket=5700', /websockify/],
      [':1,sasl=on', /sasl=on is neither/],
      [`:1,password-file=${file}`, /is empty/],
      [`:1,password-file=${folder}/none`, /no such file/i],
    ];
    for (const [text, cause] of wrong) expect(() => parseVnc(text), text).toThrow(cause);
    const taken = { at: { kind: 'tcp', host: '127.0.0.1', port } } as const;
    await expect(VncServer.open(guest, taken)).rejects.toThrow(/--vnc 127\.0\.0\.1:\d+: port \d+: .*(in use|taken)/i);
  });
});

/** Beside this process, which serves it. */
function run(program: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (said += bytes));
    child.once('error', reject);
    child.once('close', (status) =>
      status === 0 ? resolve(said) : reject(new Error(`${program}: ${status}: ${said}`)),
    );
  });
}
