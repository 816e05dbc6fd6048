import { describe, expect, it } from 'vitest';
import { RAM_BASE } from '../../src/engine/core/layout.js';
import { readTrace } from '../../src/engine/debug/trace-reader.js';
import { TestDisk } from '../devices/ide-rig.js';
import { type FlatGuest, flatGuest, runToEnd } from './flat-guest.js';

const TEST_DEVICE = 0xff000000;
const IO_INSTRUCTION = 30;

it('moves a string from a port to device memory, each element once', () => {
  // mov dx, 0e0h; mov al, 99h; out dx, al; mov edi, 0ff000fffh; mov ecx, 3; rep insb; mov al, [0ff001001h]; out 0f4h, al
  const guest = flatGuest('66bae000 b099 ee bfff0f00ff b903000000 f36c a0011000ff e6f4', { at: 0x100000 });
  expect(runToEnd(guest, 20_000)).toMatchObject({ message: 'guest wrote 0x99 to the debug exit port' });
  expect([...Array(4).keys()].map((n) => guest.vm.board.mmioRead(0, TEST_DEVICE + 0xffe + n, 1))).toEqual([
    0n,
    0x99n,
    0x99n,
    0x99n,
  ]);
  // the first OUT, three elements, the last OUT
  expect(guest.vm.exitCount(IO_INSTRUCTION)).toBe(5);
});

interface Moved {
  rip: bigint;
  rcx: bigint;
  elements: number | undefined;
}

const stringExits = ({ vm }: FlatGuest): Moved[] =>
  readTrace(vm.host, 0, 4096)
    .filter(({ reason, qualification }) => reason === IO_INSTRUCTION && (qualification & 16n) !== 0n)
    .map(({ rip, rcx, elements }) => ({ rip, rcx, elements }));

describe('REP INS and REP OUTS', () => {
  // mov dx, 0e0h; mov al, 99h; out dx, al; mov edi, 20ff00h; mov ecx, 600h; rep insb; out 0f4h, al
  const INS = 'fc 66bae000 b099 ee bf00ff2000 b900060000 f36c e6f4';

  it.each([
    ['completed by the core', true],
    ['handled by the VMM', false],
  ])('exit once for what lies in a page, with the number of elements: %s', (_, quick) => {
    const guest = flatGuest(INS, { at: 0x100000 });
    guest.vm.quick.on = quick;
    expect(runToEnd(guest, 20_000)).toMatchObject({ message: 'guest wrote 0x99 to the debug exit port' });
    const [{ rip }] = stringExits(guest);
    expect(stringExits(guest)).toEqual([
      { rip, rcx: 0x600n, elements: 0x100 },
      { rip, rcx: 0x500n, elements: 0x500 },
    ]);
    expect(Buffer.from(guest.vm.host.u8.slice(RAM_BASE + 0x20feff, RAM_BASE + 0x210501))).toEqual(
      Buffer.from([0, ...new Array<number>(0x600).fill(0x99), 0]),
    );
    guest.vm.synchronize();
    const [vcpu] = guest.vm.vcpus;
    expect([vcpu.gpr(1), vcpu.gpr(7)]).toEqual([0n, 0x210500n]);
  });

  it('write what memory holds, in order, and downwards one by one', () => {
    // cld; mov esi, 100030h; mov dx, 3f8h; mov ecx, 5; rep outsb; std; mov ecx, 3; dec esi; rep outsb; out 0f4h, al; text at +30h
    const code = 'fc be30001000 66baf803 b905000000 f36e fd b903000000 4e f36e e6f4';
    const padded = code.replace(/\s+/g, '').padEnd(0x60, '90');
    const guest = flatGuest(padded + Buffer.from('abcde').toString('hex'), { at: 0x100000 });
    expect(runToEnd(guest, 20_000)).toMatchObject({ kind: 'debug-exit' });
    expect(Buffer.from(guest.serial).toString()).toBe('abcdeedc');
    expect(stringExits(guest).map(({ elements }) => elements)).toEqual([5, 1, 1, 1]);
  });

  it('come back to the same exits and clock however the run is cut into slices', () => {
    const [whole, cut] = [flatGuest(INS, { at: 0x100000 }), flatGuest(INS, { at: 0x100000 })];
    runToEnd(whole, 20_000);
    while (!cut.vm.end) cut.vm.runSlice(cut.vm.vcpus[0], 1);
    expect(stringExits(cut)).toEqual(stringExits(whole));
    expect(cut.vm.exits).toBe(whole.vm.exits);
    expect(cut.vm.now()).toBe(whole.vm.now());
  });

  it('end where a device is due, and go on after its interrupt', () => {
    // 8259 as after power-on; counter 0 of the PIT each 100 us; handler at 7c80h counts at 500h; then rep insb of 2048
    const setup = 'fa31c08ed88ec08ed0bc0070 c7062000807c c70622000000 b034e643b077e640b000e640 b0fee621 fb';
    const run = 'bae000 fc bf0010 b90008 f36c fa a00005 e6f4';
    const handler = '50 fe060005 b020e620 58 cf';
    const guest = flatGuest((setup + run).replace(/\s+/g, '').padEnd(0x100, '90') + handler);
    const end = runToEnd(guest, 200_000);
    const interrupts = Number.parseInt(/0x([0-9a-f]+)/.exec(end!.message!)![1], 16);
    expect(interrupts).toBeGreaterThanOrEqual(19);
    const moved = stringExits(guest).map(({ elements = 0 }) => elements);
    expect(moved.reduce((sum, count) => sum + count, 0)).toBe(2048);
    expect(Math.max(...moved)).toBeLessThanOrEqual(100);
    expect(moved.length).toBeLessThan(3 * interrupts);
  });

  it('read a sector of an IDE disk by one exit', () => {
    const store = new TestDisk(4);
    const sector = Uint8Array.from({ length: 512 }, (_, n) => (n * 7) & 0xff);
    store.write(1, sector);
    // READ SECTORS of LBA 1 at 1f0h; until DRQ; mov edi, 200000h; mov ecx, 100h; mov edx, 1f0h; rep insw; out 0f4h, al
    const out = (port: number, value: number) => `66ba${port.toString(16).slice(1)}01 b0${hex2(value)} ee`;
    const task = [
      [0x1f2, 1],
      [0x1f3, 1],
      [0x1f4, 0],
      [0x1f5, 0],
      [0x1f6, 0xe0],
      [0x1f7, 0x20],
    ].map(([p, v]) => out(p, v));
    const code = `fc ${task.join('')} ec a880 75fb a808 74f7 bf00002000 b900010000 baf0010000 66f36d e6f4`;
    const drive = { name: 'disk0', serial: 'D', bus: 'ide', kind: 'disk', store } as const;
    const guest = flatGuest(code, { at: 0x100000, drives: [drive] });
    expect(runToEnd(guest, 200_000)).toMatchObject({ kind: 'debug-exit' });
    expect(stringExits(guest)).toMatchObject([{ rcx: 0x100n, elements: 0x100 }]);
    expect(Buffer.from(guest.vm.host.u8.slice(RAM_BASE + 0x200000, RAM_BASE + 0x200200))).toEqual(Buffer.from(sector));
  });
});

const hex2 = (value: number): string => value.toString(16).padStart(2, '0');
