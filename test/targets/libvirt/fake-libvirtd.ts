/** A libvirtd of this file's own making: answers from a table of domains, and can be told to misbehave. */
import { createServer, type Server, type Socket } from 'node:net';
import { PROCEDURE, REMOTE_PROGRAM } from '../../../src/targets/libvirt/protocol.js';
import { XdrReader, XdrWriter } from '../../../src/targets/libvirt/xdr.js';

export interface FakeDomain {
  name: string;
  id: number;
  /** Typed parameters: bigint u64, number u32, text. */
  parameters: Record<string, bigint | number | string>;
  /** What its job tells, with its type; ns by CPU of the host and of its vCPUs there; its addresses. */
  job?: { type: number; parameters: Record<string, bigint | number> };
  pcpu?: [bigint, bigint][];
  addresses?: Record<string, string[]>;
  /** The same by its agent, which only a connection that may write is told; 'hangs': it never answers. */
  agent?: Record<string, string[]> | 'hangs';
  /** Waiting questions about it get no answer until this is cleared. */
  hangs?: boolean;
}

export type Fault = 'none' | 'silent' | 'cut' | 'length' | 'short' | 'serial' | 'error' | 'count' | 'close';

export class FakeLibvirtd {
  fault: Fault = 'none';
  /** Most waiting questions about one domain that were open at the same time. */
  mostAtOnce = 0;
  calls: number[] = [];
  readonly sockets = new Set<Socket>();
  /** Connections that may change something. */
  readonly writers = new Set<Socket>();
  private held: (() => void)[] = [];

  private constructor(
    readonly path: string,
    private readonly server: Server,
    public domains: FakeDomain[],
  ) {}

  static async start(path: string, domains: FakeDomain[]): Promise<FakeLibvirtd> {
    let fake!: FakeLibvirtd;
    const server = createServer((socket) => fake.serve(socket));
    fake = new FakeLibvirtd(path, server, domains);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return fake;
  }

  /** Answers what has been held back. */
  release(): void {
    for (const domain of this.domains) domain.hangs = false;
    for (const answer of this.held.splice(0)) answer();
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
    let held = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      held = Buffer.concat([held, bytes]);
      while (held.length >= 4 && held.length >= held.readUInt32BE(0)) {
        const packet = held.subarray(0, held.readUInt32BE(0));
        held = held.subarray(packet.length);
        const reader = new XdrReader(packet.subarray(12));
        const procedure = reader.int();
        reader.int();
        this.answer(socket, procedure, reader.uint(), new XdrReader(packet.subarray(28)));
      }
    });
  }

  private answer(socket: Socket, procedure: number, serial: number, body: XdrReader): void {
    this.calls.push(procedure);
    const opening = procedure === PROCEDURE.authList || procedure === PROCEDURE.open;
    if (this.fault === 'silent' && !opening) return;
    const send = (result: XdrWriter, status = 0): void => {
      const bytes = result.bytes();
      const header = new XdrWriter()
        .uint(28 + bytes.length)
        .uint(REMOTE_PROGRAM)
        .uint(1)
        .int(procedure)
        .int(1);
      header.uint(this.fault === 'serial' && !opening ? serial + 77 : serial).int(status);
      const packet = Buffer.concat([header.bytes(), bytes]);
      if (this.fault === 'length' && !opening) packet.writeUInt32BE(0xfffffff0, 0);
      if (this.fault === 'short' && !opening) packet.writeUInt32BE(5, 0);
      if (this.fault === 'cut' && !opening) {
        socket.end(packet.subarray(0, packet.length - 7));
        return;
      }
      // In pieces, as a network may deliver it.
      socket.write(packet.subarray(0, 9));
      socket.write(packet.subarray(9));
    };
    if (this.fault === 'close' && !opening) {
      socket.destroy();
      return;
    }
    if (this.fault === 'error' && !opening) {
      const error = new XdrWriter()
        .int(38)
        .int(7)
        .optional('no \x1b[2Jway', (w, text) => w.string(text));
      send(error.int(2).uint(0).uint(0).uint(0).uint(0).int(0).int(0).uint(0), 1);
      return;
    }
    if (procedure === PROCEDURE.authList) send(new XdrWriter().array([0], (w, type) => w.int(type)));
    else if (procedure === PROCEDURE.open) {
      body.optional((name) => name.string());
      if ((body.uint() & 1) === 0) this.writers.add(socket);
      send(new XdrWriter());
    } else if (procedure === PROCEDURE.nodeGetInfo) {
      const info = new XdrWriter();
      for (let n = 0; n < 32; n++) info.int('x86_64'.charCodeAt(n) || 0);
      send(info.uhyper(8_388_608n).int(4).int(2600).int(1).int(1).int(4).int(1));
    } else if (procedure === PROCEDURE.getHostname) send(new XdrWriter().string('fakehost'));
    else if (procedure === PROCEDURE.nodeGetCpuStats) {
      const fields = ['kernel', 'user', 'idle', 'iowait'];
      send(new XdrWriter().array(fields, (w, field) => w.string(field).uhyper(1000n)).int(4));
    } else if (procedure === PROCEDURE.listAllDomains) {
      if (this.fault === 'count') send(new XdrWriter().uint(0x7fffffff));
      else send(new XdrWriter().array(this.domains, writeDomain).uint(this.domains.length));
    } else if (procedure === PROCEDURE.getAllDomainStats) this.stats(body, send);
    else if (this.facts(socket, procedure, body, send)) return;
    else send(new XdrWriter().int(55).int(10).uint(0).int(2).uint(0).uint(0).uint(0).uint(0).int(0).int(0).uint(0), 1);
  }

  /** What libvirtd knows of a domain by itself. */
  private facts(socket: Socket, procedure: number, body: XdrReader, send: (result: XdrWriter) => void): boolean {
    const domain = (): FakeDomain | undefined => {
      const name = body.string();
      body.opaque(16);
      body.int();
      return this.domains.find((one) => one.name === name);
    };
    if (procedure === PROCEDURE.domainGetXmlDesc) send(new XdrWriter().string('<domain/>'));
    else if (procedure === PROCEDURE.domainGetJobStats) {
      const { type, parameters } = domain()?.job ?? { type: 0, parameters: {} };
      send(writeParameters(new XdrWriter().int(type), Object.entries(parameters)));
    } else if (procedure === PROCEDURE.domainGetCpuStats) {
      const times = domain()?.pcpu;
      if (!times) return false;
      const [each, , count] = [body.uint(), body.int(), body.uint()];
      const fields = times.slice(0, count).flatMap(([cpu, vcpu]): [string, bigint][] => [
        ['cpu_time', cpu],
        ['vcpu_time', vcpu],
      ]);
      send(writeParameters(new XdrWriter(), each ? fields : []).int(2));
    } else if (procedure === PROCEDURE.domainInterfaceAddresses) {
      const [asked, source] = [domain(), body.uint()];
      if (source === 1 && asked?.agent === 'hangs') return true;
      const found =
        source === 0 ? asked?.addresses : source === 1 && this.writers.has(socket) ? asked?.agent : undefined;
      if (!found || found === 'hangs') return false;
      send(
        new XdrWriter().array(Object.entries(found), (writer, [name, addresses]) => {
          writer.string(name).optional('52:54:00:00:00:01', (w, text) => w.string(text));
          writer.array(addresses, (w, address) => w.int(0).string(address).uint(24));
        }),
      );
    } else return false;
    return true;
  }

  private stats(body: XdrReader, send: (result: XdrWriter) => void): void {
    const names = body.array(100, 24, (reader) => {
      const name = reader.string();
      reader.opaque(16);
      reader.int();
      return name;
    });
    const groups = body.uint();
    const chosen = names.length ? this.domains.filter(({ name }) => names.includes(name)) : this.domains;
    const wanted = (field: string): boolean =>
      (/^state/.test(field) && (groups & 1) !== 0) ||
      (/^net/.test(field) && (groups & 16) !== 0) ||
      (/^(cpu|balloon|vcpu|block)/.test(field) && (groups & 2) !== 0);
    const answer = (): void =>
      send(
        new XdrWriter().array(chosen, (writer, domain) => {
          writeDomain(writer, domain);
          const fields = Object.entries(domain.parameters).filter(([field]) => wanted(field));
          writer.array(fields, (w, [field, value]) => {
            w.string(field);
            if (typeof value === 'bigint') w.int(4).uhyper(value);
            else if (typeof value === 'number') w.int(2).uint(value);
            else w.int(7).string(value);
          });
        }),
      );
    if (chosen.some(({ hangs }) => hangs) && groups & 2) {
      this.held.push(answer);
      this.mostAtOnce = Math.max(this.mostAtOnce, this.held.length);
    } else answer();
  }
}

function writeParameters(writer: XdrWriter, fields: [string, bigint | number][]): XdrWriter {
  return writer.array(fields, (w, [field, value]) => {
    w.string(field);
    if (typeof value === 'bigint') w.int(4).uhyper(value);
    else w.int(1).int(value);
  });
}

function writeDomain(writer: XdrWriter, domain: FakeDomain): void {
  const uuid = Buffer.alloc(16);
  uuid.write(domain.name.slice(-16), 'latin1');
  writer.string(domain.name).opaque(uuid).int(domain.id);
}

export function fakeDomain(name: string, id: number, cpuNs: bigint): FakeDomain {
  return {
    name,
    id,
    parameters: {
      'state.state': id < 0 ? 5 : 1,
      'state.reason': 1,
      'cpu.time': cpuNs,
      'balloon.current': 131072n,
      'balloon.maximum': 262144n,
      'vcpu.current': 1,
      'vcpu.0.time': cpuNs,
      'vcpu.0.delay': cpuNs / 10n,
      'vcpu.0.exits.sum': 1000n,
      'vcpu.0.io_exits.sum': 900n,
      'vcpu.0.halt_exits.sum': 50n,
      'net.count': 1,
      'net.0.name': 'tap0',
      'net.0.rx.bytes': 100n,
      'net.0.tx.bytes': 200n,
      'block.count': 1,
      'block.0.name': 'vda',
      'block.0.path': '/images/a b.qcow2',
      'block.0.rd.reqs': 5n,
      'block.0.rd.bytes': 2560n,
      'block.0.rd.times': 5_000_000n,
      'block.0.wr.reqs': 0n,
      'block.0.wr.bytes': 0n,
      'block.0.wr.times': 0n,
    },
  };
}
