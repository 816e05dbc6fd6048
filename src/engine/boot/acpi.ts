/**
 * ACPI tables of the machine: RSDP, RSDT, XSDT, FADT, FACS, MADT, HPET and a DSDT with S5, processors and the PCI
 * root with its interrupts.
 * @acpi 5.2 "ACPI System Description Tables"
 */
import { FLOPPY_IRQ } from '../devices/floppy/controller.js';
import { HPET_ID } from '../devices/hpet.js';
import { pirqOf } from '../devices/pci/bus.js';
import { FIRMWARE_ROUTES, PIRQ_GSI } from '../devices/pci/chipset.js';
import {
  ACPI_DISABLE,
  ACPI_ENABLE,
  CMOS_CENTURY,
  COM1_BASE,
  COM1_IRQ,
  FIRST_FREE_SLOT,
  HPET_BASE,
  KEYBOARD_IRQ,
  LAST_SLOT,
  MOUSE_IRQ,
  PM_TIMER,
  PM1_CONTROL,
  PM1_EVENT,
  RESET_CONTROL,
  RESET_CONTROL_VALUE,
  RTC_IRQ,
  SCI_IRQ,
  SLEEP_TYPE_S3,
  SLEEP_TYPE_S4,
  SLEEP_TYPE_S5,
  SMI_COMMAND,
} from '../devices/platform.js';
import { FIRMWARE_BASE, IOAPIC_BASE, LAPIC_BASE, lowRamEnd, PCI_HOLE_END } from '../memory/memory-map.js';
import * as aml from './aml.js';
import { alignUp, TableWriter } from './binary.js';
import type { Chunk } from './image.js';

/** Where the root pointer lies: guests also scan 0xe0000 to 0xfffff for it. */
export const RSDP_ADDRESS = 0xf0000;

const HEADER_BYTES = 36;
const RSDP_BYTES = 36;
const FADT_BYTES = 244;
const FACS_BYTES = 64;

/** The registers of the floppy controller that guests use: 3F2h to 3F5h, and 3F7h. */
const FLOPPY_PORTS = 0x3f2;
const FLOPPY_DMA = 2;

const FADT_WBINVD = 1 << 0;
const FADT_C1 = 1 << 2;
const FADT_NO_SLEEP_BUTTON = 1 << 5;
const FADT_NO_RTC_WAKE = 1 << 6;
const FADT_RESET_REGISTER = 1 << 10;
const BOOT_LEGACY_DEVICES = 1 << 0;
const BOOT_8042 = 1 << 1;

export interface MachineShape {
  vcpus: number;
  memoryBytes: number;
  /** The machine has a floppy controller. */
  floppy?: boolean;
}

/** Places in the FACS. @acpi 5.2.10 "Firmware ACPI Control Structure (FACS)" */
const WAKING_VECTOR = 12;

/**
 * Where the guest wants to go on in real mode after S3, as it left it in the FACS; 0: nowhere.
 * `read` gives guest memory.
 */
export function wakingVector(read: (gpa: number, bytes: number) => Uint8Array): number {
  const facs = read(FIRMWARE_BASE, FACS_BYTES);
  return new DataView(facs.buffer, facs.byteOffset).getUint32(WAKING_VECTOR, true);
}

/** The byte that makes a table sum to zero. */
export function checksum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

/** All ACPI tables, at fixed places in the firmware area. */
export function acpiTables(machine: MachineShape): Chunk[] {
  const chunks: Chunk[] = [];
  let next = FIRMWARE_BASE;
  const place = (bytes: Uint8Array, label: string): number => {
    const gpa = next;
    next = alignUp(gpa + bytes.length, 64);
    chunks.push({ gpa, bytes, label });
    return gpa;
  };
  // first: wakingVector() finds it there
  const facs = place(buildFacs(), 'ACPI FACS');
  const dsdt = place(buildDsdt(machine), 'ACPI DSDT');
  const tables = [
    place(buildFadt(facs, dsdt), 'ACPI FADT'),
    place(buildMadt(machine), 'ACPI MADT'),
    place(buildHpet(), 'ACPI HPET'),
  ];
  const rsdt = table('RSDT', 1, HEADER_BYTES + 4 * tables.length, (t) => {
    for (const [i, gpa] of tables.entries()) t.u32(HEADER_BYTES + 4 * i, gpa);
  });
  const xsdt = table('XSDT', 1, HEADER_BYTES + 8 * tables.length, (t) => {
    for (const [i, gpa] of tables.entries()) t.u64(HEADER_BYTES + 8 * i, gpa);
  });
  const rsdp = buildRsdp(place(rsdt, 'ACPI RSDT'), place(xsdt, 'ACPI XSDT'));
  chunks.push({ gpa: RSDP_ADDRESS, bytes: rsdp, label: 'ACPI RSDP' });
  return chunks;
}

function table(signature: string, revision: number, length: number, fill: (t: TableWriter) => void): Uint8Array {
  const t = new TableWriter(length).text(0, signature).u32(4, length).u8(8, revision);
  t.text(10, 'VMSCPE').text(16, 'VMSCOPE ').u32(24, 1).text(28, 'VMSC').u32(32, 1);
  fill(t);
  t.u8(9, checksum(t.bytes));
  return t.bytes;
}

function buildRsdp(rsdt: number, xsdt: number): Uint8Array {
  const t = new TableWriter(RSDP_BYTES).text(0, 'RSD PTR ').text(9, 'VMSCPE').u8(15, 2);
  t.u32(16, rsdt).u32(20, RSDP_BYTES).u64(24, xsdt);
  // The first checksum covers the 20 bytes of revision 0, the second the whole structure.
  t.u8(8, checksum(t.bytes.subarray(0, 20)));
  t.u8(32, checksum(t.bytes));
  return t.bytes;
}

function buildFacs(): Uint8Array {
  return new TableWriter(FACS_BYTES).text(0, 'FACS').u32(4, FACS_BYTES).u8(32, 1).bytes;
}

/** Generic address of an I/O register block; all zeros when the block does not exist. */
function ioRegister(t: TableWriter, offset: number, port: number, bytes: number): void {
  t.u8(offset, 1)
    .u8(offset + 1, 8 * bytes)
    .u8(offset + 3, bytes > 2 ? 3 : bytes)
    .u64(offset + 4, port);
}

function buildFadt(facs: number, dsdt: number): Uint8Array {
  return table('FACP', 3, FADT_BYTES, (t) => {
    t.u32(36, facs).u32(40, dsdt).u8(45, 1).u16(46, SCI_IRQ);
    t.u32(48, SMI_COMMAND).u8(52, ACPI_ENABLE).u8(53, ACPI_DISABLE);
    t.u32(56, PM1_EVENT).u32(64, PM1_CONTROL).u32(76, PM_TIMER);
    t.u8(88, 4).u8(89, 2).u8(91, 4);
    // Latencies above 100 and 1000 us say that there is no C2 and no C3.
    t.u16(96, 0xfff).u16(98, 0xfff).u8(108, CMOS_CENTURY);
    t.u16(109, BOOT_LEGACY_DEVICES | BOOT_8042);
    // the power button is PM1's own
    const absent = FADT_NO_SLEEP_BUTTON | FADT_NO_RTC_WAKE;
    t.u32(112, FADT_WBINVD | FADT_C1 | FADT_RESET_REGISTER | absent);
    ioRegister(t, 116, RESET_CONTROL, 1);
    t.u8(128, RESET_CONTROL_VALUE);
    t.u64(132, facs).u64(140, dsdt);
    ioRegister(t, 148, PM1_EVENT, 4);
    ioRegister(t, 172, PM1_CONTROL, 2);
    ioRegister(t, 208, PM_TIMER, 4);
  });
}

function buildMadt({ vcpus }: MachineShape): Uint8Array {
  const level = 0x000d;
  const entries: Uint8Array[] = [];
  for (let id = 0; id < vcpus; id++) {
    entries.push(new TableWriter(8).u8(0, 0).u8(1, 8).u8(2, id).u8(3, id).u32(4, 1).bytes);
  }
  entries.push(new TableWriter(12).u8(0, 1).u8(1, 12).u8(2, 0).u32(4, IOAPIC_BASE).bytes);
  entries.push(new TableWriter(10).u8(0, 2).u8(1, 10).u8(3, 0).u32(4, 2).bytes);
  entries.push(new TableWriter(10).u8(0, 2).u8(1, 10).u8(3, SCI_IRQ).u32(4, SCI_IRQ).u16(8, level).bytes);
  // LINT1 of every processor is NMI.
  entries.push(new TableWriter(6).u8(0, 4).u8(1, 6).u8(2, 0xff).u8(5, 1).bytes);
  const length = HEADER_BYTES + 8 + entries.reduce((sum, entry) => sum + entry.length, 0);
  return table('APIC', 1, length, (t) => {
    const hasPics = 1;
    t.u32(36, LAPIC_BASE).u32(40, hasPics);
    let at = HEADER_BYTES + 8;
    for (const entry of entries) {
      t.bytes.set(entry, at);
      at += entry.length;
    }
  });
}

function buildHpet(): Uint8Array {
  return table('HPET', 1, 56, (t) => {
    // A block in memory, 64 bits wide; the shortest period that guests should program, in ticks.
    t.u32(36, HPET_ID).u8(41, 64).u64(44, HPET_BASE).u16(53, 128);
  });
}

const PCI_DEVICES = LAST_SLOT + 1;
const PINS = 4;

/**
 * The slots for cards by their numbers, as QEMU's tables name them: by the number systemd calls a network card ens3.
 * @acpi 6.1.11 "_SUN (Slot User Number)"
 */
function cardSlots(): aml.Aml[] {
  return Array.from({ length: PCI_DEVICES - FIRST_FREE_SLOT }, (_, i) => {
    const slot = FIRST_FREE_SLOT + i;
    const name = `S${(slot << 3).toString(16).toUpperCase().padStart(2, '0')}`;
    return aml.device(name, aml.named('_ADR', aml.integer(slot * 0x10000)), aml.named('_SUN', aml.integer(slot)));
  });
}

/** Interrupts of all devices' pins, by what `input` answers for a PIRQ. @acpi 6.2.13 "_PRT (PCI Routing Table)" */
function routingTable(input: (pirq: number) => number): aml.Aml {
  const rows: aml.Aml[] = [];
  for (let device = 1; device < PCI_DEVICES; device++) {
    for (let pin = 0; pin < PINS; pin++) {
      const gsi = input(pirqOf(device, pin + 1));
      rows.push(
        aml.packageOf(aml.integer(device * 0x10000 + 0xffff), aml.integer(pin), aml.integer(0), aml.integer(gsi)),
      );
    }
  }
  return aml.packageOf(...rows);
}

function buildDsdt({ vcpus, memoryBytes, floppy }: MachineShape): Uint8Array {
  const isaDevice = (name: string, id: string, ...crs: aml.Aml[]) =>
    aml.device(name, aml.named('_HID', aml.eisaId(id)), aml.named('_CRS', aml.resources(...crs)));
  const isa = aml.device(
    'ISA',
    aml.named('_ADR', aml.integer(0x0001_0000)),
    isaDevice('RTC', 'PNP0B00', aml.ioPorts(0x70, 2), aml.isaIrq(RTC_IRQ)),
    isaDevice('KBD', 'PNP0303', aml.ioPorts(0x60, 1), aml.ioPorts(0x64, 1), aml.isaIrq(KEYBOARD_IRQ)),
    isaDevice('MOU', 'PNP0F13', aml.isaIrq(MOUSE_IRQ)),
    ...(floppy
      ? [
          isaDevice(
            'FDC0',
            'PNP0700',
            aml.ioPorts(FLOPPY_PORTS, 4),
            aml.ioPorts(FLOPPY_PORTS + 5, 1),
            aml.isaIrq(FLOPPY_IRQ),
            aml.isaDma(FLOPPY_DMA),
          ),
        ]
      : []),
    isaDevice('COM1', 'PNP0501', aml.ioPorts(COM1_BASE, 8), aml.isaIrq(COM1_IRQ)),
  );
  const windows = aml.resources(
    aml.addressSpace(2, 0, 0xff),
    aml.ioPorts(0xcf8, 8),
    aml.addressSpace(1, 0, 0xcf7),
    aml.addressSpace(1, 0xd00, 0xffff),
    aml.addressSpace(0, 0xa0000, 0xbffff),
    aml.addressSpace(0, lowRamEnd(memoryBytes), PCI_HOLE_END - 1),
  );
  // The guest tells by _PIC that it uses the I/O APIC, where PIRQA to PIRQD have inputs of their own.
  const routing = aml.method(
    '_PRT',
    0,
    aml.ifElse(aml.reference('PICF'), aml.returns(aml.reference('APRT')), aml.returns(aml.reference('LPRT'))),
  );
  const root = aml.device(
    'PCI0',
    aml.named('_HID', aml.eisaId('PNP0A03')),
    aml.named('_ADR', aml.integer(0)),
    aml.named('_UID', aml.integer(0)),
    aml.named('_CRS', windows),
    aml.named(
      'APRT',
      routingTable((pirq) => PIRQ_GSI + pirq),
    ),
    aml.named(
      'LPRT',
      routingTable((pirq) => FIRMWARE_ROUTES[pirq]),
    ),
    routing,
    isa,
    ...cardSlots(),
  );
  const hpet = aml.device(
    'HPET',
    aml.named('_HID', aml.eisaId('PNP0103')),
    aml.named('_UID', aml.integer(0)),
    aml.named('_CRS', aml.resources(aml.memory32(HPET_BASE, 0x400))),
  );
  const processors = Array.from({ length: vcpus }, (_, id) =>
    aml.processor(`C${id.toString(16).toUpperCase().padStart(3, '0')}`, id),
  );
  const sleepState = (name: string, type: number) => {
    const value = aml.integer(type);
    return aml.named(name, aml.packageOf(value, value, aml.integer(0), aml.integer(0)));
  };
  const body = [
    aml.named('PICF', aml.integer(0)),
    aml.method('\\_PIC', 1, aml.storeArgument('PICF')),
    aml.scope('\\_SB', root, hpet, ...processors),
    sleepState('\\_S3', SLEEP_TYPE_S3),
    sleepState('\\_S4', SLEEP_TYPE_S4),
    sleepState('\\_S5', SLEEP_TYPE_S5),
  ].flat();
  return table('DSDT', 1, HEADER_BYTES + body.length, (t) => t.bytes.set(body, HEADER_BYTES));
}
