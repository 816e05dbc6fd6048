import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import type { PortForward } from '../engine/host/net/user-sockets.js';
import { BOOT_FILE_BYTES } from '../engine/net/dhcp.js';
import { NET_MODELS, type NetModel } from '../engine/vmm/cards.js';
import { UsageError } from './options.js';

/** The network of the command line: crosses to the engine's thread. */
export interface NetArgument {
  /** Absent: a virtio card. */
  model?: NetModel;
  mac: number[];
  forwards: PortForward[];
  /** Folder that the guest reads by TFTP. */
  tftp?: string;
  /** File that DHCP tells the guest to boot. */
  bootFile?: string;
  /** Name that DHCP gives the guest. */
  hostName?: string;
}

const USE = `none or user[,model=${NET_MODELS.join('|')}][,tftp=FOLDER][,bootfile=FILE][,hostname=NAME][,hostfwd=tcp:[ADDRESS]:PORT-[GUEST]:PORT][,mac=XX:XX:XX:XX:XX:XX]`;
/** QEMU's other words for the same cards. */
const MODEL_WORDS: Readonly<Record<string, NetModel>> = {
  ...Object.fromEntries(NET_MODELS.map((model) => [model, model])),
  'virtio-net-pci': 'virtio',
  'virtio-net': 'virtio',
  'e1000-82540em': 'e1000',
};
/** As QEMU's first card. */
const DEFAULT_MAC = '52:54:00:12:34:56';
const GUEST_ADDRESS = '10.0.2.15';

/** --net's value; undefined for none. @throws UsageError */
export function parseNet(text: string): NetArgument | undefined {
  if (text === 'none') return undefined;
  const fail = (why: string): never => {
    throw new UsageError(`--net ${text}: ${why}; usage: ${USE}`);
  };
  // a comma in a name is doubled, as for QEMU
  const [kind, ...rest] = text.split(/(?<!,),(?!,)/).map((part) => part.replaceAll(',,', ','));
  if (kind !== 'user') fail(`${kind} is not a kind of network`);
  const net: NetArgument = { mac: [], forwards: [] };
  let mac = DEFAULT_MAC;
  for (const part of rest) {
    const [key, value] = part.split(/=(.*)/s, 2) as [string, string | undefined];
    if (key === 'hostfwd')
      net.forwards.push(parseForward(value ?? '') ?? fail(`hostfwd=${value ?? ''} is not a forward`));
    else if (key === 'mac') mac = value ?? '';
    else if (key === 'model')
      net.model = MODEL_WORDS[value ?? ''] ?? fail(`model=${value ?? ''} is not ${NET_MODELS.join(' or ')}`);
    else if (key === 'tftp') net.tftp = folderOf(value) ?? fail(`tftp=${value ?? ''} is not a folder`);
    else if (key === 'bootfile') {
      if (!value || Buffer.byteLength(value) >= BOOT_FILE_BYTES)
        fail(`bootfile=${value ?? ''} is not a name of 1 to ${BOOT_FILE_BYTES - 1} bytes`);
      net.bootFile = value!;
    } else if (key === 'hostname') {
      if (!/^[a-z0-9][a-z0-9.-]{0,62}$/i.test(value ?? '')) fail(`hostname=${value ?? ''} is not a name of a host`);
      net.hostName = value!;
    } else if (part === 'ipv6=on' || key.startsWith('ipv6-'))
      fail(`${part}: the network is IPv4 alone, and no router answers a guest's IPv6`);
    else if (!/^(ipv4=on|ipv6=off)$/.test(part)) fail(`${key} is not an option`);
  }
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) fail(`mac=${mac} is not an address`);
  net.mac = mac.split(':').map((byte) => Number.parseInt(byte, 16));
  if (net.mac[0] & 1) fail(`mac=${mac} is a group's address`);
  return net;
}

function folderOf(path: string | undefined): string | undefined {
  try {
    return path && statSync(path).isDirectory() ? path : undefined;
  } catch {
    return undefined;
  }
}

/** tcp:[ADDRESS]:PORT-[GUEST]:PORT as QEMU writes it; the loopback address unless another one is given. */
function parseForward(text: string): PortForward | undefined {
  const match = /^tcp:([^:]*):(\d+)-([^:]*):(\d+)$/.exec(text);
  if (!match) return undefined;
  const [, address, port, guest, guestPort] = match;
  const portIs = (value: string, least: number) => Number(value) >= least && Number(value) <= 65535;
  if (!portIs(port, 0) || !portIs(guestPort, 1)) return undefined;
  if ((address !== '' && isIP(address) !== 4) || (guest !== '' && guest !== GUEST_ADDRESS)) return undefined;
  return { address: address || '127.0.0.1', port: Number(port), guestPort: Number(guestPort) };
}
