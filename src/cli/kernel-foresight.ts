/**
 * The kernel that a guest will run, learnt before it runs: the same guest is started aside, without disks and
 * network, until its kernel has unpacked itself. The engine is deterministic, so that KASLR picks the same place again.
 */

import { isKernelAddress } from '../engine/debug/linux/kernel-half.js';
import type { Debugger } from '../engine/debugger.js';
import type { ForeseenKernel } from '../engine/host/guest-kernel.js';
import { elapsed } from './elapsed.js';
import type { GuestWorkerData } from './guest-options.js';
import { startGuest } from './guest-process.js';

/** A kernel that needs more to unpack itself is given up. */
const MAX_INSTRUCTIONS = 4_000_000_000;
/** And one that has not done it within this time, or not soon after it runs its own code: a debugger waits for it. */
const MAX_SECONDS = 20;
const UNRECOGNISED_SECONDS = 3;
const TICK_MS = 500;
/** Linux's boot protocol: where a bzImage says what it is. @linux Documentation/arch/x86/boot.rst */
const MAGIC_AT = 0x202;
const MAGIC = 'HdrS';
/** Offset of the version's text, less 200h. */
const VERSION_AT = 0x20e;
const BANNER = 'Linux version ';

/** Longest release that is looked for behind the banner's start. */
const RELEASE_BYTES = 64;

/** Release of the Linux kernel in an image: of a bzImage by its header, else by the banner; undefined where none is. */
export function linuxRelease(image: Uint8Array): string | undefined {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  const releaseAt = (at: number): string | undefined =>
    /^\d+\.\d+[\w.+~-]*/.exec(bytes.toString('latin1', at, at + RELEASE_BYTES))?.[0];
  if (bytes.toString('latin1', MAGIC_AT, MAGIC_AT + MAGIC.length) !== MAGIC) {
    const banner = bytes.indexOf(BANNER);
    return banner < 0 ? undefined : releaseAt(banner + BANNER.length);
  }
  if (bytes.length < VERSION_AT + 2) return undefined;
  // others boot by the same protocol, memtest86+ for one
  return releaseAt(bytes.readUInt16LE(VERSION_AT) + 0x200);
}

/** Runs a guest to its kernel. @throws Error when that takes too long, or it is none that is recognised */
async function untilKernel(target: Debugger): Promise<void> {
  const kernel = target.runUntil({ kernel: true }).then(() => 'there' as const);
  let inside = 0;
  for (let ticks = 1; (await Promise.race([kernel, elapsed(TICK_MS)])) === 'late'; ticks++) {
    const { rip = 0n } = await target.readRegisters(0, ['rip']);
    inside = isKernelAddress(rip) ? inside + 1 : 0;
    if (inside * TICK_MS >= UNRECOGNISED_SECONDS * 1000) throw new Error('the kernel that runs is not recognised');
    if (ticks * TICK_MS >= MAX_SECONDS * 1000) throw new Error(`none has started after ${MAX_SECONDS} s`);
  }
}

/** Foresees the kernel of a guest; undefined where it cannot be foreseen. */
export function kernelForesight(
  data: GuestWorkerData,
  image: Uint8Array,
): (() => Promise<ForeseenKernel | undefined>) | undefined {
  // on KVM the place is random, unless there is none to pick
  const settled = data.engine === 'vtx' || /(?:^|\s)nokaslr(?:\s|$)/.test(data.append ?? '');
  if (data.firmware || !settled || linuxRelease(image) === undefined) return undefined;
  const { drives, net, cards, gdb, vnc, heartbeat, symbols, traceFile, debugcon, untilExits, ...more } = data;
  const { record, replay, history, ...same } = more;
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
      await untilKernel(target);
      const info = await target.os?.info();
      if (info === undefined) return undefined;
      const unwind = await target.os?.unwind();
      return { info, symbols: await target.symbols(), ...(unwind ? { unwind } : {}) };
    } finally {
      await terminate();
    }
  };
}
