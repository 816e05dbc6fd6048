/** Vector instructions of VEX, and those of SSE beside them, compiled and by handlers: both halves, memory, and the edges of numbers. */
import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { randomOf } from '../random.js';
import { Pair } from './pair.js';

const FROM = 0x20000;
const TO = 0x80000;
const RECORD = 96;
const ANSWER = 96;
const PAIRS = 105;

const NP = 0;
const P66 = 1;
const PF3 = 2;
const PF2 = 3;
type Prefix = 0 | 1 | 2 | 3;
const LEGACY = [[], [0x66], [0xf3], [0xf2]];

interface Form {
  readonly name: string;
  readonly prefix: Prefix;
  /** 1: 0F, 2: 0F 38, 3: 0F 3A. */
  readonly map: 1 | 2 | 3;
  readonly opcode: number;
  readonly immediate?: number;
  /** The register of VEX.vvvv is an operand: the second, or of shifts by an immediate the destination. */
  readonly three?: boolean;
  readonly digit?: number;
  /** ModRM.reg is a general register. */
  readonly general?: boolean;
  readonly only?: 'vex' | 'registers' | 'memory';
  /** VEX.L may be 0 alone. */
  readonly short?: boolean;
  readonly wide?: boolean;
  /** VEX.L must be 1. */
  readonly long?: boolean;
  /** The second operand is a count that is now small, now large. */
  readonly counts?: boolean;
}

const form = (name: string, prefix: Prefix, map: 1 | 2 | 3, opcode: number, more: Partial<Form> = {}): Form => ({
  name,
  prefix,
  map,
  opcode,
  ...more,
});
const three = { three: true };

const INTEGERS: readonly Form[] = [
  ...[
    0xfc, 0xfd, 0xfe, 0xd4, 0xf8, 0xfb, 0xdc, 0xd8, 0xe0, 0xda, 0xea, 0xd5, 0xf5, 0x64, 0x65, 0x66, 0x74, 0x76, 0xdb,
    0xdf,
  ]
    .concat([0xeb, 0xef, 0x63, 0x67, 0x6b, 0x60, 0x61, 0x62, 0x6c, 0x68, 0x6a, 0x6d, 0xf4])
    .map((opcode) => form(`integer 0f ${opcode.toString(16)}`, P66, 1, opcode, three)),
  ...[0x00, 0x29, 0x37, 0x38, 0x3a, 0x3c, 0x3e, 0x40].map((opcode) =>
    form(`integer 0f 38 ${opcode.toString(16)}`, P66, 2, opcode, three),
  ),
  ...[0, 5, 15, 16, 27, 31, 32, 60].map((immediate) =>
    form(`palignr ${immediate}`, P66, 3, 0x0f, { ...three, immediate }),
  ),
  ...[0x1b, 0xe4].flatMap((immediate) => [
    form(`pshufd ${immediate}`, P66, 1, 0x70, { immediate }),
    form(`pshufhw ${immediate}`, PF3, 1, 0x70, { immediate }),
    form(`pshuflw ${immediate}`, PF2, 1, 0x70, { immediate }),
    form(`shufps ${immediate}`, NP, 1, 0xc6, { ...three, immediate }),
  ]),
  ...[0, 5, 10, 15, 6].map((immediate) => form(`shufpd ${immediate}`, P66, 1, 0xc6, { ...three, immediate })),
  ...[0x71, 0x72, 0x73].flatMap((opcode) =>
    [2, 4, 6]
      .filter((digit) => opcode !== 0x73 || digit !== 4)
      .concat(opcode === 0x73 ? [3, 7] : [])
      .flatMap((digit) =>
        [0, 3, 15, 16, 33, 64, 255].map((immediate) =>
          form(`shift ${opcode.toString(16)} /${digit} ${immediate}`, P66, 1, opcode, {
            ...three,
            digit,
            immediate,
            only: 'registers',
          }),
        ),
      ),
  ),
  ...[0x1c, 0x1d, 0x1e].map((opcode) => form(`pabs ${opcode.toString(16)}`, P66, 2, opcode)),
  form('packusdw', P66, 2, 0x2b, three),
  ...[0xd1, 0xd2, 0xd3, 0xe1, 0xe2, 0xf1, 0xf2, 0xf3].map((opcode) =>
    form(`shift by count ${opcode.toString(16)}`, P66, 1, opcode, { ...three, counts: true }),
  ),
  ...[0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35].map((opcode) =>
    form(`widened ${opcode.toString(16)}`, P66, 2, opcode),
  ),
  ...[0x0c, 0x0d, 0x0e].flatMap((opcode) =>
    [0x5a, 0xe1].map((immediate) => form(`blend ${opcode} ${immediate}`, P66, 3, opcode, { ...three, immediate })),
  ),
  form('vpblendd', P66, 3, 0x02, { ...three, immediate: 0x93, only: 'vex' }),
  ...[0xdc, 0xdd, 0xde, 0xdf].map((opcode) =>
    form(`aes round ${opcode.toString(16)}`, P66, 2, opcode, { ...three, short: true }),
  ),
  ...[0x00, 0x01, 0x10, 0x11].map((immediate) =>
    form(`pclmulqdq ${immediate}`, P66, 3, 0x44, { ...three, immediate, short: true }),
  ),
  form('movddup', PF2, 1, 0x12),
  form('movsldup', PF3, 1, 0x12),
  form('movshdup', PF3, 1, 0x16),
  form('vpermilps', P66, 3, 0x04, { immediate: 0x6c, only: 'vex' }),
  ...[0, 1].flatMap((immediate) => [
    form(`vinserti128 ${immediate}`, P66, 3, 0x38, { ...three, immediate, only: 'vex', long: true }),
    form(`vextracti128 ${immediate}`, P66, 3, 0x39, { immediate, only: 'vex', long: true }),
  ]),
  ...[0, 3, 9, 15].flatMap((immediate) => [
    form(`pinsrb ${immediate}`, P66, 3, 0x20, { ...three, immediate, short: true }),
    form(`pinsrw ${immediate}`, P66, 1, 0xc4, { ...three, immediate, short: true }),
    form(`pinsrd ${immediate}`, P66, 3, 0x22, { ...three, immediate, short: true }),
    form(`pinsrq ${immediate}`, P66, 3, 0x22, { ...three, immediate, short: true, wide: true }),
    form(`pextrb ${immediate}`, P66, 3, 0x14, { immediate, short: true }),
    form(`pextrw ${immediate}`, P66, 3, 0x15, { immediate, short: true }),
    form(`pextrd ${immediate}`, P66, 3, 0x16, { immediate, short: true }),
    form(`pextrq ${immediate}`, P66, 3, 0x16, { immediate, short: true, wide: true }),
    form(`pextrw ${immediate} to a register`, P66, 1, 0xc5, {
      immediate,
      short: true,
      general: true,
      only: 'registers',
    }),
  ]),
  form('pmovmskb', P66, 1, 0xd7, { general: true, only: 'registers' }),
  form('movmskps', NP, 1, 0x50, { general: true, only: 'registers' }),
  form('movmskpd', P66, 1, 0x50, { general: true, only: 'registers' }),
  ...[0x18, 0x58, 0x59, 0x78, 0x79].map((opcode) =>
    form(`broadcast ${opcode.toString(16)}`, P66, 2, opcode, { only: 'vex' }),
  ),
  form('ptest', P66, 2, 0x17),
  form('vzeroupper', NP, 1, 0x77, { only: 'vex', short: true }),
  form('movq load', PF3, 1, 0x7e, { short: true }),
  form('movd load', P66, 1, 0x6e, { short: true, only: 'memory' }),
  form('movss load', PF3, 1, 0x10, { only: 'memory' }),
  form('movsd load', PF2, 1, 0x10, { only: 'memory' }),
  form('movss merge', PF3, 1, 0x10, { ...three, only: 'registers' }),
  form('movsd merge', PF2, 1, 0x10, { ...three, only: 'registers' }),
  form('movlps', NP, 1, 0x12, { ...three, short: true }),
  form('movhps', NP, 1, 0x16, { ...three, short: true }),
];

const FORMS: [string, Prefix][] = [
  ['ps', NP],
  ['pd', P66],
  ['ss', PF3],
  ['sd', PF2],
];
const FLOATS: readonly Form[] = [
  ...Object.entries({ add: 0x58, mul: 0x59, sub: 0x5c, min: 0x5d, div: 0x5e, max: 0x5f }).flatMap(([name, opcode]) =>
    FORMS.map(([suffix, prefix]) => form(`${name}${suffix}`, prefix, 1, opcode, three)),
  ),
  ...FORMS.map(([suffix, prefix]) => form(`sqrt${suffix}`, prefix, 1, 0x51, { three: suffix.startsWith('s') })),
  ...FORMS.flatMap(([suffix, prefix]) =>
    [0, 1, 2, 3, 4, 5, 6, 7].map((immediate) =>
      form(`cmp${suffix} ${immediate}`, prefix, 1, 0xc2, { ...three, immediate }),
    ),
  ),
  ...FORMS.flatMap(([suffix, prefix]) =>
    [9, 12, 15, 18, 24, 27, 31].map((immediate) =>
      form(`cmp${suffix} ${immediate}`, prefix, 1, 0xc2, { ...three, immediate, only: 'vex' }),
    ),
  ),
  form('ucomiss', NP, 1, 0x2e),
  form('comisd', P66, 1, 0x2f),
  form('cvtdq2pd', PF3, 1, 0xe6),
  form('cvtdq2ps', NP, 1, 0x5b),
  form('cvtsd2ss', PF2, 1, 0x5a, three),
  form('cvtss2sd', PF3, 1, 0x5a, three),
  ...[PF3, PF2].flatMap((prefix) =>
    [false, true].flatMap((wide) => [
      form(`cvtsi2${prefix === PF2 ? 'sd' : 'ss'} ${wide ? 64 : 32}`, prefix as Prefix, 1, 0x2a, { ...three, wide }),
      form(`cvtt to integer ${prefix} ${wide ? 64 : 32}`, prefix as Prefix, 1, 0x2c, { general: true, wide }),
      form(`cvt to integer ${prefix} ${wide ? 64 : 32}`, prefix as Prefix, 1, 0x2d, { general: true, wide }),
    ]),
  ),
];

const int32 = (value: number): number[] => [...Buffer.from(Int32Array.of(value).buffer)];

/** `ymm2, ymm0, ymm1` or `ymm2, ymm0, [rsi+32]`; of SSE `xmm0, xmm1`. */
function encoded(of: Form, vex: boolean, memory: boolean, whole: boolean): number[] {
  const { prefix, map, opcode, immediate, digit, general, wide } = of;
  const opening = map === 1 ? [0x0f] : map === 2 ? [0x0f, 0x38] : [0x0f, 0x3a];
  const to = digit ?? (general ? 0 : vex ? 2 : 0);
  const operand = memory ? [0x46 | (to << 3), 32] : [0xc1 | (to << 3)];
  const modrm = opcode === 0x77 ? [] : operand;
  const tail = immediate === undefined ? [] : [immediate];
  if (!vex) return [...LEGACY[prefix], ...(wide ? [0x48] : []), ...opening, opcode, ...modrm, ...tail];
  // the destination of a shift is XMM2
  const first = of.three ? (digit === undefined ? 0 : 2) : 0;
  const third = (wide ? 0x80 : 0) | ((15 - first) << 3) | (whole ? 4 : 0) | prefix;
  return [0xc4, 0xe0 | map, third, opcode, ...modrm, ...tail];
}

/** RSI goes over the records, RDI over the answers: the result, RAX, MXCSR, flags, RCX, YMM1. RCX is the first quadword of the second operand. */
function loop(instruction: number[], result: number): number[] {
  const body = [
    ...[0x0f, 0xae, 0x56, 64], // ldmxcsr [rsi+64]
    ...[0xc5, 0xfc, 0x10, 0x06], // vmovups ymm0, [rsi]
    ...[0xc5, 0xfc, 0x10, 0x4e, 32], // vmovups ymm1, [rsi+32]
    ...[0xc5, 0xfc, 0x10, 0x56, 32], // vmovups ymm2, [rsi+32]
    ...[0x48, 0x8b, 0x4e, 32], // mov rcx, [rsi+32]
    ...[0x31, 0xc0], // xor eax, eax
    ...instruction,
    ...[0xc5, 0xfc, 0x11, 0x07 | (result << 3)], // vmovups [rdi], ymm
    ...[0x48, 0x89, 0x47, 32], // mov [rdi+32], rax
    ...[0x48, 0x89, 0x4f, 48], // mov [rdi+48], rcx
    ...[0xc5, 0xfc, 0x11, 0x4f, 64], // vmovups [rdi+64], ymm1
    ...[0x0f, 0xae, 0x5f, 40], // stmxcsr [rdi+40]
    0x9f, // lahf
    ...[0x89, 0x47, 44], // mov [rdi+44], eax
    ...[0x48, 0x83, 0xc6, RECORD], // add rsi, RECORD
    ...[0x48, 0x83, 0xc7, ANSWER], // add rdi, ANSWER
    ...[0x41, 0xff, 0xcf], // dec r15d
  ];
  const whole = [
    ...[0x41, 0xbf, ...int32(PAIRS)], // mov r15d, PAIRS
    ...[0x48, 0x89, 0xde], // mov rsi, rbx
    ...[0x48, 0x89, 0xef], // mov rdi, rbp
    ...body,
    ...[0x0f, 0x85, ...int32(-(body.length + 6))], // jnz
  ];
  return [...whole, 0xe9, ...int32(-(whole.length + 5))];
}

/** All masked with and without PE, DAZ and FTZ, upwards. */
const MODES = [0x1fa0, 0x1f80, 0x1f80, 0x9fe0, 0x9fc0, 0x5fa0, 0x1fbf];

/** Doubles whose sums, products and quotients are now exact, now not. */
const DOUBLES = [
  0,
  -0,
  1,
  -1,
  2,
  3,
  7,
  0.5,
  -0.75,
  0.1,
  -1 / 3,
  1e16,
  2 ** 53 - 1,
  94906265,
  134217729,
  1 + 2 ** -52,
  2 ** -1022,
  2 ** -1021,
  2 ** -540,
  -(2 ** 600),
  1e300,
  Number.MAX_VALUE,
  5e-324,
  2 ** 31,
  -(2 ** 31),
  2 ** 30,
  2 ** 62,
  2 ** 50 + 0.25,
  Infinity,
  -Infinity,
  Number.NaN,
  4,
  9,
  2.25,
  1e-310,
];
const SINGLES = [
  0,
  -0,
  1,
  -1,
  2,
  3,
  7,
  0.5,
  -0.75,
  0.1,
  -1 / 3,
  16777217,
  4097,
  1 + 2 ** -23,
  2 ** -126,
  2 ** -125,
  2 ** -70,
  -(2 ** 70),
  3e38,
  1e-40,
  2 ** 31,
  2 ** 30,
  Infinity,
  -Infinity,
  Number.NaN,
  4,
  9,
  2.25,
];
const WHOLES = [
  0n,
  1n,
  -1n,
  3n,
  1n << 24n,
  (1n << 24n) + 1n,
  (1n << 53n) + 1n,
  1n << 53n,
  -(1n << 62n),
  (1n << 63n) - 1n,
  -(1n << 63n),
  -7n,
];

function records(of: Form): Buffer {
  const next = randomOf(of.opcode * 977 + of.prefix * 31 + (of.immediate ?? 0) + 1);
  const data = Buffer.alloc(PAIRS * RECORD);
  const floats = FLOATS.includes(of);
  const double = of.prefix === P66 || of.prefix === PF2;
  const pick = <T>(list: readonly T[]): T => list[next() % list.length];
  for (let n = 0; n < PAIRS; n++) {
    const at = n * RECORD;
    if (floats && (of.opcode === 0x2a || of.opcode === 0xe6 || of.opcode === 0x5b)) {
      for (let q = 0; q < 8; q++) data.writeBigInt64LE(q === 4 ? pick(WHOLES) : BigInt(next()), at + q * 8);
    } else if (floats && double) {
      for (let q = 0; q < 8; q++) {
        // a chain of a few, so that ordinary ones meet
        const ordinary = n % 3 !== 0;
        data.writeDoubleLE(
          ordinary ? pick(DOUBLES.slice(2, 16)) * (n % 2 ? 1 : (next() % 64) + 1) : pick(DOUBLES),
          at + q * 8,
        );
      }
    } else if (floats) {
      for (let d = 0; d < 16; d++) {
        const ordinary = n % 3 !== 0;
        data.writeFloatLE(
          ordinary ? pick(SINGLES.slice(2, 13)) * (n % 2 ? 1 : (next() % 64) + 1) : pick(SINGLES),
          at + d * 4,
        );
      }
    } else {
      const alike = next() % 4 === 0;
      for (let d = 0; d < 16; d++)
        data.writeUInt32LE(d >= 8 && alike ? data.readUInt32LE(at + d * 4 - 32) : next(), at + d * 4);
      if (n % 16 === 0) data.fill(0, at, at + 64);
      if (of.counts && n % 3 !== 0) data.writeBigUInt64LE(BigInt(next() % 70), at + 32);
    }
    data.writeUInt32LE(MODES[n % MODES.length], at + 64);
  }
  return data;
}

const CASES = [...INTEGERS, ...FLOATS].flatMap((of) =>
  [false, true].flatMap((vex) =>
    [false, true].flatMap((memory) =>
      [false, true]
        .filter((whole) => !(whole && (!vex || of.short)))
        .filter((whole) => whole || !of.long)
        .filter(() => !(of.only === 'vex' && !vex))
        .filter(() => of.only !== 'registers' || !memory)
        .filter(() => of.only !== 'memory' || memory)
        .filter(() => of.opcode !== 0x77 || !memory)
        .map((whole) => ({ of, vex, memory, whole })),
    ),
  ),
);

/** Every one in its turn would take long: a test takes those of one kind. */
const KINDS = new Map<string, typeof CASES>();
for (const one of CASES) {
  const kind = `${FLOATS.includes(one.of) ? 'numbers' : 'integers'}, ${one.vex ? `VEX.${one.whole ? 256 : 128}` : 'SSE'}, ${one.memory ? 'memory' : 'registers'}`;
  KINDS.set(kind, [...(KINDS.get(kind) ?? []), one]);
}

describe('vector instructions, compiled and by handlers', () => {
  it.each([...KINDS])('%s', { timeout: 300_000 }, (_kind, cases) => {
    const wrong: string[] = [];
    const pair = new Pair('long', (m) => {
      m.set(L.CR4, m.get(L.CR4) | 0x40600n);
      m.set(L.XCR0, 7n);
      m.core.updateMode();
    });
    const machines = [pair.stepped, pair.plain, pair.compiled];
    let at = 0x1400;
    for (const { of, vex, memory, whole } of cases) {
      const code = loop(encoded(of, vex, memory, whole), vex ? 2 : 0);
      const data = records(of);
      for (const m of machines) {
        m.load(FROM, [...data]);
        m.load(at, code);
        m.bytes.fill(0, L.RAM_BASE + TO, L.RAM_BASE + TO + PAIRS * ANSWER);
        m.setReg('rbx', FROM);
        m.setReg('rbp', TO);
        m.set(L.RIP, at);
      }
      at += (code.length + 63) & ~63;
      const before = pair.inRegions;
      try {
        for (let n = 0; n < 4; n++) pair.run(700 + n);
      } catch (error) {
        wrong.push(`${of.name}: ${(error as Error).message.slice(0, 200)}`);
        break;
      }
      if (pair.inRegions - before < 1500) wrong.push(`${of.name}: not compiled`);
    }
    expect(wrong.slice(0, 5)).toEqual([]);
  });
});
