/** The guest's end of the cable: makes frames, and takes apart what comes back. */
import {
  buildArp,
  buildFrame,
  buildIpv4,
  buildTcp,
  buildUdp,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  type IpPacket,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  parseFrame,
  parseIpv4,
  parseTcp,
  parseUdp,
  TCP_ACK,
  TCP_FIN,
  TCP_SYN,
  type TcpSegment,
  type Udp,
} from '../../src/engine/net/packet.js';
import { GUEST_IP, type UserNet } from '../../src/engine/net/user-net.js';

export const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
const GATEWAY_MAC = Uint8Array.of(0x52, 0x55, 10, 0, 2, 2);

export class GuestEnd {
  readonly frames: Uint8Array[] = [];

  constructor(readonly net: UserNet) {
    net.toGuest = (frame) => void this.frames.push(frame);
  }

  /** Frames since the last call. */
  take(): Uint8Array[] {
    return this.frames.splice(0);
  }

  packets(): IpPacket[] {
    return this.take().flatMap((bytes) => {
      const frame = parseFrame(bytes)!;
      const packet = frame.type === ETHERTYPE_IPV4 ? parseIpv4(frame.payload) : undefined;
      return packet ? [packet] : [];
    });
  }

  segments(): TcpSegment[] {
    return this.packets().flatMap((packet) => (packet.protocol === PROTOCOL_TCP ? [parseTcp(packet)!] : []));
  }

  arp(targetIp: number): void {
    const request = { operation: 1, senderMac: MAC, senderIp: GUEST_IP, targetMac: new Uint8Array(6), targetIp };
    this.frame(ETHERTYPE_ARP, buildArp(request));
  }

  frame(type: number, payload: Uint8Array): void {
    this.net.fromGuest(buildFrame({ to: GATEWAY_MAC, from: MAC, type, payload }));
  }

  ip(to: number, protocol: number, payload: Uint8Array, from = GUEST_IP): void {
    for (const packet of buildIpv4({ from, to, protocol, payload }, 7)) this.frame(ETHERTYPE_IPV4, packet);
  }

  udp(to: number, datagram: Udp, from = GUEST_IP): void {
    this.ip(to, PROTOCOL_UDP, buildUdp(from, to, datagram), from);
  }

  tcp(to: number, segment: TcpSegment): void {
    this.ip(to, PROTOCOL_TCP, buildTcp(GUEST_IP, to, segment));
  }
}

export function udpOf(packet: IpPacket): Udp {
  return parseUdp(packet)!;
}

/** A TCP client in the guest that acknowledges everything at once. */
export class TcpClient {
  next = 1000;
  expected = 0;
  window = 8000;
  received: number[] = [];
  ended = false;
  reset = false;

  constructor(
    readonly guest: GuestEnd,
    readonly to: number,
    readonly toPort: number,
    readonly fromPort = 40000,
  ) {}

  send(flags: number, payload: Uint8Array = new Uint8Array(0)): void {
    const { fromPort, toPort, window } = this;
    const acknowledgement = flags & TCP_ACK ? this.expected : 0;
    const mss = flags & TCP_SYN ? { mss: 1460 } : {};
    this.guest.tcp(this.to, { fromPort, toPort, sequence: this.next, acknowledgement, flags, window, payload, ...mss });
    this.next = (this.next + payload.length + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0)) >>> 0;
  }

  /** Takes the segments that came, and acknowledges them. @returns how many. */
  poll(): number {
    const segments = this.guest.segments().filter(({ toPort }) => toPort === this.fromPort);
    for (const segment of segments) {
      if (segment.flags & 4) {
        this.reset = true;
        continue;
      }
      if (segment.flags & TCP_SYN) this.expected = (segment.sequence + 1) >>> 0;
      else if (segment.sequence === this.expected) {
        this.received.push(...segment.payload);
        this.expected = (this.expected + segment.payload.length) >>> 0;
        if (segment.flags & TCP_FIN) {
          this.expected = (this.expected + 1) >>> 0;
          this.ended = true;
        }
      }
      if (segment.payload.length > 0 || segment.flags & (TCP_SYN | TCP_FIN)) this.send(TCP_ACK);
    }
    return segments.length;
  }

  text(): string {
    return String.fromCharCode(...this.received);
  }
}
