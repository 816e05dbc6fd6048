import { describe, expect, it } from 'vitest';
import { type Code, EAX, EBX, ECX, ESP } from '../hostile/code.js';
import {
  DEVICE,
  descriptor,
  HOLE,
  handlerOf,
  SELECTOR,
  START,
  TABLES,
  tableGuest,
  tableRegister,
} from '../hostile/table-guest.js';
import { debugExitStatus, type FlatGuest, runToEnd } from './flat-guest.js';

const UD = 6;
const GP = 13;
const AC = 17;
const PAGING = 0x80000011;

const vectorOf = (guest: FlatGuest): number => {
  const end = runToEnd(guest, 100_000);
  return end?.kind === 'debug-exit' ? (end.status - 1) / 2 : -1;
};
const ud2 = (code: Code): Code => code.emit(0x0f, 0x0b);
const readDevice = (code: Code): Code => code.emit(0xa1).imm(DEVICE);

describe('a handler answers the status that it decided', () => {
  for (const [name, opcode] of [
    ['FXSAVE', 0x03],
    ['FXRSTOR', 0x0b],
  ] as const) {
    it(`${name} off 16 bytes faults after a device access, and does not repeat it`, () => {
      const guest = tableGuest((code) =>
        readDevice(code)
          .mov(EBX, START + 0x1504)
          .emit(0x0f, 0xae, opcode),
      );
      expect(vectorOf(guest)).toBe(GP);
      expect(guest.vm.exitCount(48)).toBe(1);
    });
  }
});

describe('events are delivered through device memory', () => {
  const copied = (code: Code, from: number, to: number, bytes: number) => code.copy(to, from, bytes);
  const cases: [string, (code: Code) => void][] = [
    ['a stack', (code) => ud2(code.mov(ESP, DEVICE + 0x800))],
    [
      'an IDT',
      (code) => {
        copied(code, TABLES.idt, DEVICE, 0x100);
        tableRegister(code, 3, DEVICE, 0xff);
        ud2(code);
      },
    ],
    [
      'a GDT',
      (code) => {
        copied(code, TABLES.gdt, DEVICE, 0x80);
        tableRegister(code, 2, DEVICE, 0x7f);
        ud2(code);
      },
    ],
    [
      'all of them at once',
      (code) => {
        copied(code, TABLES.idt, DEVICE, 0x100);
        copied(code, TABLES.gdt, DEVICE + 0x400, 0x80);
        tableRegister(code, 3, DEVICE, 0xff);
        tableRegister(code, 2, DEVICE + 0x400, 0x7f);
        ud2(code.mov(ESP, DEVICE + 0x800));
      },
    ],
    ['a stack that crosses out of RAM', (code) => ud2(code.mov(ESP, (4 << 20) + 2))],
    ['a stack in a hole', (code) => ud2(code.mov(ESP, HOLE))],
  ];
  for (const [name, write] of cases)
    it(`${name}: the handler runs`, () => expect(vectorOf(tableGuest(write))).toBe(UD));

  it('a software interrupt on a stack in device memory: the frame names the instruction after it', () => {
    const guest = tableGuest((code) => code.mov(ESP, DEVICE + 0x800).emit(0xcd, UD));
    expect(vectorOf(guest)).toBe(UD);
    const eip = Number(guest.vm.board.mmioRead(0, DEVICE + 0x7f4, 4));
    expect(guest.vm.memory.read(eip - 2, 2)).toEqual(Uint8Array.of(0xcd, UD));
  });

  it('an inner stack of a TSS in device memory', () => {
    const guest = tableGuest(
      (code) => {
        code
          .emit(0xc7, 0x05)
          .imm(DEVICE + 4)
          .imm(DEVICE + 0x800)
          .emit(0xc7, 0x05)
          .imm(DEVICE + 8)
          .imm(SELECTOR.data);
        code.emit(0x66, 0xb8).imm(SELECTOR.spare, 2).emit(0x0f, 0x00, 0xd8);
        code
          .emit(0x6a, SELECTOR.userData, 0x6a, 0, 0x9c, 0x6a, SELECTOR.userCode, 0x68)
          .imm(START + code.length + 5)
          .emit(0xcf);
        ud2(code);
      },
      { change: (image) => image.setBigUint64(0x840, descriptor(DEVICE, 0x67, 0x89, 0), true) },
    );
    expect(vectorOf(guest)).toBe(UD);
  });

  it('an IDT in a hole: all ones are no gate, which ends in a triple fault', () => {
    const guest = tableGuest((code) => {
      tableRegister(code, 3, HOLE, 0xff);
      ud2(code);
    });
    expect(runToEnd(guest, 100_000)?.kind).toBe('triple-fault');
  });

  it('a fault in real mode with its vectors in device memory is injected again without an error code', () => {
    const guest = tableGuest((code) => {
      // INT 20h lies beyond the limit: #GP, whose handler is at FFFFh:0C78h
      code
        .emit(0xc7, 0x05)
        .imm(DEVICE + 4 * GP)
        .imm(0xffff0000 + handlerOf(GP) - 0xffff0);
      tableRegister(code, 3, DEVICE, 4 * GP + 3);
      code
        .mov(EAX, 0x10)
        .emit(0x0f, 0x22, 0xc0)
        .emit(0xea)
        .imm(START + code.length + 6 - 0xffff0)
        .imm(0xffff, 2);
      code.emit(0xcd, 0x20);
    });
    expect(vectorOf(guest)).toBe(GP);
  });
});

describe('paging structures anywhere', () => {
  const on = (code: Code, cr3: number, cr4 = 0x610) =>
    code
      .mov(EAX, cr4)
      .emit(0x0f, 0x22, 0xe0)
      .mov(EAX, cr3)
      .emit(0x0f, 0x22, 0xd8)
      .mov(EAX, PAGING)
      .emit(0x0f, 0x22, 0xc0);
  /** 32-bit paging: 4-MByte pages that map everything to itself. */
  const identity = (image: DataView) => {
    for (let n = 0; n < 1024; n++) image.setUint32(0x2000 + 4 * n, n * 0x400000 + 0x83, true);
  };
  for (const [name, cr3] of [
    ['a hole', HOLE],
    ['the end of RAM', 4 << 20],
    ['the last page of 4 GiB', 0xfffff000],
    ['the local APIC', 0xfee00000],
  ] as const) {
    it(`CR3 in ${name}: a triple fault`, () => {
      const end = runToEnd(
        tableGuest((code) => on(code, cr3)),
        100_000,
      );
      expect(end).toMatchObject({ kind: 'triple-fault', status: 1 });
    });
  }

  it('CR3 in a hole with PAE: MOV to CR3 or CR0 refuses the PDPTEs', () => {
    expect(vectorOf(tableGuest((code) => on(code, HOLE, 0x630)))).toBe(GP);
  });

  it('a page directory in device memory translates, and gets its accessed and dirty flags', () => {
    const guest = tableGuest(
      (code) => {
        code.copy(DEVICE, TABLES.pages, 0x1000);
        on(code, DEVICE).emit(0xa2).imm(0x300000);
        ud2(code);
      },
      { change: identity },
    );
    expect(vectorOf(guest)).toBe(UD);
    expect(guest.vm.board.mmioRead(0, DEVICE, 4)).toBe(0xe3n);
  });

  it('a page table in device memory below a directory in RAM', () => {
    const guest = tableGuest(
      (code) => {
        code.copy(DEVICE + 0x1000, TABLES.pages + 0x1000, 0x1000);
        on(code, TABLES.pages)
          .emit(0xa1)
          .imm(0x400000 + 0x1000);
        code.emit(0xc1, 0xe8, 24, 0xe6, 0xf4);
      },
      {
        change: (image) => {
          identity(image);
          // 400000h: a page table in the device, whose entry 1 maps the image's first page
          image.setUint32(0x2004, DEVICE + 0x1000 + 3, true);
          image.setUint32(0x3004, START + 3, true);
        },
      },
    );
    const first = guest.vm.memory.read(START, 4)[3];
    expect(runToEnd(guest, 100_000)?.status).toBe(debugExitStatus(first));
  });

  it('a page table in a hole: its entries are all ones, which map the last page of 4 GiB', () => {
    const guest = tableGuest((code) => on(code, TABLES.pages, 0x610).emit(0xa1).imm(0x400000).emit(0xe6, 0xf4), {
      change: (image) => {
        identity(image);
        image.setUint32(0x2004, HOLE + 3, true);
      },
    });
    expect(runToEnd(guest, 100_000)?.status).toBe(debugExitStatus(0xff));
  });
});

describe('work that retires nothing', () => {
  const clockOf = ({ vm }: FlatGuest) => vm.now();
  it('a handler whose first instruction faults lets slices end and time pass', () => {
    const guest = tableGuest((code) => ud2(code.mov(ESP, 0x3ffff0)), {
      change: (image) => image.setUint16(0xc00 + 8 * UD, 0x0b0f, true),
    });
    const { vm } = guest;
    for (let slice = 0; slice < 5; slice++) {
      const before = clockOf(guest);
      expect(vm.runSlice(vm.vcpus[0], 10_000).kind).toBe('limit');
      expect(clockOf(guest)).toBeGreaterThan(before);
    }
    // each frame takes 12 bytes: no slice came back late
    expect(vm.memory.read(0x300000, 4)).toEqual(new Uint8Array(4));
  });

  it('exits that repeat let slices end', () => {
    // #UD by the exception bitmap, injected again by the VMM, whose handler raises it at once
    const guest = tableGuest(
      (code) => {
        code
          .mov(EAX, 0x564d5343)
          .mov(EBX, 1)
          .mov(ECX, 0x4004)
          .mov(2, 1 << UD)
          .emit(0x0f, 0x01, 0xc1);
        ud2(code.mov(ESP, 0x3ffff0));
      },
      { change: (image) => image.setUint16(0xc00 + 8 * UD, 0x0b0f, true) },
    );
    const { vm } = guest;
    for (let slice = 0; slice < 5; slice++) expect(vm.runSlice(vm.vcpus[0], 10_000).kind).toBe('limit');
    expect(vm.exitCount(0)).toBeGreaterThan(1000);
    expect(vm.memory.read(0x300000, 4)).toEqual(new Uint8Array(4));
  });

  it('an alignment check that its own delivery raises', () => {
    // ring 3 with AC, a misaligned stack, and handlers in ring 3
    const guest = tableGuest(
      (code) => {
        code.mov(EAX, 0x40011).emit(0x0f, 0x22, 0xc0);
        code.emit(0x6a, SELECTOR.userData, 0x68).imm(0x380001).emit(0x68).imm(0x40002);
        code
          .emit(0x6a, SELECTOR.userCode, 0x68)
          .imm(START + code.length + 5)
          .emit(0xcf);
        ud2(code);
      },
      {
        change: (image) => {
          for (const vector of [UD, AC]) image.setUint16(0x902 + 8 * vector, SELECTOR.userCode, true);
        },
      },
    );
    const { vm } = guest;
    for (let slice = 0; slice < 3; slice++) expect(vm.runSlice(vm.vcpus[0], 10_000).kind).toBe('limit');
    expect(vm.memory.read(0x37fff0, 16)).toEqual(new Uint8Array(16));
  });
});

it('VGATHERDPS reads several elements from device memory once each', () => {
  const guest = tableGuest(
    (code) => {
      // cr4.osxsave, xcr0 = 7
      code.mov(EAX, 0x40600).emit(0x0f, 0x22, 0xe0).mov(EAX, 7).mov(ECX, 0).mov(2, 0).emit(0x0f, 0x01, 0xd1);
      for (let n = 0; n < 8; n++)
        code
          .emit(0xc7, 0x05)
          .imm(DEVICE + 8 * n)
          .imm(0x1000 + n);
      // ymm0 = indices 0 2 4 ..., ymm1 = all ones; vgatherdps ymm2, [eax+ymm0*4], ymm1; vmovups [], ymm2
      code
        .emit(0xc5, 0xfc, 0x10, 0x05)
        .imm(START + 0x1a00)
        .emit(0xc5, 0xf5, 0x76, 0xc9)
        .mov(EAX, DEVICE);
      code
        .emit(0xc4, 0xe2, 0x75, 0x92, 0x14, 0x80)
        .emit(0xc5, 0xfc, 0x11, 0x15)
        .imm(START + 0x1a40);
      code.emit(0xb0, 0x55, 0xe6, 0xf4);
    },
    {
      change: (image) => {
        for (let n = 0; n < 8; n++) image.setUint32(0x1a00 + 4 * n, 2 * n, true);
      },
    },
  );
  expect(runToEnd(guest, 100_000)?.status).toBe(debugExitStatus(0x55));
  const read = guest.vm.memory.read(START + 0x1a40, 32);
  expect([...new Uint32Array(read.slice().buffer)]).toEqual(Array.from({ length: 8 }, (_, n) => 0x1000 + n));
  expect(guest.vm.exitCount(48)).toBe(16);
});
