import { beforeEach, describe, expect, it } from 'vitest';
import { encodeEvent, FIRST_ACCEPTED_ID, type HostEvent, type HostNetwork } from '../../src/engine/net/host-network.js';
import {
  ipv4,
  PROTOCOL_ICMP,
  parseArp,
  parseFrame,
  TCP_ACK,
  TCP_FIN,
  TCP_PSH,
  TCP_RST,
  TCP_SYN,
} from '../../src/engine/net/packet.js';
import { DNS_IP, GATEWAY_IP, GUEST_IP, UserNet } from '../../src/engine/net/user-net.js';
import { TestClock } from '../devices/rig.js';
import { GuestEnd, MAC, TcpClient, udpOf } from './guest-end.js';

const FAR = ipv4('203.0.113.7');

/** Keeps what the network asks for, one line each. */
class LoggingHost implements HostNetwork {
  log: string[] = [];
  sent: number[] = [];
  connect = (id: number, address: number, port: number) => void this.log.push(`connect ${id} ${address} ${port}`);
  send = (id: number, bytes: Uint8Array) => {
    this.log.push(`send ${id} ${bytes.length}`);
    this.sent.push(...bytes);
  };
  end = (id: number) => void this.log.push(`end ${id}`);
  abort = (id: number) => void this.log.push(`abort ${id}`);
  pause = (id: number, paused: boolean) => void this.log.push(`${paused ? 'pause' : 'resume'} ${id}`);
  sendDatagram = (id: number, address: number, port: number, bytes: Uint8Array) =>
    void this.log.push(`datagram ${id} ${address} ${port} ${bytes.length}`);
  closeDatagrams = (id: number) => void this.log.push(`close ${id}`);
  take(): string[] {
    return this.log.splice(0);
  }
}

let clock: TestClock;
let host: LoggingHost;
let net: UserNet;
let guest: GuestEnd;
const event = (value: HostEvent) => net.hostEvent(encodeEvent(value));

beforeEach(() => {
  clock = new TestClock();
  host = new LoggingHost();
  net = new UserNet({ clock, host, forwards: false });
  guest = new GuestEnd(net);
});

function connected(client = new TcpClient(guest, FAR, 80)): TcpClient {
  client.send(TCP_SYN);
  event({ kind: 'connected', id: 1 });
  client.poll();
  host.take();
  return client;
}

describe('user-mode network', () => {
  it('answers ARP for its own stations only', () => {
    guest.arp(GATEWAY_IP);
    const [reply] = guest.take();
    const arp = parseArp(parseFrame(reply)!.payload)!;
    expect(arp).toMatchObject({ operation: 2, senderIp: GATEWAY_IP, targetIp: GUEST_IP, targetMac: MAC });
    expect([...arp.senderMac]).toEqual([0x52, 0x55, 10, 0, 2, 2]);
    expect(reply.length).toBe(60);
    guest.arp(FAR);
    guest.arp(GUEST_IP);
    expect(guest.take()).toEqual([]);
  });

  it('lets IPv6 go by: solicitations of routers and neighbours have no answer, and IPv4 goes on', () => {
    for (const kind of [133, 135]) {
      const frame = new Uint8Array(14 + 40 + 24);
      frame.set([0x33, 0x33, 0, 0, 0, 2, ...MAC, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 58, 255]);
      frame.set([0xfe, 0x80], 22);
      frame.set([0xff, 0x02], 38);
      frame[54] = kind;
      for (const bytes of [frame, frame.subarray(0, 54), frame.subarray(0, 14)]) net.fromGuest(bytes);
    }
    expect(guest.take()).toEqual([]);
    guest.arp(GATEWAY_IP);
    expect(guest.take()).toHaveLength(1);
  });

  it('gives the guest its address by DHCP', () => {
    const message = (kind: number, ...options: number[]) => {
      const bytes = new Uint8Array(300);
      bytes.set([1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef]);
      bytes.set(MAC, 28);
      bytes.set([0x63, 0x82, 0x53, 0x63, 53, 1, kind, ...options, 255], 236);
      guest.udp(0xffffffff, { fromPort: 68, toPort: 67, payload: bytes }, 0);
      const [packet] = guest.packets();
      return packet === undefined ? undefined : udpOf(packet).payload;
    };
    const offer = message(1)!;
    const view = new DataView(offer.buffer, offer.byteOffset);
    expect([view.getUint32(4), view.getUint32(16)]).toEqual([0xdeadbeef, GUEST_IP]);
    expect([...offer.subarray(236, 243)]).toEqual([0x63, 0x82, 0x53, 0x63, 53, 1, 2]);
    const text = Buffer.from(offer).toString('hex');
    expect(text).toContain('03040a000202');
    expect(text).toContain('06040a000203');
    expect(offer.subarray(44, 236).every((byte) => byte === 0)).toBe(true);
    expect(message(3, 50, 4, 10, 0, 2, 15)![242]).toBe(5);
    expect(message(3, 50, 4, 10, 0, 2, 99)![242]).toBe(6);
    expect(message(3, 54, 4, 1, 2, 3, 4)).toBeUndefined();
    expect(message(7)).toBeUndefined();
  });

  it('tells by DHCP what to boot, and how the guest is called', () => {
    const boot = { bootFile: 'grub/a.0', hostName: 'node' };
    guest = new GuestEnd(new UserNet({ clock, host, forwards: false, boot }));
    const bytes = new Uint8Array(300);
    bytes.set([1, 1, 6, 0]);
    bytes.set(MAC, 28);
    bytes.set([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255], 236);
    guest.udp(0xffffffff, { fromPort: 68, toPort: 67, payload: bytes }, 0);
    const offer = Buffer.from(udpOf(guest.packets()[0]).payload);
    expect(offer.readUInt32BE(20)).toBe(GATEWAY_IP);
    expect(offer.toString('latin1', 108, 118)).toBe('grub/a.0\0\0');
    expect(offer.toString('latin1')).toContain('\x0c\x04node');
  });

  it('answers echo requests at the gateway and refuses those to others', () => {
    const ping = Uint8Array.of(8, 0, 0xf7, 0xfd, 0, 1, 0, 1);
    guest.ip(GATEWAY_IP, PROTOCOL_ICMP, ping);
    guest.ip(FAR, PROTOCOL_ICMP, ping);
    const [reply, refusal] = guest.packets();
    expect([...reply.payload]).toEqual([0, 0, 0xff, 0xfd, 0, 1, 0, 1]);
    expect([refusal.from, refusal.payload[0], refusal.payload[1]]).toEqual([GATEWAY_IP, 3, 13]);
  });

  it('keeps a socket for each port of the guest and brings answers back, in fragments when they are long', () => {
    guest.udp(DNS_IP, { fromPort: 5000, toPort: 53, payload: Uint8Array.of(1, 2) });
    guest.udp(FAR, { fromPort: 5000, toPort: 7, payload: Uint8Array.of(3) });
    guest.udp(FAR, { fromPort: 5001, toPort: 7, payload: Uint8Array.of(3) });
    expect(host.take()).toEqual([`datagram 1 ${DNS_IP} 53 2`, `datagram 1 ${FAR} 7 1`, `datagram 2 ${FAR} 7 1`]);
    expect(net.waitsForHost).toBe(true);
    event({ kind: 'datagram', id: 1, address: DNS_IP, port: 53, bytes: Uint8Array.of(9) });
    const [packet] = guest.packets();
    expect(packet.from).toBe(DNS_IP);
    expect(udpOf(packet)).toMatchObject({ fromPort: 53, toPort: 5000, payload: Uint8Array.of(9) });
    event({ kind: 'datagram', id: 2, address: FAR, port: 7, bytes: new Uint8Array(4000) });
    const sizes = guest.take().map((bytes) => new DataView(bytes.buffer).getUint16(16));
    expect(sizes).toEqual([1500, 1500, 20 + 4008 - 2960]);
    expect(net.waitsForHost).toBe(false);
    // Broadcasts and strangers of the own network stay inside.
    guest.udp(ipv4('10.0.2.255'), { fromPort: 5000, toPort: 7, payload: Uint8Array.of(3) });
    guest.udp(ipv4('224.0.0.1'), { fromPort: 5000, toPort: 7, payload: Uint8Array.of(3) });
    expect(host.take()).toEqual([]);
  });

  it('sends nothing to port 0', () => {
    guest.udp(FAR, { fromPort: 5000, toPort: 0, payload: Uint8Array.of(1) });
    new TcpClient(guest, FAR, 0).send(TCP_SYN);
    expect(guest.segments()[0]).toMatchObject({ flags: TCP_RST | TCP_ACK });
    expect(host.take()).toEqual([]);
  });

  it('does not wait for an answer for ever', () => {
    guest.udp(DNS_IP, { fromPort: 5000, toPort: 53, payload: Uint8Array.of(1) });
    clock.advance(11_000_000_000);
    expect(net.waitsForHost).toBe(false);
  });
});

describe('TCP of the user-mode network', () => {
  it('opens when the host has connected, carries both ways and closes', () => {
    const client = new TcpClient(guest, FAR, 80);
    client.send(TCP_SYN);
    expect(host.take()).toEqual([`connect 1 ${FAR} 80`]);
    expect(guest.take()).toEqual([]);
    event({ kind: 'connected', id: 1 });
    client.poll();
    client.send(TCP_ACK | TCP_PSH, new TextEncoder().encode('GET /'));
    expect(host.take()).toEqual(['send 1 5']);
    event({ kind: 'room', id: 1, count: 5 });
    event({ kind: 'data', id: 1, bytes: new TextEncoder().encode('hello') });
    event({ kind: 'end', id: 1 });
    client.poll();
    expect([client.text(), client.ended]).toEqual(['hello', true]);
    client.send(TCP_ACK | TCP_FIN);
    expect(host.take()).toEqual(['end 1']);
    expect(net.waitsForHost).toBe(false);
  });

  it('keeps the order when the guest ends first, and lets the host go on sending', () => {
    const client = connected();
    client.send(TCP_ACK | TCP_FIN);
    expect(host.take()).toEqual(['end 1']);
    event({ kind: 'data', id: 1, bytes: Uint8Array.of(65, 66) });
    event({ kind: 'end', id: 1 });
    client.poll();
    expect([client.text(), client.ended, net.waitsForHost]).toEqual(['AB', true, false]);
  });

  it('refuses with RST what the host refuses, what is not open and what stays inside', () => {
    const client = new TcpClient(guest, FAR, 80);
    client.send(TCP_SYN);
    event({ kind: 'refused', id: 1 });
    client.poll();
    expect(client.reset).toBe(true);
    const stray = new TcpClient(guest, FAR, 81);
    stray.send(TCP_ACK);
    expect(guest.segments()[0].flags).toBe(TCP_RST);
    const inside = new TcpClient(guest, ipv4('10.0.2.77'), 80);
    inside.send(TCP_SYN);
    expect(guest.segments()[0]).toMatchObject({ flags: TCP_RST | TCP_ACK, acknowledgement: 1001 });
    expect(host.take()).toEqual([`connect 1 ${FAR} 80`]);
  });

  it('stays inside the window of the guest, and the guest inside that of the host', () => {
    const client = connected();
    client.window = 3000;
    client.send(TCP_ACK);
    event({ kind: 'data', id: 1, bytes: new Uint8Array(10_000) });
    expect(guest.segments().reduce((sum, { payload }) => sum + payload.length, 0)).toBe(3000);
    client.expected = (client.expected + 3000) >>> 0;
    client.send(TCP_ACK);
    expect(guest.segments().reduce((sum, { payload }) => sum + payload.length, 0)).toBe(3000);
    // Nothing drains: the 64 KiB that may be on the way fill up and the window shuts.
    for (let i = 0; i < 50; i++) client.send(TCP_ACK, new Uint8Array(1460));
    expect(host.sent.length).toBe(65535);
    expect(guest.segments().at(-1)!.window).toBe(0);
    event({ kind: 'room', id: 1, count: 65535 });
    expect(guest.segments().at(-1)!.window).toBe(65535);
  });

  it('pauses the host when the guest takes nothing, and resumes', () => {
    const client = connected();
    client.window = 0;
    client.send(TCP_ACK);
    event({ kind: 'data', id: 1, bytes: new Uint8Array(300 << 10).fill(7) });
    expect(host.take()).toEqual(['pause 1']);
    client.window = 60_000;
    client.send(TCP_ACK);
    while (client.poll() > 0);
    expect(client.received.length).toBe(300 << 10);
    expect(host.take()).toEqual(['resume 1']);
  });

  it('sends again what was lost', () => {
    const client = connected();
    event({ kind: 'data', id: 1, bytes: Uint8Array.of(1, 2, 3) });
    event({ kind: 'end', id: 1 });
    guest.take();
    clock.advance(999_000_000);
    expect(guest.frames).toEqual([]);
    clock.advance(2_000_000);
    client.poll();
    expect([client.received, client.ended]).toEqual([[1, 2, 3], true]);
    clock.advance(10_000_000_000);
    expect(guest.take()).toEqual([]);
  });

  it('gives up a guest that is gone, and all connections when the machine is reset', () => {
    connected();
    event({ kind: 'data', id: 1, bytes: Uint8Array.of(1) });
    clock.advance(12_500_000_000);
    expect([host.take(), net.waitsForHost]).toEqual([[], true]);
    clock.advance(1_000_000_000);
    expect([host.take(), net.waitsForHost]).toEqual([['abort 1'], false]);
    new TcpClient(guest, FAR, 80).send(TCP_SYN);
    guest.udp(FAR, { fromPort: 5000, toPort: 7, payload: Uint8Array.of(3) });
    host.take();
    net.reset();
    expect([host.take(), net.waitsForHost]).toEqual([['abort 2', 'close 3'], false]);
    event({ kind: 'connected', id: 2 });
    expect(guest.segments().filter(({ flags }) => flags & TCP_SYN)).toEqual([]);
  });

  it('takes a byte once, whatever the guest repeats or sends too early', () => {
    const client = connected();
    const start = client.next;
    client.send(TCP_ACK, Uint8Array.of(1, 2, 3));
    client.next = start + 1;
    client.send(TCP_ACK, Uint8Array.of(2, 3, 4));
    client.next = start + 100;
    client.send(TCP_ACK, Uint8Array.of(9));
    expect(host.sent).toEqual([1, 2, 3, 4]);
    expect(guest.segments().at(-1)!.acknowledgement).toBe(start + 4);
  });

  it('aborts by RST of the guest in its window only', () => {
    const client = connected();
    client.next += 5;
    client.send(TCP_RST);
    expect(host.take()).toEqual([]);
    client.next -= 5;
    client.send(TCP_RST);
    expect(host.take()).toEqual(['abort 1']);
    expect(net.waitsForHost).toBe(false);
  });

  it('brings connections to forwarded ports into the guest', () => {
    event({ kind: 'accepted', id: FIRST_ACCEPTED_ID, guestPort: 22 });
    const [syn] = guest.segments();
    expect(syn).toMatchObject({ flags: TCP_SYN, toPort: 22 });
    event({ kind: 'data', id: FIRST_ACCEPTED_ID, bytes: Uint8Array.of(88) });
    guest.tcp(GATEWAY_IP, {
      ...{ fromPort: 22, toPort: syn.fromPort, sequence: 500, acknowledgement: syn.sequence + 1 },
      ...{ flags: TCP_SYN | TCP_ACK, window: 1000, mss: 1460, payload: new Uint8Array(0) },
    });
    const after = guest.segments();
    expect(after[0]).toMatchObject({ flags: TCP_ACK, acknowledgement: 501 });
    expect([...after[1].payload]).toEqual([88]);
  });

  it('comes back from a snapshot in the middle', () => {
    const client = connected();
    event({ kind: 'data', id: 1, bytes: Uint8Array.of(1, 2) });
    const saved = structuredClone(net.save());
    guest.take();
    net = new UserNet({ clock, host, forwards: false });
    const other = new GuestEnd(net);
    net.load(saved);
    (client as { guest: GuestEnd }).guest = other;
    event({ kind: 'data', id: 1, bytes: Uint8Array.of(3) });
    clock.advance(2_000_000_000);
    while (client.poll() > 0);
    expect(client.received).toEqual([1, 2, 3]);
  });

  it('survives frames of random bytes', () => {
    let x = 0x1234567;
    const next = (below: number) => {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      return (x >>> 0) % below;
    };
    const client = connected();
    for (let i = 0; i < 5000; i++) {
      const frame = Uint8Array.from({ length: next(120) }, () => next(256));
      if (frame.length > 14) frame.set([8, next(4) === 0 ? 6 : 0], 12);
      if (frame.length > 34) frame[14] = 0x45 + next(3);
      net.fromGuest(frame);
      guest.ip(next(2) === 0 ? FAR : GATEWAY_IP, [1, 6, 17][next(3)], frame);
    }
    guest.take();
    client.send(TCP_ACK, Uint8Array.of(5));
    expect(host.sent).toEqual([5]);
  });
});
