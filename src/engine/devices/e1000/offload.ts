/** Checksums and segmentation that the card does for the driver. @8254x 3.5 "TCP Segmentation", 3.2.9 "Receive Packet Checksum" */

/** Where a checksum is made, from a context descriptor: start, place, and last byte; 0: to the end of the packet. */
export interface ChecksumPlace {
  start: number;
  offset: number;
  end: number;
}

/** A context descriptor: what following data descriptors mean. */
export interface Context {
  ip: ChecksumPlace;
  tu: ChecksumPlace;
  tcp: boolean;
  ipv4: boolean;
  headerBytes: number;
  segmentBytes: number;
  payloadBytes: number;
}

/** Sum of 16-bit words in network order, folded. */
export function sum16(bytes: Uint8Array, from: number, to: number, initial = 0): number {
  let sum = initial;
  for (let i = from; i + 1 < to; i += 2) sum += (bytes[i] << 8) | bytes[i + 1];
  if ((to - from) % 2 === 1 && to > from) sum += bytes[to - 1] << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

/** Puts a checksum into a packet; one that does not fit is left out. */
export function putChecksum(packet: Uint8Array, { start, offset, end }: ChecksumPlace): void {
  const to = end === 0 ? packet.length : Math.min(end + 1, packet.length);
  if (start >= to || offset + 2 > packet.length) return;
  const sum = sum16(packet, start, to);
  setU16(packet, offset, ~sum & 0xffff);
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function setU16(bytes: Uint8Array, at: number, value: number): void {
  if (at + 2 > bytes.length) return;
  bytes[at] = (value >> 8) & 0xff;
  bytes[at + 1] = value & 0xff;
}

function setU32(bytes: Uint8Array, at: number, value: number): void {
  setU16(bytes, at, value >>> 16);
  setU16(bytes, at + 2, value & 0xffff);
}

const TCP_FIN_PSH = 0x09;
/** Frames of one packet: 64 KiB in the smallest pieces that TCP makes are fewer. */
const MAX_SEGMENTS = 2048;

/**
 * Cuts a packet into frames of a header and at most `segmentBytes` of payload each, and updates what differs between
 * their headers. Without a size, or where the header is longer than the packet, it stays one; no driver asks for
 * thousands of frames at once: those are dropped.
 */
export function segments(packet: Uint8Array, context: Context): Uint8Array[] {
  const { headerBytes, segmentBytes } = context;
  if (segmentBytes === 0 || headerBytes === 0 || packet.length <= headerBytes) return [packet];
  const frames: Uint8Array[] = [];
  const payload = packet.length - headerBytes;
  if (payload / segmentBytes > MAX_SEGMENTS) return frames;
  for (let at = 0; at < payload; at += segmentBytes) {
    const part = packet.subarray(headerBytes + at, headerBytes + Math.min(at + segmentBytes, payload));
    const frame = new Uint8Array(headerBytes + part.length);
    frame.set(packet.subarray(0, headerBytes));
    frame.set(part, headerBytes);
    updateHeader(frame, context, { number: frames.length, at, last: at + segmentBytes >= payload });
    frames.push(frame);
  }
  return frames;
}

function updateHeader(frame: Uint8Array, context: Context, which: { number: number; at: number; last: boolean }): void {
  const { ip, tu, tcp, ipv4 } = context;
  if (ipv4) {
    setU16(frame, ip.start + 2, frame.length - ip.start);
    setU16(frame, ip.start + 4, (u16(frame, ip.start + 4) + which.number) & 0xffff);
  } else setU16(frame, ip.start + 4, frame.length - ip.start - 40);
  const length = frame.length - tu.start;
  if (tcp) {
    const sequence = u16(frame, tu.start + 4) * 65536 + u16(frame, tu.start + 6) + which.at;
    setU32(frame, tu.start + 4, sequence % 2 ** 32);
    if (!which.last && tu.start + 13 < frame.length) frame[tu.start + 13] &= ~TCP_FIN_PSH;
  } else setU16(frame, tu.start + 4, length);
  // the driver's pseudo header has no length in it
  const pseudo = u16(frame, tu.offset) + length;
  setU16(frame, tu.offset, (pseudo & 0xffff) + (pseudo >>> 16));
}

const IPV4 = 0x0800;
const TCP = 6;
const UDP = 17;

/** What was checked of a received frame: undefined where the card does not know the protocol. */
export function checkReceived(frame: Uint8Array): { ip?: boolean; tu?: boolean } {
  const at = 14;
  const header = (frame[at] & 15) * 4;
  const total = u16(frame, at + 2);
  if (u16(frame, 12) !== IPV4 || frame[at] >> 4 !== 4 || header < 20 || total < header) return {};
  if (at + total > frame.length) return {};
  const ip = sum16(frame, at, at + header) === 0xffff;
  const protocol = frame[at + 9];
  // a fragment has no whole checksum
  if (u16(frame, at + 6) & 0x3fff || (protocol !== TCP && protocol !== UDP)) return { ip };
  if (protocol === UDP && u16(frame, at + header + 6) === 0) return { ip };
  const pseudo = sum16(frame, at + 12, at + 20) + protocol + (total - header);
  return { ip, tu: sum16(frame, at + header, at + total, pseudo) === 0xffff };
}
