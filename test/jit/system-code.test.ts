/** System instructions that compiled code carries out: beside the interpreter, and where they fault, exit or wait for something. */
import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { CONTROLS } from '../../src/spec/vmx/controls.js';
import { VMCS_FIELDS } from '../../src/spec/vmx/vmcs-fields.js';
import type { Machine, Mode } from '../core/harness.js';
import { Pair } from './pair.js';

const DATA = 0x20000;
const GDT = 0x30000;
const [CS_USER, SS_USER] = [0xa0fb, 0xc0f3];

const field = (m: Machine, name: string, value: bigint | number): void => {
  m.set(L.VMCS_BASE + VMCS_FIELDS.find((one) => one.name === name)!.offset, value);
};
const controls = (...names: string[]): number =>
  Object.values(CONTROLS)
    .flat()
    .reduce((bits, { constant, bit }) => (names.includes(constant) ? bits | (1 << bit) : bits), 0) >>> 0;
const SECONDARY = controls('CPU_ACTIVATE_SECONDARY_CONTROLS');
const primary = (m: Machine, ...names: string[]): void =>
  field(m, 'CPU_BASED_VM_EXEC_CONTROL', BigInt(SECONDARY) | BigInt(controls(...names)));

/** What is written, and a jump back over it. */
function loop(code: string, wide = true): string {
  const bytes = code.replace(/ /g, '').length / 2;
  const [opcode, distance] = wide
    ? ['e9', Buffer.from(Int32Array.of(-(bytes + 5)).buffer)]
    : ['e9', Buffer.from(Int16Array.of(-(bytes + 3)).buffer)];
  return `${code} ${opcode}${distance.toString('hex')}`;
}

/** A machine with a VMCS of its own, a GDT of flat and other data segments, and RBX at memory. */
function prepare(mode: Mode, code: string, more: (m: Machine) => void = () => {}): Pair {
  return new Pair(mode, (m) => {
    m.set32(L.VMCS_PTR, L.VMCS_BASE);
    primary(m);
    field(m, 'SECONDARY_VM_EXEC_CONTROL', controls('CPU2_ENABLE_RDTSCP', 'CPU2_UNRESTRICTED_GUEST'));
    m.set(L.CR4, m.get(L.CR4) | 0x50600n);
    m.set(L.XCR0, 0x7n);
    m.set32(L.TSC_AUX, 0x12345);
    m.set(L.TSC_ADJUST, 0x123456789n);
    m.set(L.KERNEL_GS_BASE, DATA + 0x100);
    // null; code; flat data, of level 3, of 64 KiB at DATA, not accessed yet, not present
    const data = [0n, 0x00af9b000000ffffn, 0x00cf93000000ffffn, 0x00cff3000000ffffn];
    const others = [0x000093020000ffffn, 0x00cf92000000ffffn, 0x00cf13000000ffffn];
    [...data, ...others].forEach((one, n) => m.set(L.RAM_BASE + GDT + n * 8, one));
    m.set(L.GDTR_BASE, GDT);
    m.set32(L.GDTR_LIMIT, 0x3f);
    m.core.updateMode();
    m.core.flushAllVcpus();
    m.load(
      DATA,
      Array.from({ length: 0x1000 }, (_, n) => (n * 37 + (n >> 3)) & 255),
    );
    m.load(0x1400, code);
    m.set(L.RIP, 0x1400);
    m.setReg('rbx', DATA);
    m.setReg('rsp', DATA + 0x800);
    m.setReg('rdx', 0x1234567);
    more(m);
  });
}

/** Runs in turns, much of it compiled. */
function run(pair: Pair, least = 15_000): Pair {
  for (let n = 0; n < 40; n++) expect(pair.run(n < 15 ? 23 : 1201, n < 15)).toBe(L.RUN_LIMIT);
  expect(pair.inRegions).toBeGreaterThan(least);
  return pair;
}

const all = (pair: Pair): Machine[] => [pair.plain, pair.compiled];

// rdx = rdx * 69069 + 1; eax: 13 bits of it, sign-extended
const NEXT = '4869d2cd0d0100 48ffc2 89d0 c1e013 c1f813 4898';
const NEXT_32 = '69d2cd0d0100 42 89d0 c1e013 c1f813';

const LONG: Record<string, string> = {
  // mov ecx,edx; and ecx,flags without TF; push rcx; popfq; sbb eax,ecx; pushfq; pop r8
  'popf, pushf': `${NEXT} 89d1 81e1d57e2600 51 9d 19c8 9c 4158`,
  'popfw, pushfw': `${NEXT} 89d1 6681e1d54e 6651 669d 11c8 669c 664158`,
  'flags behind popf': `${NEXT} 89d1 81e1d50e0000 51 9d 0f92c1 0f9cc1 480f4fc2`,
  'flags in locals around pushf, cli, sti': `${NEXT} 83fa07 9c 4158 fa 19c8 83fa09 9c 4159 0f9cc1`,
  'cli, sti where interrupts are off and on': `${NEXT} fa fb fb 90 83fa07 fb fa fa 11c8`,
  'sti before what leaves the region': `${NEXT} fa fb 48890424 fa fb 4887fb 4887fb`,
  'rdtsc, rdtscp, rdpid': '83fa07 4889d6 0f31 19c6 0f01f9 4801ce f30fc7f9 11f1',
  swapgs: `${NEXT} 83fa07 0f01f8 6548891425 08000000 0f01f8 6548031425 10000000`,
  xgetbv: '83fa07 4889d6 83e101 0f01d0 4801c6 31c9 0f01d0 11f0 ffc1 4889f2 48ffc2',
  'control registers': `${NEXT} 83fa07 0f22d0 0f20d1 4801ca 0f20c1 4801ca 0f22c1 0f20d9 4801ca 0f20e1 4801ca 440f20c1 11ca`,
  'cr0 with ts': `${NEXT} 0f20c1 89d6 83e608 31f1 0f22c1 83f108 0f22c1`,
  'bases of fs and gs': `${NEXT} 83fa07 f3480faed0 f30faec1 4801ca f30faeda f3480faec9 11ca f3480faed8`,
  cmpxchg16b: `${NEXT} 4889d6 83e001 488b5308 7403 488b03 480b03 83fe07 480fc70b 9c 59 4801ce 4889f2`,
  cmpxchg8b: `${NEXT} 89d6 8b03 8b5304 83e601 01f0 83fe07 0fc70b 9c 59 11ce 89f2 4801ca`,
  // a page of data in another large page than the code's
  'invlpg, pause': `${NEXT} 4889042500002000 83fa07 0f013c2500002000 11c8 f390 4803042500002000 0f013c2500302000 19c2`,
  // selectors 10h, 13h, 1bh, 20h, 0 by turns
  'segments by selectors': `${NEXT} b910000000 8ed9 83fa07 b91b000000 8ec1 8cc0 11c2 b920000000 8ee1 648b0b b900000000 8ed9 8ee9 0fa0 0fa9 0fa8 0fa1`,
};

describe('system instructions', () => {
  it.each(Object.entries(LONG))('%s', (name, code) => {
    run(prepare('long', loop(code)), /sti|segments|invlpg/.test(name) ? 4_000 : 15_000);
  });

  it.each([
    ['flags', `${NEXT_32} 89d1 81e1d54e2600 51 9d 19c8 9c 59 6651 669d 11c8 669c 6659`],
    ['segments', `${NEXT_32} 83fa07 b910000000 8ed9 1e 07 b920000000 8ee1 648b0e 06 1f 8cd9 11ca 16 58`],
    ['control registers', `${NEXT_32} 0f22d0 0f20d1 01ca 0f20c1 0f22c1 0f20d9 01ca 0f31 01c2 0fc70b`],
  ])('32-bit code: %s', (_name, code) => {
    run(prepare('protected32', loop(code), (m) => m.setReg('rsi', 8)));
  });

  it.each(['real', 'protected16'] as const)('16-bit code, %s', (mode) => {
    // dx = dx * 3 + 7; flags of all sizes over the stack; segments over it too
    const code = '6bd203 83c207 83fa07 89d1 81e1d50e 51 9d 19d1 9c 59 669c 6659 1e 07 06 1f 0fa8 0fa1 6606 6607 fa';
    run(
      prepare(mode, loop(code, false), (m) => {
        for (const seg of [L.SEG_ES, L.SEG_DS, L.SEG_FS, L.SEG_GS, L.SEG_SS]) {
          const at = L.SEGMENTS + seg * L.SEGMENT_BYTES;
          m.segment(seg, mode === 'real' ? 0x2000 : 0x20, DATA, 0xffff, m.get32(at + L.SEG_AR));
        }
        m.setReg('rsp', 0x12340800);
        m.core.updateMode();
      }),
      mode === 'real' ? 15_000 : 4_000,
    );
  });

  it('the time-stamp counter with an offset, and scaled', () => {
    for (const scaled of [false, true]) {
      const pair = prepare('long', loop('4889d6 83fa07 0f31 48c1e220 4809c2 11f2'), (m) => {
        primary(m, 'CPU_USE_TSC_OFFSETTING');
        field(m, 'TSC_OFFSET', 0x8000_0000_1234n);
        field(m, 'TSC_MULTIPLIER', 3n << 47n);
        if (scaled) field(m, 'SECONDARY_VM_EXEC_CONTROL', controls('CPU2_USE_TSC_SCALING'));
      });
      run(pair);
    }
  });

  // in a region at CPL 0, then the same code at CPL 3
  it.each([
    ['cli', 'fa'],
    ['sti', 'fb'],
    ['swapgs', '0f01f8'],
    ['mov rax,cr2', '0f20d0'],
    ['mov cr2,rax', '0f22d0'],
    ['mov rax,cr8', '440f20c0'],
    ['invlpg', '0f013b'],
    ['popfq', '9c 59 51 9d'],
    ['mov ds', 'b910000000 8ed9'],
    ['pause', 'f390'],
  ])('at another level: %s', (_name, code) => {
    const pair = prepare('long', loop(`48ffc2 ${code}`), (m) => m.set(L.RFLAGS, 0x202));
    for (let n = 0; n < 20; n++) expect(pair.run(501)).toBe(L.RUN_LIMIT);
    for (const m of all(pair)) {
      m.segment(L.SEG_CS, 0xb, 0, 0xffffffff, CS_USER);
      m.segment(L.SEG_SS, 0x1b, 0, 0xffffffff, SS_USER);
      m.core.updateMode();
    }
    for (let n = 0; n < 4; n++) pair.run(50);
    const [plain, compiled] = all(pair).map((m) => [m.get32(L.FAULT_VECTOR), m.get(L.FAULT_LOG), m.rip]);
    expect(compiled).toEqual(plain);
  });

  // in a region, then with a control that makes it exit, or wait for what the handler sees to
  it.each([
    ['rdtsc', '0f31', ['CPU_RDTSC_EXITING']],
    ['rdtscp', '0f01f9', ['CPU_RDTSC_EXITING']],
    ['pause', 'f390', ['CPU_PAUSE_EXITING']],
    ['invlpg', '0f013b', ['CPU_INVLPG_EXITING']],
    ['mov rax,cr3', '0f20d8', ['CPU_CR3_STORE_EXITING']],
    ['mov rax,cr8', '440f20c0', ['CPU_CR8_STORE_EXITING']],
    ['popfq with an interrupt window', '6a02 9d 6802020000 9d', ['CPU_INTERRUPT_WINDOW_EXITING']],
    ['sti with an interrupt window', 'fa 90 fb 90', ['CPU_INTERRUPT_WINDOW_EXITING']],
    ['sti before another than cli with an interrupt window', 'fb 48ffc0 fa', ['CPU_INTERRUPT_WINDOW_EXITING']],
    ['sti before cli with an NMI window', 'fb fa', ['CPU_NMI_WINDOW_EXITING']],
    ['popfq with an NMI window', '6a02 9d 6802020000 9d', ['CPU_NMI_WINDOW_EXITING']],
  ])('%s where controls ask for more', (_name, code, names) => {
    const pair = prepare('long', loop(`48ffc2 ${code}`));
    for (let n = 0; n < 20; n++) expect(pair.run(501)).toBe(L.RUN_LIMIT);
    expect(pair.inRegions).toBeGreaterThan(2_000);
    for (const m of all(pair)) primary(m, ...names);
    for (let n = 0; n < 3; n++) pair.run(50);
    expect(pair.compiled.get(L.EXIT_COUNTS)).toBe(pair.plain.get(L.EXIT_COUNTS));
    const counts = all(pair).map((m) => Array.from({ length: 64 }, (_, n) => m.get(L.EXIT_COUNTS + n * 8)));
    expect(counts[1]).toEqual(counts[0]);
    expect(counts[1].some((count) => count > 0n)).toBe(true);
  });

  it('sti inside a region where nobody sees its shadow, with a window that stays shut too', () => {
    const pair = prepare('long', loop(`${NEXT} fb fa fb 48ffc2 fa 83fa07 fb 11c8 fa fb 0f92c1 fa fb eb00 fa`));
    run(pair, 30_000);
    const handled = (): number => Number(pair.compiled.get(L.COUNTERS + L.COUNTER_REGION_HANDLED * 8));
    expect(handled()).toBeLessThan(300);
    const cli = prepare('long', loop('48ffc2 fb fa'), (m) => primary(m, 'CPU_INTERRUPT_WINDOW_EXITING'));
    run(cli, 20_000);
    // each number of instructions left at the end of a slice
    for (let n = 1; n < 60; n++) for (const one of [pair, cli]) expect(one.run(n)).toBe(L.RUN_LIMIT);
  });

  it('a handler that faults where flags of several kinds come together', () => {
    // mov ecx,edx; test dl,1; jz 3; test dl,2; jz 2; add eax,ecx; inc ecx; jmp 3; 2: add ax,cx; jmp 3; 3: mov rax,cr2
    const code = `${NEXT} 89d1 f6c201 7411 f6c202 7406 01c8 ffc1 eb06 6601c8 eb01 90 0f20d0`;
    const seen = new Set<bigint>();
    for (let n = 0; n < 8; n++) {
      const pair = run(prepare('long', loop(code)), 20_000);
      expect(pair.run(200 + n * 7)).toBe(L.RUN_LIMIT);
      for (const m of all(pair)) {
        m.segment(L.SEG_CS, 0xb, 0, 0xffffffff, CS_USER);
        m.segment(L.SEG_SS, 0x1b, 0, 0xffffffff, SS_USER);
        m.core.updateMode();
      }
      pair.run(2000);
      seen.add(pair.compiled.get(L.RFLAGS));
    }
    expect(seen.size).toBeGreaterThan(2);
  });

  it('bits of CR0 and CR4 that the VMM shows and owns', () => {
    const pair = prepare('long', loop(`${NEXT} 0f20c1 4801ca 0f20e1 4801ca 0f20c1 0f22c1`), (m) => {
      field(m, 'CR0_GUEST_HOST_MASK', 0x28);
      field(m, 'CR0_READ_SHADOW', 0x8);
      field(m, 'CR4_GUEST_HOST_MASK', 0x2000);
      field(m, 'CR4_READ_SHADOW', 0x2000);
    });
    run(pair);
    for (const m of all(pair)) field(m, 'CR0_READ_SHADOW', 0x20);
    pair.run(100);
    for (const m of all(pair)) field(m, 'CR0_GUEST_HOST_MASK', 0x10020);
    pair.run(100);
  });

  it('faults of RDTSC, XGETBV, FS and GS bases, CMPXCHG16B, and of selectors', () => {
    const faults: [string, (m: Machine) => void][] = [
      ['0f31', (m) => m.set(L.CR4, m.get(L.CR4) | 4n)],
      ['31c9 0f01d0', (m) => m.set(L.CR4, m.get(L.CR4) & ~0x40000n)],
      ['31c9 0f01d0', (m) => m.setReg('rcx', 0)],
      ['f3480faed7', (m) => m.setReg('rdi', 1n << 63n)],
      ['f3480faec1', (m) => m.set(L.CR4, m.get(L.CR4) & ~0x10000n)],
      ['480fc70b', (m) => m.setReg('rbx', DATA + 8)],
      ['8edf', (m) => m.setReg('rdi', 0x30)],
      ['8edf', (m) => m.setReg('rdi', 0x28)],
      ['8edf', (m) => m.setReg('rdi', 0x40)],
      ['8edf', (m) => m.setReg('rdi', 0x08)],
      ['9c 59 51 9d', (m) => m.setReg('rsp', 0x8000_0000_0000n)],
    ];
    for (const [code, change] of faults) {
      const pair = prepare('long', loop(`48ffc2 ${code}`), (m) => m.setReg('rdi', 0x10));
      for (let n = 0; n < 12; n++) expect(pair.run(501)).toBe(L.RUN_LIMIT);
      for (const m of all(pair)) change(m);
      for (let n = 0; n < 3; n++) pair.run(40);
      const [plain, compiled] = all(pair).map((m) => [m.get32(L.FAULT_VECTOR), m.get(L.FAULT_LOG), m.rip]);
      expect(compiled, code).toEqual(plain);
    }
  });
});
