/** A stub with the least that the protocol asks for: no threads, no vCont, no P, no description, software breakpoints, small packets. */
import { createServer, type Server, type Socket } from 'node:net';
import { encodeLittleEndian } from '../../../src/rsp/hex.js';
import { encodePacket, PacketParser } from '../../../src/rsp/packet.js';

const GENERAL = 17;
/** Bytes of kgdb's `g` packet on x86-64: 17 words and seven halves. */
const DUMP = GENERAL * 8 + 7 * 4;
const RIP = 16;

export class SmallStub {
  readonly #server: Server;
  readonly registers = Buffer.alloc(DUMP);
  readonly memory = new Uint8Array(0x3000);
  /** Where the memory lies. */
  base = 0n;
  readonly points = new Set<number>();
  readonly packets: string[] = [];
  detached = false;
  /** ms before each answer. */
  slowMs = 0;
  /** Packets that came while the target ran, which a stub does not answer. */
  whileRunning: string[] = [];
  #running = false;
  port = 0;

  constructor() {
    this.registers.writeBigUInt64LE(0x1000n, RIP * 8);
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.port = (this.#server.address() as { port: number }).port;
    return this;
  }

  close(): void {
    this.#server.close();
  }

  get rip(): number {
    return Number(this.registers.readBigUInt64LE(RIP * 8));
  }

  #serve(socket: Socket): void {
    const parser = new PacketParser(1 << 16);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', async (bytes) => {
      for (const event of parser.push(bytes)) {
        if (event.kind === 'interrupt') this.#stop(socket);
        if (event.kind !== 'packet') continue;
        socket.write('+');
        if (this.#running) {
          this.whileRunning.push(event.payload);
          continue;
        }
        if (this.slowMs) await new Promise((resolve) => setTimeout(resolve, this.slowMs));
        this.packets.push(event.payload);
        const reply = this.#answer(event.payload, socket);
        if (reply !== undefined) socket.write(encodePacket(reply));
      }
    });
  }

  #stop(socket: Socket): void {
    this.#running = false;
    socket.write(encodePacket('S05'));
  }

  /** Instructions of one byte that do nothing; the loop is a page long. */
  #step(): void {
    this.registers.writeBigUInt64LE(BigInt(this.rip + 1 >= 0x2000 ? 0x1000 : this.rip + 1), RIP * 8);
  }

  #answer(packet: string, socket: Socket): string | undefined {
    const [, address, length] = /^[mMzZ](?:0,)?([0-9a-f]+),([0-9a-f]+)/.exec(packet) ?? [];
    const at = Number(BigInt.asUintN(64, BigInt(`0x${address ?? 0}`) - this.base));
    const count = Number.parseInt(length ?? '0', 16);
    if (packet === '?') return 'S05';
    if (packet === 'g') return this.registers.toString('hex');
    if (packet[0] === 'G') {
      this.registers.set(Buffer.from(packet.slice(1), 'hex'));
      return 'OK';
    }
    if (packet[0] === 'm') {
      if (count > 256 || at + count > this.memory.length) return 'E01';
      return Buffer.from(this.memory.subarray(at, at + count)).toString('hex');
    }
    if (packet[0] === 'M') {
      this.memory.set(Buffer.from(packet.split(':')[1]!, 'hex'), at);
      return 'OK';
    }
    if (packet.startsWith('Z0,')) this.points.add(at);
    else if (packet.startsWith('z0,')) this.points.delete(at);
    else if (packet === 's') {
      this.#step();
      return 'S05';
    } else if (packet === 'c') {
      if (this.points.size === 0) {
        this.#running = true;
        return undefined;
      }
      // A breakpoint where it stands holds it.
      while (!this.points.has(this.rip)) this.#step();
      return 'S05';
    } else if (packet === 'D') {
      this.detached = true;
      setImmediate(() => socket.end());
    } else return '';
    return 'OK';
  }

  set(register: number, value: bigint): void {
    this.registers.write(encodeLittleEndian(value, 8), register * 8, 'hex');
  }
}
