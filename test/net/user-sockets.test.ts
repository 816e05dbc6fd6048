import { createSocket } from 'node:dgram';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { UserSockets } from '../../src/engine/host/net/user-sockets.js';
import { NO_HOST } from '../../src/engine/net/host-network.js';
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_SYN } from '../../src/engine/net/packet.js';
import { GATEWAY_IP, UserNet } from '../../src/engine/net/user-net.js';
import { TestClock } from '../devices/rig.js';
import { GuestEnd, TcpClient, udpOf } from './guest-end.js';

let cleanup: (() => void)[] = [];
afterEach(() => {
  for (const action of cleanup.reverse()) action();
  cleanup = [];
});

function machine() {
  const sockets = new UserSockets();
  cleanup.push(() => sockets.close());
  const net = new UserNet({ clock: new TestClock(), host: sockets, forwards: false });
  const events: Uint8Array[] = [];
  sockets.onEvent = (bytes) => {
    events.push(bytes);
    net.hostEvent(bytes);
  };
  return { sockets, net, events, guest: new GuestEnd(net) };
}

async function until(condition: () => boolean): Promise<void> {
  let holds = condition();
  for (let i = 0; i < 500 && !holds; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    holds = condition();
  }
  expect(holds).toBe(true);
}

describe('sockets of the user-mode network', () => {
  it('connect the guest to a server of the host, and a repeated run needs no host', async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('data', (bytes) => socket.write(Buffer.from(bytes.toString().toUpperCase().repeat(2000))));
      socket.on('end', () => socket.end('bye'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanup.push(() => server.close());
    const { port } = server.address() as AddressInfo;

    const { guest, events } = machine();
    const client = new TcpClient(guest, GATEWAY_IP, port);
    client.window = 60_000;
    client.send(TCP_SYN);
    await until(() => client.poll() > 0);
    client.send(TCP_ACK | TCP_PSH, new TextEncoder().encode('abc'));
    await until(() => {
      client.poll();
      return client.received.length === 6000;
    });
    client.send(TCP_ACK | TCP_FIN);
    await until(() => {
      client.poll();
      return client.ended;
    });
    const heard = client.text();
    expect(heard.slice(0, 6)).toBe('ABCABC');
    expect(heard.slice(6000)).toBe('bye');

    const net = new UserNet({ clock: new TestClock(), host: NO_HOST, forwards: false });
    const again = new TcpClient(new GuestEnd(net), GATEWAY_IP, port);
    again.window = 60_000;
    again.send(TCP_SYN);
    for (const [i, bytes] of events.entries()) {
      net.hostEvent(bytes);
      while (again.poll() > 0);
      if (i === 0) again.send(TCP_ACK | TCP_PSH, new TextEncoder().encode('abc'));
      if (again.received.length === 6000) again.send(TCP_ACK | TCP_FIN);
    }
    expect(again.text()).toBe(heard);
  });

  it('tell that nobody listens', async () => {
    const { guest } = machine();
    const client = new TcpClient(guest, GATEWAY_IP, 1);
    client.send(TCP_SYN);
    await until(() => {
      client.poll();
      return client.reset;
    });
  });

  it('carry datagrams to the host and back', async () => {
    const echo = createSocket('udp4');
    echo.on('message', (bytes, from) => echo.send(`${bytes}!`, from.port, from.address));
    await new Promise<void>((resolve) => echo.bind(0, '127.0.0.1', resolve));
    cleanup.push(() => echo.close());
    const { guest } = machine();
    const toPort = echo.address().port;
    guest.udp(GATEWAY_IP, { fromPort: 777, toPort, payload: new TextEncoder().encode('ping') });
    await until(() => guest.frames.length > 0);
    const [packet] = guest.packets();
    expect(packet.from).toBe(GATEWAY_IP);
    const answer = udpOf(packet);
    expect([answer.fromPort, answer.toPort, Buffer.from(answer.payload).toString()]).toEqual([toPort, 777, 'ping!']);
  });

  it('forward a port of the host to the guest', async () => {
    const { sockets, guest } = machine();
    const port = await sockets.listen({ address: '127.0.0.1', port: 0, guestPort: 22 });
    const heard: Buffer[] = [];
    const outside: Socket = connect(port, '127.0.0.1');
    outside.on('data', (bytes) => heard.push(bytes));
    outside.write('hi');
    cleanup.push(() => outside.destroy());
    await until(() => guest.frames.length > 0);
    const [syn] = guest.segments();
    const server = new TcpClient(guest, GATEWAY_IP, syn.fromPort, 22);
    server.expected = (syn.sequence + 1) >>> 0;
    server.send(TCP_SYN | TCP_ACK);
    await until(() => {
      server.poll();
      return server.text() === 'hi';
    });
    server.send(TCP_ACK | TCP_PSH, new TextEncoder().encode('SSH-2.0'));
    await until(() => Buffer.concat(heard).toString() === 'SSH-2.0');
    await expect(sockets.listen({ address: '127.0.0.1', port, guestPort: 23 })).rejects.toThrow('EADDRINUSE');
  });
});
