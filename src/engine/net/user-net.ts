/**
 * The user-mode network: 10.0.2.0/24 with a gateway that answers ARP, DHCP and echo requests itself and hands TCP and
 * UDP to sockets of the host. The guest is 10.0.2.15, the gateway 10.0.2.2 (which is the host's loopback), the name
 * server 10.0.2.3.
 */

import type { Clock, Timer } from '../devices/device.js';
import { restoreTimer } from '../devices/device-state.js';
import type { NetBackend } from '../devices/net-backend.js';
import { bytes, count, list, optional, record, type StateOf, time, u16, u32 } from '../state/schema.js';
import { type BootOffer, dhcpReply } from './dhcp.js';
import { decodeEvent, FIRST_ACCEPTED_ID, type HostEvent, type HostNetwork } from './host-network.js';
import {
  buildArp,
  buildFrame,
  buildIpv4,
  buildTcp,
  buildUdp,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  echoReply,
  type IpPacket,
  type Ipv4,
  ipv4,
  ipv4Text,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  parseArp,
  parseFrame,
  parseIpv4,
  parseTcp,
  parseUdp,
  TCP_ACK,
  TCP_FIN,
  TCP_RST,
  TCP_SYN,
  type TcpSegment,
  unreachable,
} from './packet.js';
import { TCP_STATE, TcpConnection } from './tcp.js';

export const GUEST_IP = ipv4('10.0.2.15');
export const GATEWAY_IP = ipv4('10.0.2.2');
export const DNS_IP = ipv4('10.0.2.3');
const NETWORK = ipv4('10.0.2.0');
const BROADCAST = 0xffffffff;
const MASK = 0xffffff00;
/** What an address of the network's own means to the host's sockets. */
export const HOST_LOOPBACK = ipv4('127.0.0.1');

const EVERYONE = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
const DHCP_SERVER = 67;
const DHCP_CLIENT = 68;
/** ICMP code: communication administratively prohibited. */
const PROHIBITED = 13;
const FIRST_FORWARD_PORT = 49152;

const RETRANSMIT_NS = 1_000_000_000;
const CONNECTIONS = 1024;
const UDP_SOCKETS = 256;
/** How long an answer to a datagram is waited for. */
const ANSWER_NS = 10_000_000_000;

interface TcpEntry {
  id: number;
  guestPort: number;
  peer: Ipv4;
  peerPort: number;
  connection: TcpConnection;
}

interface UdpSocket {
  id: number;
  guestPort: number;
  /** When a datagram went out that is not answered yet. */
  asked: number | undefined;
  used: number;
}

export interface UserNetOptions {
  clock: Clock;
  host: HostNetwork;
  /** Ports of the host lead to the guest, so it may always have something to do. */
  forwards: boolean;
  /** What DHCP offers beside the address. */
  boot?: BootOffer;
}

const STATE = record({
  guestMac: bytes(6),
  tcp: list(record({ id: count, guestPort: u16, peer: u32, peerPort: u16, state: TCP_STATE }), { atMost: CONNECTIONS }),
  udp: list(record({ id: count, guestPort: u16, asked: optional(time), used: time }), { atMost: UDP_SOCKETS }),
  nextId: count,
  identification: u32,
  counts: record({ out: count, in: count, dropped: count }),
  timerAt: optional(time),
});
type UserNetState = StateOf<typeof STATE>;

export class UserNet implements NetBackend<UserNetState> {
  readonly shape = STATE;
  toGuest: (frame: Uint8Array) => void = () => {};
  private readonly timer: Timer;
  private guestMac: Uint8Array = EVERYONE;
  private tcp = new Map<number, TcpEntry>();
  private udp = new Map<number, UdpSocket>();
  private nextId = 1;
  private identification = 0;
  private counts = { out: 0, in: 0, dropped: 0 };

  constructor(private readonly options: UserNetOptions) {
    this.timer = options.clock.timer('user network', () => this.expire());
  }

  /** The guest waits for the host: virtual time must not run ahead of it. */
  get waitsForHost(): boolean {
    if (this.options.forwards || this.tcp.size > 0) return true;
    const now = this.options.clock.now();
    return [...this.udp.values()].some(({ asked }) => asked !== undefined && now - asked < ANSWER_NS);
  }

  // --- from the guest ----------------------------------------------------------------------------------------

  fromGuest(bytes: Uint8Array): void {
    const frame = parseFrame(bytes);
    if (frame === undefined) return;
    this.counts.out++;
    if ((frame.from[0] & 1) === 0) this.guestMac = frame.from.slice();
    if (frame.type === ETHERTYPE_ARP) this.arp(frame.payload);
    else if (frame.type === ETHERTYPE_IPV4) this.ip(frame.payload);
  }

  private arp(payload: Uint8Array): void {
    const request = parseArp(payload);
    if (request?.operation !== 1) return;
    const { senderMac, senderIp, targetIp } = request;
    if (targetIp !== GATEWAY_IP && targetIp !== DNS_IP) return;
    const mac = macOf(targetIp);
    const reply = { operation: 2, senderMac: mac, senderIp: targetIp, targetMac: senderMac, targetIp: senderIp };
    this.send(buildFrame({ to: senderMac, from: mac, type: ETHERTYPE_ARP, payload: buildArp(reply) }));
  }

  private ip(payload: Uint8Array): void {
    const packet = parseIpv4(payload);
    if (packet === undefined) {
      this.counts.dropped++;
      return;
    }
    if (packet.protocol === PROTOCOL_TCP) this.tcpFromGuest(packet);
    else if (packet.protocol === PROTOCOL_UDP) this.udpFromGuest(packet);
    else if (packet.protocol === PROTOCOL_ICMP) this.icmpFromGuest(packet, payload);
  }

  private icmpFromGuest(packet: IpPacket, bytes: Uint8Array): void {
    const own = packet.to === GATEWAY_IP || packet.to === DNS_IP;
    const message = own
      ? echoReply(packet.payload)
      : packet.payload[0] === 8
        ? unreachable(bytes, PROHIBITED)
        : undefined;
    if (message)
      this.sendIp({ from: own ? packet.to : GATEWAY_IP, to: packet.from, protocol: PROTOCOL_ICMP, payload: message });
  }

  private udpFromGuest(packet: IpPacket): void {
    const datagram = parseUdp(packet);
    if (datagram === undefined) return;
    if (datagram.toPort === DHCP_SERVER && datagram.fromPort === DHCP_CLIENT) {
      const reply = dhcpReply(datagram.payload, {
        ...{ client: GUEST_IP, server: GATEWAY_IP, dns: DNS_IP },
        ...this.options.boot,
      });
      if (reply === undefined) return;
      const answer = { fromPort: DHCP_SERVER, toPort: DHCP_CLIENT, payload: reply };
      const payload = buildUdp(GATEWAY_IP, BROADCAST, answer);
      this.sendIp({ from: GATEWAY_IP, to: BROADCAST, protocol: PROTOCOL_UDP, payload });
      return;
    }
    // port 0 is nobody's, and no host sends to it
    if (!leavesNetwork(packet.to) || datagram.toPort === 0) {
      this.counts.dropped++;
      return;
    }
    const socket = this.socketOf(datagram.fromPort);
    socket.asked = socket.used = this.options.clock.now();
    this.options.host.sendDatagram(socket.id, packet.to, datagram.toPort, datagram.payload.slice());
  }

  /** The socket of a port of the guest; the one unused longest makes room for a new one. */
  private socketOf(guestPort: number): UdpSocket {
    for (const socket of this.udp.values()) if (socket.guestPort === guestPort) return socket;
    if (this.udp.size >= UDP_SOCKETS) {
      const oldest = [...this.udp.values()].reduce((a, b) => (b.used < a.used ? b : a));
      this.options.host.closeDatagrams(oldest.id);
      this.udp.delete(oldest.id);
    }
    const socket: UdpSocket = { id: this.nextId++, guestPort, asked: undefined, used: 0 };
    this.udp.set(socket.id, socket);
    return socket;
  }

  private tcpFromGuest(packet: IpPacket): void {
    const segment = parseTcp(packet);
    if (segment === undefined) return;
    const entry = this.find(segment.fromPort, packet.to, segment.toPort);
    const opens = (segment.flags & (TCP_SYN | TCP_ACK | TCP_RST)) === TCP_SYN;
    if (entry !== undefined && !(opens && this.isStale(entry, segment))) {
      entry.connection.receive(segment);
      this.settle(entry);
      return;
    }
    if (entry !== undefined) {
      // The guest began anew with the same ports: it has forgotten the old connection.
      this.options.host.abort(entry.id);
      this.tcp.delete(entry.id);
    }
    if (!opens || segment.toPort === 0 || !leavesNetwork(packet.to) || this.tcp.size >= CONNECTIONS) {
      this.refuse(packet, segment);
      return;
    }
    const made = this.make(this.nextId++, segment.fromPort, packet.to, segment.toPort);
    made.connection.open(segment);
    this.settle(made);
  }

  private isStale({ connection }: TcpEntry, segment: TcpSegment): boolean {
    return connection.s.expected !== (segment.sequence + 1) >>> 0;
  }

  /** RST for a segment without a connection. */
  private refuse(packet: IpPacket, segment: TcpSegment): void {
    if (segment.flags & TCP_RST) return;
    const length = segment.payload.length + (segment.flags & TCP_SYN ? 1 : 0) + (segment.flags & TCP_FIN ? 1 : 0);
    const hasAck = (segment.flags & TCP_ACK) !== 0;
    this.sendTcp(packet.to, {
      ...{ fromPort: segment.toPort, toPort: segment.fromPort, window: 0, payload: new Uint8Array(0) },
      sequence: hasAck ? segment.acknowledgement : 0,
      acknowledgement: hasAck ? 0 : (segment.sequence + length) >>> 0,
      flags: hasAck ? TCP_RST : TCP_RST | TCP_ACK,
    });
  }

  // --- connections -------------------------------------------------------------------------------------------

  private find(guestPort: number, peer: Ipv4, peerPort: number): TcpEntry | undefined {
    for (const entry of this.tcp.values()) {
      if (entry.guestPort === guestPort && entry.peerPort === peerPort && entry.peer === peer) return entry;
    }
    return undefined;
  }

  private make(id: number, guestPort: number, peer: Ipv4, peerPort: number): TcpEntry {
    const { host } = this.options;
    const connection = new TcpConnection(
      {
        transmit: (segment) => this.sendTcp(peer, { fromPort: peerPort, toPort: guestPort, ...segment }),
        connect: () => host.connect(id, peer, peerPort),
        send: (bytes) => host.send(id, bytes),
        end: () => host.end(id),
        abort: () => host.abort(id),
        pause: (paused) => host.pause(id, paused),
      },
      // Any number will do on a link without old segments; this one repeats in a repeated run.
      Math.imul(id, 0x9e3779b1) >>> 0,
    );
    const entry = { id, guestPort, peer, peerPort, connection };
    this.tcp.set(id, entry);
    return entry;
  }

  /** Forgets a closed connection and sees to the timer. */
  private settle(entry: TcpEntry): void {
    if (entry.connection.closed) this.tcp.delete(entry.id);
    const open = [...this.tcp.values()].some(({ connection }) => connection.outstanding || connection.stalled);
    if (!open) this.timer.cancel();
    else if (this.timer.deadline === undefined) this.timer.arm(this.options.clock.now() + RETRANSMIT_NS);
  }

  private expire(): void {
    for (const entry of [...this.tcp.values()]) {
      if (entry.connection.outstanding || entry.connection.stalled) entry.connection.retransmit();
      this.settle(entry);
    }
  }

  // --- from the host -----------------------------------------------------------------------------------------

  /** An event of the host, as it came through the journal. */
  hostEvent(bytes: Uint8Array): void {
    const event = decodeEvent(bytes);
    if (event.kind === 'datagram') this.datagramFromHost(event);
    else if (event.kind === 'accepted') this.accepted(event.id, event.guestPort);
    else this.streamEvent(event);
  }

  private streamEvent(event: Exclude<HostEvent, { kind: 'datagram' | 'accepted' }>): void {
    const entry = this.tcp.get(event.id);
    if (entry === undefined) return;
    const { connection } = entry;
    switch (event.kind) {
      case 'connected':
        connection.hostConnected();
        break;
      case 'refused':
      case 'error':
        connection.hostFailed();
        break;
      case 'data':
        connection.hostData(event.bytes);
        break;
      case 'end':
        connection.hostEnded();
        break;
      case 'room':
        connection.hostRoom(event.count);
        break;
    }
    this.settle(entry);
  }

  private accepted(id: number, guestPort: number): void {
    const peerPort = FIRST_FORWARD_PORT + ((id - FIRST_ACCEPTED_ID) % (0x10000 - FIRST_FORWARD_PORT));
    if (this.tcp.size >= CONNECTIONS || this.find(guestPort, GATEWAY_IP, peerPort) !== undefined) {
      this.options.host.abort(id);
      return;
    }
    const entry = this.make(id, guestPort, GATEWAY_IP, peerPort);
    entry.connection.openToGuest();
    this.settle(entry);
  }

  private datagramFromHost({ id, address, port, bytes }: Extract<HostEvent, { kind: 'datagram' }>): void {
    const socket = this.udp.get(id);
    if (socket === undefined) return;
    socket.asked = undefined;
    const payload = buildUdp(address, GUEST_IP, { fromPort: port, toPort: socket.guestPort, payload: bytes });
    this.sendIp({ from: address, to: GUEST_IP, protocol: PROTOCOL_UDP, payload });
  }

  // --- to the guest ------------------------------------------------------------------------------------------

  private sendTcp(from: Ipv4, segment: TcpSegment): void {
    const payload = buildTcp(from, GUEST_IP, segment);
    this.sendIp({ from, to: GUEST_IP, protocol: PROTOCOL_TCP, payload });
  }

  private sendIp(packet: IpPacket): void {
    const from = macOf(packet.from === DNS_IP ? DNS_IP : GATEWAY_IP);
    const to = packet.to === BROADCAST ? EVERYONE : this.guestMac;
    this.identification = (this.identification + 1) & 0xffff;
    for (const payload of buildIpv4(packet, this.identification)) {
      this.send(buildFrame({ to, from, type: ETHERTYPE_IPV4, payload }));
    }
  }

  private send(frame: Uint8Array): void {
    this.counts.in++;
    this.toGuest(frame);
  }

  // --- state -------------------------------------------------------------------------------------------------

  /** Ids of the guest's connections. */
  get connections(): number[] {
    return [...this.tcp.values()].map(({ id }) => id);
  }

  /** Gives up the host's ends of all connections: the machine goes on from another state. */
  abandon(): void {
    for (const { id } of this.tcp.values()) this.options.host.abort(id);
    for (const { id } of this.udp.values()) this.options.host.closeDatagrams(id);
  }

  /** The machine was reset: the guest knows of no connection any more. */
  reset(): void {
    this.abandon();
    this.tcp.clear();
    this.udp.clear();
    this.timer.cancel();
    this.guestMac = EVERYONE;
  }

  /** The machine begins anew by `load`: the guest's connections end. Their numbers go on: the host may still tell of them. */
  beginAgain(load: () => void): void {
    const { nextId } = this;
    this.abandon();
    load();
    this.nextId = nextId;
  }

  save(): UserNetState {
    const { guestMac, nextId, identification, counts } = this;
    const tcp = [...this.tcp.values()].map(({ connection, ...rest }) => ({ ...rest, state: connection.s }));
    const timerAt = this.timer.deadline;
    return { guestMac, tcp, udp: [...this.udp.values()], nextId, identification, counts, timerAt };
  }

  load({ guestMac, tcp, udp, nextId, identification, counts, timerAt }: UserNetState): void {
    this.guestMac = guestMac;
    this.nextId = nextId;
    this.identification = identification;
    this.counts = counts;
    this.tcp = new Map();
    for (const { id, guestPort, peer, peerPort, state: saved } of tcp) {
      this.make(id, guestPort, peer, peerPort).connection.s = saved;
    }
    this.udp = new Map(udp.map((socket) => [socket.id, socket]));
    restoreTimer(this.timer, timerAt);
  }

  describe(): [string, string][] {
    const rows: [string, string][] = [['network', `${ipv4Text(NETWORK)}/24, guest ${ipv4Text(GUEST_IP)}`]];
    for (const { guestPort, peer, peerPort, connection } of this.tcp.values()) {
      rows.push([`TCP ${guestPort}`, `${ipv4Text(peer)}:${peerPort} ${connection.s.state}`]);
    }
    if (this.udp.size > 0) rows.push(['UDP ports', [...this.udp.values()].map(({ guestPort }) => guestPort).join(' ')]);
    if (this.counts.dropped > 0) rows.push(['packets dropped', String(this.counts.dropped)]);
    return rows;
  }
}

/** True for addresses that sockets of the host can serve: others', the gateway and the name server. */
function leavesNetwork(address: Ipv4): boolean {
  if (address === GATEWAY_IP || address === DNS_IP) return true;
  const multicast = address >>> 28 === 14;
  return (address & MASK) >>> 0 !== NETWORK && !multicast && address !== BROADCAST && address !== 0;
}

/** The network's own stations have the addresses that QEMU's have. */
function macOf(address: Ipv4): Uint8Array {
  return Uint8Array.of(
    0x52,
    0x55,
    (address >>> 24) & 255,
    (address >>> 16) & 255,
    (address >>> 8) & 255,
    address & 255,
  );
}
