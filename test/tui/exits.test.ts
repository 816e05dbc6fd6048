import { beforeAll, describe, expect, it } from 'vitest';
import { Disassembler, SymbolTable } from '../../src/disasm/index.js';
import type { ExitRecord, RegisterFile } from '../../src/engine/debugger.js';
import { parseExitCondition } from '../../src/tui/commands.js';
import {
  describeAction,
  describeFields,
  exitSubject,
  explainExit,
  instructionFields,
  qualificationFields,
} from '../../src/tui/explain.js';
import { evaluate, parseBytes } from '../../src/tui/expression.js';
import { ENCODING } from '../../src/tui/facts.js';
import { layout, VIEW_PANES, VIEWS } from '../../src/tui/layout.js';
import { willExit } from '../../src/tui/will-exit.js';

const RECORD: ExitRecord = {
  sequence: 1,
  icount: 0n,
  clock: 0n,
  vcpu: 0,
  reason: 0,
  qualification: 0n,
  rip: 0n,
  csBase: 0n,
  gla: 0n,
  gpa: 0n,
  instructionLength: 0,
  instructionInfo: 0,
  interruptionInfo: 0,
  interruptionError: 0,
  vectoringInfo: 0,
  vectoringError: 0,
  cr3: 0n,
  rax: 0n,
  rcx: 0n,
  action: 'none',
  detail: 0,
};
const record = (fields: Partial<ExitRecord>): ExitRecord => ({ ...RECORD, ...fields });

describe('explainExit', () => {
  const controls = (values: Record<number, bigint>) => (encoding: number) => values[encoding];
  it.each([
    [{ reason: 10 }, {}, /unconditional/],
    [{ reason: 12 }, {}, /"HLT exiting" is 1/],
    [
      { reason: 0, interruptionInfo: 0x80000306 },
      { [ENCODING.exceptionBitmap]: 0x40n },
      /bit 6 \(#UD\) of the exception bitmap is 1 \(bit 6 of EXCEPTION_BITMAP 40\)/,
    ],
    [{ reason: 0, interruptionInfo: 0x80000202 }, {}, /NMI exiting/],
    [
      { reason: 0, interruptionInfo: 0x80000b0e, interruptionError: 3 },
      { [ENCODING.exceptionBitmap]: 0x4000n, [ENCODING.pfecMask]: 1n, [ENCODING.pfecMatch]: 1n },
      /bit 14 \(#PF\) of the exception bitmap is 1 and the error code has the bits/,
    ],
    [{ reason: 28, qualification: 0x3n }, {}, /CR3-load exiting/],
    [{ reason: 28, qualification: 0x13n }, {}, /CR3-store exiting/],
    [
      { reason: 28, qualification: 0n },
      { [ENCODING.cr0Mask]: 0x21n, [ENCODING.cr0Shadow]: 1n },
      /CR0 .*: mask 21, shadow 1/,
    ],
    [{ reason: 30, qualification: 0x3f80000n }, { [ENCODING.primary]: 1n << 24n }, /Unconditional I\/O/],
    [{ reason: 30, qualification: 0xcf80000n }, { [ENCODING.primary]: 1n << 25n }, /bit 0xcf8 of I\/O bitmap A/],
    [{ reason: 30, qualification: 0x80000000n }, { [ENCODING.primary]: 1n << 25n }, /bit 0x0 of I\/O bitmap B/],
    [
      { reason: 31, rcx: 0x10n },
      { [ENCODING.primary]: 0n },
      /"Use MSR bitmaps" is 0.*bit 28 of CPU_BASED_VM_EXEC_CONTROL 0/,
    ],
    [
      { reason: 32, rcx: 0xc0000080n },
      { [ENCODING.primary]: 1n << 28n },
      /bit 0x80 of the write bitmap for high MSRs is 1/,
    ],
    [{ reason: 31, rcx: 0x9999n }, { [ENCODING.primary]: 1n << 28n }, /outside both/],
    [{ reason: 48, qualification: 0x182n, gpa: 0xfee000b0n }, {}, /no EPT entry maps/],
    [{ reason: 48, qualification: 0x1aan, gpa: 0x1000n }, {}, /do not permit/],
    [{ reason: 0x80000021 }, {}, /entry failed/],
  ] as const)('%o', (fields, values, text) => {
    expect(explainExit(record(fields), controls(values as Record<number, bigint>))).toMatch(text);
  });

  it('describes qualifications, instruction information and what was done', () => {
    const text = (reason: number, qualification: bigint, more: Partial<ExitRecord> = {}) => {
      const exit = record({ reason, qualification, ...more });
      return [describeFields(qualificationFields(exit)), exitSubject(exit)];
    };
    expect(text(28, 0x103n)).toEqual(['register cr3, access MOV to CR, general register rcx', 'mov cr3, rcx']);
    expect(text(28, 0x910n)[1]).toBe('mov r9, cr0');
    expect(text(29, 0x17n)[1]).toBe('mov rax, dr7');
    expect(text(30, 0x3f80008n)).toEqual(['size 1 byte, direction IN, port encoding DX, port 0x3f8', 'in 3f8 1b']);
    expect(text(30, 0x600073n)[1]).toBe('outs 060 4b');
    expect(text(48, 0x184n, { gpa: 0xfee00000n })).toEqual([
      'fetch, linear address valid, access to translated address',
      'gpa fee00000 X',
    ]);
    expect(text(9, 0x40000028n)[0]).toBe('selector 0x28, source IRET');
    expect(text(10, 0n, { rax: 7n, rcx: 1n })).toEqual(['', 'leaf 7.1']);
    expect(text(0, 0x1234n, { interruptionInfo: 0x80000b0e })[1]).toBe('#PF at 1234');
    expect(text(32, 0n, { rcx: 0xc0000080n })[1]).toBe('msr c0000080');
    const lgdt = record({ reason: 46, instructionInfo: 0x20c1_8100, qualification: 0x10n });
    expect(describeFields(instructionFields(lgdt))).toMatch(
      /^instruction LGDT, operand size 16 bits, operand ds:\[rcx\+0x10\]$/,
    );
    expect(exitSubject(lgdt)).toBe('lgdt ds:[rcx+0x10]');
    expect(describeAction(record({ reason: 30, qualification: 8n, detail: 0x41, action: 'resume' }))).toBe(
      'port gave 41, then resumed',
    );
    expect(describeAction(record({ reason: 59, detail: 6, action: 'inject' }))).toBe('injected #UD, then resumed');
    expect(describeAction(record({ reason: 1, detail: 0x20, action: 'inject' }))).toBe(
      'injected vector 0x20, then resumed',
    );
  });
});

describe('willExit', () => {
  let disassembler: Disassembler;
  beforeAll(async () => {
    disassembler = await Disassembler.load();
  });
  const check = (
    hex: string,
    fields: Record<number, bigint>,
    registers?: RegisterFile,
    options: { bytes?: Record<string, number>; cpl?: number } = {},
  ) => {
    const bytes = Uint8Array.from(hex.split(' '), (pair) => Number.parseInt(pair, 16));
    const instruction = disassembler.disassemble(bytes, 0n, { bits: 64 })[0]!;
    return willExit(instruction, {
      field: (encoding) => fields[encoding],
      byte: (hpa) => options.bytes?.[hpa.toString(16)],
      registers,
      current: { cr0: 1n, ss_ar: BigInt(options.cpl ?? 0) << 5n },
    });
  };
  const bit = (n: number) => ({ [ENCODING.primary]: 1n << BigInt(n) });

  it('knows the unconditional ones, and nothing without a VMCS', () => {
    for (const hex of ['0f a2', '0f 01 c1', '0f 01 d1', '0f 08', '0f 78 c0']) expect(check(hex, bit(0))).toBe('will');
    expect(check('0f a2', {})).toBeUndefined();
    expect(check('90', bit(31))).toBeUndefined();
  });

  it.each([
    ['f4', 7],
    ['0f 01 38', 9],
    ['0f 33', 11],
    ['0f 31', 12],
    ['0f 01 f9', 12],
    ['f3 90', 30],
    ['0f 20 d8', 16],
    ['0f 22 d8', 15],
    ['44 0f 22 c0', 19],
    ['44 0f 20 c0', 20],
    ['0f 23 f8', 23],
    ['0f 21 f8', 23],
    ['ec', 24],
  ])('%s follows primary control %i', (hex, n) => {
    expect(check(hex, bit(n))).toBe('will');
    expect(check(hex, { [ENCODING.primary]: ~(1n << BigInt(n)) & 0x7effffffn & ~(1n << 25n) })).toBeUndefined();
  });

  it('looks at secondary controls only when they are active', () => {
    expect(check('0f 01 10', { [ENCODING.primary]: 1n << 31n, [ENCODING.secondary]: 4n })).toBe('will');
    expect(check('0f 01 10', { [ENCODING.primary]: 0n, [ENCODING.secondary]: 4n })).toBeUndefined();
    expect(check('0f c7 f0', { [ENCODING.primary]: 1n << 31n, [ENCODING.secondary]: 1n << 11n })).toBe('will');
  });

  it('reads the bitmaps when the port or MSR is known', () => {
    const io = { ...bit(25), [ENCODING.ioBitmapA]: 0x1000n };
    expect(check('e6 80', io, undefined, { bytes: { '1010': 1 } })).toBe('will');
    expect(check('e6 80', io, undefined, { bytes: { '1010': 2 } })).toBeUndefined();
    expect(check('ee', io)).toBe('may');
    expect(check('ee', io, { rdx: 0x3f8n }, { bytes: { '107f': 1 } })).toBe('will');
    const msr = { ...bit(28), [ENCODING.msrBitmap]: 0x2000n };
    expect(check('0f 32', msr)).toBe('may');
    expect(check('0f 32', msr, { rcx: 0xc0000080n }, { bytes: { '2410': 1 } })).toBe('will');
    expect(check('0f 30', msr, { rcx: 0xc0000080n }, { bytes: { '2410': 1, '2c10': 0 } })).toBeUndefined();
    expect(check('0f 30', msr, { rcx: 0x5000n })).toBe('will');
    expect(check('0f 32', bit(0))).toBe('will');
  });

  it('compares control registers with mask and shadow, CR3 with its targets', () => {
    const cr0 = { ...bit(0), [ENCODING.cr0Mask]: 0x80000000n, [ENCODING.cr0Shadow]: 0n };
    expect(check('0f 22 c0', cr0)).toBe('may');
    expect(check('0f 22 c0', cr0, { rax: 0x80000001n })).toBe('will');
    expect(check('0f 22 c0', cr0, { rax: 1n })).toBeUndefined();
    const cr3 = { ...bit(15), [ENCODING.cr3TargetCount]: 1n, [ENCODING.cr3Target0]: 0x5000n };
    expect(check('0f 22 d8', cr3, { rax: 0x5000n })).toBeUndefined();
    expect(check('0f 22 d8', cr3, { rax: 0x6000n })).toBe('will');
  });

  it('leaves privileged instructions to #GP outside CPL 0', () => {
    expect(check('f4', bit(7), undefined, { cpl: 3 })).toBeUndefined();
    expect(check('0f a2', bit(7), undefined, { cpl: 3 })).toBe('will');
  });

  it('follows the exception bitmap', () => {
    expect(check('cc', { ...bit(0), [ENCODING.exceptionBitmap]: 8n })).toBe('will');
    expect(check('cc', { ...bit(0), [ENCODING.exceptionBitmap]: 0n })).toBeUndefined();
  });
});

describe('what people type', () => {
  const names = {
    symbols: new SymbolTable([
      { name: 'main', address: 0x1000n, size: 0n },
      { name: 'add', address: 0x2000n, size: 0n },
    ]),
    registers: { rsp: 0x7000n, cr3: 0x5000n },
  };
  it.each([
    ['0x1F', 0x1fn],
    ['42', 42n],
    ['fee00000', 0xfee00000n],
    ['main', 0x1000n],
    ['main+0x10-4', 0x100cn],
    ['$rsp + 8', 0x7008n],
    ['RSP', 0x7000n],
    ['add', 0x2000n],
    ['-1', (1n << 64n) - 1n],
  ])('%s', (text, value) => {
    expect(evaluate(text, names)).toBe(value);
  });
  it.each(['', 'nothing', 'main+', '0x', 'main main', '1 2', '1 2x'])('refuses %j', (text) => {
    expect(() => evaluate(text, names)).toThrow();
  });

  it('reads bytes', () => {
    expect([...parseBytes('de AD be ef')]).toEqual([0xde, 0xad, 0xbe, 0xef]);
    expect([...parseBytes('"hi"')]).toEqual([0x68, 0x69]);
    for (const bad of ['', 'abc', 'xy']) expect(() => parseBytes(bad)).toThrow(/list of bytes/);
  });

  it('reads exit conditions', () => {
    const value = (text: string) => evaluate(text, names);
    expect(parseExitCondition('any', value)).toEqual({});
    expect(parseExitCondition('cpuid|EPT_VIOLATION', value)).toEqual({ reasons: [10, 48] });
    expect(parseExitCondition('48 if GPA>=0xfee00000 && qualification & 2', value)).toEqual({
      reasons: [48],
      where: [
        { field: 'gpa', op: '>=', value: 0xfee00000n },
        { field: 'qualification', op: '&', value: 2n },
      ],
    });
    expect(parseExitCondition('if rip == main', value).where).toEqual([{ field: 'rip', op: '==', value: 0x1000n }]);
  });
});

describe('layout', () => {
  it('fills every screen exactly, for every view, focus and size', () => {
    for (const view of VIEWS) {
      for (const focus of VIEW_PANES[view]) {
        for (const [columns, rows] of [
          [1, 1],
          [20, 3],
          [60, 10],
          [80, 24],
          [100, 30],
          [110, 29],
          [120, 30],
          [120, 40],
          [140, 37],
          [200, 60],
          [300, 100],
        ]) {
          const cover = new Uint8Array(columns! * rows!);
          const plan = layout(view, columns!, rows!, focus, false);
          const areas = [plan.header, plan.tabs, plan.footer, ...plan.slots].filter((area) => area !== undefined);
          for (const { x, y, width, height } of areas) {
            for (let row = y; row < y + height; row++)
              for (let column = x; column < x + width; column++) cover[row * columns! + column]!++;
          }
          const wrong = cover.findIndex((count) => count !== 1);
          if (wrong >= 0 && rows! >= 4) {
            throw new Error(
              `${view} ${focus} ${columns}x${rows}: cell ${wrong % columns!},${Math.floor(wrong / columns!)} ${cover[wrong]} times`,
            );
          }
          expect(plan.slots.some((slot) => slot.pane === focus) || !plan.small).toBe(true);
        }
      }
    }
  });
});
