/** The MultiProcessor tables that guests without ACPI read. @mps 4 "MP Configuration Table", version 1.4 */
import { IOAPIC_BASE, LAPIC_BASE } from '../memory/memory-map.js';
import { checksum, type MachineShape } from './acpi.js';
import { TableWriter } from './binary.js';
import type { Chunk } from './image.js';

const POINTER_ADDRESS = 0xf0040;
const TABLE_ADDRESS = 0xf0100;
const HEADER_BYTES = 44;
const ISA_BUS = 0;
const IOAPIC_ID = 0;

const INTERRUPT = 0;
const NMI = 1;
const EXTERNAL = 3;

export function mpTable({ vcpus }: MachineShape): Chunk[] {
  const entries: Uint8Array[] = [];
  const version = 0x14;
  for (let id = 0; id < vcpus; id++) {
    const enabled = 1;
    const boot = id === 0 ? 2 : 0;
    // Family 6, model 15 with FPU and APIC: what the signature says is of no use but for a report.
    entries.push(
      new TableWriter(20)
        .u8(1, id)
        .u8(2, version)
        .u8(3, enabled | boot)
        .u32(4, 0x6f0)
        .u32(8, 0x201).bytes,
    );
  }
  entries.push(new TableWriter(8).u8(0, 1).u8(1, ISA_BUS).text(2, 'ISA   ').bytes);
  entries.push(new TableWriter(8).u8(0, 2).u8(1, IOAPIC_ID).u8(2, 0x11).u8(3, 1).u32(4, IOAPIC_BASE).bytes);
  for (let irq = 0; irq < 16; irq++) {
    if (irq === 2) continue;
    const pin = irq === 0 ? 2 : irq;
    entries.push(
      new TableWriter(8).u8(0, 3).u8(1, INTERRUPT).u8(4, ISA_BUS).u8(5, irq).u8(6, IOAPIC_ID).u8(7, pin).bytes,
    );
  }
  entries.push(new TableWriter(8).u8(0, 4).u8(1, EXTERNAL).u8(4, ISA_BUS).u8(6, 0xff).u8(7, 0).bytes);
  entries.push(new TableWriter(8).u8(0, 4).u8(1, NMI).u8(4, ISA_BUS).u8(6, 0xff).u8(7, 1).bytes);

  const length = HEADER_BYTES + entries.reduce((sum, entry) => sum + entry.length, 0);
  const table = new TableWriter(length).text(0, 'PCMP').u16(4, length).u8(6, 4).text(8, 'VMSCOPE ');
  table.text(16, 'PC          ').u16(34, entries.length).u32(36, LAPIC_BASE);
  let at = HEADER_BYTES;
  for (const entry of entries) {
    table.bytes.set(entry, at);
    at += entry.length;
  }
  table.u8(7, checksum(table.bytes));
  const pointer = new TableWriter(16).text(0, '_MP_').u32(4, TABLE_ADDRESS).u8(8, 1).u8(9, 4);
  pointer.u8(10, checksum(pointer.bytes));
  return [
    { gpa: POINTER_ADDRESS, bytes: pointer.bytes, label: 'MP pointer' },
    { gpa: TABLE_ADDRESS, bytes: table.bytes, label: 'MP table' },
  ];
}
