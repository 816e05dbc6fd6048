/** The host's end of the user-mode network: TCP and UDP sockets, forwarded ports, the host's name server. */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { getServers } from 'node:dns';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { encodeEvent, FIRST_ACCEPTED_ID, type HostEvent, type HostNetwork } from '../../net/host-network.js';
import { type Ipv4, ipv4, ipv4Text } from '../../net/packet.js';
import { DNS_IP, GATEWAY_IP, HOST_LOOPBACK } from '../../net/user-net.js';
import { TftpServer } from './tftp-server.js';

/** A port of the host that leads to a port of the guest. */
export interface PortForward {
  address: string;
  port: number;
  guestPort: number;
}

const DNS_PORT = 53;
const TFTP_PORT = 69;

export class UserSockets implements HostNetwork {
  /** Set by the machine: takes an event as bytes. */
  onEvent: (bytes: Uint8Array) => void = () => {};
  private readonly streams = new Map<number, Socket>();
  private readonly datagrams = new Map<number, DatagramSocket>();
  private readonly servers: Server[] = [];
  private nextAccepted = FIRST_ACCEPTED_ID;
  private closed = false;
  private tftp: TftpServer | undefined;

  /** Lets the guest read the files of a folder by TFTP from the gateway. @throws Error of the system when there is no such folder */
  serveFiles(folder: string): void {
    this.tftp = new TftpServer(folder, (id, bytes) =>
      this.emit({ kind: 'datagram', id, address: GATEWAY_IP, port: TFTP_PORT, bytes }),
    );
  }

  private emit(event: HostEvent): void {
    if (!this.closed) this.onEvent(encodeEvent(event));
  }

  /** Opens a forwarded port. @throws Error of the system, such as EADDRINUSE. */
  listen({ address, port, guestPort }: PortForward): Promise<number> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, (socket) => {
      const id = this.nextAccepted++;
      this.emit({ kind: 'accepted', id, guestPort });
      this.adopt(id, socket);
    });
    this.servers.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, address, () => {
        server.off('error', reject);
        server.on('error', () => {});
        resolve((server.address() as { port: number }).port);
      });
    });
  }

  connect(id: number, address: Ipv4, port: number): void {
    const socket = connect({ host: this.target(address), port, allowHalfOpen: true });
    let connected = false;
    socket.once('connect', () => {
      connected = true;
      this.emit({ kind: 'connected', id });
    });
    this.adopt(id, socket, () => connected);
  }

  private adopt(id: number, socket: Socket, connected: () => boolean = () => true): void {
    this.streams.set(id, socket);
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.emit({ kind: 'data', id, bytes: new Uint8Array(bytes) }));
    socket.on('end', () => this.emit({ kind: 'end', id }));
    socket.on('error', () => this.emit({ kind: connected() ? 'error' : 'refused', id }));
    socket.on('close', () => this.streams.delete(id));
  }

  send(id: number, bytes: Uint8Array): void {
    this.streams.get(id)?.write(bytes, () => this.emit({ kind: 'room', id, count: bytes.length }));
  }

  end(id: number): void {
    this.streams.get(id)?.end();
  }

  abort(id: number): void {
    const socket = this.streams.get(id);
    this.streams.delete(id);
    socket?.removeAllListeners();
    socket?.on('error', () => {});
    socket?.destroy();
  }

  pause(id: number, paused: boolean): void {
    const socket = this.streams.get(id);
    if (paused) socket?.pause();
    else socket?.resume();
  }

  sendDatagram(id: number, address: Ipv4, port: number, bytes: Uint8Array): void {
    if (this.tftp && port === TFTP_PORT && address === GATEWAY_IP) {
      this.tftp.receive(id, bytes);
      return;
    }
    this.datagramSocket(id).send(bytes, port, this.target(address), () => {
      // What cannot be sent is lost, as on a network.
    });
  }

  private datagramSocket(id: number): DatagramSocket {
    const known = this.datagrams.get(id);
    if (known) return known;
    const socket = createSocket('udp4');
    socket.on('message', (bytes, { address, port }) => {
      this.emit({ kind: 'datagram', id, address: this.source(address, port), port, bytes: new Uint8Array(bytes) });
    });
    socket.on('error', () => {});
    this.datagrams.set(id, socket);
    return socket;
  }

  closeDatagrams(id: number): void {
    this.tftp?.forget(id);
    this.datagrams.get(id)?.close();
    this.datagrams.delete(id);
  }

  /** The network's own addresses stand for the host and for its name server. */
  private target(address: Ipv4): string {
    if (address === GATEWAY_IP) return ipv4Text(HOST_LOOPBACK);
    return address === DNS_IP ? nameServer() : ipv4Text(address);
  }

  private source(address: string, port: number): Ipv4 {
    if (port === DNS_PORT && address === nameServer()) return DNS_IP;
    const value = ipv4(address);
    return value >>> 24 === 127 ? GATEWAY_IP : value;
  }

  close(): void {
    this.closed = true;
    this.tftp?.close();
    for (const server of this.servers) server.close();
    for (const socket of this.streams.values()) socket.destroy();
    for (const socket of this.datagrams.values()) socket.close();
    this.streams.clear();
    this.datagrams.clear();
  }
}

/** The first IPv4 name server that the host is set up with. */
function nameServer(): string {
  const plain = getServers().find((server) => /^\d+\.\d+\.\d+\.\d+$/.test(server));
  return plain ?? ipv4Text(HOST_LOOPBACK);
}
