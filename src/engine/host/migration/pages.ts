/** Frames of a machine as records of the stream. */
import { StateError } from '../../state/schema.js';
import type { Framed } from '../../vmm/core-image.js';
import { checkFrame, clearFrames, frames } from '../../vmm/core-image.js';
import type { DirtyWatch } from '../../vmm/dirty-frames.js';
import { KIND, type MigrationStream } from './stream.js';

const PAGE = 4096;
const ZERO_PAGE = Buffer.alloc(PAGE);
/** Pages in a record: a few milliseconds of work, between turns of the guest. */
export const PAGES_A_RECORD = 256;

export interface PageCounts {
  /** Pages sent with their content, and those that held zeros only. */
  normal: number;
  zero: number;
}

/** Addresses of all frames with anything in them. They are looked for as they are asked for. */
export function* occupied(vm: Framed): Generator<number> {
  for (const { hpa } of frames(vm)) yield hpa;
}

/** Sends frames as they are now, up to a record of each kind. */
export async function sendFrames(
  vm: Framed,
  stream: MigrationStream,
  list: readonly number[],
  counts: PageCounts,
  watch: DirtyWatch,
): Promise<void> {
  const { u8 } = vm.host;
  // copied at once: the guest runs on while the bytes wait for the socket, and on KVM while they are copied
  const zeros: number[] = [];
  const full: number[] = [];
  const pages = Buffer.allocUnsafe(PAGE * list.length);
  for (const hpa of list) {
    const page = pages.subarray(PAGE * full.length, PAGE * (full.length + 1));
    page.set(u8.subarray(hpa, hpa + PAGE));
    watch.copied?.(hpa, page);
    (page.equals(ZERO_PAGE) ? zeros : full).push(hpa);
  }
  const body = Buffer.allocUnsafe(2 + (8 + PAGE) * full.length);
  putAddresses(body, full);
  pages.copy(body, 2 + 8 * full.length, 0, PAGE * full.length);
  counts.normal += full.length;
  counts.zero += zeros.length;
  if (zeros.length > 0) {
    const addresses = Buffer.allocUnsafe(2 + 8 * zeros.length);
    putAddresses(addresses, zeros);
    await stream.send(KIND.zeros, addresses);
  }
  if (full.length > 0) await stream.send(KIND.pages, body);
}

function putAddresses(body: Buffer, list: readonly number[]): void {
  body.writeUInt16BE(list.length);
  for (const [i, hpa] of list.entries()) body.writeBigUInt64BE(BigInt(hpa), 2 + 8 * i);
}

/** Every frame reads as zeros, as the source takes for granted. */
export const prepareFrames = clearFrames;

/** Takes a record of frames over. @throws StateError when the machine has no such frames, or the record is none. */
export function takeFrames(vm: Framed, kind: number, body: Buffer): void {
  const count = body.length >= 2 ? body.readUInt16BE() : 0;
  const head = 2 + 8 * count;
  const bytes = kind === KIND.pages ? PAGE : 0;
  if (count > PAGES_A_RECORD || body.length !== head + bytes * count)
    throw new StateError('the stream is damaged: a record of frames has the wrong length');
  for (let i = 0; i < count; i++) {
    const hpa = Number(body.readBigUInt64BE(2 + 8 * i));
    const page = kind === KIND.pages ? body.subarray(head + PAGE * i, head + PAGE * (i + 1)) : new Uint8Array(PAGE);
    checkFrame(vm, { hpa, bytes: page });
    vm.host.u8.set(page, hpa);
  }
}
