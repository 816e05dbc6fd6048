import { beforeAll, describe, expect, it } from 'vitest';
import { parseBytes } from '../../src/commands/bytes.js';
import { Disassembler, SymbolTable } from '../../src/disasm/index.js';
import { parseExitCondition } from '../../src/engine/debug/exit-condition.js';
import {
  describeAction,
  describeFields,
  exitSubject,
  explainExit,
  instructionFields,
  qualificationFields,
} from '../../src/engine/debug/explain-exit.js';
import { evaluate } from '../../src/engine/debug/expression/evaluate.js';
import type { ExitRecord, PageWalk, RegisterFile } from '../../src/engine/debugger.js';
import { ENCODING } from '../../src/tui/facts.js';
import { type Layout, layout, VIEW_PANES, VIEWS } from '../../src/tui/layout.js';
import { type ExitControls, willExit } from '../../src/tui/will-exit.js';

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
    expect(text(30, 0x3f80008n)).toEqual([
      'size 1 byte, direction IN, port encoding DX, port 0x3f8',
      'in port 3f8 byte',
    ]);
    expect(text(30, 0x600073n)[1]).toBe('outs port 060 dword');
    expect(text(48, 0x184n, { gpa: 0xfee00000n })).toEqual([
      'fetch, linear address valid, access to translated address',
      'gpa fee00000 X',
    ]);
    expect(text(9, 0x40000028n)[0]).toBe('selector 0x28, source IRET');
    expect(text(10, 0n, { rax: 7n, rcx: 1n })).toEqual(['', 'leaf 7.1']);
    expect(text(0, 0x1234n, { interruptionInfo: 0x80000b0e })[1]).toBe('#PF at 1234');
    expect(text(32, 0n, { rcx: 0xc0000080n })[1]).toBe('IA32_EFER');
    const lgdt = record({ reason: 46, instructionInfo: 0x20c1_8100, qualification: 0x10n });
    expect(describeFields(instructionFields(lgdt))).toMatch(
      /^instruction LGDT, operand size 64 bits \(10 bytes\), operand ds:\[rcx\+0x10\]$/,
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
    options: {
      bytes?: Record<string, number>;
      cpl?: number;
      walk?: ExitControls['walk'];
      eptWalk?: ExitControls['eptWalk'];
    } = {},
  ) => {
    const bytes = Uint8Array.from(hex.split(' '), (pair) => Number.parseInt(pair, 16));
    const instruction = disassembler.disassemble(bytes, 0n, { bits: 64 })[0]!;
    const mode = { cr0: 0x10001n, efer: 0x400n, cs_ar: 0x2000n, ss_ar: BigInt(options.cpl ?? 0) << 5n };
    const mark = willExit(instruction, {
      field: (encoding) => fields[encoding],
      byte: (hpa) => options.bytes?.[hpa.toString(16)],
      registers: registers && { ...mode, ...registers },
      current: { ...mode, ...registers },
      walk: options.walk,
      eptWalk: options.eptWalk,
    });
    return mark && `${mark.certain ? 'will' : 'may'} ${mark.reason}`;
  };
  const bit = (n: number) => ({ [ENCODING.primary]: 1n << BigInt(n) });

  it('knows the unconditional ones, and nothing without a VMCS', () => {
    for (const hex of ['0f a2', '0f 01 c1', '0f 01 d1', '0f 08', '0f 78 c0'])
      expect(check(hex, bit(0))).toMatch(/^will /);
    expect(check('0f a2', {})).toBeUndefined();
    expect(check('90', bit(31))).toBeUndefined();
  });

  it.each([
    ['f4', 7, 'HLT'],
    ['0f 01 38', 9, 'INVLPG'],
    ['0f 33', 11, 'RDPMC'],
    ['0f 31', 12, 'RDTSC'],
    ['0f 01 f9', 12, 'RDTSCP'],
    ['f3 90', 30, 'PAUSE_INSTRUCTION'],
    ['0f 20 d8', 16, 'CR_ACCESS'],
    ['0f 22 d8', 15, 'CR_ACCESS'],
    ['44 0f 22 c0', 19, 'CR_ACCESS'],
    ['44 0f 20 c0', 20, 'CR_ACCESS'],
    ['0f 23 f8', 23, 'DR_ACCESS'],
    ['0f 21 f8', 23, 'DR_ACCESS'],
    ['ec', 24, 'IO_INSTRUCTION'],
  ])('%s follows primary control %i', (hex, n, reason) => {
    expect(check(hex, bit(n))).toBe(`will ${reason}`);
    expect(check(hex, { [ENCODING.primary]: ~(1n << BigInt(n)) & 0x76ffffffn & ~(1n << 25n) })).toBeUndefined();
  });

  it('looks at secondary controls only when they are active', () => {
    expect(check('0f 01 10', { [ENCODING.primary]: 1n << 31n, [ENCODING.secondary]: 4n })).toBe('will GDTR_IDTR');
    expect(check('0f 01 10', { [ENCODING.primary]: 0n, [ENCODING.secondary]: 4n })).toBeUndefined();
    expect(check('0f c7 f0', { [ENCODING.primary]: 1n << 31n, [ENCODING.secondary]: 1n << 11n })).toBe('will RDRAND');
  });

  it('reads the bitmaps when the port or MSR is known', () => {
    const io = { ...bit(25), [ENCODING.ioBitmapA]: 0x1000n };
    expect(check('e6 80', io, undefined, { bytes: { '1010': 1 } })).toBe('will IO_INSTRUCTION');
    expect(check('e6 80', io, undefined, { bytes: { '1010': 2 } })).toBeUndefined();
    expect(check('ee', io)).toBe('may IO_INSTRUCTION');
    expect(check('ee', io, { rdx: 0x3f8n }, { bytes: { '107f': 1 } })).toBe('will IO_INSTRUCTION');
    const msr = { ...bit(28), [ENCODING.msrBitmap]: 0x2000n };
    expect(check('0f 32', msr)).toBe('may MSR_READ');
    expect(check('0f 32', msr, { rcx: 0xc0000080n }, { bytes: { '2410': 1 } })).toBe('will MSR_READ');
    expect(check('0f 30', msr, { rcx: 0xc0000080n }, { bytes: { '2410': 1, '2c10': 0 } })).toBeUndefined();
    expect(check('0f 30', msr, { rcx: 0x5000n })).toBe('will MSR_WRITE');
    expect(check('0f 32', bit(0))).toBe('will MSR_READ');
  });

  it('compares control registers with mask and shadow, CR3 with its targets', () => {
    const cr0 = { ...bit(0), [ENCODING.cr0Mask]: 0x80000000n, [ENCODING.cr0Shadow]: 0n };
    expect(check('0f 22 c0', cr0)).toBe('may CR_ACCESS');
    expect(check('0f 22 c0', cr0, { rax: 0x80000001n })).toBe('will CR_ACCESS');
    expect(check('0f 22 c0', cr0, { rax: 1n })).toBeUndefined();
    const cr3 = { ...bit(15), [ENCODING.cr3TargetCount]: 1n, [ENCODING.cr3Target0]: 0x5000n };
    expect(check('0f 22 d8', cr3, { rax: 0x5000n })).toBeUndefined();
    expect(check('0f 22 d8', cr3, { rax: 0x6000n })).toBe('will CR_ACCESS');
  });

  it('leaves privileged instructions to #GP outside CPL 0', () => {
    expect(check('f4', bit(7), undefined, { cpl: 3 })).toBeUndefined();
    expect(check('0f a2', bit(7), undefined, { cpl: 3 })).toBe('will CPUID');
  });

  it('follows the exception bitmap', () => {
    expect(check('cc', { ...bit(0), [ENCODING.exceptionBitmap]: 8n })).toBe('will EXCEPTION_NMI');
    expect(check('cc', { ...bit(0), [ENCODING.exceptionBitmap]: 0n })).toBeUndefined();
    const gp = { ...bit(7), [ENCODING.exceptionBitmap]: 1n << 13n };
    expect(check('f4', gp, undefined, { cpl: 3 })).toBe('will EXCEPTION_NMI');
    const divide = { ...bit(0), [ENCODING.exceptionBitmap]: 1n };
    expect(check('f7 f1', divide, { rcx: 0x1_0000_0000n })).toBe('will EXCEPTION_NMI');
    expect(check('f7 f1', divide, { rcx: 1n })).toBeUndefined();
  });

  describe('of a memory access', () => {
    const walkTo =
      (map: Record<string, { to?: bigint; flags: string[]; failure?: string }>) =>
      (address: bigint): PageWalk | undefined => {
        const entry = map[(address & ~0xfffn).toString(16)];
        if (!entry) return { mode: 'EPT', input: address, levels: [], failure: 'PT[0] not present' };
        const level = { table: 'PT', index: 0, entryAddress: 0n, entry: 0n, flags: entry.flags };
        const output = entry.to === undefined ? undefined : entry.to + (address & 0xfffn);
        return { mode: 'EPT', input: address, levels: [level], output, failure: entry.failure };
      };
    const walk = walkTo({
      '1000': { to: 0x1000n, flags: ['P', 'W', 'U'] },
      '2000': { to: 0x2000n, flags: ['P'] },
      '3000': { to: 0xfee00000n, flags: ['P', 'W', 'U'] },
      '4000': { to: 0x4000n, flags: ['P', 'W', 'U'] },
    });
    const eptWalk = walkTo({
      '1000': { to: 0x101000n, flags: ['R', 'W', 'X'] },
      '2000': { to: 0x102000n, flags: ['R', 'W', 'X'] },
      '4000': { to: 0x104000n, flags: ['R', 'X'] },
    });
    const ept = { [ENCODING.primary]: 1n << 31n, [ENCODING.secondary]: 2n };
    const pf = { ...ept, [ENCODING.exceptionBitmap]: 1n << 14n };
    const at = (hex: string, fields: Record<number, bigint>, registers?: RegisterFile, cpl = 0) =>
      check(hex, fields, registers, { walk, eptWalk, cpl });

    it('asks EPT whether the access is allowed', () => {
      expect(at('48 89 07', ept, { rdi: 0x1010n })).toBeUndefined();
      expect(at('48 89 07', ept, { rdi: 0x3010n })).toBe('will EPT_VIOLATION');
      expect(at('48 8b 07', ept, { rdi: 0x3010n })).toBe('will EPT_VIOLATION');
      expect(at('48 89 07', ept, { rdi: 0x4010n })).toBe('will EPT_VIOLATION');
      expect(at('48 8b 07', ept, { rdi: 0x4010n })).toBeUndefined();
      expect(at('48 8d 07', ept, { rdi: 0x3010n })).toBeUndefined();
      expect(at('48 89 44 4f f8', ept, { rdi: 0x2f08n, rcx: 0x80n })).toBe('will EPT_VIOLATION');
      expect(at('50', ept, { rsp: 0x3008n })).toBe('will EPT_VIOLATION');
      expect(at('58', ept, { rsp: 0x4008n })).toBeUndefined();
      expect(at('64 8b 04 25 10 00 00 00', ept, { fs_base: 0x3000n })).toBe('will EPT_VIOLATION');
      // RIP-relative: known without registers. An address in a register is not.
      expect(at('48 8b 05 f9 2f 00 00', ept)).toBe('will EPT_VIOLATION');
      expect(at('48 89 07', ept)).toBeUndefined();
      expect(at('48 89 07', { [ENCODING.primary]: 1n << 31n }, { rdi: 0x3010n })).toBeUndefined();
    });

    it('finds the page fault first, and asks the exception bitmap and the error-code mask', () => {
      expect(at('48 89 07', pf, { rdi: 0x9000n })).toBe('will EXCEPTION_NMI');
      expect(at('48 89 07', ept, { rdi: 0x9000n })).toBeUndefined();
      expect(at('48 89 07', pf, { rdi: 0x2000n })).toBe('will EXCEPTION_NMI');
      expect(at('48 8b 07', pf, { rdi: 0x2000n })).toBeUndefined();
      expect(at('48 8b 07', pf, { rdi: 0x2000n }, 3)).toBe('will EXCEPTION_NMI');
      const writesOnly = { ...pf, [ENCODING.pfecMask]: 2n, [ENCODING.pfecMatch]: 2n };
      expect(at('48 89 07', writesOnly, { rdi: 0x9000n })).toBe('will EXCEPTION_NMI');
      expect(at('48 8b 07', writesOnly, { rdi: 0x9000n })).toBeUndefined();
    });
  });
});

describe('what people type', () => {
  const names = {
    symbols: new SymbolTable([
      { name: 'main', address: 0x1000n, size: 0n },
      { name: 'add', address: 0x2000n, size: 0n },
    ]),
    registers: { rsp: 0x7000n, cr3: 0x5000n, rax: 0x123456789abcdefn, r8: 0xff00000008n },
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
    ['main+(2+3)*-4', 0xfecn],
    ['0xffffffffffffffff + 1', 0n],
    ['esp*2', 0xe000n],
    ['eax', 0x89abcdefn],
    ['r8d', 0x8n],
  ])('%s', (text, value) => {
    expect(evaluate(text, names)).toBe(value);
  });
  it.each(['', 'nothing', 'main+', '0x', 'main main', '1 2', '1 2x', '(1', '1)', '()', '1*', '*1', 'main()', 'ebx'])(
    'refuses %j',
    (text) => {
      expect(() => evaluate(text, names)).toThrow();
    },
  );

  it('refuses what does not fit in 64 bits, by name', () => {
    expect(() => evaluate('99999999999999999999', names)).toThrow('99999999999999999999 does not fit in 64 bits');
    expect(() => evaluate('0x10000000000000000', names)).toThrow(/does not fit/);
    expect(() => evaluate('0xffffffffffffffff*2', names)).toThrow(/does not fit/);
  });

  it('reads bytes', () => {
    expect([...parseBytes('de AD be ef')]).toEqual([0xde, 0xad, 0xbe, 0xef]);
    expect([...parseBytes('"hi"')]).toEqual([0x68, 0x69]);
    for (const bad of ['', 'abc', 'xy']) expect(() => parseBytes(bad)).toThrow(/list of bytes/);
  });

  it('reads exit conditions', () => {
    expect(parseExitCondition('any', names)).toEqual({});
    for (const unknown of ['999', '65584', 'NOTHING'])
      expect(() => parseExitCondition(unknown, names)).toThrow(`no exit reason "${unknown}"`);
    expect(parseExitCondition('cpuid|EPT_VIOLATION', names)).toEqual({ reasons: [10, 48] });
    expect(parseExitCondition('48 if GPA>=0xfee00000 && qualification & 2', names)).toEqual({
      reasons: [48],
      where: [
        { field: 'gpa', op: '>=', value: 0xfee00000n },
        { field: 'qualification', op: '&', value: 2n },
      ],
    });
    expect(parseExitCondition('if rip == main', names).where).toEqual([{ field: 'rip', op: '==', value: 0x1000n }]);
  });
});

/** Every cell of the screen belongs to exactly one area. */
function covers(plan: Layout, columns: number, rows: number, what: string): void {
  const cover = new Uint8Array(columns * rows);
  const areas = [plan.header, plan.tabs, plan.footer, ...plan.slots].filter((area) => area !== undefined);
  for (const { x, y, width, height } of areas) {
    for (let row = y; row < y + height; row++)
      for (let column = x; column < x + width; column++) cover[row * columns + column]!++;
  }
  const wrong = cover.findIndex((count) => count !== 1);
  if (wrong < 0 || rows < 4) return;
  const cell = `${wrong % columns},${Math.floor(wrong / columns)}`;
  throw new Error(`${what} ${columns}x${rows}: cell ${cell} ${cover[wrong]} times`);
}

describe('layout', () => {
  it('moves a border as far as both panes keep their least size', () => {
    const height = (shift: number) =>
      layout('debug', 120, 40, 'disassembly', false, new Map([['debug disassembly memory', shift]])).slots.find(
        ({ pane }) => pane === 'memory',
      )!.height;
    expect(height(0)).toBe(5);
    expect(height(-4)).toBe(9);
    expect(height(3)).toBe(2);
    expect(height(100)).toBe(2);
  });

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
          const plan = layout(view, columns!, rows!, focus, false);
          for (const shift of [undefined, -1000, -3, 4, 1000]) {
            const shifts = new Map(plan.splitters.map(({ key }) => [key, shift ?? 0]));
            covers(layout(view, columns!, rows!, focus, false, shifts), columns!, rows!, `${view} ${focus} ${shift}`);
          }
          expect(plan.slots.some((slot) => slot.pane === focus) || !plan.small).toBe(true);
        }
      }
    }
  });
});
