import { beforeAll, describe, expect, it } from 'vitest';
import { Disassembler, SymbolTable } from '../../src/disasm/index.js';
import { backtrace, returnFrame, type Unwinding } from '../../src/engine/debug/unwind.js';
import type { OsFrameRow, RegisterFile } from '../../src/engine/debugger.js';

const parse = (hex: string) => Uint8Array.from(hex.split(' '), (pair) => Number.parseInt(pair, 16));
let disassembler: Disassembler;
beforeAll(async () => {
  disassembler = await Disassembler.load();
});

const LONG: RegisterFile = { cr0: 1n, efer: 0x400n, cs_ar: 0x2000n, cs: 8n };
const CALLER = 0x2000n;
/** `call` of 5 bytes that ends at CALLER + 5, and a ret behind it. */
const CALL = 'e8 00 00 00 00 c3';

/** A guest of code at addresses and 8-byte words on its stack. */
function guest(code: Record<string, string>, stack: Record<string, bigint>, registers: RegisterFile): Unwinding {
  const memory = new Map<bigint, number>();
  for (const [at, hex] of Object.entries({ [CALLER.toString(16)]: CALL, ...code }))
    for (const [n, byte] of parse(hex).entries()) memory.set(BigInt(`0x${at}`) + BigInt(n), byte);
  const bits = (registers.efer ?? 0n) & 0x400n ? 8n : (registers.cs_ar ?? 0n) & 0x4000n ? 4n : 2n;
  for (const [at, value] of Object.entries(stack))
    for (let n = 0n; n < bits; n++) memory.set(BigInt(`0x${at}`) + n, Number((value >> (8n * n)) & 0xffn));
  const mapped = (page: bigint) => [...memory.keys()].some((key) => key >> 12n === page);
  return {
    disassembler,
    registers,
    read: async (gva, length) => {
      const list: number[] = [];
      for (let n = 0n; n < length && mapped((gva + n) >> 12n); n++) list.push(memory.get(gva + n) ?? 0x90);
      return Uint8Array.from(list);
    },
  };
}

const AFTER = CALLER + 5n;

describe('the frame a function returns to', () => {
  it.each([
    // [what, code at 1000, rsp offset of the return address from rsp]
    ['at once', 'c3', 0n],
    ['behind pushes', '58 5b c3', 16n],
    ['behind locals', '48 83 c4 28 c3', 0x28n],
    ['behind a nested push and a call', '50 e8 00 00 00 00 58 c3', 0n],
    ['round a loop', 'ff c8 75 fc 5d c3', 8n],
    ['behind a branch that never returns', '75 02 0f 0b 5d c3', 8n],
    ['behind a jump', 'eb 02 0f 0b c3', 0n],
    ['by lea', '48 8d 64 24 10 c3', 16n],
    ['behind a push and its pop into another register', '55 59 c3', 0n],
  ])('%s', async (_, code, offset) => {
    const slot = 0x8000n + offset;
    const context = guest({ '1000': code }, { [slot.toString(16)]: AFTER }, { ...LONG, rip: 0x1000n, rsp: 0x8000n });
    expect(await returnFrame(context)).toMatchObject({ pc: AFTER, slot, sp: slot + 8n, found: 'ret' });
  });

  it('restores the frame pointer on its way', async () => {
    const registers = { ...LONG, rip: 0x1000n, rsp: 0x8000n, rbp: 0x8040n };
    const leave = guest({ '1000': 'c9 c3' }, { '8040': 0x9999n, '8048': AFTER }, registers);
    expect(await returnFrame(leave)).toMatchObject({ pc: AFTER, slot: 0x8048n, bp: 0x9999n });
    const prologue = guest({ '1000': '55 48 89 e5 48 83 ec 40 c9 c3' }, { '8000': AFTER }, registers);
    expect(await returnFrame(prologue)).toMatchObject({ pc: AFTER, slot: 0x8000n, bp: 0x8040n });
  });

  it('is not guessed: none where the stack pointer comes from elsewhere, or no call precedes the address', async () => {
    const registers = { ...LONG, rip: 0x1000n, rsp: 0x8000n };
    expect(await returnFrame(guest({ '1000': '48 89 c4 c3' }, { '8000': AFTER }, registers))).toBeUndefined();
    expect(await returnFrame(guest({ '1000': 'c3' }, { '8000': AFTER - 1n }, registers))).toBeUndefined();
    expect(await returnFrame(guest({ '1000': 'ff e0' }, { '8000': AFTER }, registers))).toBeUndefined();
  });

  it('knows interrupt frames', async () => {
    const context = guest(
      { '1000': '58 48 cf', '3000': '90' },
      { '8008': 0x3000n, '8010': 8n, '8018': 2n, '8020': 0x8800n, '8028': 0x10n },
      { ...LONG, rip: 0x1000n, rsp: 0x8000n },
    );
    expect(await returnFrame(context)).toMatchObject({ pc: 0x3000n, found: 'iret', sp: 0x8800n });
  });

  it('works in 32-bit code and in real mode with its segments', async () => {
    const flat = { cr0: 1n, cs_ar: 0x4000n, ss_ar: 0x4000n, rip: 0x1000n, rsp: 0x8000n };
    expect(await returnFrame(guest({ '1000': '5d c2 08 00' }, { '8004': AFTER }, flat))).toMatchObject({ pc: AFTER });
    const real = { cr0: 0n, cs_base: 0x1000n, ss_base: 0x7000n, rip: 0n, rsp: 0x1000n };
    const near = guest({ '1000': '58 c3', '1100': 'e8 00 00' }, { '8002': 0x103n }, real);
    expect(await returnFrame(near)).toMatchObject({ pc: 0x1103n, slot: 0x8002n, sp: 0x1004n });
    const far = guest({ '1000': 'cb', '2100': '9a 00 00 00 00' }, { '8000': 0x105n, '8002': 0x200n }, real);
    expect(await returnFrame(far)).toMatchObject({ pc: 0x2105n, sp: 0x1004n });
  });
});

describe('backtrace', () => {
  it('goes on through the callers', async () => {
    const context = guest(
      { '1000': '5d c3', '3000': `${CALL.slice(0, 14)} 48 83 c4 08 c3` },
      { '8008': 0x3005n, '8018': AFTER, '8020': 0n },
      { ...LONG, rip: 0x1000n, rsp: 0x8000n },
    );
    const frames = await backtrace(context);
    expect(frames.slice(0, 3).map(({ pc, found }) => [pc, found])).toEqual([
      [0x1000n, 'rip'],
      [0x3005n, 'ret'],
      [AFTER, 'ret'],
    ]);
  });

  it('falls back on the frame pointer, then on a search of the stack', async () => {
    const registers = { ...LONG, rip: 0x1000n, rsp: 0x8000n, rbp: 0x8100n };
    const chain = guest({ '1000': 'ff e0' }, { '8100': 0n, '8108': AFTER }, registers);
    expect((await backtrace(chain))[1]).toMatchObject({ pc: AFTER, found: 'frame pointer', slot: 0x8108n });
    const scan = guest({ '1000': 'ff e0' }, { '8100': 0n, '8020': AFTER }, { ...registers, rbp: 1n });
    expect((await backtrace(scan))[1]).toMatchObject({ pc: AFTER, found: 'scan', slot: 0x8020n });
  });

  it('has no frame twice: a return address that lies on the stack again is a copy', async () => {
    const registers = { ...LONG, rip: 0x1000n, rsp: 0x8000n, rbp: 1n };
    const stack = { '8020': AFTER, '8028': 0n, '8040': AFTER, '8048': 0n, '8060': 0x3005n, '8068': 0n };
    const copies = guest({ '1000': 'ff e0', '3000': CALL }, stack, registers);
    expect((await backtrace(copies)).map(({ pc }) => pc)).toEqual([0x1000n, AFTER, 0x3005n]);
  });

  it('ends on a stack of zeros, without a stack, and on one that returns to itself', async () => {
    const registers = { ...LONG, rip: 0x1000n, rsp: 0x8000n };
    expect(await backtrace(guest({ '1000': 'c3' }, { '8000': 0n }, registers))).toHaveLength(1);
    expect(await backtrace(guest({ '1000': 'c3' }, {}, registers))).toHaveLength(1);
    const loop = guest({ '1000': 'c9 c3' }, { '8000': 0x8000n, '8008': AFTER }, { ...registers, rbp: 0x8000n });
    expect((await backtrace(loop)).map(({ slot }) => slot)).toEqual([undefined, 0x8008n]);
    const round = guest(
      { '1000': '48 cf', '3000': '48 cf' },
      { '8000': 0x3000n, '8008': 8n, '8018': 0x8100n, '8100': 0x1000n, '8108': 8n, '8118': 0x8000n },
      registers,
    );
    expect((await backtrace(round)).map(({ slot }) => slot)).toEqual([undefined, 0x8000n, 0x8100n]);
  });
});

describe('with the table of the guest’s system', () => {
  const KERNEL = 0xffff_ffff_8100_0000n;
  const at = (offset: number) => (KERNEL + BigInt(offset)).toString(16);
  const row = (frame: OsFrameRow['frame'], offset: number, rest: Partial<OsFrameRow> = {}): OsFrameRow => ({
    address: KERNEL,
    frame,
    register: 7,
    offset,
    ...rest,
  });

  it('goes through calls, a switched stack and an interrupt to the end', async () => {
    const rows: Record<string, OsFrameRow> = {
      [at(0)]: row('call', 8),
      [at(0x100 - 1)]: row('call', 24, { rbp: -16 }),
      [at(0x200 - 1)]: row('call', 8, { load: 'first' }),
      [at(0x300 - 1)]: row('registers', 0),
      [at(0x400)]: row('interrupt', 8),
      [at(0x500)]: row('none', 8),
    };
    const asked: string[] = [];
    const context: Unwinding = {
      ...guest(
        {},
        {
          '8000': KERNEL + 0x100n,
          '8010': 0x7777n, // RBP
          '8018': KERNEL + 0x200n,
          '8020': 0x9000n, // the other stack's top
          '9000': KERNEL + 0x300n,
          '9028': 0x6666n, // pt_regs from 9008h: RBP, RIP, RSP
          '9088': KERNEL + 0x400n,
          '90a0': 0xa000n,
          a008: KERNEL + 0x500n,
          a020: 0xb000n,
        },
        { ...LONG, rip: KERNEL, rsp: 0x8000n, rbp: 0x5555n },
      ),
      frameRow: async (address) => {
        asked.push(address.toString(16));
        return rows[address.toString(16)];
      },
    };
    const frames = await backtrace(context);
    expect(frames.map(({ pc, found, sp, bp }) => [pc - KERNEL, found, sp, bp])).toEqual([
      [0n, 'rip', 0x8000n, 0x5555n],
      [0x100n, 'table', 0x8008n, 0x5555n],
      [0x200n, 'table', 0x8020n, 0x7777n],
      [0x300n, 'table', 0x9008n, 0x7777n],
      [0x400n, 'iret', 0xa000n, 0x6666n],
      [0x500n, 'iret', 0xb000n, 0x6666n],
    ]);
    expect(asked).toContain(at(0x400));
    expect(await returnFrame(context)).toMatchObject({ pc: KERNEL + 0x100n, slot: 0x8000n });
  });

  it('goes through a function that realigned its stack, and keeps RBP where RBP points to', async () => {
    const rows: Record<string, OsFrameRow> = {
      [at(0)]: row('call', -40, { register: 6, load: 'last', rbp: 0, rbpFrom: 'rbp' }),
      [at(0x100 - 1)]: row('call', 16, { register: 6, rbp: -16 }),
      [at(0x200 - 1)]: row('none', 8),
    };
    const context: Unwinding = {
      ...guest(
        {},
        {
          '8078': 0x8140n, // what the caller's stack pointer will be
          '8138': KERNEL + 0x100n,
          '80a0': 0x8200n, // RBP
          // the return address again, which such code pushes beside RBP
          '80a8': KERNEL + 0x100n,
          '8200': 0x7777n,
          '8208': KERNEL + 0x200n,
        },
        { ...LONG, rip: KERNEL, rsp: 0x8000n, rbp: 0x80a0n },
      ),
      frameRow: async (address) => rows[address.toString(16)],
    };
    expect((await backtrace(context)).map(({ pc, sp, bp, slot }) => [pc - KERNEL, sp, bp, slot])).toEqual([
      [0n, 0x8000n, 0x80a0n, undefined],
      [0x100n, 0x8140n, 0x8200n, 0x8138n],
      [0x200n, 0x8210n, 0x7777n, 0x8208n],
    ]);
    const lost = { ...context, registers: { ...LONG, rip: KERNEL, rsp: 0x8000n } };
    expect(await backtrace(lost)).toHaveLength(1);
  });

  it('ends where the table leads to no return address', async () => {
    const asked: bigint[] = [];
    const context: Unwinding = {
      ...guest({}, { '8000': 0n, '8008': AFTER }, { ...LONG, rip: KERNEL, rsp: 0x8000n, rbp: 0n }),
      frameRow: async (address) => {
        asked.push(address);
        return row('call', 8);
      },
    };
    expect(await backtrace(context)).toMatchObject([{ pc: KERNEL, found: 'rip' }]);
    expect(new Set(asked)).toEqual(new Set([KERNEL]));
  });

  it('follows code that the table does not have', async () => {
    const registers = { ...LONG, rip: 0x1000n, rsp: 0x8000n };
    const user = { ...guest({ '1000': 'c3' }, { '8000': AFTER }, registers), frameRow: async () => row('none', 8) };
    expect(await returnFrame(user)).toMatchObject({ pc: AFTER, found: 'ret' });
  });
});

it('takes a jump to a RET for one, as kernels with return thunks have it', async () => {
  const symbols = new SymbolTable([{ name: 'short', address: 0x1000n, size: 6n }]);
  const code = { '1000': '5d e9 fa 0f 00 00', '2000': 'c3' };
  const context = guest({ ...code, '3000': CALL }, { '8008': 0x3005n }, { ...LONG, rip: 0x1000n, rsp: 0x8000n });
  expect(await returnFrame({ ...context, symbols })).toMatchObject({ pc: 0x3005n, slot: 0x8008n, found: 'ret' });
});
