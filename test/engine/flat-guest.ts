import { viewOfVm } from '../../src/engine/debug/vtx-view.js';
import type { Drive } from '../../src/engine/devices/block.js';
import type { GuestEnd } from '../../src/engine/devices/device.js';
import { createCore } from '../../src/engine/host/core-instance.js';
import type { InputKeeper } from '../../src/engine/time/input-keeper.js';
import { Machine } from '../../src/engine/vmm/machine.js';
import { framesBehindRam } from '../../src/engine/vmm/video-frames.js';
import { Vm } from '../../src/engine/vmm/vm.js';
import { compiled } from '../jit/mode.js';

export interface FlatGuest {
  vm: Vm;
  machine: Machine;
  /** Bytes that it wrote to COM1. */
  serial: number[];
}

interface Options {
  vcpus?: number;
  at?: number;
  inputs?: InputKeeper;
  drives?: readonly Drive[];
  clockShift?: number;
}

/** A machine whose first vCPU starts in real mode at 0:7c00h on these bytes, given in hexadecimal. */
export function flatGuest(
  code: string,
  { vcpus = 1, at = 0x7c00, inputs, drives, clockShift = 0 }: Options = {},
): FlatGuest {
  const bytes = Uint8Array.from(Buffer.from(code.replace(/\s+/g, ''), 'hex'));
  const memoryBytes = 4 << 20;
  const { core, host } = createCore(memoryBytes, framesBehindRam(0));
  const vm = compiled(new Vm(core, host, memoryBytes, vcpus, viewOfVm));
  vm.clockShift = clockShift;
  const image = { name: 'test', bytes };
  const machine = new Machine(vm, {
    ...{ name: 'test', image, at, isaDebugExit: true, noReboot: true, wallSeconds: 0 },
    ...(inputs ? { inputs } : {}),
    ...(drives ? { drives } : {}),
  });
  const serial: number[] = [];
  machine.onSerial = (sent) => serial.push(...sent);
  return { vm, machine, serial };
}

/** Runs until the guest ends, warping over idle time; undefined when it halts for good or goes on for too long. */
export function runToEnd({ vm }: FlatGuest, instructions = 1_000_000): GuestEnd | undefined {
  for (let turn = 0; turn < instructions / 1000; turn++) {
    const slices = vm.vcpus.map((vcpu) => vm.runSlice(vcpu, 1000));
    if (vm.end) return vm.end;
    if (slices.every((slice) => slice.kind === 'idle')) {
      const [slice] = slices;
      if (slice.kind !== 'idle' || slice.deadline === undefined) return undefined;
      vm.warpTo(slice.deadline);
    }
  }
  return undefined;
}

/** Exit status of a guest that ends by `out 0f4h, al`. */
export const debugExitStatus = (al: number): number => ((al << 1) | 1) & 0xff;
