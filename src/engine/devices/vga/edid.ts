/**
 * What the monitor on the card says of itself, byte by byte as QEMU's says it: firmware and drivers take their first mode from there.
 * @vesa E-EDID 1.4
 * @cta 861 "EDID extension"
 */
const BLOCK = 128;
const HEADER = [0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00];
const MAKER = 'RHT';
const PRODUCT = 0x1234;
const NAME = 'QEMU Monitor';
const WEEK = 42;
const YEAR = 2014;

/** The preferred mode, in pixels and Hz, and pixels an inch. */
const WIDTH = 1280;
const HEIGHT = 800;
const REFRESH = 75;
const DOTS_AN_INCH = 100;

const DIGITAL_8_BIT_DISPLAYPORT = 0xa5;
const GAMMA_2_2 = 120;
const SRGB_AND_PREFERRED_TIMING = 0x06;
/** Red, green, blue and white of sRGB: x and y of each. */
const SRGB = [0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329];
/** 640x480, 800x600 and 1024x768 at 60 Hz, in the map of timings that have names. */
const ESTABLISHED = [0x21, 0x08, 0x00];
/** At 60 Hz too; the ratio of both follows. */
const STANDARD: readonly (readonly [number, number])[] = [
  [2048, 1152],
  [1920, 1080],
  [1920, 1200],
  [1600, 1200],
  [1680, 1050],
  [1440, 900],
  [1280, 1024],
  [1280, 960],
];
const RATIOS = [1.6, 4 / 3, 5 / 4, 16 / 9];
/** 1280x768 to 1920x1440 at 60 Hz, in the map of "established timings III". */
const ESTABLISHED_3 = [0x0a, 0x00, 0x40, 0x82, 0x00, 0x28, 0x20];
/** 50 to 125 Hz, 30 to 160 kHz, the highest clock that can be told, and no formula. */
const RANGES = [50, 125, 30, 160, 0xff, 0x01, 0x0a];
/** CTA's codes of 5120x2160, 4096x2160, 3840x2160, 2560x1080 and 1920x1080 at 50 Hz, and 3840x2160 at 60 Hz. */
const VIDEO_CODES = [125, 101, 96, 89, 31, 97];

const DESCRIPTOR = { name: 0xfc, ranges: 0xfd, established3: 0xf7, none: 0x10 } as const;
const DESCRIPTOR_BYTES = 18;
const CTA = [0x02, 0x03];
const VIDEO_BLOCK = 2 << 5;

/** Both blocks: 256 bytes. */
export function edid(): Uint8Array {
  return Uint8Array.from([...summed(baseBlock()), ...summed(extension())]);
}

function baseBlock(): number[] {
  const maker = [...MAKER].reduce((word, letter) => (word << 5) | (letter.charCodeAt(0) & 0x1f), 0);
  return [
    ...[...HEADER, maker >> 8, maker & 0xff, PRODUCT & 0xff, PRODUCT >> 8],
    ...[0, 0, 0, 0, WEEK, YEAR - 1990, 1, 4],
    ...[DIGITAL_8_BIT_DISPLAYPORT, centimetres(WIDTH), centimetres(HEIGHT), GAMMA_2_2, SRGB_AND_PREFERRED_TIMING],
    ...chromaticity(),
    ...ESTABLISHED,
    ...STANDARD.flatMap(([width, height]) => [width / 8 - 31, RATIOS.indexOf(width / height) << 6]),
    ...preferredTiming(),
    ...descriptor(DESCRIPTOR.established3, ESTABLISHED_3, 0),
    ...descriptor(DESCRIPTOR.ranges, RANGES, 0x20),
    ...descriptor(
      DESCRIPTOR.name,
      [...`${NAME}\n`].map((letter) => letter.charCodeAt(0)),
      0x20,
    ),
    1,
  ];
}

function extension(): number[] {
  const data = [VIDEO_BLOCK | VIDEO_CODES.length, ...VIDEO_CODES];
  const block = [...CTA, 4 + data.length, 0, ...data];
  while (block.length + DESCRIPTOR_BYTES < BLOCK) block.push(...descriptor(DESCRIPTOR.none, [], 0));
  return block;
}

const centimetres = (pixels: number): number => Math.floor((pixels * 2.54) / DOTS_AN_INCH);
const millimetres = (pixels: number): number => Math.floor((pixels * 25.4) / DOTS_AN_INCH);

/** Ten bits each: first the lowest two of all, then the others. */
function chromaticity(): number[] {
  const all = SRGB.map((value) => Math.floor(value * 1024 + 0.5));
  const low = (first: number): number =>
    all.slice(first, first + 4).reduce((byte, value) => (byte << 2) | (value & 3), 0);
  return [low(0), low(4), ...all.map((value) => value >> 2)];
}

/** The blanks of a monitor that nobody needs to sync. */
function preferredTiming(): number[] {
  const across = { front: share(WIDTH, 250), sync: share(WIDTH, 30), blank: share(WIDTH, 350) };
  const down = { front: share(HEIGHT, 5), sync: share(HEIGHT, 5), blank: share(HEIGHT, 35) };
  const clock = Math.floor((REFRESH * (WIDTH + across.blank) * (HEIGHT + down.blank)) / 10_000);
  const size = [millimetres(WIDTH), millimetres(HEIGHT)];
  return [
    ...[clock & 0xff, clock >> 8],
    ...pair(WIDTH, across.blank),
    ...pair(HEIGHT, down.blank),
    ...[across.front & 0xff, across.sync & 0xff, (down.front << 4) | (down.sync & 15)],
    ((across.front >> 8) << 6) | ((across.sync >> 8) << 4) | ((down.front >> 4) << 2) | (down.sync >> 4),
    ...pair(size[0], size[1]),
    ...[0, 0, 0x18],
  ];
}

const share = (pixels: number, thousandths: number): number => Math.floor((pixels * thousandths) / 1000);

/** Two numbers of 12 bits: their low bytes, then the high bits of both. */
const pair = (a: number, b: number): number[] => [a & 0xff, b & 0xff, ((a >> 8) << 4) | (b >> 8)];

function descriptor(tag: number, data: readonly number[], fill: number): number[] {
  const bytes = [0, 0, 0, tag, 0, ...data];
  return [...bytes, ...new Array<number>(DESCRIPTOR_BYTES - bytes.length).fill(fill)];
}

/** Filled up to a block whose bytes have the sum 0. */
function summed(bytes: readonly number[]): number[] {
  const block = [...bytes, ...new Array<number>(BLOCK - 1 - bytes.length).fill(0)];
  const sum = block.reduce((a, b) => a + b, 0);
  return [...block, -sum & 0xff];
}
