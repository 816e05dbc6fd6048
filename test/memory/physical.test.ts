/** What a debugger finds at guest-physical and linear addresses is what the guest would find there. */
import { describe, expect, it } from 'vitest';
import { viewOfVm } from '../../src/engine/debug/vtx-view.js';
import { createCore } from '../../src/engine/host/core-instance.js';
import { Guest } from '../../src/engine/host/guest.js';
import { romFrameBytes } from '../../src/engine/vmm/firmware-rom.js';
import { Machine } from '../../src/engine/vmm/machine.js';
import { Vm } from '../../src/engine/vmm/vm.js';
import { flatGuest } from '../engine/flat-guest.js';

const MEMORY = 4 << 20;
const ROM_BYTES = 0x20000;

/** A guest whose BIOS is this code at F000:0000, a jump there at the reset vector, and 5Ah elsewhere. */
function biosGuest(code: string): Guest {
  const bytes = new Uint8Array(ROM_BYTES).fill(0x5a);
  bytes.set(Buffer.from(code.replace(/\s+/g, ''), 'hex'), 0x10000);
  bytes.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0x1fff0);
  const { core, host } = createCore(MEMORY + romFrameBytes(ROM_BYTES));
  const vm = new Vm(core, host, MEMORY, 1, viewOfVm);
  const machine = new Machine(vm, {
    ...{ name: 'bios', image: { name: 'bios', bytes }, firmware: { serialConsole: false } },
    ...{ isaDebugExit: true, noReboot: true, wallSeconds: 0 },
  });
  return new Guest(machine, { paced: false, waitForInput: true });
}

const read = async (guest: Guest, address: bigint, length: number, space: 'gpa' | 'gva' = 'gpa'): Promise<string> =>
  Buffer.from(await guest.readMemory(space, address, length)).toString('hex');

describe('under a BIOS', () => {
  // mov ax, 0; mov ds, ax; mov al, [cs:1000h]; mov [500h], al; then RAM for F0000h: PAM0 of 0:0.0 (59h) = 30h; jmp to itself
  const CODE = `b80000 8ed8 2ea00010 a20005 66b858000080 baf80c 66ef bafd0c b030 ee ebfe`;

  it('reads the ROM where the guest sees it, and writes there', async () => {
    const guest = biosGuest(CODE);
    for (const gpa of [0xf1000n, 0xffff1000n]) expect(await read(guest, gpa, 2)).toBe('5a5a');
    expect(await read(guest, 0xffff0n, 5, 'gva')).toBe('ea000000f0');
    // a copy of the ROM's end stands at E0000h too; below it is nothing, where the chipset shows no RAM
    expect(await read(guest, 0xf0000n, 3)).toBe('b80000');
    expect(await guest.writeMemory('gpa', 0xf1000n, Uint8Array.of(0x77))).toBe(1);
    expect(await read(guest, 0xffff1000n, 1)).toBe('77');
    for (let n = 0; n < 5; n++) await guest.step(0);
    expect(await read(guest, 0x500n, 1)).toBe('77');
    // as after power-on
    await guest.reset();
    expect(await read(guest, 0xf1000n, 1)).toBe('5a');
  });

  it('reads RAM from the moment that the chipset shows it', async () => {
    const guest = biosGuest(CODE);
    for (let n = 0; n < 11; n++) await guest.step(0);
    expect(await read(guest, 0xf1000n, 1)).toBe('00');
    expect(await read(guest, 0xffff1000n, 1)).toBe('5a');
    await guest.writeMemory('gpa', 0xf1000n, Uint8Array.of(0x66));
    expect(await read(guest, 0xf1000n, 1)).toBe('66');
    expect(await read(guest, 0xffff1000n, 1)).toBe('5a');
  });
});

describe('registers of devices', () => {
  const guest = (): Guest => flatOf('f4');
  const flatOf = (code: string): Guest => {
    const { machine } = flatGuest(code, { at: 0x100000 });
    return new Guest(machine, { paced: false, waitForInput: true });
  };

  it('are read, in part and in a row', async () => {
    const version = await read(guest(), 0xfee00030n, 4);
    expect(version).toMatch(/^1400/);
    expect(await read(guest(), 0xfee00031n, 2)).toBe(version.slice(2, 6));
    expect(await read(guest(), 0xfee00030n, 8)).toBe(`${version}00000000`);
    // capabilities of the HPET, by linear address without paging too
    const hpet = await read(guest(), 0xfed00000n, 8);
    expect(hpet.slice(0, 8)).toBe('01a28680');
    expect(await read(guest(), 0xfed00000n, 8, 'gva')).toBe(hpet);
    expect(await read(guest(), 0xfed00100n, 4)).toMatch(/^30/);
    expect(await read(guest(), 0xfec00000n, 4)).toBe('00000000');
  });

  it('are nowhere that no device answers, and are not written', async () => {
    for (const gpa of [0xf8000000n, 0x1_0000_0000n, 1n << 52n, (1n << 64n) - 4n]) {
      expect(await read(guest(), gpa, 4)).toBe('');
    }
    const stopped = guest();
    expect(await stopped.writeMemory('gpa', 0xfed00010n, Uint8Array.of(1, 0, 0, 0))).toBe(0);
    // the last of RAM, and what follows
    expect(await read(stopped, BigInt(MEMORY - 2), 8)).toBe('0000');
  });

  it('can be looked at by x and xp of the monitor', async () => {
    const hpet = 'fed00000: 0x8086a201';
    expect(await guest().monitor('xp 0xfed00000')).toContain(hpet);
    expect(await guest().monitor('x 0xfed00000')).toContain(hpet);
  });

  it('without paging there is nothing above 4 GiB', async () => {
    const stopped = guest();
    const code = await read(stopped, 0x100000n, 1, 'gva');
    expect(code).toBe('f4');
    for (const gva of [0x1_0010_0000n, 0xffff_ffff_0010_0000n]) {
      expect(await read(stopped, gva, 1, 'gva')).toBe('');
      expect(await stopped.writeMemory('gva', gva, Uint8Array.of(1))).toBe(0);
      expect((await stopped.walk(gva)).failure).toBe('address is wider than 32 bits');
    }
  });
});
