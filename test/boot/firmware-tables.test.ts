import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { acpiTables } from '../../src/engine/boot/acpi.js';
import { mpTable } from '../../src/engine/boot/mp-table.js';
import { smbiosFiles, smbiosTables } from '../../src/engine/boot/smbios.js';
import { e820, ramOffset, ramRanges } from '../../src/engine/memory/memory-map.js';

const GIB = 2 ** 30;
const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
const text = (bytes: Uint8Array, at: number, length: number) => String.fromCharCode(...bytes.subarray(at, at + length));

describe('ACPI tables', () => {
  const chunks = acpiTables({ vcpus: 4, memoryBytes: 128 << 20 });
  /** Reads as a guest does: by address. */
  const at = (gpa: number) => {
    const chunk = chunks.find((candidate) => candidate.gpa === gpa);
    expect(chunk, `0x${gpa.toString(16)}`).toBeDefined();
    return chunk!.bytes;
  };
  const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const rsdp = at(0xf0000);

  it('are found from the RSDP through RSDT and XSDT, with right checksums and lengths', () => {
    expect(text(rsdp, 0, 8)).toBe('RSD PTR ');
    expect(sum(rsdp.subarray(0, 20))).toBe(0);
    expect(sum(rsdp)).toBe(0);
    const rsdt = at(view(rsdp).getUint32(16, true));
    const xsdt = at(Number(view(rsdp).getBigUint64(24, true)));
    const found: string[] = [];
    for (let offset = 36, entry = 36; offset < rsdt.length; offset += 4, entry += 8) {
      const gpa = view(rsdt).getUint32(offset, true);
      expect(Number(view(xsdt).getBigUint64(entry, true))).toBe(gpa);
      found.push(text(at(gpa), 0, 4));
    }
    expect(found).toEqual(['FACP', 'APIC', 'HPET']);
    for (const chunk of chunks.filter((c) => !c.label.includes('FACS') && !c.label.includes('RSDP'))) {
      expect(sum(chunk.bytes), chunk.label).toBe(0);
      expect(view(chunk.bytes).getUint32(4, true), chunk.label).toBe(chunk.bytes.length);
    }
  });

  it('FADT points to FACS and DSDT and to the ports of the power management device', () => {
    const fadt = chunks.find((chunk) => chunk.label === 'ACPI FADT')!.bytes;
    const facs = view(fadt).getUint32(36, true);
    expect(facs % 64).toBe(0);
    expect(text(at(facs), 0, 4)).toBe('FACS');
    expect(text(at(view(fadt).getUint32(40, true)), 0, 4)).toBe('DSDT');
    expect(fadt[8]).toBeGreaterThanOrEqual(3);
    expect([56, 64, 76].map((offset) => view(fadt).getUint32(offset, true))).toEqual([0x600, 0x604, 0x608]);
    expect(view(fadt).getUint16(46, true)).toBe(9);
  });

  it('MADT lists processors, the I/O APIC and the overrides', () => {
    const madt = chunks.find((chunk) => chunk.label === 'ACPI MADT')!.bytes;
    const entries: number[][] = [];
    for (let offset = 44; offset < madt.length; offset += madt[offset + 1]) {
      entries.push([...madt.subarray(offset, offset + madt[offset + 1])]);
    }
    expect(entries.filter(([type]) => type === 0).map((entry) => entry[3])).toEqual([0, 1, 2, 3]);
    expect(entries.filter(([type]) => type === 1).length).toBe(1);
    expect(entries).toContainEqual([2, 10, 0, 0, 2, 0, 0, 0, 0, 0]);
    expect(entries).toContainEqual([2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0]);
  });

  it('DSDT has S5 and grows with the processors', () => {
    const dsdt = chunks.find((chunk) => chunk.label === 'ACPI DSDT')!.bytes;
    const name = [0x08, 0x5c, 0x5f, 0x53, 0x35, 0x5f, 0x12];
    const start = dsdt.findIndex((_, i) => name.every((byte, n) => dsdt[i + n] === byte));
    expect(start).toBeGreaterThan(0);
    expect([...dsdt.subarray(start + 7)]).toEqual([6, 4, 0, 0, 0, 0]);
    for (const vcpus of [1, 64, 255]) {
      const tables = acpiTables({ vcpus, memoryBytes: 1 << 30 });
      const sorted = tables.slice().sort((a, b) => a.gpa - b.gpa);
      for (let i = 1; i < sorted.length; i++) {
        expect(sorted[i - 1].gpa + sorted[i - 1].bytes.length).toBeLessThanOrEqual(sorted[i].gpa);
      }
      const mp = mpTable({ vcpus, memoryBytes: 1 << 30 })[1];
      expect(mp.gpa + mp.bytes.length).toBeLessThan(0xfe000);
    }
  });
});

describe.skipIf(spawnSync('iasl', ['-v']).status !== 0)("Intel's compiler", () => {
  it.each([1, 16])('takes the tables apart and puts the DSDT together again, with %d processors', (vcpus) => {
    const folder = mkdtempSync(join(tmpdir(), 'acpi-'));
    try {
      const source = new Map<string, string>();
      for (const { bytes, label } of acpiTables({ vcpus, memoryBytes: 256 << 20 })) {
        const name = label.replace('ACPI ', '').toLowerCase();
        if (name === 'rsdp' || name === 'facs') continue;
        writeFileSync(join(folder, `${name}.dat`), bytes);
        const run = spawnSync('iasl', ['-d', `${name}.dat`], { cwd: folder, encoding: 'utf8' });
        expect(run.status, run.stderr).toBe(0);
        const text = readFileSync(join(folder, `${name}.dsl`), 'utf8');
        expect(text).not.toMatch(/Invalid|Error|Unknown|incorrect/);
        source.set(name, text);
      }
      expect(source.get('hpet')).toMatch(/Address : 00000000FED00000/);
      expect(source.get('madt')!.match(/Processor Local APIC/g)!.length).toBe(vcpus);
      expect(source.get('fadt')).toMatch(/Reset Register/);
      const dsdt = source.get('dsdt')!;
      expect(dsdt).toMatch(/Method \(_PRT, 0, NotSerialized\)/);
      expect(dsdt).toMatch(/Name \(\\_S5, Package/);
      for (const state of ['\\\\_S3', '\\\\_S4']) expect(dsdt).toMatch(new RegExp(`Name \\(${state}, Package`));
      const slots = [
        ...dsdt.matchAll(/Device \(S(\w\w)\)\s*\{\s*Name \(_ADR, 0x00(\w\w)0000\).*\s*Name \(_SUN, 0x(\w\w)\)/g),
      ];
      expect(slots.map((match) => match.slice(1).map((digits) => Number.parseInt(digits, 16)))).toEqual(
        Array.from({ length: 29 }, (_, i) => [(3 + i) * 8, 3 + i, 3 + i]),
      );
      expect(dsdt.match(/Processor \(C/g)!.length).toBe(vcpus);
      const compiled = spawnSync('iasl', ['-p', 'again', 'dsdt.dsl'], { cwd: folder, encoding: 'utf8' });
      expect(compiled.stdout).toMatch(/ 0 Errors/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('MP table', () => {
  it('has right checksums, entry count and lengths', () => {
    const [pointer, table] = mpTable({ vcpus: 2, memoryBytes: 64 << 20 }).map((chunk) => chunk.bytes);
    expect(text(pointer, 0, 4)).toBe('_MP_');
    expect(sum(pointer)).toBe(0);
    expect(sum(table)).toBe(0);
    const view = new DataView(table.buffer);
    expect(view.getUint16(4, true)).toBe(table.length);
    let entries = 0;
    const counts: Record<number, number> = {};
    for (let at = 44; at < table.length; entries++) {
      counts[table[at]] = (counts[table[at]] ?? 0) + 1;
      at += table[at] === 0 ? 20 : 8;
    }
    expect(entries).toBe(view.getUint16(34, true));
    expect(counts).toEqual({ 0: 2, 1: 1, 2: 1, 3: 15, 4: 2 });
  });
});

describe('SMBIOS', () => {
  it('has right checksums, lengths and count, and says what the machine has', () => {
    const chunks = smbiosTables({ vcpus: 3, memoryBytes: 96 << 20 });
    const [entry, table] = chunks.map((chunk) => chunk.bytes);
    expect([text(entry, 0, 4), text(entry, 16, 5)]).toEqual(['_SM_', '_DMI_']);
    expect([sum(entry), sum(entry.subarray(16))]).toEqual([0, 0]);
    const view = new DataView(entry.buffer);
    expect([view.getUint16(22, true), view.getUint32(24, true)]).toEqual([table.length, chunks[1].gpa]);
    const structures: { type: number; bytes: Uint8Array; strings: string }[] = [];
    for (let at = 0; at < table.length; ) {
      let end = at + table[at + 1];
      while (table[end] !== 0 || table[end + 1] !== 0) end++;
      const strings = text(table, at + table[at + 1], end - at - table[at + 1]);
      structures.push({ type: table[at], bytes: table.subarray(at, end), strings });
      at = end + 2;
    }
    expect(structures.map(({ type }) => type)).toEqual([0, 1, 3, 4, 4, 4, 16, 17, 19, 32, 127]);
    expect(view.getUint16(28, true)).toBe(structures.length);
    expect(view.getUint16(8, true)).toBe(Math.max(...structures.map(({ bytes }) => bytes.length + 2)));
    expect(structures[0].strings).toMatch(/^vmscope\0.*\0\d\d\/\d\d\/\d{4}$/);
    expect(structures[7].bytes[12]).toBe(96);
    // as a file the table has no address yet
    const files = [...smbiosFiles({ vcpus: 3, memoryBytes: 96 << 20 }).values()];
    expect(new DataView(files[0].buffer).getUint32(24, true)).toBe(0);
    expect(files[1]).toEqual(table);
  });
});

describe('memory map', () => {
  it.each([1 << 20, 16 << 20, 3 * GIB, 3.5 * GIB, 4 * GIB, 8 * GIB])('accounts for %d bytes', (memoryBytes) => {
    const ranges = ramRanges(memoryBytes);
    expect(ranges.reduce((total, range) => total + range.bytes, 0)).toBe(memoryBytes);
    const map = e820(memoryBytes);
    for (let i = 1; i < map.length; i++) expect(map[i].gpa).toBeGreaterThanOrEqual(map[i - 1].gpa + map[i - 1].bytes);
    // All RAM but the hole between 639 KiB and 1 MiB is offered.
    const offered = map.filter((entry) => entry.type === 1).reduce((total, entry) => total + entry.bytes, 0);
    expect(offered).toBe(memoryBytes - 0x100000 + 0x9fc00);
    for (const range of ranges) {
      expect(ramOffset(memoryBytes, range.gpa)).toBe(range.offset);
      expect(ramOffset(memoryBytes, range.gpa + range.bytes - 1)).toBe(range.offset + range.bytes - 1);
      expect(ramOffset(memoryBytes, range.gpa + range.bytes)).toBeUndefined();
    }
    expect(ramOffset(memoryBytes, 0xfee00000)).toBeUndefined();
  });
});
