/** A protocol client for byte transcripts: it talks to a Session without a socket. */

import { Session, type Wire } from '../../src/gdbstub/session.js';
import { defaultSettings, type StubSettings } from '../../src/gdbstub/settings.js';
import { encodePacket, PacketParser } from '../../src/rsp/packet.js';
import { FakeTarget } from './fake-target.js';

export class WireClient {
  readonly session: Session;
  /** Everything that the stub wrote, as latin1. */
  raw = '';
  private readonly packets: string[] = [];
  private readonly parser = new PacketParser(1 << 24);
  private wake: () => void = () => {};
  paused = false;
  ended = false;
  /** What it sends without a turn of the event loop. */
  promptly: () => Uint8Array | undefined = () => undefined;

  constructor(
    readonly target: FakeTarget = new FakeTarget(),
    settings: Partial<StubSettings> = {},
  ) {
    const wire: Wire = {
      write: (bytes) => {
        this.raw += Buffer.from(bytes).toString('latin1');
        for (const event of this.parser.push(bytes)) if (event.kind === 'packet') this.packets.push(event.payload);
        this.wake();
        return true;
      },
      drained: async () => {},
      promptly: () => this.promptly(),
      pauseInput: () => {
        this.paused = true;
      },
      resumeInput: () => {
        this.paused = false;
      },
      end: () => {
        this.ended = true;
      },
    };
    this.session = new Session(target, { ...defaultSettings(), ...settings }, wire);
  }

  bytes(data: string): void {
    this.session.feed(Buffer.from(data, 'latin1'));
  }

  /** Sends a payload that needs no escapes. */
  send(payload: string): void {
    this.session.feed(encodePacket(payload));
  }

  /** Next packet from the stub, escapes still in. */
  async receive(): Promise<string> {
    const deadline = Date.now() + 5000;
    while (this.packets.length === 0) {
      if (Date.now() > deadline) throw new Error('no packet from the stub within 5 s');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.packets.shift() as string;
  }

  async ask(payload: string): Promise<string> {
    this.send(payload);
    return this.receive();
  }

  /** Packets that have arrived and were not received yet, after the stub had time to send more. */
  async pending(): Promise<string[]> {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    return this.packets.splice(0);
  }
}
