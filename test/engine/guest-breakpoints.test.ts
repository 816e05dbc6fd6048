import { describe, expect, it } from 'vitest';
import { flatGuest, runToEnd } from './flat-guest.js';

/*
 * 32-bit code with a GDT and an IDT of its own, ESP 20000h; the handler of #DB at 100040h writes DR6, EIP and EFLAGS of
 * each hit to 4000h upwards, clears DR6, and sets RF in its frame when DR0 was met. What is tried stands at CODE.
 */
const FRAME = `
  0f0115880010000f011d9e001000ea150010000800b8100000008ed88ec08ed0bc00000200bd00400000e991000000000000000000000000
  0000000000000000500f21f08945008b4424048945048b44240c89450883c50cf645f4017405804c240e0131c00f23f058cf8db600000000
  0000000000000000ffff0000009bcf00ffff00000093cf00170070001000000000000000000040000800008e10000f008e00100000000000
  000000000000000000000000000000000000000000000000`;
const CODE = 0x1000c0;
const LOG = 0x4000;
const RF = 0x10000;
const BS = 0x4000;
/** mov al, 1; out 0f4h, al */
const END = 'b001 e6f4';

interface Hit {
  /** Bits of DR6. */
  dr6: number;
  /** Offset in the code. */
  at: number;
  rf: boolean;
}

function hits(code: string): Hit[] {
  const guest = flatGuest(`${FRAME}${code}${END}`, { at: 0x100000 });
  expect(runToEnd(guest, 20_000)).toMatchObject({ kind: 'debug-exit', status: 3 });
  const log = new DataView(Uint8Array.from(guest.vm.memory.read(LOG, 0x400)).buffer);
  const found: Hit[] = [];
  for (let n = 0; log.getUint32(n + 4, true) !== 0; n += 12) {
    const [dr6, eip, flags] = [0, 4, 8].map((offset) => log.getUint32(n + offset, true)) as [number, number, number];
    found.push({ dr6: dr6 & 0xe00f, at: eip - CODE, rf: (flags & RF) !== 0 });
  }
  return found;
}

/** mov eax, CODE+at; mov dr0, eax; mov eax, 401h; mov dr7, eax: 16 bytes */
const breakAt = (at: number): string => `b8${(0xc0 + at).toString(16)}001000 0f23c0 b801040000 0f23f8`;

describe("a guest's breakpoint on an instruction", () => {
  it.each([
    // mov edx, 3fdh; mov edi, 5000h; mov ecx, 3; rep insb
    ['REP INS', 0x1f, 'bafd030000 bf00500000 b903000000 f36c'],
    // mov edx, 402h; mov esi, 5000h; mov ecx, 3; rep outsb
    ['REP OUTS', 0x1f, 'ba02040000 be00500000 b903000000 f36e'],
    ['INS', 0x1a, 'bafd030000 bf00500000 6c'],
    ['REP MOVS', 0x1f, 'bf00600000 be00500000 b905000000 f3a4'],
    ['REP MOVS to device memory', 0x1f, 'bf000000ff be00500000 b905000000 f3a4'],
    // mov edx, 3fdh; mov edi, 0ff000000h; mov ecx, 3; rep insb
    ['REP INS to device memory', 0x1f, 'bafd030000 bf000000ff b903000000 f36c'],
    // mov edx, 402h; mov esi, 0ff000000h; mov ecx, 3; rep outsb
    ['REP OUTS from device memory', 0x1f, 'ba02040000 be000000ff b903000000 f36e'],
    ['REPE CMPS', 0x1f, 'bf00600000 be00500000 b905000000 f3a6'],
    ['IN', 0x15, 'bafd030000 ec'],
    ['MOV from device memory', 0x10, 'a1000000ff'],
    ['MOV to CR0', 0x13, '0f20c0 0f22c0'],
    ['CPUID', 0x10, '0fa2'],
  ])('is met once: %s', (_, at, code) => {
    expect(hits(`${breakAt(at)}${code}`)).toEqual([{ dr6: 1, at, rf: false }]);
  });

  it('is met again when a repeated instruction is begun anew', () => {
    // 1: mov ecx, 2; rep insb; dec ebx; jnz 1
    const code = 'bafd030000 bf00500000 bb02000000 b902000000 f36c 4b 75f6';
    expect(hits(`${breakAt(0x24)}${code}`).map(({ at }) => at)).toEqual([0x24, 0x24]);
  });

  it('is not met again after a trap between two iterations, whose frame has RF', () => {
    // mov eax, 6002h; mov dr1, eax; DR0 on the instruction; DR1 on a write; rep movsb
    const code = 'b802600000 0f23c8 b8e7001000 0f23c0 b805041000 0f23f8 bf00600000 be00500000 b905000000 f3a4';
    expect(hits(code)).toEqual([
      { dr6: 1, at: 0x27, rf: false },
      { dr6: 2, at: 0x27, rf: true },
    ]);
  });

  it('leaves RF of single steps set until the last iteration', () => {
    // mov edi, 6000h; mov esi, 5000h; mov ecx, 3; TF on; rep movsb; nop; TF off
    const code = 'bf00600000 be00500000 b903000000 9c804c2401019d f3a4 90 9c806424 01fe9d';
    const steps = hits(code).slice(0, 4);
    expect(steps.map(({ at, rf }) => [at, rf])).toEqual([
      [0x16, true],
      [0x16, true],
      [0x18, false],
      [0x19, false],
    ]);
    expect(steps.every(({ dr6 }) => dr6 === BS)).toBe(true);
  });
});

describe('an interrupt between two iterations', () => {
  /*
   * GDT, IDT, local APIC's timer of 1000 ns at vector 30h; mov ecx, 5000; rep stosb; mov al, 1; out 0f4h, al. Handler: EIP,
   * EFLAGS and ECX to 4000h, EOI
   */
  const code = `
    0f0115b2001000ea0e0010000800b8100000008ed88ec08ed0bc00000200c7058021000078000800c70584210000008e10000f011db8
    001000b0ffe621e6a1c705f000e0feff010000c7052003e0fe30000000c705e003e0fe0b000000bf00600000b988130000fbc7058003
    e0fee8030000f3aab001e6f48b0424a3004000008b442408a304400000890d08400000c705b000e0fe00000000cf0000000000000000
    ffff0000009bcf00ffff00000093cf0017009a001000870100200000`;

  it('finds RF in the flags that it pushes', () => {
    const guest = flatGuest(code, { at: 0x100000 });
    expect(runToEnd(guest, 20_000)).toMatchObject({ kind: 'debug-exit', status: 3 });
    const saved = Buffer.from(guest.vm.memory.read(LOG, 12));
    const left = saved.readUInt32LE(8);
    expect([saved.readUInt32LE(0), saved.readUInt32LE(4) & RF]).toEqual([0x100072, RF]);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(5000);
  });
});

describe("a guest's breakpoint on a port", () => {
  /** CR4.DE; DR1 on port 3fdh, one byte. */
  const DE = '0f20e0 83c808 0f22e0';
  const PORT = 'b8fd030000 0f23c8 b804042000 0f23f8';

  it.each([
    // mov edx, port; in al, dx; nop
    ['IN', `${DE}${PORT} bafd030000 ec 90`, [0x1f]],
    ['IN of a word that reaches it', `${DE}${PORT} bafc030000 66ed 90`, [0x20]],
    ['IN of a word below it', `${DE}${PORT} bafb030000 66ed 90`, []],
    ['INS', `${DE}${PORT} bafd030000 bf00500000 6c 90`, [0x24]],
    ['IN without CR4.DE', `${PORT} bafd030000 ec 90`, []],
    // DR1 on ports 80h to 83h; out 83h, al; nop; out 84h, al
    ['OUT, with a length', `${DE} b880000000 0f23c8 b80404e000 0f23f8 e683 90 e684`, [0x1b]],
    // DR1 on port 402h; mov edx, 402h; mov esi, 5000h; mov ecx, 2; rep outsb
    [
      'REP OUTS, after each iteration',
      `${DE} b802040000 0f23c8 b804042000 0f23f8 ba02040000 be00500000 b902000000 f36e 90`,
      [0x28, 0x2a],
    ],
  ])('traps after %s', (_, code, places) => {
    expect(hits(code).map(({ at, dr6 }) => [at, dr6])).toEqual(places.map((at) => [at, 2]));
  });

  it('joins the single-step trap', () => {
    // TF on; in al, dx; TF off
    const code = `${DE}${PORT} bafd030000 9c804c2401019d ec 9c806424 01fe9d`;
    expect(hits(code)[0]).toEqual({ dr6: BS | 2, at: 0x26, rf: false });
  });
});

describe("a guest's breakpoint on data that a delivery writes", () => {
  const HANDLER = 0x100040 - CODE;
  /** mov eax, address; mov dr0, eax; DR7: DR0 on writes of four bytes: 16 bytes */
  const watch = (address: string): string => `b8${address} 0f23c0 b801040d00 0f23f8`;
  /** mov esp, 20000h; mov [1fffch], eax */
  const write = 'bc00000200 a3fcff0100';

  // What a delivery writes is a data access as any other, and its trap is taken at the next boundary, which lies before the
  // handler's first instruction: that of a #DB too. @sdm 3B 18.3.1.2 "Data Memory and I/O Breakpoint Exception Conditions"
  // That processors do so is known from guests that hung them by a #DB whose delivery hits itself (CVE-2015-8104); since then
  // hypervisors intercept #DB and carry out what they please. A KVM without VT-x or SVM delivers by writes of its own, which
  // no breakpoint sees: such a one (kvm_pvm) says 0 hits for the store itself, and is no witness.
  it('traps before the first instruction of a handler of #DB', () => {
    // the second #DB's frame lies below
    expect(hits(`${watch('fcff0100')} ${write}`)).toEqual([
      { dr6: 1, at: HANDLER, rf: false },
      { dr6: 0, at: 0x1a, rf: false },
    ]);
  });

  it('may trap without end, where each slice comes back', () => {
    // long mode; the gate of #DB has IST1 = 20000h, DR0 is on the RSP that each delivery writes there, and a write to it
    const code = `
      0f0115cc001000c7050000010003100100c7050010010003200100c7050020010083000000b8200000000f22e0b8000001000f22d8b980
      0000c0b80001000031d20f30b8110000800f22c0ea5200100008000f011c25d2001000b8100000000f00d8b8f0ff01000f23c0b801040d
      000f23f8890425f0ff0100b001e6f40f1f000000000000000000ffff0000009baf006700a0001089000000000000000000000000000000
      0000000000000000000000000000000000000000000000000000000000000000000200000000001f00800010001f00e000100000000000
      0f1f40000000000000000000000000000000000079000800018e1000`;
    const guest = flatGuest(code.padEnd(code.length + 32, '0'), { at: 0x100000 });
    const [vcpu] = guest.vm.vcpus;
    const ends = [1, 2, 3].map(() => guest.vm.runSlice(vcpu, 1000).kind);
    expect(ends).toEqual(['limit', 'limit', 'limit']);
    expect(guest.vm.end).toBeUndefined();
    expect(guest.machine.view.readRegisters(0)).toMatchObject({ rip: 0x100079n, rsp: 0x1ffd8n });
  });
});
