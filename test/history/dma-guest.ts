// A guest of 32 bits that has a virtio disk and an IDE disk write and read sectors, beside a second vCPU.

import { viewOfVm } from '../../src/engine/debug/vtx-view.js';
import type { PciFunction } from '../../src/engine/devices/pci/function.js';
import { RewindableStore } from '../../src/engine/disk/rewindable-store.js';
import { createCore } from '../../src/engine/host/core-instance.js';
import type { InputKeeper } from '../../src/engine/time/input-keeper.js';
import { Machine } from '../../src/engine/vmm/machine.js';
import { framesBehindRam } from '../../src/engine/vmm/video-frames.js';
import { Vm } from '../../src/engine/vmm/vm.js';
import { MemoryDisk } from '../devices/virtio/memory-disk.js';
import { compiled } from '../jit/mode.js';

const CODE = 0x100000;
export const SECTORS = 16;
/** What the guest's instructions and devices write. */
export const COUNTER = 0x200000;
/** What the second vCPU counts, in real mode. */
export const AP_COUNTER = 0x9000;
export const READ_BY_VIRTIO = 0x204000;
export const READ_BY_IDE = 0x205000;
const DATA = 0x203000;
const HEADER = 0x202000;
const STATUS = 0x202800;
const RINGS = 0x210000;
const PRD = 0x206000;
const CAPABILITIES = 0x34;
const VIRTIO_COMMON = 1;
const VIRTIO_NOTIFY = 2;

const le = (value: number, bytes: number): string => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value >>> 0);
  return buffer.subarray(0, bytes).toString('hex');
};

/** Machine code of instructions that store constants, wait and count. */
class Code {
  #hex = '';

  store(address: number, value: number, bytes: 1 | 2 | 4 = 4): this {
    const opcode = bytes === 1 ? 'c605' : bytes === 2 ? '66c705' : 'c705';
    return this.hex(`${opcode} ${le(address, 4)} ${le(value, bytes)}`);
  }

  out(port: number, value: number, bytes: 1 | 4 = 1): this {
    return this.hex(`ba ${le(port, 4)} b8 ${le(value, 4)} ${bytes === 1 ? 'ee' : 'ef'}`);
  }

  /** Until the bits of a port are clear: `mov edx, port; 1: in al, dx; test al, bits; jnz 1b` */
  waitClear(port: number, bits: number): this {
    return this.hex(`ba ${le(port, 4)} ec a8 ${le(bits, 1)} 75fb`);
  }

  /** `inc dword [COUNTER]; cpuid` with a leaf. */
  work(leaf: number): this {
    return this.hex(`ff05 ${le(COUNTER, 4)} b8 ${le(leaf, 4)} 31c9 0fa2`);
  }

  hex(text: string): this {
    this.#hex += text.replace(/\s+/g, '');
    return this;
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(Buffer.from(this.#hex, 'hex'));
  }
}

function config(machine: Machine, card: PciFunction, at: number, bytes: 1 | 2 | 4): number {
  const { bus } = machine.pc.pc;
  bus.portWrite(0xcf8, 4, (0x80000000 | (card.place.device << 11) | (card.place.function << 8) | (at & ~3)) >>> 0);
  return bus.portRead(0xcfc + (at & 3), bytes);
}

/** Guest-physical address of a structure of a virtio card. @virtio 4.1.4 "Virtio Structure PCI Capabilities" */
function structure(machine: Machine, card: PciFunction, type: number): number {
  for (let at = config(machine, card, CAPABILITIES, 1); at !== 0; at = config(machine, card, at + 1, 1)) {
    if (config(machine, card, at, 1) !== 9 || config(machine, card, at + 3, 1) !== type) continue;
    const bar = config(machine, card, at + 4, 1);
    return (config(machine, card, 0x10 + 4 * bar, 4) & ~0xf) + config(machine, card, at + 8, 4);
  }
  throw new Error('no such structure');
}

/** A request to the virtio disk in slot `n` of the ring. */
function virtioRequest(code: Code, notify: number, n: number, type: 0 | 1, sector: number, buffer: number): void {
  const [desc, avail] = [RINGS, RINGS + 0x1000];
  code
    .store(HEADER, type)
    .store(HEADER + 4, 0)
    .store(HEADER + 8, sector)
    .store(HEADER + 12, 0);
  const row = (i: number, address: number, length: number, flags: number): void => {
    code
      .store(desc + i * 16, address)
      .store(desc + i * 16 + 4, 0)
      .store(desc + i * 16 + 8, length);
    code.store(desc + i * 16 + 12, flags | ((i + 1) << 16));
  };
  row(0, HEADER, 16, 1);
  row(1, buffer, 512, type === 1 ? 1 : 3);
  row(2, STATUS, 1, 2);
  code
    .store(avail + 4 + 2 * n, 0, 2)
    .store(avail + 2, n + 1, 2)
    .store(notify, 0, 2);
}

function ideRequest(code: Code, busMaster: number, write: boolean, sector: number, buffer: number): void {
  code.store(PRD, buffer).store(PRD + 4, 0x80000200);
  code
    .out(busMaster, 0)
    .out(busMaster + 4, PRD, 4)
    .out(busMaster + 2, 6);
  code.out(0x1f6, 0xe0).out(0x1f2, 1).out(0x1f3, sector).out(0x1f4, 0).out(0x1f5, 0);
  code.out(0x1f7, write ? 0xca : 0xc8).out(busMaster, write ? 1 : 9);
  code
    .waitClear(busMaster + 2, 1)
    .waitClear(0x1f7, 0x80)
    .out(busMaster, 0);
}

export interface DmaGuest {
  vm: Vm;
  machine: Machine;
  disks: RewindableStore[];
  /** What is behind them. */
  images: MemoryDisk[];
}

export function dmaGuest(vcpus: number, inputs?: InputKeeper): DmaGuest {
  const images = [0, 1].map(() => new MemoryDisk(new Uint8Array(SECTORS * 512)));
  const disks = images.map((image) => new RewindableStore(image));
  const make = (bytes: Uint8Array): { vm: Vm; machine: Machine } => {
    const memoryBytes = 4 << 20;
    const { core, host } = createCore(memoryBytes, framesBehindRam(0));
    const vm = compiled(new Vm(core, host, memoryBytes, vcpus, viewOfVm));
    const machine = new Machine(vm, {
      ...{ name: 'test', image: { name: 'test', bytes }, at: CODE, isaDebugExit: true, noReboot: true, wallSeconds: 0 },
      drives: [
        { name: 'disk0', serial: 'a', bus: 'virtio', kind: 'disk', store: disks[0] },
        { name: 'disk1', serial: 'b', bus: 'ide', kind: 'disk', store: disks[1] },
      ],
      ...(inputs ? { inputs } : {}),
    });
    return { vm, machine };
  };
  return { ...make(program(make(Uint8Array.of(0xf4)).machine, vcpus)), disks, images };
}

function program(probe: Machine, vcpus: number): Uint8Array {
  const cards = probe.pc.pc.pci.all;
  const disk = cards.find(({ name }) => name === 'disk0')!;
  const ide = cards.find(({ name }) => name === 'PIIX3 IDE')!;
  const common = structure(probe, disk, VIRTIO_COMMON);
  const notify = structure(probe, disk, VIRTIO_NOTIFY);
  const busMaster = config(probe, ide, 0x20, 4) & ~3;
  const code = new Code();
  if (vcpus > 1) {
    // at 8000h in real mode: 1: inc dword [9000h]; jmp 1b; INIT and start-up IPI to APIC 1
    for (const [n, word] of ['66ff0600', '90ebf990'].entries())
      code.store(0x8000 + 4 * n, Buffer.from(word, 'hex').readUInt32LE(0));
    code.store(0xfee000f0, 0x1ff).store(0xfee00310, 0x01000000).store(0xfee00300, 0x4500);
    code.store(0xfee00310, 0x01000000).store(0xfee00300, 0x4608);
  }
  // bus mastering, memory and ports of both cards
  for (const card of [disk, ide]) {
    code.out(0xcf8, 0x80000004 | (card.place.device << 11) | (card.place.function << 8), 4).out(0xcfc, 7, 4);
  }
  code
    .store(common + 20, 0, 1)
    .store(common + 20, 1, 1)
    .store(common + 20, 3, 1);
  code
    .store(common + 8, 1)
    .store(common + 12, 1)
    .store(common + 20, 0xb, 1);
  code.store(common + 22, 0, 2).store(common + 24, 8, 2);
  for (const [n, address] of [RINGS, RINGS + 0x1000, RINGS + 0x2000].entries())
    code.store(common + 32 + 8 * n, address).store(common + 36 + 8 * n, 0);
  code.store(common + 28, 1, 2).store(common + 20, 0xf, 1);
  for (let round = 0; round < 4; round++) {
    code
      .store(DATA, 0x11111111 * (round + 1))
      .store(DATA + 4, round)
      .work(round & 1);
    virtioRequest(code, notify, 2 * round, 1, 3 + (round & 1), DATA);
    virtioRequest(code, notify, 2 * round + 1, 0, 3 + (round & 1), READ_BY_VIRTIO);
    code.store(DATA, 0x01010101 * (round + 7)).work(0);
    ideRequest(code, busMaster, true, 5 + (round & 1), DATA);
    ideRequest(code, busMaster, false, 5 + (round & 1), READ_BY_IDE);
    code.work(1);
  }
  // 1: inc dword [COUNTER]; jmp 1b
  return code.hex(`ff05 ${le(COUNTER, 4)} ebf8`).bytes;
}
