import { expect, it } from 'vitest';
import type { GuestWorkerData } from '../../src/cli/guest-options.js';
import { kernelForesight } from '../../src/cli/kernel-foresight.js';

const GUEST: GuestWorkerData = {
  name: 'guest',
  engine: 'vtx',
  image: 'vmlinuz',
  memoryBytes: 256 << 20,
  vcpus: 1,
  rtcSeconds: 0,
  isaDebugExit: false,
  noReboot: false,
  paced: false,
  waitForInput: false,
};

/** As much of a bzImage as tells what it is. */
function bzImage(version: string): Uint8Array {
  const bytes = Buffer.alloc(4096);
  bytes.write('HdrS', 0x202);
  bytes.writeUInt16LE(0x400, 0x20e);
  bytes.write(`${version}\0`, 0x600);
  return bytes;
}

it('is for Linux kernels on the engine whose runs repeat', () => {
  const linux = bzImage('6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) #1');
  expect(kernelForesight(GUEST, linux)).toBeTypeOf('function');
  expect(kernelForesight(GUEST, Buffer.from('\x7fELF.....Linux version 6.12'))).toBeTypeOf('function');
  expect(kernelForesight(GUEST, bzImage('Memtest86+ v6.10'))).toBeUndefined();
  expect(kernelForesight(GUEST, Buffer.alloc(512))).toBeUndefined();
  expect(kernelForesight(GUEST, Buffer.alloc(16))).toBeUndefined();
  expect(kernelForesight(GUEST, linux.subarray(0, 0x206))).toBeUndefined();
  expect(kernelForesight({ ...GUEST, firmware: { serialConsole: true } }, linux)).toBeUndefined();
});

it('is for KVM only where the kernel has one place to lie at', () => {
  const linux = bzImage('6.1.0');
  const kvm: GuestWorkerData = { ...GUEST, engine: 'kvm' };
  expect(kernelForesight({ ...kvm, append: 'console=ttyS0' }, linux)).toBeUndefined();
  expect(kernelForesight({ ...kvm, append: 'console=ttyS0 nokaslr' }, linux)).toBeTypeOf('function');
  expect(kernelForesight({ ...kvm, append: 'xnokaslr' }, linux)).toBeUndefined();
});
