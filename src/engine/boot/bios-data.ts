/**
 * What a BIOS leaves in low memory: the interrupt vectors, the BIOS data area and the extended one. There are no
 * BIOS services: software interrupts tell their vector and return at once, hardware interrupts are acknowledged.
 */
import { UNSERVED_PORT } from '../devices/unserved-interrupts.js';
import { EBDA_BASE, EBDA_BYTES } from '../memory/memory-map.js';
import { TableWriter } from './binary.js';
import type { Chunk } from './image.js';

const SEGMENT = 0xf000;
/** Where the IBM BIOS had these, which is where programs expect them. */
const TIMER_ENTRY = 0xfea5;
const IRET_ENTRY = 0xff53;
const RESET_ENTRY = 0xe05b;
const MASTER_ENTRY = 0xff00;
const SLAVE_ENTRY = 0xff10;
/** A routine for each vector that nobody set, and what they have in common behind the last one. */
const UNSERVED_ENTRY = 0xe100;
const UNSERVED_STEP = 6;
const UNSERVED_END = UNSERVED_ENTRY + 0x100 * UNSERVED_STEP;
/** The timer's routine calls it for who hooks the clock. */
const TICK_VECTOR = 0x1c;

/** push ds; push ax; mov ax, 40h; mov ds, ax; inc dword [6ch]; mov al, 20h; out 20h, al; int 1ch; pop ax; pop ds; iret */
const TIMER_CODE = [
  0x1e, 0x50, 0xb8, 0x40, 0x00, 0x8e, 0xd8, 0x66, 0xff, 0x06, 0x6c, 0x00, 0xb0, 0x20, 0xe6, 0x20, 0xcd, 0x1c, 0x58,
  0x1f, 0xcf,
];
/** push ax; mov al, 20h; out 20h, al; pop ax; iret */
const MASTER_CODE = [0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf];
/** The same with out a0h, al before it. */
const SLAVE_CODE = [0x50, 0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0x58, 0xcf];
const IRET_CODE = [0xcf];
/** push dx; mov dx, port; out dx, al; pop dx; pop ax; iret */
const UNSERVED_COMMON = [0x52, 0xba, UNSERVED_PORT & 0xff, UNSERVED_PORT >> 8, 0xee, 0x5a, 0x58, 0xcf];
/** mov al, 0feh; out 64h, al; hlt; jmp $-1: a jump to the reset vector resets the machine. */
const RESET_CODE = [0xb0, 0xfe, 0xe6, 0x64, 0xf4, 0xeb, 0xfd];
/** jmp f000:e05b, a date, and the model byte of a PC/AT. */
const RESET_VECTOR = [
  0xea,
  0x5b,
  0xe0,
  0x00,
  0xf0,
  ...Array.from('01/01/99', (c) => c.charCodeAt(0)),
  0x00,
  0xfc,
  0x00,
];

function code(offset: number, bytes: readonly number[], label: string): Chunk {
  return { gpa: (SEGMENT << 4) + offset, bytes: Uint8Array.from(bytes), label };
}

export function biosData(): Chunk[] {
  return [
    { gpa: 0, bytes: interruptVectors(), label: 'interrupt vectors' },
    { gpa: 0x400, bytes: dataArea(), label: 'BIOS data area' },
    { gpa: EBDA_BASE, bytes: new TableWriter(EBDA_BYTES).u8(0, EBDA_BYTES >> 10).bytes, label: 'EBDA' },
    code(RESET_ENTRY, RESET_CODE, 'reset routine'),
    code(TIMER_ENTRY, TIMER_CODE, 'timer interrupt'),
    code(MASTER_ENTRY, MASTER_CODE, 'interrupt return'),
    code(SLAVE_ENTRY, SLAVE_CODE, 'interrupt return'),
    code(IRET_ENTRY, IRET_CODE, 'interrupt return'),
    code(UNSERVED_ENTRY, unservedCode(), 'interrupts without a BIOS'),
    code(0xfff0, RESET_VECTOR, 'reset vector'),
  ];
}

/** push ax; mov al, vector; jmp common: for each vector */
function unservedCode(): number[] {
  const routines = Array.from({ length: 0x100 }, (_, vector) => {
    const far = UNSERVED_END - (UNSERVED_ENTRY + (vector + 1) * UNSERVED_STEP);
    return [0x50, 0xb0, vector, 0xe9, far & 0xff, far >> 8];
  });
  return [...routines.flat(), ...UNSERVED_COMMON];
}

function interruptVectors(): Uint8Array {
  const table = new TableWriter(0x400);
  for (let vector = 0; vector < 0x100; vector++) {
    let entry = UNSERVED_ENTRY + vector * UNSERVED_STEP;
    if (vector === TICK_VECTOR) entry = IRET_ENTRY;
    else if (vector === 0x08) entry = TIMER_ENTRY;
    else if (vector > 0x08 && vector < 0x10) entry = MASTER_ENTRY;
    else if (vector >= 0x70 && vector < 0x78) entry = SLAVE_ENTRY;
    table.u16(4 * vector, entry).u16(4 * vector + 2, SEGMENT);
  }
  return table.bytes;
}

/** Offsets count from 0x400. */
function dataArea(): Uint8Array {
  const t = new TableWriter(0x100);
  t.u16(0x00, 0x3f8).u16(0x0e, EBDA_BASE >> 4);
  // Equipment: FPU, 80x25 colour text, one serial port.
  t.u16(0x10, 0x0222).u16(0x13, EBDA_BASE >> 10);
  // Keyboard buffer: empty, between 0x1e and 0x3e.
  t.u16(0x1a, 0x1e).u16(0x1c, 0x1e).u16(0x80, 0x1e).u16(0x82, 0x3e);
  // Video: mode 3, 80 columns, page of 4 KiB, cursor shape, CRTC port, 25 rows of 16 lines.
  t.u8(0x49, 3).u16(0x4a, 80).u16(0x4c, 0x1000).u16(0x60, 0x0607).u16(0x63, 0x3d4);
  t.u8(0x84, 24).u16(0x85, 16).u8(0x87, 0x60).u8(0x88, 0xf9).u8(0x89, 0x51);
  // A keyboard with 101 keys.
  t.u8(0x96, 0x10);
  return t.bytes;
}
