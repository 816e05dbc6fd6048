/** Frames of a machine as records of the stream. */
import { StateError } from '../../state/schema.js';
import { checkFrame, clearFrames, frames } from '../../vmm/core-image.js';
import type { Vm } from '../../vmm/vm.js';
import { KIND, type MigrationStream } from './stream.js';

const PAGE = 4096;
/** Pages in a record: a few milliseconds of work, between turns of the guest. */
export const PAGES_A_RECORD = 256;

export interface PageCounts {
  /** Pages sent with their content, and those that held zeros only. */
  normal: number;
  zero: number;
}

/** Addresses of all frames with anything in them. They are looked for as they are asked for. */
export function* occupied(vm: Vm): Generator<number> {
  for (const { hpa } of frames(vm)) yield hpa;
}

/** Sends frames as they are now, up to a record of each kind. */
export async function sendFrames(
  vm: Vm,
  stream: MigrationStream,
  list: readonly number[],
  counts: PageCounts,
): Promise<void> {
  const { u8, u32 } = vm.host;
  const zeros = list.filter((hpa) => !u32.subarray(hpa / 4, (hpa + PAGE) / 4).some((word) => word !== 0));
  const isZero = new Set(zeros);
  const full = list.filter((hpa) => !isZero.has(hpa));
  // copied at once: the guest runs on while the bytes wait for the socket
  const body = Buffer.allocUnsafe(2 + (8 + PAGE) * full.length);
  putAddresses(body, full);
  for (const [i, hpa] of full.entries()) body.set(u8.subarray(hpa, hpa + PAGE), 2 + 8 * full.length + PAGE * i);
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
export function takeFrames(vm: Vm, kind: number, body: Buffer): void {
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
