/**
 * Framing of the GDB remote protocol: `$payload#checksum`, acknowledgements, the 0x03 interrupt byte,
 * `}` escapes and run-length encoding. Payloads are latin1 strings, one char per byte.
 * @gdb "Overview" of appendix "GDB Remote Serial Protocol"
 */

export type PacketEvent =
  | { kind: 'packet'; payload: string }
  | { kind: 'ack' }
  | { kind: 'nak' }
  | { kind: 'interrupt' }
  /** Checksum did not match. */
  | { kind: 'corrupt' }
  /** Longer than the limit; the rest up to its `#` was dropped. */
  | { kind: 'oversized' };

const PERCENT = 0x25;
const DOLLAR = 0x24;
const HASH = 0x23;
const PLUS = 0x2b;
const MINUS = 0x2d;
const INTERRUPT = 0x03;
/** Longest packet that is looked for in one piece. */
const SHORT_BYTES = 64;
const DIGITS = Buffer.from('0123456789abcdef');
const NEEDS_ESCAPE = /[#$}*]/;
const ESCAPED = /[#$}*]/g;

/** Modulo-256 sum of a latin1 payload. */
export function checksum(payload: string): number {
  let sum = 0;
  for (let at = 0; at < payload.length; at++) sum += payload.charCodeAt(at);
  return sum & 0xff;
}

/** Escapes `#`, `$`, `}` and `*` as replies need it. */
export function escapePayload(payload: string): string {
  if (!NEEDS_ESCAPE.test(payload)) return payload;
  return payload.replace(ESCAPED, (char) => `}${String.fromCharCode(char.charCodeAt(0) ^ 0x20)}`);
}

/** Undoes `}` escapes; a `}` at the very end is dropped. */
export function unescapePayload(payload: string): string {
  if (!payload.includes('}')) return payload;
  return payload.replace(/\}([\s\S])?/g, (_, char?: string) =>
    char === undefined ? '' : String.fromCharCode(char.charCodeAt(0) ^ 0x20),
  );
}

/**
 * Expands `char*count` runs (count = code of the char after `*`, minus 29).
 * GDB does not escape `*` in the binary packets that it sends, so only text packets may be expanded.
 * @returns undefined when a run has nothing to repeat or a count outside 3..97.
 */
export function expandRuns(payload: string): string | undefined {
  if (!payload.includes('*')) return payload;
  const parts: string[] = [];
  let from = 0;
  for (let star = payload.indexOf('*'); star >= 0; star = payload.indexOf('*', from)) {
    const count = payload.charCodeAt(star + 1) - 29;
    if (star === 0 || !(count >= 3 && count <= 97)) return undefined;
    const previous = star > from ? payload[star - 1] : parts[parts.length - 1]?.slice(-1);
    if (previous === undefined) return undefined;
    parts.push(payload.slice(from, star), previous.repeat(count));
    from = star + 2;
  }
  parts.push(payload.slice(from));
  return parts.join('');
}

/** A whole packet ready for the wire; the payload is escaped here. */
export function encodePacket(payload: string): Buffer {
  return frame(DOLLAR, payload);
}

/** A notification ready for the wire: as a packet, with a percent sign. @gdb "Notification Packets" */
export function encodeNotification(payload: string): Buffer {
  return frame(PERCENT, payload);
}

function frame(lead: number, payload: string): Buffer {
  const body = escapePayload(payload);
  const out = Buffer.allocUnsafe(body.length + 4);
  out[0] = lead;
  out.write(body, 1, 'latin1');
  let sum = 0;
  for (let at = 1; at <= body.length; at++) sum += out[at];
  out[body.length + 1] = HASH;
  out[body.length + 2] = DIGITS[(sum >> 4) & 15];
  out[body.length + 3] = DIGITS[sum & 15];
  return out;
}

/**
 * Incremental parser. Each input byte is looked at once and copied once; it holds at most `limit` bytes
 * of an unfinished packet. Bytes outside packets that mean nothing are dropped.
 */
export class PacketParser {
  private chunks: Buffer[] = [];
  private held = 0;
  private inPacket = false;
  private oversized = false;
  /** Checksum digits seen after `#`, or undefined before it. */
  private digits: string | undefined;

  /** @param limit largest raw payload in bytes, escapes included. */
  constructor(private readonly limit: number) {}

  /** Set in no-ack mode, where a checksum is sent but not verified. */
  ignoreChecksum = false;

  push(input: Uint8Array): PacketEvent[] {
    const whole = this.wholePacket(input);
    if (whole !== undefined) return [{ kind: 'packet', payload: whole }];
    const data = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
    const events: PacketEvent[] = [];
    let at = 0;
    while (at < data.length) {
      if (!this.inPacket) at = this.scanOutside(data, at, events);
      else if (this.digits === undefined) at = this.scanBody(data, at);
      else {
        this.digits += String.fromCharCode(data[at++]);
        if (this.digits.length === 2) events.push(this.finish());
      }
    }
    return events;
  }

  /** The payload where one short packet, whose checksum does not matter, is all that came: what a step is asked by. */
  private wholePacket(input: Uint8Array): string | undefined {
    const end = input.length - 3;
    if (this.inPacket || !this.ignoreChecksum || end < 1 || end > Math.min(SHORT_BYTES, this.limit)) return undefined;
    if (input[0] !== DOLLAR || input[end] !== HASH) return undefined;
    let payload = '';
    for (let at = 1; at < end; at++) {
      const byte = input[at];
      if (byte === DOLLAR || byte === HASH) return undefined;
      payload += String.fromCharCode(byte);
    }
    return payload;
  }

  private scanOutside(data: Buffer, at: number, events: PacketEvent[]): number {
    const byte = data[at];
    if (byte === DOLLAR) this.begin();
    else if (byte === PLUS) events.push({ kind: 'ack' });
    else if (byte === MINUS) events.push({ kind: 'nak' });
    else if (byte === INTERRUPT) events.push({ kind: 'interrupt' });
    return at + 1;
  }

  private begin(): void {
    this.inPacket = true;
    this.oversized = false;
    this.chunks = [];
    this.held = 0;
    this.digits = undefined;
  }

  private scanBody(data: Buffer, at: number): number {
    const hash = data.indexOf(HASH, at);
    const end = hash < 0 ? data.length : hash;
    // An unescaped `$` inside a packet means that the sender gave up the first one and started anew.
    const restart = data.subarray(at, end).lastIndexOf(DOLLAR);
    if (restart >= 0) {
      this.begin();
      at += restart + 1;
    }
    if (this.held + (end - at) > this.limit) {
      this.oversized = true;
      this.chunks = [];
      this.held = 0;
    } else if (end > at && !this.oversized) {
      // Copied, because the caller may reuse its buffer.
      this.chunks.push(Buffer.from(data.subarray(at, end)));
      this.held += end - at;
    }
    if (hash < 0) return data.length;
    this.digits = '';
    return hash + 1;
  }

  private finish(): PacketEvent {
    const raw = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks);
    const digits = this.digits as string;
    const oversized = this.oversized;
    this.inPacket = false;
    this.chunks = [];
    this.held = 0;
    this.digits = undefined;
    if (oversized) return { kind: 'oversized' };
    if (!this.ignoreChecksum) {
      let sum = 0;
      for (let at = 0; at < raw.length; at++) sum += raw[at];
      if (!/^[0-9a-fA-F]{2}$/.test(digits) || Number.parseInt(digits, 16) !== (sum & 0xff)) return { kind: 'corrupt' };
    }
    return { kind: 'packet', payload: raw.toString('latin1') };
  }
}
