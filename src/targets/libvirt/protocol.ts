/**
 * libvirt's remote protocol: numbers of programs and procedures, and the messages that vmscope sends and reads.
 * Called internal by libvirt, yet at version 1 since 2007 with additions only; Go's and Rust's clients rest on it too.
 */
import { XdrError, type XdrReader, type XdrWriter } from './xdr.js';

export const REMOTE_PROGRAM = 0x20008086;
export const QEMU_PROGRAM = 0x20008087;
export const KEEPALIVE_PROGRAM = 0x6b656570;
export const PROTOCOL_VERSION = 1;

/** Largest packet of libvirtd with its length: VIR_NET_MESSAGE_MAX 32 MiB, and the header. */
export const MAX_PACKET_BYTES = 33_554_460;
/** Length, program, version, procedure, type, serial, status. */
export const HEADER_BYTES = 28;

export const MESSAGE_TYPE = { call: 0, reply: 1, message: 2, stream: 3 } as const;
export const STATUS = { ok: 0, error: 1, continue: 2 } as const;

/** Procedures of REMOTE_PROGRAM. */
export const PROCEDURE = {
  open: 1,
  close: 2,
  nodeGetInfo: 6,
  domainDestroy: 12,
  domainGetXmlDesc: 14,
  domainLookupByName: 23,
  domainReboot: 27,
  domainResume: 28,
  domainShutdown: 33,
  domainSuspend: 34,
  getHostname: 59,
  authList: 66,
  authPolkit: 70,
  domainOpenConsole: 201,
  nodeGetCpuStats: 227,
  domainReset: 245,
  domainGetCpuStats: 262,
  listAllDomains: 273,
  domainGetJobStats: 298,
  getAllDomainStats: 344,
  domainInterfaceAddresses: 353,
} as const;

/** Procedures of QEMU_PROGRAM. */
export const QEMU_PROCEDURE = { monitorCommand: 1, agentCommand: 3, eventRegister: 4, event: 6 } as const;

/** Procedures of KEEPALIVE_PROGRAM. */
export const KEEPALIVE = { ping: 1, pong: 2 } as const;

export const AUTH = { none: 0, sasl: 1, polkit: 2 } as const;

/** VIR_DOMAIN_STATS_* and the flag to leave out what would have to wait for a guest. */
export const STATS = {
  state: 1,
  cpu: 2,
  balloon: 4,
  vcpu: 8,
  interface: 16,
  block: 32,
  /** Not asked for by bulk looks: its groups wait for QEMU. */
  vm: 1024,
  memory: 256,
  nowait: 1 << 29,
} as const;

/** @see VIR_ERR_* of virterror.h */
export const ERROR = { noDomain: 42, operationDenied: 29, authUnavailable: 79, timeout: 68 } as const;

export interface DomainName {
  name: string;
  uuid: Buffer;
  /** -1 while it is not active. */
  id: number;
}

export type ParameterValue = bigint | number | string | boolean;
export type Parameters = Map<string, ParameterValue>;

export interface DomainStats {
  domain: DomainName;
  parameters: Parameters;
}

/** What libvirt answered instead of a result. */
export class LibvirtError extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

const MAX_DOMAINS = 16_384;
const MAX_PARAMETERS = 65_536;

export function readDomain(reader: XdrReader): DomainName {
  return { name: reader.string(), uuid: Buffer.from(reader.opaque(16)), id: reader.int() };
}

export function writeDomain(writer: XdrWriter, domain: DomainName): void {
  writer.string(domain.name).opaque(domain.uuid).int(domain.id);
}

export function readDomains(reader: XdrReader): DomainName[] {
  return reader.array(MAX_DOMAINS, 24, readDomain);
}

/** The typed parameter's union. @see virTypedParameterType */
function readValue(reader: XdrReader): ParameterValue {
  const type = reader.int();
  switch (type) {
    case 1:
      return reader.int();
    case 2:
      return reader.uint();
    case 3:
      return reader.hyper();
    case 4:
      return reader.uhyper();
    case 5:
      return reader.double();
    case 6:
      return reader.int() !== 0;
    case 7:
      return reader.string();
    default:
      throw new XdrError(`a parameter of type ${type}`);
  }
}

export const readParameter = (reader: XdrReader): [field: string, value: ParameterValue] => [
  reader.string(),
  readValue(reader),
];

/** Typed parameters by field; of a field that comes twice the last. */
export function readParameters(reader: XdrReader): Parameters {
  return new Map(reader.array(MAX_PARAMETERS, 12, readParameter));
}

export function readDomainStats(reader: XdrReader): DomainStats[] {
  return reader.array(MAX_DOMAINS, 28, () => {
    const domain = readDomain(reader);
    return { domain, parameters: readParameters(reader) };
  });
}

export function readError(reader: XdrReader): LibvirtError {
  const code = reader.int();
  reader.int();
  const message = reader.optional((from) => from.string());
  return new LibvirtError(code, message ?? `error ${code}`);
}

export interface NodeInfo {
  model: string;
  /** KiB */
  memory: bigint;
  cpus: number;
  mhz: number;
}

export function readNodeInfo(reader: XdrReader): NodeInfo {
  // A C array of characters, each of which XDR makes four bytes.
  const characters: number[] = [];
  for (let n = 0; n < 32; n++) characters.push(reader.int());
  const end = characters.indexOf(0);
  const model = String.fromCharCode(...characters.slice(0, end < 0 ? 32 : end).map((code) => code & 0xff));
  const info = { model, memory: reader.uhyper(), cpus: reader.int(), mhz: reader.int() };
  if (info.cpus < 1 || info.cpus > 1e6) throw new XdrError(`a host of ${info.cpus} CPUs`);
  return info;
}
