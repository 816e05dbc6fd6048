/** Ethernet, ARP, IPv4, ICMP, UDP and TCP packets as bytes. @rfc 826 791 792 768 9293 */

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const UDP_BYTES = 8;
const TCP_BYTES = 20;
/** Largest IPv4 packet in a frame. */
export const MTU = 1500;
/** Data of one TCP segment. */
export const TCP_MSS = MTU - IPV4_BYTES - TCP_BYTES;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_FIELD = 0x3fff;

/** An IPv4 address as a number, first byte on top. */
export type Ipv4 = number;

export function ipv4(text: string): Ipv4 {
  return text.split('.').reduce((value, part) => value * 256 + Number(part), 0);
}

export function ipv4Text(address: Ipv4): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

export interface Frame {
  to: Uint8Array;
  from: Uint8Array;
  type: number;
  payload: Uint8Array;
}

/** undefined: too short to be a frame. */
export function parseFrame(bytes: Uint8Array): Frame | undefined {
  if (bytes.length < ETHERNET_BYTES) return undefined;
  return {
    to: bytes.subarray(0, 6),
    from: bytes.subarray(6, 12),
    type: (bytes[12] << 8) | bytes[13],
    payload: bytes.subarray(ETHERNET_BYTES),
  };
}

export function buildFrame({ to, from, type, payload }: Frame): Uint8Array {
  // Frames have at least 60 bytes without the checksum.
  const bytes = new Uint8Array(Math.max(60, ETHERNET_BYTES + payload.length));
  bytes.set(to);
  bytes.set(from, 6);
  bytes[12] = type >> 8;
  bytes[13] = type & 0xff;
  bytes.set(payload, ETHERNET_BYTES);
  return bytes;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export interface Arp {
  /** 1 request, 2 reply. */
  operation: number;
  senderMac: Uint8Array;
  senderIp: Ipv4;
  targetMac: Uint8Array;
  targetIp: Ipv4;
}

const ARP_HEAD = [0, 1, 8, 0, 6, 4];

/** undefined: not ARP for IPv4 on Ethernet. */
export function parseArp(bytes: Uint8Array): Arp | undefined {
  if (bytes.length < 28 || ARP_HEAD.some((byte, i) => bytes[i] !== byte)) return undefined;
  const v = view(bytes);
  return {
    operation: v.getUint16(6),
    senderMac: bytes.slice(8, 14),
    senderIp: v.getUint32(14),
    targetMac: bytes.slice(18, 24),
    targetIp: v.getUint32(24),
  };
}

export function buildArp(arp: Arp): Uint8Array {
  const bytes = new Uint8Array(28);
  const v = view(bytes);
  bytes.set(ARP_HEAD);
  v.setUint16(6, arp.operation);
  bytes.set(arp.senderMac, 8);
  v.setUint32(14, arp.senderIp);
  bytes.set(arp.targetMac, 18);
  v.setUint32(24, arp.targetIp);
  return bytes;
}

/** The Internet checksum: 0 over data that holds its own. @rfc 1071 */
export function internetChecksum(parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) sum += (part[i] << 8) | (part[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

export interface IpPacket {
  from: Ipv4;
  to: Ipv4;
  protocol: number;
  payload: Uint8Array;
  ttl?: number;
}

/** undefined: broken, or a fragment (guests on a link of this MTU send none by themselves). */
export function parseIpv4(bytes: Uint8Array): IpPacket | undefined {
  if (bytes.length < IPV4_BYTES || bytes[0] >> 4 !== 4) return undefined;
  const v = view(bytes);
  const header = (bytes[0] & 15) * 4;
  const length = v.getUint16(2);
  if (header < IPV4_BYTES || length < header || length > bytes.length) return undefined;
  if (internetChecksum([bytes.subarray(0, header)]) !== 0) return undefined;
  if (v.getUint16(6) & FRAGMENT_FIELD) return undefined;
  return {
    from: v.getUint32(12),
    to: v.getUint32(16),
    protocol: bytes[9],
    ttl: bytes[8],
    payload: bytes.subarray(header, length),
  };
}

/** The packet in as many fragments as the link needs. */
export function buildIpv4({ from, to, protocol, payload, ttl }: IpPacket, identification: number): Uint8Array[] {
  const room = (MTU - IPV4_BYTES) & ~7;
  const packets: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < payload.length; at += room) {
    const whole = payload.length <= MTU - IPV4_BYTES;
    const part = whole ? payload : payload.subarray(at, at + room);
    const last = at + part.length === payload.length;
    const bytes = new Uint8Array(IPV4_BYTES + part.length);
    const v = view(bytes);
    bytes[0] = 0x45;
    v.setUint16(2, bytes.length);
    v.setUint16(4, identification & 0xffff);
    v.setUint16(6, (at >> 3) | (last ? 0 : MORE_FRAGMENTS));
    bytes[8] = ttl ?? 64;
    bytes[9] = protocol;
    v.setUint32(12, from);
    v.setUint32(16, to);
    v.setUint16(10, internetChecksum([bytes.subarray(0, IPV4_BYTES)]));
    bytes.set(part, IPV4_BYTES);
    packets.push(bytes);
    if (last) break;
  }
  return packets;
}

function pseudoHeader(from: Ipv4, to: Ipv4, protocol: number, length: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const v = view(bytes);
  v.setUint32(0, from);
  v.setUint32(4, to);
  bytes[9] = protocol;
  v.setUint16(10, length);
  return bytes;
}

function transportIsIntact({ from, to, protocol, payload }: IpPacket, length: number): boolean {
  return internetChecksum([pseudoHeader(from, to, protocol, length), payload.subarray(0, length)]) === 0;
}

export interface Udp {
  fromPort: number;
  toPort: number;
  payload: Uint8Array;
}

/** undefined: cut off or with a wrong checksum; 0 is no checksum. */
export function parseUdp(packet: IpPacket): Udp | undefined {
  const { payload } = packet;
  if (payload.length < UDP_BYTES) return undefined;
  const v = view(payload);
  const length = v.getUint16(4);
  if (length < UDP_BYTES || length > payload.length) return undefined;
  if (v.getUint16(6) !== 0 && !transportIsIntact(packet, length)) return undefined;
  return { fromPort: v.getUint16(0), toPort: v.getUint16(2), payload: payload.subarray(UDP_BYTES, length) };
}

export function buildUdp(from: Ipv4, to: Ipv4, { fromPort, toPort, payload }: Udp): Uint8Array {
  const bytes = new Uint8Array(UDP_BYTES + payload.length);
  const v = view(bytes);
  v.setUint16(0, fromPort);
  v.setUint16(2, toPort);
  v.setUint16(4, bytes.length);
  bytes.set(payload, UDP_BYTES);
  const sum = internetChecksum([pseudoHeader(from, to, PROTOCOL_UDP, bytes.length), bytes]);
  v.setUint16(6, sum === 0 ? 0xffff : sum);
  return bytes;
}

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;

export interface TcpSegment {
  fromPort: number;
  toPort: number;
  sequence: number;
  acknowledgement: number;
  flags: number;
  window: number;
  /** Maximum segment size, in a SYN. */
  mss?: number;
  payload: Uint8Array;
}

/** undefined: cut off or with a wrong checksum. */
export function parseTcp(packet: IpPacket): TcpSegment | undefined {
  const { payload } = packet;
  if (payload.length < TCP_BYTES || !transportIsIntact(packet, payload.length)) return undefined;
  const v = view(payload);
  const header = (payload[12] >> 4) * 4;
  if (header < TCP_BYTES || header > payload.length) return undefined;
  const mss = readMss(payload.subarray(TCP_BYTES, header));
  return {
    fromPort: v.getUint16(0),
    toPort: v.getUint16(2),
    sequence: v.getUint32(4),
    acknowledgement: v.getUint32(8),
    flags: payload[13],
    window: v.getUint16(14),
    ...(mss === undefined ? {} : { mss }),
    payload: payload.subarray(header),
  };
}

function readMss(options: Uint8Array): number | undefined {
  for (let at = 0; at < options.length; ) {
    const kind = options[at];
    if (kind === 0) return undefined;
    const length = kind === 1 ? 1 : options[at + 1];
    if (!(length >= 1) || (kind !== 1 && length < 2)) return undefined;
    if (kind === 2 && length === 4 && at + 4 <= options.length) return (options[at + 2] << 8) | options[at + 3];
    at += length;
  }
  return undefined;
}

export function buildTcp(from: Ipv4, to: Ipv4, segment: TcpSegment): Uint8Array {
  const options = segment.mss === undefined ? [] : [2, 4, segment.mss >> 8, segment.mss & 0xff];
  const header = TCP_BYTES + options.length;
  const bytes = new Uint8Array(header + segment.payload.length);
  const v = view(bytes);
  v.setUint16(0, segment.fromPort);
  v.setUint16(2, segment.toPort);
  v.setUint32(4, segment.sequence);
  v.setUint32(8, segment.acknowledgement);
  bytes[12] = (header / 4) << 4;
  bytes[13] = segment.flags;
  v.setUint16(14, segment.window);
  bytes.set(options, TCP_BYTES);
  bytes.set(segment.payload, header);
  v.setUint16(16, internetChecksum([pseudoHeader(from, to, PROTOCOL_TCP, bytes.length), bytes]));
  return bytes;
}

/** The answer to an ICMP echo request; undefined when it is another message or broken. */
export function echoReply(message: Uint8Array): Uint8Array | undefined {
  if (message.length < 8 || message[0] !== 8 || internetChecksum([message]) !== 0) return undefined;
  const reply = message.slice();
  reply[0] = 0;
  reply[2] = 0;
  reply[3] = 0;
  view(reply).setUint16(2, internetChecksum([reply]));
  return reply;
}

/** ICMP destination unreachable, with the head of the packet that could not go on. */
export function unreachable(packet: Uint8Array, code: number): Uint8Array {
  const quoted = packet.subarray(0, (packet[0] & 15) * 4 + 8);
  const message = new Uint8Array(8 + quoted.length);
  message[0] = 3;
  message[1] = code;
  message.set(quoted, 8);
  view(message).setUint16(2, internetChecksum([message]));
  return message;
}
