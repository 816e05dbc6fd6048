/**
 * The kernel that a guest will run, learnt before it runs: the same guest is started aside, without disks and
 * network, until its kernel has unpacked itself. The engine is deterministic, so that KASLR picks the same place again.
 */
import type { ForeseenKernel } from '../engine/host/guest-kernel.js';
import type { GuestWorkerData } from './guest-options.js';
import { startGuest } from './guest-process.js';

/** A kernel that needs more to unpack itself is given up. */
const MAX_INSTRUCTIONS = 4_000_000_000;
/** Linux's boot protocol: where a bzImage says what it is. @linux Documentation/arch/x86/boot.rst */
const MAGIC_AT = 0x202;
const MAGIC = 'HdrS';
/** Offset of the version's text, less 200h. */
const VERSION_AT = 0x20e;
const BANNER = 'Linux version ';

function mayBeLinux(image: Uint8Array): boolean {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  if (bytes.toString('latin1', MAGIC_AT, MAGIC_AT + MAGIC.length) !== MAGIC) return bytes.includes(BANNER);
  if (bytes.length < VERSION_AT + 2) return false;
  // others boot by the same protocol, memtest86+ for one
  const version = bytes.readUInt16LE(VERSION_AT) + 0x200;
  return /^\d+\.\d+/.test(bytes.toString('latin1', version, version + 16));
}

/** Foresees the kernel of a guest; undefined where it cannot be foreseen. */
export function kernelForesight(
  data: GuestWorkerData,
  image: Uint8Array,
): (() => Promise<ForeseenKernel | undefined>) | undefined {
  // on KVM the place is random, unless there is none to pick
  const settled = data.engine === 'vtx' || /(?:^|\s)nokaslr(?:\s|$)/.test(data.append ?? '');
  if (data.firmware || !settled || !mayBeLinux(image)) return undefined;
  const { drives, net, cards, gdb, heartbeat, symbols, traceFile, debugcon, untilExits, ...same } = data;
  const aside: GuestWorkerData = {
    ...same,
    engine: 'vtx',
    maxInstructions: MAX_INSTRUCTIONS,
    paced: false,
    waitForInput: false,
    aside: true,
  };
  return async () => {
    const { target, terminate } = await startGuest(aside);
    try {
      await target.runUntil({ kernel: true });
      const info = await target.os?.info();
      if (info === undefined) return undefined;
      const unwind = await target.os?.unwind();
      return { info, symbols: await target.symbols(), ...(unwind ? { unwind } : {}) };
    } finally {
      await terminate();
    }
  };
}
