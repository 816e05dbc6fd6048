/** A domain's QEMU monitor through libvirt, which holds QEMU's own: needs the right to change domains. */
import { humanCommand, type Monitor, QmpError, type QmpEvent } from '../qemu/qmp.js';
import type { SerialLine } from '../serial-line.js';
import type { LibvirtConnection } from './connection.js';
import { openLibvirt } from './open.js';
import { type DomainName, PROCEDURE, QEMU_PROCEDURE, QEMU_PROGRAM, readDomain, writeDomain } from './protocol.js';
import { type LibvirtUri, parseUri } from './uri.js';
import { XdrWriter } from './xdr.js';

const ANSWER_MS = 5000;
const DEFAULT = 'qemu:///system';

/** What `vmscope attach` takes for a domain. */
export function attachName(uri: LibvirtUri, domain: string): string {
  return uri.text === DEFAULT ? `libvirt:${domain}` : `libvirt:${uri.text}#${domain}`;
}

/** `DOMAIN`, or `URI#DOMAIN` as attachName() makes it. @param uri for a domain alone */
export function parseAttachName(text: string, uri = DEFAULT): { uri: LibvirtUri; domain: string } {
  const [, own, domain] = /^(?:(\w+(?:\+\w+)?:\/\/.*)#)?(.+)$/s.exec(text) ?? [];
  if (!domain) throw new Error('libvirt:DOMAIN: which domain?');
  return { uri: parseUri(own ?? uri), domain };
}

export class LibvirtMonitor implements Monitor {
  readonly closed: Promise<string>;
  readonly #listeners = new Set<(event: QmpEvent) => void>();

  private constructor(
    private readonly connection: LibvirtConnection,
    readonly domain: DomainName,
  ) {
    this.closed = connection.closed;
    connection.onMessage = (program, procedure, body) => {
      if (program !== QEMU_PROGRAM || procedure !== QEMU_PROCEDURE.event) return;
      body.int();
      const from = readDomain(body);
      const event = body.string();
      body.hyper();
      body.uint();
      const details = body.optional((reader) => reader.string());
      if (from.uuid.equals(domain.uuid)) this.#tell(event, details);
    };
  }

  /** @throws Error in one line: no such domain, not running, not allowed */
  static async open(uri: LibvirtUri, name: string): Promise<LibvirtMonitor> {
    const connection = await openLibvirt(uri, true);
    try {
      const answer = await connection.call(PROCEDURE.domainLookupByName, new XdrWriter().string(name), ANSWER_MS);
      const domain = readDomain(answer);
      if (domain.id < 0) throw new Error(`domain ${name} does not run: virsh start ${name}`);
      const monitor = new LibvirtMonitor(connection, domain);
      const register = new XdrWriter().optional(domain, writeDomain).uint(0).uint(0);
      await connection.qemu(QEMU_PROCEDURE.eventRegister, register, ANSWER_MS);
      return monitor;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  async execute(command: string, parameters?: Record<string, unknown>): Promise<unknown> {
    const line = JSON.stringify({ execute: command, ...(parameters ? { arguments: parameters } : {}) });
    const body = new XdrWriter();
    writeDomain(body, this.domain);
    const reader = await this.connection.qemu(QEMU_PROCEDURE.monitorCommand, body.string(line).uint(0), ANSWER_MS);
    const answer = JSON.parse(reader.string()) as { return?: unknown; error?: { class?: string; desc?: string } };
    if (answer.error) throw new QmpError(String(answer.error.class), String(answer.error.desc));
    return answer.return;
  }

  human(line: string, cpu?: number): Promise<string> {
    return humanCommand((command, parameters) => this.execute(command, parameters), line, cpu);
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The guest's first console. @throws Error when another client has it, or it has none */
  async console(): Promise<SerialLine> {
    const body = new XdrWriter();
    writeDomain(body, this.domain);
    // No device by name; taken from nobody.
    body.optional(undefined, (writer, name: string) => writer.string(name)).uint(0);
    return await this.connection.openStream(PROCEDURE.domainOpenConsole, body, ANSWER_MS);
  }

  close(): void {
    this.connection.close('closed');
  }

  #tell(event: string, details: string | undefined): void {
    let data: Record<string, unknown> = {};
    try {
      const parsed: unknown = JSON.parse(details ?? '{}');
      if (typeof parsed === 'object' && parsed !== null) data = parsed as Record<string, unknown>;
    } catch {
      // An event without details is an event.
    }
    for (const listener of [...this.#listeners]) listener({ event, data });
  }
}
