/** A DHCP server with one address to give. @rfc 2131 */
import { type Ipv4, ipv4 } from './packet.js';

const OPTIONS = 240;
const MAGIC = 0x63825363;
const OPTION_MASK = 1;
const OPTION_ROUTER = 3;
const OPTION_DNS = 6;
const OPTION_HOST_NAME = 12;
const OPTION_REQUESTED = 50;
const OPTION_LEASE = 51;
const OPTION_TYPE = 53;
const OPTION_SERVER = 54;
const OPTION_END = 255;

const DISCOVER = 1;
const OFFER = 2;
const REQUEST = 3;
const ACK = 5;
const NAK = 6;
const INFORM = 8;

const LEASE_SECONDS = 86_400;

/** Place and size of the boot file's name. */
const FILE = 108;
export const BOOT_FILE_BYTES = 128;

/** What a client is told beside its address. */
export interface BootOffer {
  /** File that it boots, which it reads from the server by TFTP; less than BOOT_FILE_BYTES. */
  bootFile?: string | undefined;
  hostName?: string | undefined;
}

export interface DhcpOffer extends BootOffer {
  client: Ipv4;
  server: Ipv4;
  dns: Ipv4;
}

/** The server's answer to a message; undefined when it wants none. */
export function dhcpReply(message: Uint8Array, offer: DhcpOffer): Uint8Array | undefined {
  const { client, server, dns, bootFile, hostName } = offer;
  if (message.length < OPTIONS + 1 || message[0] !== 1) return undefined;
  const v = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (v.getUint32(236) !== MAGIC) return undefined;
  const options = readOptions(message.subarray(OPTIONS));
  const kind = options.get(OPTION_TYPE)?.[0];
  if (kind !== DISCOVER && kind !== REQUEST && kind !== INFORM) return undefined;
  const chosen = address(options.get(OPTION_SERVER));
  // The client took another server's offer.
  if (kind === REQUEST && chosen !== undefined && chosen !== server) return undefined;
  const wanted = address(options.get(OPTION_REQUESTED)) ?? v.getUint32(12);
  const answer = kind === DISCOVER ? OFFER : kind === INFORM || wanted === client ? ACK : NAK;

  const name = Buffer.from(hostName ?? '').subarray(0, 255);
  const reply = new Uint8Array(300 + name.length);
  const r = new DataView(reply.buffer);
  reply.set(message.subarray(0, OPTIONS));
  reply[0] = 2;
  reply[3] = 0;
  r.setUint32(16, answer === NAK || kind === INFORM ? 0 : client);
  r.setUint32(20, server);
  reply.fill(0, 44, 236);
  let at = OPTIONS;
  const put = (option: number, ...bytes: number[]) => {
    reply.set([option, bytes.length, ...bytes], at);
    at += 2 + bytes.length;
  };
  const word = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
  put(OPTION_TYPE, answer);
  put(OPTION_SERVER, ...word(server));
  if (answer !== NAK) {
    if (kind !== INFORM) put(OPTION_LEASE, ...word(LEASE_SECONDS));
    put(OPTION_MASK, ...word(ipv4('255.255.255.0')));
    put(OPTION_ROUTER, ...word(server));
    put(OPTION_DNS, ...word(dns));
    if (name.length > 0) put(OPTION_HOST_NAME, ...name);
    reply.set(Buffer.from(bootFile ?? '').subarray(0, BOOT_FILE_BYTES - 1), FILE);
  }
  reply[at] = OPTION_END;
  return reply;
}

function readOptions(bytes: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length && bytes[at] !== OPTION_END; ) {
    if (bytes[at] === 0) {
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    options.set(bytes[at], bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return options;
}

function address(bytes: Uint8Array | undefined): Ipv4 | undefined {
  return bytes?.length === 4 ? bytes.reduce((value, byte) => value * 256 + byte, 0) : undefined;
}
