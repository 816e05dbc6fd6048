/** A BIOS of our own in the machine: reset vector, ROM and shadow RAM, fw_cfg, debug console, resets. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { acpiFiles, LOADER_FILE, RSDP_FILE, TABLES_FILE } from '../../src/engine/boot/acpi-loader.js';
import { loadBios } from '../../src/engine/boot/bios.js';
import { vmscope } from '../cli/vmscope.js';
import { scratchFolder } from '../disk/images.js';
import { named, requireTool } from '../tools.js';

const nasm = requireTool('nasm');
const folder = scratchFolder();

const SOURCE = `
bits 16
org 0
%macro say 1
  mov al, %1
  call putc
%endmacro
%macro pam 1
  mov eax, 0x80000058
  mov dx, 0xcf8
  out dx, eax
  mov dx, 0xcfd
  mov al, %1
  out dx, al
%endmacro

marker: db 0x77
start:
  mov al, 0x40
  out 0x70, al
  in al, 0x71
  cmp al, 2
  je tests
  inc al
  mov bl, al
  mov al, 0x40
  out 0x70, al
  mov al, bl
  out 0x71, al
  cmp al, 2
  je fast_reset
  mov dx, 0xcf9
  mov al, 6
  out dx, al
hang1: jmp hang1
fast_reset:
  mov al, 1
  out 0x92, al
hang2: jmp hang2

tests:
  mov ax, 0x1000
  mov ss, ax
  mov sp, 0xfff0
  ; the same offsets in RAM at 20000h, since the ROM goes away below
  mov ax, 0xf000
  mov ds, ax
  mov ax, 0x2000
  mov es, ax
  xor si, si
  xor di, di
  mov cx, 0x1000
  cld
  rep movsb
  jmp 0x2000:moved
moved:
  mov ax, 0xf000
  mov ds, ax
  mov byte [marker], 0x11
  mov al, [marker]
  call hex8
  mov ax, 0xc000
  mov es, ax
  mov al, [es:0]
  call hex8
  pam 0x30
  mov al, [marker]
  call hex8
  mov byte [marker], 0x55
  mov al, [marker]
  call hex8
  pam 0x10
  mov byte [marker], 0xaa
  mov al, [marker]
  call hex8
  pam 0x00
  mov al, [marker]
  call hex8

  ; the signature of fw_cfg by its ports, then by DMA: descriptor at 30000h, data at 30100h
  mov dx, 0x510
  xor ax, ax
  out dx, ax
  inc dx
  mov cx, 4
sig:
  in al, dx
  call putc
  loop sig
  mov ax, 0x3000
  mov ds, ax
  mov dword [0], 0x0a000000
  mov dword [4], 0x04000000
  mov dword [8], 0
  mov dword [12], 0x00010300
  mov dx, 0x514
  xor eax, eax
  out dx, eax
  mov dx, 0x518
  mov eax, 0x00000300
  out dx, eax
  mov al, [3]
  call hex8
  mov cx, 4
  mov si, 0x100
dma:
  lodsb
  call putc
  loop dma

  mov dx, 0x402
  mov al, 'D'
  out dx, al
  mov al, 'E'
  out 0xe9, al
  mov al, 0x10
  mov dx, 0xf4
  out dx, al
  hlt

putc:
  push dx
  mov dx, 0x3f8
  out dx, al
  pop dx
  ret
hex8:
  push ax
  shr al, 4
  call digit
  pop ax
  and al, 15
  call digit
  say ' '
  ret
digit:
  cmp al, 10
  jb below
  add al, 'a' - '0' - 10
below:
  add al, '0'
  jmp putc

times 0xfff0-($-$$) db 0x90
  jmp 0xf000:start
times 0x10000-($-$$) db 0
`;

describe.skipIf(!nasm.available)(named('a BIOS', nasm), () => {
  it('runs from the reset vector, sees ROM and RAM as the chipset says, and resets', { timeout: 60_000 }, async () => {
    const at = (name: string) => join(folder, name);
    writeFileSync(at('bios.asm'), SOURCE);
    execFileSync(nasm.path, ['-f', 'bin', '-o', at('bios.bin'), at('bios.asm')]);
    const arguments_ = ['run', '--bios', at('bios.bin'), '--headless', '--isa-debug-exit', '--timeout', '30'];
    const result = await vmscope([...arguments_, '--debugcon', at('debug.txt')], { timeoutMs: 50_000 });
    // ROM ignores a write, nothing at C0000h, RAM behind the ROM, written, write-protected, ROM again
    expect(result.stdout).toBe('77 ff 00 55 55 77 QEMU00 QEMU');
    expect(result.status).toBe(0x21);
    expect(readFileSync(at('debug.txt'), 'latin1')).toBe('DE');
  });
});

it('a file that cannot be a BIOS is refused', () => {
  expect(() => loadBios('x.bin', new Uint8Array(0))).toThrow('x.bin: file is empty');
  expect(() => loadBios('x.bin', new Uint8Array(70000))).toThrow('x.bin: a BIOS has a multiple of 4 KiB from 64 KiB');
  expect(() => loadBios('x.bin', new Uint8Array(0x1000))).toThrow('x.bin: a BIOS has a multiple of 4 KiB from 64 KiB');
  // OVMF's code without its variables
  expect(loadBios('x.bin', new Uint8Array(0x37c000)).kind).toBe('bios');
});

/** What a BIOS does with the three files: places them, adds the places to pointers, makes checksums as OVMF does. */
function link(files: Map<string, Uint8Array>, places: Record<string, number>): Map<string, Uint8Array> {
  const linked = new Map([...files].map(([name, bytes]) => [name, bytes.slice()]));
  const script = new DataView(files.get(LOADER_FILE)!.slice().buffer);
  const name = (at: number) => {
    const bytes = new Uint8Array(script.buffer, at, 56);
    return String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
  };
  for (let at = 0; at < script.byteLength; at += 128) {
    const bytes = linked.get(name(at + 4))!;
    const view = new DataView(bytes.buffer);
    switch (script.getUint32(at, true)) {
      case 2: {
        const place = places[name(at + 60)];
        const offset = script.getUint32(at + 116, true);
        if (script.getUint8(at + 120) === 8)
          view.setBigUint64(offset, view.getBigUint64(offset, true) + BigInt(place), true);
        else view.setUint32(offset, view.getUint32(offset, true) + place, true);
        break;
      }
      case 3: {
        const [offset, start, length] = [60, 64, 68].map((field) => script.getUint32(at + field, true));
        bytes[offset] = -bytes.subarray(start, start + length).reduce((sum, byte) => sum + byte, 0);
      }
    }
  }
  return linked;
}

it('ACPI tables link to any place', () => {
  const places = { [TABLES_FILE]: 0x7ff0_0000, [RSDP_FILE]: 0xf_5000 };
  const linked = link(acpiFiles({ memoryBytes: 2 ** 31, vcpus: 3 }), places);
  const rsdp = linked.get(RSDP_FILE)!;
  const tables = linked.get(TABLES_FILE)!;
  const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => total + byte, 0) & 0xff;
  expect([sum(rsdp.subarray(0, 20)), sum(rsdp)]).toEqual([0, 0]);
  const view = new DataView(tables.buffer, tables.byteOffset);
  const table = (address: number) => {
    const at = address - places[TABLES_FILE];
    const bytes = tables.subarray(at, at + view.getUint32(at + 4, true));
    return { at, bytes, signature: String.fromCharCode(...bytes.subarray(0, 4)) };
  };
  const xsdt = table(Number(new DataView(rsdp.buffer).getBigUint64(24, true)));
  expect([xsdt.signature, sum(xsdt.bytes)]).toEqual(['XSDT', 0]);
  const listed: string[] = [];
  for (let at = xsdt.at + 36; at < xsdt.at + xsdt.bytes.length; at += 8) {
    const { signature, bytes, at: place } = table(Number(view.getBigUint64(at, true)));
    expect(sum(bytes)).toBe(0);
    listed.push(signature);
    if (signature !== 'FACP') continue;
    expect(table(view.getUint32(place + 40, true)).signature).toBe('DSDT');
    expect(table(Number(view.getBigUint64(place + 132, true))).signature).toBe('FACS');
  }
  expect(listed).toContain('FACP');
  expect(listed).toContain('APIC');
});
