import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { CODE, expected, VmxGuest } from './guest.js';

const CR0_TS = 8;
/** Stops at the HLT behind the code; faults of the code become exits. */
const watched = (mode: ConstructorParameters<typeof VmxGuest>[0] = 'long') =>
  new VmxGuest(mode).also('primary', ['HLT exiting']).field('EXCEPTION_BITMAP', 0xffffffff);

describe('control registers', () => {
  it('CR0: reads the shadow where the mask is set, exits when a masked bit would change', () => {
    const guest = watched().field('CR0_GUEST_HOST_MASK', CR0_TS).field('CR0_READ_SHADOW', CR0_TS);
    expect(guest.exit('0f20c0f4').reason).toBe('HLT');
    expect(guest.reg('rax')).toBe(0x80000031n | 8n);
    guest.skip();
    guest.field('GUEST_RIP', CODE);
    guest.setReg('rdx', 0x80000031);
    expect(guest.exit('0f22c2')).toEqual(expected('CR_ACCESS', { qualification: 0x200, length: 3 }));
    guest.setReg('rdx', 0x8001003bn); // TS as in the shadow, WP and MP free
    expect(guest.exit('0f22c2f4').reason).toBe('HLT');
    expect(guest.value('GUEST_CR0')).toBe(0x80010033n);
  });

  it('CR4: mask, shadow and reserved bits', () => {
    const guest = watched().field('CR4_GUEST_HOST_MASK', 0x2000);
    expect(guest.exit('0f20e0f4').reason).toBe('HLT');
    expect(guest.reg('rax')).toBe(0x20n);
    guest.field('GUEST_RIP', CODE);
    guest.setReg('rdi', 0x2020);
    expect(guest.exit('0f22e7')).toEqual(expected('CR_ACCESS', { qualification: 0x704, length: 3 }));
    guest.setReg('rdi', 0x1020);
    expect(guest.exit('0f22e7').intr).toBe(0x80000b0d);
    guest.field('GUEST_RIP', CODE);
    guest.setReg('rdi', 0x00a0);
    expect(guest.exit('0f22e7f4').reason).toBe('HLT');
    expect(guest.value('GUEST_CR4')).toBe(0x20a0n);
  });

  it.each([
    ['PG without PE', 0x80000030n],
    ['NW without CD', 0xa0000031n],
    ['a bit above 31', 0x180000031n],
    ['paging off in 64-bit mode', 0x31n],
    ['NE cleared in VMX operation', 0x80000011n],
  ])('MOV to CR0 with %s is #GP(0)', (_, value) => {
    const guest = watched();
    guest.setReg('rax', value);
    expect(guest.exit('0f22c0')).toEqual(expected('EXCEPTION_NMI', { intr: 0x80000b0d }));
    expect(guest.value('GUEST_CR0')).toBe(0x80000031n);
  });

  it.each([
    ['PAE cleared in IA-32e mode', 0x2000n],
    ['VMXE cleared in VMX operation', 0x20n],
    ['a reserved bit', 0x802020n],
  ])('MOV to CR4 with %s is #GP(0)', (_, value) => {
    const guest = watched();
    guest.setReg('rax', value);
    expect(guest.exit('0f22e0')).toEqual(expected('EXCEPTION_NMI', { intr: 0x80000b0d }));
  });

  it('CLTS: follows mask and shadow', () => {
    const owned = watched().field('CR0_GUEST_HOST_MASK', CR0_TS).field('CR0_READ_SHADOW', CR0_TS);
    expect(owned.exit('0f06')).toEqual(expected('CR_ACCESS', { qualification: 0x20, length: 2 }));
    owned.field('CR0_READ_SHADOW', 0).field('GUEST_CR0', 0x80000039);
    expect(owned.exit('0f06f4').reason).toBe('HLT');
    expect(owned.value('GUEST_CR0')).toBe(0x80000039n);
    const free = watched().field('GUEST_CR0', 0x80000039);
    expect(free.exit('0f06f4').reason).toBe('HLT');
    expect(free.value('GUEST_CR0')).toBe(0x80000031n);
  });

  it('LMSW: qualification with source, operand type and linear address; SMSW reads the shadow', () => {
    const guest = watched().field('CR0_GUEST_HOST_MASK', CR0_TS);
    guest.setReg('rax', 0x1239);
    expect(guest.exit('0f01f0')).toEqual(expected('CR_ACCESS', { qualification: 0x12390030, length: 3 }));
    guest.load(0x3000, 'f9ff');
    guest.setReg('rbx', 0x3000);
    expect(guest.exit('0f0133')).toEqual(expected('CR_ACCESS', { qualification: 0xfff90070, length: 3, gla: 0x3000 }));
    guest.field('CR0_READ_SHADOW', CR0_TS);
    expect(guest.exit('0f01e2f4').reason).toBe('HLT');
    expect(guest.reg('rdx')).toBe(0x80000039n & 0xffffffffn);
  });

  it('CR3: targets do not exit; values beyond the physical-address width fault', () => {
    const guest = watched()
      .also('primary', ['CR3-load exiting'])
      .field('CR3_TARGET_COUNT', 2)
      .field('CR3_TARGET_VALUE1', 0x70000);
    guest.setReg('rax', 0x70000);
    expect(guest.exit('0f22d8f4').reason).toBe('HLT');
    guest.field('CR3_TARGET_COUNT', 1).field('GUEST_RIP', CODE);
    expect(guest.exit('0f22d8').reason).toBe('CR_ACCESS');
    const plain = watched();
    plain.setReg('rax', 1n << 39n);
    expect(plain.exit('0f22d8').intr).toBe(0x80000b0d);
  });

  it('enters long mode from real mode: LMA and the VM-entry control follow', () => {
    const guest = watched('real');
    guest.set(L.RAM_BASE + 0x70000, 0x71007);
    guest.set(L.RAM_BASE + 0x71000, 0x87);
    guest.load(0x3000, `0000000000000000 ffff0000009baf00`);
    guest.load(0x2f00, '0f00 00300000');
    // mov eax,0x2020; mov cr4,eax; mov eax,0x70000; mov cr3,eax; mov ecx,0xc0000080; rdmsr; or ax,0x100; wrmsr;
    // mov eax,0x80000031; mov cr0,eax; lgdt [0x2f00]; jmp far 8:0x2000
    guest.also('primary', ['Use MSR bitmaps']);
    const code =
      '66b820200000 0f22e0 66b800000700 0f22d8 66b9800000c0 0f32 0d0001 0f30 66b831000080 0f22c0 0f0116002f ea00200800';
    guest.load(0x2000, '49ffc8 f4'); // dec r8; hlt
    expect(guest.exit(code)).toEqual(expected('HLT', { length: 1, rip: 0x2003 }));
    expect(guest.reg('r8')).toBe(0xffffffffffffffffn);
    expect(guest.number('VM_ENTRY_CONTROLS') & 0x200).toBe(0x200);
    expect(guest.value('GUEST_CR0')).toBe(0x80000031n);
    expect(guest.number('GUEST_CS_AR_BYTES')).toBe(0xa09b);
    expect(guest.get(L.EFER)).toBe(0x500n);
  });
});

describe('MSRs', () => {
  it('exits for all MSRs without bitmaps, by bit with them, and always outside their ranges', () => {
    const plain = new VmxGuest();
    plain.setReg('rcx', 0xc0000082);
    expect(plain.exit('0f32')).toEqual(expected('MSR_READ', { length: 2 }));
    expect(plain.exit('0f30')).toEqual(expected('MSR_WRITE', { length: 2 }));
    const guest = watched().also('primary', ['Use MSR bitmaps']);
    guest.setReg('rcx', 0xc0000082);
    guest.setReg('rax', 0x1234);
    guest.bytes[L.MSR_BITMAP + 0xc00 + 0x10] = 4; // write of LSTAR
    expect(guest.exit('0f30').reason).toBe('MSR_WRITE');
    expect(guest.exit('0f32f4').reason).toBe('HLT');
    guest.bytes[L.MSR_BITMAP + 0xc00 + 0x10] = 0;
    guest.field('GUEST_RIP', CODE);
    guest.setReg('rax', 0x1234);
    guest.setReg('rdx', 0);
    expect(guest.exit('0f30f4').reason).toBe('HLT');
    expect(guest.get(L.LSTAR)).toBe(0x1234n);
    guest.setReg('rcx', 0x40000000);
    guest.field('GUEST_RIP', CODE);
    expect(guest.exit('0f32').reason).toBe('MSR_READ');
  });

  it('an MSR that does not exist is #GP(0), a non-canonical base too', () => {
    const guest = watched().also('primary', ['Use MSR bitmaps']);
    guest.setReg('rcx', 0x1234);
    expect(guest.exit('0f32').intr).toBe(0x80000b0d);
    guest.setReg('rcx', 0xc0000101);
    guest.setReg('rdx', 0x1000000);
    expect(guest.exit('0f30').intr).toBe(0x80000b0d);
  });

  it('INVPCID refuses bits above the PCID for every type', () => {
    for (const type of [0, 1, 2, 3]) {
      const guest = watched();
      guest.setReg('rax', type);
      guest.setReg('rbx', 0x8000);
      guest.load(0x8000, '0010000000000000 0000000000000000');
      expect(guest.exit('660f388203').intr, String(type)).toBe(0x80000b0d);
    }
  });

  it('reads the capability MSRs', () => {
    const guest = watched().also('primary', ['Use MSR bitmaps']);
    guest.setReg('rcx', 0x480);
    guest.exit('0f32f4');
    expect((guest.reg('rdx') >> 18n) & 15n).toBe(6n);
  });

  it('loads and stores the MSR areas; a bad entry fails the VM entry with its number', () => {
    const guest = new VmxGuest();
    const area = L.RAM_BASE + 0x3000;
    guest.set32(area, 0xc0000081);
    guest.set(area + 8, 0x23001000000000n);
    guest.field('VM_ENTRY_MSR_LOAD_ADDR', area).field('VM_ENTRY_MSR_LOAD_COUNT', 1);
    guest.set32(area + 0x100, 0xc0000081);
    guest.field('VM_EXIT_MSR_STORE_ADDR', area + 0x100).field('VM_EXIT_MSR_STORE_COUNT', 1);
    guest.exit('0fa2');
    expect(guest.get(L.STAR)).toBe(0x23001000000000n);
    expect(guest.get(area + 0x108)).toBe(0x23001000000000n);
    guest.set32(area + 16, 0xc0000100);
    guest.field('VM_ENTRY_MSR_LOAD_COUNT', 2);
    expect(guest.entry()).toBe(L.ENTER_FAILED);
    expect(guest.number('VM_EXIT_REASON')).toBe(0x80000022);
    expect(guest.number('EXIT_QUALIFICATION')).toBe(2);
  });
});

describe('time', () => {
  it('RDTSC counts instructions, with offset and scaling of the VMCS', () => {
    const guest = watched().also('primary', ['Use TSC offsetting']).field('TSC_OFFSET', 1000);
    guest.exit('9090900f31f4');
    expect(guest.reg('rax')).toBe(1003n);
    const scaled = watched().also('primary', ['Use TSC offsetting']).also('secondary', ['Use TSC scaling']);
    scaled.field('TSC_MULTIPLIER', 3n << 47n).field('TSC_OFFSET', -1n);
    scaled.set(L.CLOCK_OFFSET, 0x100000000n);
    scaled.exit('0f31f4');
    expect((scaled.reg('rdx') << 32n) | scaled.reg('rax')).toBe(0x180000000n - 1n);
  });

  it('TSD keeps RDTSC from user mode', () => {
    const guest = watched().user().field('GUEST_CR4', 0x2024);
    expect(guest.exit('0f31').intr).toBe(0x80000b0d);
  });

  it('RDTSCP and RDPID need their control', () => {
    const guest = watched();
    guest.set(L.TSC_AUX, 7);
    guest.exit('0f01f9f30fc7faf4');
    expect([guest.reg('rcx'), guest.reg('rdx')]).toEqual([7n, 7n]);
    const off = watched().also('secondary', ['Enable RDTSCP'], false);
    expect(off.exit('0f01f9').intr).toBe(0x80000306);
  });

  it('RDRAND takes the queue of the host, then a fixed sequence', () => {
    const guest = watched();
    guest.set(L.RANDOM_QUEUE + 16, 0x1122334455667788n);
    guest.set32(L.RANDOM_QUEUE + 4, 1);
    guest.set(L.RANDOM_QUEUE + 8, 1);
    guest.exit('480fc7f0480fc7f3f4');
    expect(guest.reg('rax')).toBe(0x1122334455667788n);
    expect(guest.reg('rbx')).toBe(0x40822041n); // xorshift64 of 1
    expect(guest.number('GUEST_RFLAGS') & 0x8d5).toBe(1);
  });
});

describe('ports', () => {
  it('exits by the I/O bitmaps, any byte of the access', () => {
    const guest = watched().also('primary', ['Use I/O bitmaps']);
    guest.bytes[L.IO_BITMAP_A + (0x63 >> 3)] = 1 << 3;
    guest.setReg('rdx', 0x60);
    expect(guest.exit('ecf4').reason).toBe('HLT');
    guest.field('GUEST_RIP', CODE);
    expect(guest.exit('ed')).toEqual(expected('IO_INSTRUCTION', { qualification: 0x60000b, length: 1 }));
    guest.setReg('rdx', 0xffff);
    expect(guest.exit('ed').reason).toBe('IO_INSTRUCTION'); // wraps around
    guest.bytes[L.IO_BITMAP_B + 0xfff] = 0;
    guest.field('GUEST_RIP', CODE);
    expect(guest.exit('ecf4').reason).toBe('HLT');
    expect(guest.reg('rax') & 0xffn).toBe(0xffn);
  });

  it('checks IOPL and the permission bitmap before the exit', () => {
    const guest = watched().user().also('primary', ['Unconditional I/O exiting']);
    guest.field('GUEST_TR_LIMIT', 0x200);
    guest.load(0x6066, '6800'); // bitmap at 0x68
    guest.load(0x6068 + 0x0c, '02');
    guest.setReg('rdx', 0x60);
    expect(guest.exit('ec').reason).toBe('IO_INSTRUCTION');
    guest.field('GUEST_RIP', CODE);
    expect(guest.exit('ed').intr).toBe(0x80000b0d);
    guest.field('GUEST_RFLAGS', 0x3002);
    expect(guest.exit('ed').reason).toBe('IO_INSTRUCTION');
  });

  it('REP INSB and OUTSB take and give elements through latches, as one instruction what an exit has moved', () => {
    const guest = watched().also('primary', ['Unconditional I/O exiting']);
    guest.setReg('rdx', 0x1f0);
    guest.setReg('rcx', 3);
    guest.setReg('rdi', 0x5000);
    guest.load(CODE, 'f36cf4');
    for (const [most, data] of [
      [3n, [0x41, 0x42]],
      [1n, [0x43]],
    ] as const) {
      expect(guest.go()).toBe(L.RUN_VMEXIT);
      expect(guest.record().reason).toBe('IO_INSTRUCTION');
      expect([guest.get32(L.ASSIST_KIND), guest.get32(L.ASSIST_WRITE), guest.get(L.ASSIST_ADDRESS)]).toEqual([
        2,
        0,
        0x1f0n,
      ]);
      expect(guest.get(L.ASSIST_DATA)).toBe(most);
      latchBytes(guest, 0x1f0n, data, false);
    }
    expect(guest.go()).toBe(L.RUN_VMEXIT);
    expect(guest.record().reason).toBe('HLT');
    expect([...guest.ram(0x5000, 4)]).toEqual([0x41, 0x42, 0x43, 0]);
    expect([guest.reg('rcx'), guest.reg('rdi'), guest.icount]).toEqual([0n, 0x5003n, 2n]);
    guest.field('GUEST_RIP', CODE);
    guest.setReg('rcx', 2);
    guest.setReg('rsi', 0x5001);
    guest.load(CODE, 'f36ef4');
    guest.go();
    expect([guest.get32(L.ASSIST_WRITE), guest.get(L.ASSIST_DATA)]).toEqual([1, 2n]);
    const data = L.LATCHES + (guest.get32(L.LATCH_COUNT) + 1) * L.LATCH_BYTES;
    expect([...guest.bytes.subarray(data, data + 3)]).toEqual([0x42, 0x43, 0]);
    latchBytes(guest, 0x1f0n, [0x42, 0x43], true);
    guest.go();
    expect(guest.record().reason).toBe('HLT');
    expect([guest.reg('rcx'), guest.reg('rsi')]).toEqual([0n, 0x5003n]);
  });

  it('REP with count 0 does nothing', () => {
    const guest = watched().also('primary', ['Unconditional I/O exiting']);
    expect(guest.exit('f36cf4')).toEqual(expected('HLT', { length: 1, rip: CODE + 2 }));
  });
});

function latch(guest: VmxGuest, address: bigint, data: bigint, bytes: number, write: boolean): void {
  const n = guest.get32(L.LATCH_COUNT);
  const at = L.LATCHES + n * L.LATCH_BYTES;
  guest.set(at, address);
  guest.set(at + 8, data);
  guest.set32(at + 16, bytes);
  guest.set32(at + 20, write ? 1 : 0);
  guest.set32(L.LATCH_COUNT, n + 1);
}

/** Elements of a byte of string I/O, which have places of their own behind their latch. */
function latchBytes(guest: VmxGuest, port: bigint, data: readonly number[], write: boolean): void {
  latch(guest, port, BigInt(data.length), 1, write);
  const n = guest.get32(L.LATCH_COUNT);
  guest.bytes.set(data, L.LATCHES + n * L.LATCH_BYTES);
  guest.set32(L.LATCH_COUNT, n + Math.ceil(data.length / L.LATCH_BYTES));
}

describe('memory exits', () => {
  it('EPT violation of a data write: qualification, addresses, RF', () => {
    const guest = new VmxGuest();
    guest.eptEntry(0x5000, (BigInt(L.RAM_BASE) + 0x5000n) | 0x31n); // read-only
    guest.setReg('rbx', 0x5008);
    expect(guest.exit('c60301')).toEqual(expected('EPT_VIOLATION', { qualification: 0x18a, gla: 0x5008, gpa: 0x5008 }));
    expect(guest.number('GUEST_RFLAGS')).toBe(0x10002);
  });

  it('EPT violation of a fetch, and misconfiguration', () => {
    const guest = new VmxGuest();
    guest.eptEntry(0x5000, 0n);
    guest.setReg('rax', 0x5000);
    expect(guest.exit('ffe0')).toEqual(
      expected('EPT_VIOLATION', { qualification: 0x184, gla: 0x5000, gpa: 0x5000, rip: 0x5000 }),
    );
    const bad = new VmxGuest();
    bad.eptEntry(0x5000, (BigInt(L.RAM_BASE) + 0x5000n) | 0x32n); // write without read
    bad.setReg('rbx', 0x5000);
    expect(bad.exit('8a03')).toEqual(expected('EPT_MISCONFIG', { gpa: 0x5000 }));
  });
});

describe('VM functions', () => {
  it('switches the EPTP by VMFUNC 0 and exits for what the list does not hold', () => {
    const guest = watched().also('secondary', ['Enable VM functions']).field('VM_FUNCTION_CONTROL', 1);
    const list = L.RAM_BASE + 0x6000;
    guest.field('EPTP_LIST_ADDRESS', list);
    guest.set(list + 8, L.EPT_POOL | 0x5e);
    guest.setReg('rcx', 1);
    expect(guest.exit('0f01d4f4').reason).toBe('HLT');
    expect([guest.number('EPT_POINTER'), guest.number('EPTP_INDEX')]).toEqual([L.EPT_POOL | 0x5e, 1]);
    guest.setReg('rcx', 2);
    guest.field('GUEST_RIP', CODE);
    expect(guest.exit('0f01d4')).toEqual(expected('VMFUNC', { length: 3 }));
    expect(watched().exit('0f01d4').intr).toBe(0x80000306);
  });
});

describe('faults before exits', () => {
  it.each([
    ['HLT', 'f4'],
    ['MOV to CR3', '0f22d8'],
    ['MOV from DR7', '0f21f8'],
    ['RDMSR', '0f32'],
    ['INVD', '0f08'],
    ['INVLPG', '0f0138'],
    ['XSETBV', '0f01d1'],
  ])('%s at CPL 3 is #GP(0), not an exit', (name, code) => {
    const guest = watched().user().also('primary', ['CR3-load exiting', 'MOV-DR exiting', 'INVLPG exiting']);
    if (name === 'XSETBV') guest.field('GUEST_CR4', 0x42020);
    expect(guest.exit(code)).toEqual(expected('EXCEPTION_NMI', { intr: 0x80000b0d }));
  });

  it('CPUID and VMCALL exit at any CPL, VMX instructions are #UD outside protected mode', () => {
    expect(watched().user().exit('0fa2').reason).toBe('CPUID');
    expect(watched().user().exit('0f01c1').reason).toBe('VMCALL');
    expect(watched().user().exit('0f01c2').reason).toBe('VMLAUNCH');
    expect(watched('real').exit('0f01c2').intr).toBe(0x80000306);
    expect(watched('real').exit('0f01c1').reason).toBe('VMCALL');
  });

  it('MOV DR: DR4 with CR4.DE is #UD before the exit, the exit comes before general detect', () => {
    const guest = watched().also('primary', ['MOV-DR exiting']).field('GUEST_CR4', 0x2028).field('GUEST_DR7', 0x2400);
    expect(guest.exit('0f21e0').intr).toBe(0x80000306);
    expect(guest.exit('0f21f8').reason).toBe('DR_ACCESS');
  });
});
