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
const BZIMAGE_MAGIC_AT = 0x202;
const BZIMAGE_MAGIC = 'HdrS';
const BANNER = 'Linux version ';

function mayBeLinux(image: Uint8Array): boolean {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  const magic = bytes.toString('latin1', BZIMAGE_MAGIC_AT, BZIMAGE_MAGIC_AT + BZIMAGE_MAGIC.length);
  return magic === BZIMAGE_MAGIC || bytes.includes(BANNER);
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
