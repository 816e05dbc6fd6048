/**
 * What the user-mode network asks of the host, and what the host tells it. Commands go out at once; events enter the
 * machine through the journal as bytes, so that a repeated run needs no host.
 */
import type { Ipv4 } from './packet.js';

/** Sockets of the host. Ids of outgoing ones are chosen by the network, those of accepted ones by the host. */
export interface HostNetwork {
  connect(id: number, address: Ipv4, port: number): void;
  /** Bytes for a connection; an event `room` tells when they have left. */
  send(id: number, bytes: Uint8Array): void;
  /** No more bytes follow. */
  end(id: number): void;
  abort(id: number): void;
  /** Stops or goes on reading from the connection. */
  pause(id: number, paused: boolean): void;
  /** A datagram from the socket with this id, which is made when it is new. */
  sendDatagram(id: number, address: Ipv4, port: number, bytes: Uint8Array): void;
  closeDatagrams(id: number): void;
}

export type HostEvent =
  | { kind: 'connected' | 'refused' | 'end' | 'error'; id: number }
  | { kind: 'data'; id: number; bytes: Uint8Array }
  /** So many bytes given to `send` have left. */
  | { kind: 'room'; id: number; count: number }
  /** A connection to a forwarded port came in. */
  | { kind: 'accepted'; id: number; guestPort: number }
  | { kind: 'datagram'; id: number; address: Ipv4; port: number; bytes: Uint8Array };

const KINDS = ['connected', 'refused', 'end', 'error', 'data', 'room', 'accepted', 'datagram'] as const;
const HEAD_BYTES = 5;

/** Ids from here on are the host's. */
export const FIRST_ACCEPTED_ID = 0x8000_0000;

/** kind u8, id u32, then what the kind has. */
export function encodeEvent(event: HostEvent): Uint8Array {
  const tail = event.kind === 'data' || event.kind === 'datagram' ? event.bytes : new Uint8Array(0);
  const extra = event.kind === 'room' ? 4 : event.kind === 'accepted' ? 2 : event.kind === 'datagram' ? 6 : 0;
  const bytes = new Uint8Array(HEAD_BYTES + extra + tail.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = KINDS.indexOf(event.kind);
  view.setUint32(1, event.id);
  if (event.kind === 'room') view.setUint32(HEAD_BYTES, event.count);
  else if (event.kind === 'accepted') view.setUint16(HEAD_BYTES, event.guestPort);
  else if (event.kind === 'datagram') {
    view.setUint32(HEAD_BYTES, event.address);
    view.setUint16(HEAD_BYTES + 4, event.port);
  }
  bytes.set(tail, HEAD_BYTES + extra);
  return bytes;
}

/** @throws RangeError when the bytes are no event. */
export function decodeEvent(bytes: Uint8Array): HostEvent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = KINDS[bytes[0]];
  const id = view.getUint32(1);
  switch (kind) {
    case 'connected':
    case 'refused':
    case 'end':
    case 'error':
      return { kind, id };
    case 'data':
      return { kind, id, bytes: bytes.subarray(HEAD_BYTES) };
    case 'room':
      return { kind, id, count: view.getUint32(HEAD_BYTES) };
    case 'accepted':
      return { kind, id, guestPort: view.getUint16(HEAD_BYTES) };
    case 'datagram':
      return {
        ...{ kind, id },
        address: view.getUint32(HEAD_BYTES),
        port: view.getUint16(HEAD_BYTES + 4),
        bytes: bytes.subarray(HEAD_BYTES + 6),
      };
    default:
      throw new RangeError(`network event of kind ${bytes[0]}`);
  }
}

/** A host without a network: every connection is refused. For repeated runs, whose events are in the journal. */
export const NO_HOST: HostNetwork = {
  connect: () => {},
  send: () => {},
  end: () => {},
  abort: () => {},
  pause: () => {},
  sendDatagram: () => {},
  closeDatagrams: () => {},
};
