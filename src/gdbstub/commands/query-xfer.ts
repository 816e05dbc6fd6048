import { parseHexNumber } from '../../rsp/hex.js';
import { exitReasonName } from '../../spec/vmx/exit-reasons.js';
import type { Command } from '../command.js';
import { osDataXml, osTypesXml } from '../os-data.js';
import type { Session } from '../session.js';
import { siginfo } from '../siginfo.js';
import type { TargetExit, TargetFrame } from '../target.js';
import { escapeXml, targetXml } from '../target-xml.js';
import { PROCESS_ID } from '../thread-id.js';
import { threadInfo } from './threads.js';

/** A document by object and annex: undefined for an unknown object, null for an unknown annex. */
async function documentOf(
  session: Session,
  object: string,
  annex: string,
): Promise<string | Uint8Array | undefined | null> {
  switch (object) {
    case 'features':
      return annex === 'target.xml' ? targetXml(await session.registers.layout(session.generalThread)) : null;
    case 'threads':
      return annex === '' ? threadsXml(session) : null;
    case 'exec-file': {
      const { kernel } = session.target;
      if (kernel === undefined) return undefined;
      // the annex is the process: its program is no program of 16 or 32 bits
      if (session.views.general !== PROCESS_ID) return null;
      const name = await kernel.name();
      session.programAsked = true;
      session.takesProgram = true;
      return name === undefined ? null : `/${name}`;
    }
    case 'libraries': {
      if (session.target.libraries === undefined) return undefined;
      return annex === '' ? librariesXml(await session.target.libraries.list()) : null;
    }
    case 'siginfo': {
      const { target, generalThread: thread } = session;
      if (annex !== '') return null;
      await session.hold('reading its signal');
      const stop = target.lastStop();
      const cause = stop?.thread === thread ? stop.cause : undefined;
      const { wordBytes } = await session.registers.layout(thread);
      return siginfo(cause, await target.lastExit?.(thread), wordBytes);
    }
    case 'traceframe-info': {
      if (session.target.tracing === undefined) return undefined;
      return annex === '' && session.trace.frame ? frameXml(session, session.trace.frame.frame) : null;
    }
    case 'statictrace': {
      const exit = session.trace.frame?.frame.exit;
      return annex === '' && exit ? exitText(exit) : null;
    }
    case 'osdata': {
      const tables = session.target.osTables;
      if (tables === undefined) return undefined;
      if (annex === '' || annex === 'types') return osTypesXml(tables);
      const table = tables.find((candidate) => candidate.name === annex);
      return table === undefined ? null : osDataXml(table);
    }
    default:
      return undefined;
  }
}

/** What `$_sdata` shows of a VM exit. */
const exitText = (exit: TargetExit): string => {
  const hex = (value: bigint): string => `0x${value.toString(16)}`;
  const { sequence, vcpu, icount, qualification, gpa, gla } = exit;
  return `#${sequence} ${exitReasonName(exit.reason)} vcpu ${vcpu} icount ${icount} qualification ${hex(qualification)} gpa ${hex(gpa)} gla ${hex(gla)}`;
};

/** What of the guest a trace frame holds. @gdb "Traceframe Info Format" */
function frameXml({ trace }: Session, { memory, variables, exit }: TargetFrame): string {
  const blocks = memory.map(
    ({ address, bytes }) => `  <memory start="0x${address.toString(16)}" length="0x${bytes.length.toString(16)}"/>\n`,
  );
  const known = trace.variables.filter(({ builtin }) => exit && typeof builtin === 'string');
  const tvars = [...variables, ...known].map(({ number }) => `  <tvar id="0x${number.toString(16)}"/>\n`);
  return `<?xml version="1.0"?>\n<traceframe-info>\n${blocks.join('')}${tvars.join('')}</traceframe-info>\n`;
}

/** @gdb "Library List Format" */
function librariesXml(libraries: readonly { path: string; address: bigint }[]): string {
  const rows = libraries.map(
    ({ path, address }) =>
      `  <library name="${escapeXml(path)}"><section address="0x${address.toString(16)}"/></library>\n`,
  );
  return `<?xml version="1.0"?>\n<library-list version="1.0">\n${rows.join('')}</library-list>\n`;
}

async function threadsXml(session: Session): Promise<string> {
  const threads: string[] = [];
  for (const process of session.views.attached) {
    for (let thread = 0; thread < session.target.threads; thread++) {
      const title = escapeXml(await threadInfo(session, thread, process));
      const id = session.threadId(thread, process);
      threads.push(`<thread id="${id}" core="${thread}" name="CPU#${thread}">${title}</thread>\n`);
    }
  }
  return `<?xml version="1.0"?>\n<threads>\n${threads.join('')}</threads>\n`;
}

/**
 * `qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH`. A document is made at offset 0 and kept for the later pieces, so that
 * they fit together while the guest runs.
 */
export const queryXfer: Command = {
  name: 'qXfer',
  async run(args, session) {
    const match = /^:([a-z-]+):(read|write):([^:]*):(.*)$/s.exec(args);
    if (match === null) return session.error(22, 'malformed qXfer');
    const [, object, direction, annex, range] = match;
    const [offset, length, ...rest] = range.split(',').map(parseHexNumber);
    if (direction === 'write') return '';
    if (offset === undefined || length === undefined || rest.length > 0) return session.error(22, 'malformed qXfer');
    const name = `${object}:${annex}:${session.views.general}`;
    let bytes = offset === 0 ? undefined : session.documents.get(name);
    if (bytes === undefined) {
      const document = await documentOf(session, object, annex);
      if (document === undefined) return '';
      if (document === null) return 'E00';
      bytes = (typeof document === 'string' ? Buffer.from(document, 'utf8') : Buffer.from(document)).toString('latin1');
      session.documents.set(name, bytes);
    }
    const end = offset + Math.min(length, session.maxDocumentPiece);
    if (end < bytes.length) return `m${bytes.slice(offset, end)}`;
    session.documents.delete(name);
    return `l${bytes.slice(offset)}`;
  },
};
