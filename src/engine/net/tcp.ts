/**
 * One TCP connection between the guest and a stream of the host. The link loses nothing but what the guest's card has
 * no buffers for, so going back to the first unacknowledged byte is all the recovery there is.
 * @rfc 9293
 */
import { bytes, flag, int, oneOf, record, type StateOf, u32 } from '../state/schema.js';
import { TCP_ACK, TCP_FIN, TCP_MSS, TCP_PSH, TCP_RST, TCP_SYN, type TcpSegment } from './packet.js';

/** Most that the guest may have on the way to the host's stream. */
const RECEIVE_WINDOW = 0xffff;
/** Bytes of the host that wait for the guest: above the first the host's stream is paused, below the second it goes on. */
const SEND_HIGH = 256 << 10;
const SEND_LOW = 64 << 10;
const MIN_MSS = 64;
/** A guest that does not answer so many retransmissions is gone. */
const MAX_RETRIES = 12;

const TCP_STATES = ['connecting', 'syn-sent', 'syn-received', 'open', 'closed'] as const;
export type TcpState = (typeof TCP_STATES)[number];

/** What a connection does to the world. */
export interface TcpActions {
  /** A segment for the guest; ports are filled in by the caller. */
  transmit(segment: Omit<TcpSegment, 'fromPort' | 'toPort'>): void;
  connect(): void;
  send(bytes: Uint8Array): void;
  end(): void;
  abort(): void;
  pause(paused: boolean): void;
}

export const TCP_STATE = record({
  state: oneOf(...TCP_STATES),
  unacknowledged: u32,
  next: u32,
  peerWindow: u32,
  expected: u32,
  inFlight: int(0, RECEIVE_WINDOW),
  mss: int(MIN_MSS, TCP_MSS),
  queue: bytes(),
  hostEnded: flag,
  finSent: flag,
  finAcknowledged: flag,
  guestEnded: flag,
  paused: flag,
  /** Retransmissions since the guest was heard last. */
  retries: int(0, MAX_RETRIES),
});
export type TcpSaved = StateOf<typeof TCP_STATE>;

const NO_BYTES: Uint8Array = new Uint8Array(0);

export class TcpConnection {
  /** Sequence numbers: first unacknowledged of ours, our next, next of the guest's. */
  s: TcpSaved;

  constructor(
    private readonly actions: TcpActions,
    initialSequence: number,
  ) {
    this.s = {
      ...{ state: 'connecting' as TcpState, unacknowledged: initialSequence, next: initialSequence, peerWindow: 0 },
      ...{ expected: 0, inFlight: 0, mss: 536, queue: NO_BYTES, paused: false, retries: 0 },
      ...{ hostEnded: false, finSent: false, finAcknowledged: false, guestEnded: false },
    };
  }

  get closed(): boolean {
    return this.s.state === 'closed';
  }

  /** Bytes or an end of ours that the guest has not acknowledged. */
  get outstanding(): boolean {
    return this.s.state !== 'closed' && this.s.unacknowledged !== this.s.next;
  }

  // --- the guest's side --------------------------------------------------------------------------------------

  /** The guest's SYN that makes the connection. */
  open(segment: TcpSegment): void {
    const { s } = this;
    s.expected = (segment.sequence + 1) >>> 0;
    s.peerWindow = segment.window;
    s.mss = clampMss(segment.mss);
    this.actions.connect();
  }

  /** The host's side makes the connection: SYN to the guest. */
  openToGuest(): void {
    this.s.state = 'syn-sent';
    this.sendSyn(TCP_SYN);
    this.s.next = (this.s.next + 1) >>> 0;
  }

  receive(segment: TcpSegment): void {
    const { s } = this;
    const { flags } = segment;
    s.retries = 0;
    if (flags & TCP_RST) {
      // A reset counts only where the next byte is due.
      const matches = s.state === 'syn-sent' ? segment.acknowledgement === s.next : segment.sequence === s.expected;
      if (matches) this.abortHost();
      return;
    }
    if (s.state === 'connecting') return;
    if (s.state === 'syn-sent') {
      this.receiveSynAck(segment);
      return;
    }
    if (flags & TCP_SYN) {
      // The guest did not see our SYN-ACK.
      if (s.state === 'syn-received') this.sendSyn(TCP_SYN | TCP_ACK, s.unacknowledged);
      else this.acknowledge();
      return;
    }
    if (!(flags & TCP_ACK)) return;
    this.takeAcknowledgement(segment);
    if (s.state === 'closed') return;
    this.takeData(segment);
    this.flush();
    this.closeIfDone();
  }

  private receiveSynAck(segment: TcpSegment): void {
    const { s } = this;
    const both = TCP_SYN | TCP_ACK;
    if ((segment.flags & both) !== both || segment.acknowledgement !== s.next) return;
    s.expected = (segment.sequence + 1) >>> 0;
    s.unacknowledged = s.next;
    s.peerWindow = segment.window;
    s.mss = clampMss(segment.mss);
    s.state = 'open';
    this.acknowledge();
    this.flush();
  }

  private takeAcknowledgement({ acknowledgement, window }: TcpSegment): void {
    const { s } = this;
    const sent = distance(s.unacknowledged, s.next);
    const taken = distance(s.unacknowledged, acknowledgement);
    // An acknowledgement of what was not sent yet is answered and otherwise ignored.
    if (taken > sent) {
      if (taken < 0x8000_0000) this.acknowledge();
      return;
    }
    s.peerWindow = window;
    if (taken === 0) return;
    let bytes = taken;
    if (s.state === 'syn-received') {
      s.state = 'open';
      bytes--;
    }
    if (s.finSent && taken === sent) {
      s.finAcknowledged = true;
      bytes--;
    }
    s.queue = s.queue.subarray(bytes);
    s.unacknowledged = acknowledgement;
    if (s.paused && s.queue.length < SEND_LOW) this.setPaused(false);
  }

  private takeData({ sequence, payload, flags }: TcpSegment): void {
    const { s } = this;
    const skip = distance(sequence, s.expected);
    const fin = (flags & TCP_FIN) !== 0;
    if (payload.length === 0 && !fin) {
      // A probe from outside the window wants to hear where we are.
      if (sequence !== s.expected) this.acknowledge();
      return;
    }
    if (skip > payload.length || s.guestEnded) {
      this.acknowledge();
      return;
    }
    const fresh = payload.subarray(skip);
    const taken = fresh.subarray(0, this.window());
    if (taken.length > 0) {
      s.expected = (s.expected + taken.length) >>> 0;
      s.inFlight += taken.length;
      this.actions.send(taken.slice());
    }
    if (fin && taken.length === fresh.length) {
      s.expected = (s.expected + 1) >>> 0;
      s.guestEnded = true;
      this.actions.end();
    }
    this.acknowledge();
  }

  private window(): number {
    return Math.max(0, RECEIVE_WINDOW - this.s.inFlight);
  }

  // --- the host's side ---------------------------------------------------------------------------------------

  hostConnected(): void {
    const { s } = this;
    if (s.state !== 'connecting') return;
    s.state = 'syn-received';
    this.sendSyn(TCP_SYN | TCP_ACK);
    s.next = (s.next + 1) >>> 0;
  }

  /** The host could not connect, or its stream broke. */
  hostFailed(): void {
    const { s } = this;
    if (s.state === 'closed') return;
    this.transmit(TCP_RST | TCP_ACK, s.next, NO_BYTES);
    s.state = 'closed';
  }

  hostData(bytes: Uint8Array): void {
    const { s } = this;
    if (s.state === 'closed' || s.hostEnded) return;
    const queue = new Uint8Array(s.queue.length + bytes.length);
    queue.set(s.queue);
    queue.set(bytes, s.queue.length);
    s.queue = queue;
    if (!s.paused && queue.length > SEND_HIGH) this.setPaused(true);
    this.flush();
  }

  hostEnded(): void {
    this.s.hostEnded = true;
    this.flush();
    this.closeIfDone();
  }

  /** Bytes that were on the way have reached the host's stream. */
  hostRoom(count: number): void {
    const before = this.window();
    this.s.inFlight = Math.max(0, this.s.inFlight - count);
    // The guest may wait for the window to open.
    if (this.s.state === 'open' && before < TCP_MSS && this.window() >= TCP_MSS) this.acknowledge();
  }

  private setPaused(paused: boolean): void {
    this.s.paused = paused;
    this.actions.pause(paused);
  }

  private abortHost(): void {
    this.s.state = 'closed';
    this.actions.abort();
  }

  // --- out ---------------------------------------------------------------------------------------------------

  /** Sends what the guest's window has room for, then the end. */
  private flush(): void {
    const { s } = this;
    if (s.state !== 'open' || s.finSent) return;
    for (;;) {
      const sent = distance(s.unacknowledged, s.next);
      const room = Math.min(s.peerWindow - sent, s.queue.length - sent, s.mss);
      if (room <= 0) break;
      const last = sent + room === s.queue.length;
      this.transmit(TCP_ACK | (last ? TCP_PSH : 0), s.next, s.queue.subarray(sent, sent + room));
      s.next = (s.next + room) >>> 0;
    }
    if (s.hostEnded && distance(s.unacknowledged, s.next) === s.queue.length) {
      this.transmit(TCP_FIN | TCP_ACK, s.next, NO_BYTES);
      s.next = (s.next + 1) >>> 0;
      s.finSent = true;
    }
  }

  /** Nothing was acknowledged for a while: once more from the first unacknowledged byte. It also probes a shut window. */
  retransmit(): void {
    const { s } = this;
    if (++s.retries > MAX_RETRIES) {
      this.abortHost();
      return;
    }
    if (s.state === 'syn-sent') this.sendSyn(TCP_SYN, s.unacknowledged);
    else if (s.state === 'syn-received') this.sendSyn(TCP_SYN | TCP_ACK, s.unacknowledged);
    else if (s.state === 'open') {
      s.next = s.unacknowledged;
      s.finSent = false;
      if (s.peerWindow === 0) s.peerWindow = 1;
      this.flush();
    }
  }

  /** True when bytes wait for a window that the guest has shut. */
  get stalled(): boolean {
    return this.s.state === 'open' && this.s.queue.length > 0 && this.s.peerWindow === 0;
  }

  private sendSyn(flags: number, sequence = this.s.next): void {
    this.transmit(flags, sequence, NO_BYTES, TCP_MSS);
  }

  private acknowledge(): void {
    this.transmit(TCP_ACK, this.s.next, NO_BYTES);
  }

  private transmit(flags: number, sequence: number, payload: Uint8Array, mss?: number): void {
    this.actions.transmit({
      ...{ sequence, flags, payload, window: this.window() },
      acknowledgement: flags & TCP_ACK ? this.s.expected : 0,
      ...(mss === undefined ? {} : { mss }),
    });
  }

  private closeIfDone(): void {
    const { s } = this;
    if (s.guestEnded && s.finAcknowledged) s.state = 'closed';
  }
}

/** From one sequence number to another, modulo 2^32. */
function distance(from: number, to: number): number {
  return (to - from) >>> 0;
}

function clampMss(mss: number | undefined): number {
  return Math.max(MIN_MSS, Math.min(mss ?? 536, TCP_MSS));
}
