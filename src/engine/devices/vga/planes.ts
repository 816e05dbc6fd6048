/** Accesses to video memory that go through the VGA's graphics controller: planes, latches, write and read modes. */
import type { VgaState } from './registers.js';
import type { VideoMemory } from './video-memory.js';

const CHAIN4 = 0x08;
const ODD_EVEN = 0x10;
const READ_COMPARES = 0x08;

/** Each bit of four as a byte of ones. */
const SPREAD = Uint32Array.from({ length: 16 }, (_, bits) =>
  [0, 1, 2, 3].reduce((word, plane) => ((bits >> plane) & 1 ? word | (0xff << (8 * plane)) : word) >>> 0, 0),
);
const everyPlane = (byte: number): number => Math.imul(byte & 0xff, 0x01010101);

/** Pieces of A0000h to BFFFFh that the four memory maps show: first byte, bytes. */
const MAPS = [
  [0, 0x20000],
  [0, 0x10000],
  [0x10000, 0x8000],
  [0x18000, 0x8000],
] as const;

/** What of the window below 1 MiB answers: `first` counts from A0000h. */
export function legacyMap({ graphics }: VgaState): { map: number; first: number; bytes: number } {
  const map = (graphics[6] >> 2) & 3;
  const [first, bytes] = MAPS[map];
  return { map, first, bytes };
}

/** All four planes are written in turn by consecutive bytes: video memory as it lies there. */
export function isLinear({ sequencer }: VgaState): boolean {
  return (sequencer[4] & CHAIN4) !== 0 && (sequencer[2] & 15) === 15;
}

/** Even bytes are characters and odd ones attributes, both written: as text modes and the CGA's graphics have it. */
export function isText({ sequencer, graphics }: VgaState): boolean {
  if ((sequencer[4] & CHAIN4) !== 0 || (graphics[5] & ODD_EVEN) === 0) return false;
  return ((graphics[6] >> 2) & 3) === 3 && (sequencer[2] & 3) === 3 && (graphics[4] & 2) === 0;
}

/** Place in video memory of a byte at A0000h + offset; undefined where the memory map leaves it out. */
function placeOf(s: VgaState, offset: number, bank: number): number | undefined {
  const { map, first, bytes } = legacyMap(s);
  const at = offset - first;
  if (at < 0 || at >= bytes) return undefined;
  return map === 1 ? at + bank : at;
}

/** @param bank bytes that the 64 KiB window at A0000h lies behind the start */
export function readByte(s: VgaState, video: VideoMemory, offset: number, bank: number): number {
  const at = placeOf(s, offset, bank);
  if (at === undefined) return 0xff;
  const { bytes } = video;
  if (s.sequencer[4] & CHAIN4) return bytes[at];
  // a bank may reach behind the end of memory
  if (s.graphics[5] & ODD_EVEN) return bytes[((at & ~1) << 1) | (s.graphics[4] & 2) | (at & 1)] ?? 0xff;
  s.latch = wordAt(bytes, at);
  return readLatched(s, s.latch);
}

/** As `readByte`, but the latches stay. */
export function peekByte(s: VgaState, video: VideoMemory, offset: number, bank: number): number {
  const { latch } = s;
  const value = readByte(s, video, offset, bank);
  s.latch = latch;
  return value;
}

function readLatched({ graphics }: VgaState, latch: number): number {
  if ((graphics[5] & READ_COMPARES) === 0) return (latch >>> (8 * (graphics[4] & 3))) & 0xff;
  let differs = (latch ^ SPREAD[graphics[2] & 15]) & SPREAD[graphics[7] & 15];
  differs |= differs >>> 16;
  differs |= differs >>> 8;
  return ~differs & 0xff;
}

export function writeByte(s: VgaState, video: VideoMemory, offset: number, value: number, bank: number): void {
  const at = placeOf(s, offset, bank);
  if (at === undefined) return;
  const mask = s.sequencer[2] & 15;
  if (s.sequencer[4] & CHAIN4) {
    if ((mask >> (at & 3)) & 1) put(video, at, value);
  } else if (s.graphics[5] & ODD_EVEN) {
    const plane = (s.graphics[4] & 2) | (at & 1);
    if ((mask >> plane) & 1) put(video, ((at & ~1) << 1) | plane, value);
  } else writeLatched(s, video, at, value, SPREAD[mask]);
}

function put(video: VideoMemory, at: number, value: number): void {
  if (at >= video.bytes.length) return;
  video.changing(at, 1);
  video.bytes[at] = value;
}

/** @vga "Write modes" 0 to 3 */
function writeLatched(
  { graphics, latch }: VgaState,
  video: VideoMemory,
  at: number,
  value: number,
  planes: number,
): void {
  const rotation = graphics[3] & 7;
  const rotated = ((value >> rotation) | (value << (8 - rotation))) & 0xff;
  const setReset = SPREAD[graphics[0] & 15];
  const mode = graphics[5] & 3;
  let data = latch;
  if (mode !== 1) {
    let bits = everyPlane(graphics[8]);
    if (mode === 0) {
      const enabled = SPREAD[graphics[1] & 15];
      data = (everyPlane(rotated) & ~enabled) | (setReset & enabled);
    } else if (mode === 2) data = SPREAD[value & 15];
    else {
      data = setReset;
      bits &= everyPlane(rotated);
    }
    const operation = (graphics[3] >> 3) & 3;
    if (operation === 1) data &= latch;
    else if (operation === 2) data |= latch;
    else if (operation === 3) data ^= latch;
    data = (data & bits) | (latch & ~bits);
  }
  const { bytes } = video;
  const first = 4 * at;
  if (first >= bytes.length) return;
  video.changing(first, 4);
  const word = (wordAt(bytes, at) & ~planes) | (data & planes);
  for (let plane = 0; plane < 4; plane++) bytes[first + plane] = word >>> (8 * plane);
}

/** One byte of each plane. */
function wordAt(bytes: Uint8Array, at: number): number {
  const first = 4 * at;
  if (first >= bytes.length) return 0xffffffff;
  return (bytes[first] | (bytes[first + 1] << 8) | (bytes[first + 2] << 16) | (bytes[first + 3] << 24)) >>> 0;
}
