/**
 * Control of a guest through another program's GDB stub, with what is known of QEMU's: any packet stops a running guest,
 * `D` resumes always, a breakpoint where the vCPU stands holds it for ever, a register written before a read is lost.
 */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { RspClient, RspError } from '../rsp/client.js';
import { decodeHex, decodeLittleEndian, encodeHex, encodeLittleEndian } from '../rsp/hex.js';
import { type FeatureRegister, includedAnnexes, parseFeatures, undescribed } from './gdb-features.js';

const CONNECT_MS = 3000;
const ANSWER_MS = 5000;
const STOP_MS = 5000;
const MAX_XML = 1 << 20;
/** Bytes of memory in one packet: half of QEMU's packet size, and less where a stub has smaller ones. */
const PIECE = 1024;
/** Packet size of a stub that does not say: what gdb takes it for then. */
const SMALL_PACKET = 400;

export interface StubStop {
  /** vCPU's index. */
  vcpu: number;
  signal: number;
  watch?: { access: 'read' | 'write' | 'access'; address: bigint };
  /** The guest has gone. */
  exited?: boolean;
}

/** Z packet types. @gdb "Packets", `Z1` and so on */
export const POINT = { hardware: 1, write: 2, read: 3, access: 4 } as const;

/** A connection to a stub. @param where a path, or HOST:PORT */
export function connectStub(where: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const port = /:(\d+)$/.exec(where);
    const socket = where.startsWith('/')
      ? connect(where)
      : connect({ host: where.slice(0, -port![0].length).replace(/^\[(.*)\]$/, '$1'), port: Number(port![1]) });
    const timer = setTimeout(() => socket.destroy(new Error(`${where}: no answer`)), CONNECT_MS);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.setNoDelay(true);
      socket.removeListener('error', reject);
      resolve(socket);
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

export class StubControl {
  readonly #client: RspClient;
  #threads: string[] = [];
  #registers: FeatureRegister[] = [];
  #stopped: { resolve(stop: StubStop): void; reject(error: Error): void } | undefined;
  #selected = '';
  #physical = false;
  #piece = PIECE;
  /** Whether the stub has vCont; else threads are chosen by Hc. */
  #vCont = true;
  /** Whether it knows threads at all. */
  #threaded = true;
  /** How it sets a breakpoint on an instruction: by the debug registers, or in the code. */
  #instructions: 'hardware' | 'software' = 'hardware';
  /** What is set in the stub, by `type,address,kind`. */
  readonly points = new Set<string>();
  /** `i386:x86-64`, as the description says. */
  architecture: string | undefined;
  /** vCPU that the stop at the opening concerns. */
  first = 0;
  /** What chooses a thread or a space and then asks, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Told stops that nobody waits for: a breakpoint after resume(), somebody else's `stop`. */
  onStop: (stop: StubStop) => void = () => {};

  private constructor(stream: Duplex) {
    const wire = {
      write: (bytes: Uint8Array) => void (stream.writable && stream.write(bytes)),
      close: () => void stream.destroy(),
    };
    this.#client = new RspClient(wire, ANSWER_MS);
    this.#client.onStop = (reply) => this.#stop(reply);
    stream.on('data', (bytes: Buffer) => this.#client.feed(bytes));
    stream.on('error', (error: Error) => this.#client.close(error.message));
    stream.on('end', () => this.#client.close('the stub has closed the connection'));
    stream.on('close', () => this.#client.close('the stub has closed the connection'));
    void this.closed.then((reason) => this.#stopped?.reject(new Error(reason)));
  }

  /** Connecting stops the guest of QEMU. @throws Error when nobody answers: another debugger has the stub */
  static async open(stream: Duplex): Promise<StubControl> {
    const control = new StubControl(stream);
    try {
      await control.#start();
      return control;
    } catch (error) {
      control.#client.close();
      const text = (error as Error).message;
      throw new Error(/does not answer/.test(text) ? `${text}: another debugger has it, or it hangs` : text);
    }
  }

  get closed(): Promise<string> {
    return this.#client.closed;
  }

  get running(): boolean {
    return this.#client.running;
  }

  get threads(): number {
    return this.#threads.length;
  }

  get registers(): readonly FeatureRegister[] {
    return this.#registers;
  }

  async #start(): Promise<void> {
    const features = await this.#client.ask(
      'qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+;xmlRegisters=i386',
    );
    const size = Number.parseInt(/(?:^|;)PacketSize=([0-9a-f]{1,8})/i.exec(features)?.[1] ?? '', 16) || SMALL_PACKET;
    this.#piece = Math.max(16, Math.min(PIECE, Math.floor((size - 32) / 2)));
    // Who sends T asks for nothing more; QEMU forgets all breakpoints here.
    const why = await this.#client.must('?');
    if (/^[WX]/.test(why)) throw new Error('the program has ended');
    this.#threads = await this.#threadList();
    const own = /thread:([0-9a-fp.]+)/.exec(why)?.[1];
    if (this.#threads.length === 0)
      this.#threads = [own ?? (/^QC([0-9a-fp.]+)$/.exec(await this.#client.ask('qC'))?.[1] || '1')];
    this.first = Math.max(
      0,
      this.#threads.findIndex((id) => own !== undefined && sameThread(id, own)),
    );
    this.#vCont = /^vCont;(?=.*;?s\b)(?=.*c\b)/.test(await this.#client.ask('vCont?'));
    if (/qXfer:features:read\+/.test(features)) {
      let xml = await this.#client.transfer('features', 'target.xml', MAX_XML);
      this.architecture = /<architecture>\s*([\w:-]+)\s*</.exec(xml)?.[1];
      const parts = await Promise.all(
        includedAnnexes(xml).map((name) => this.#client.transfer('features', name, MAX_XML)),
      );
      // A description may have both registers of its own and those that it includes.
      if (parts.length) xml = [xml, ...parts].join('\n');
      this.#registers = parseFeatures(xml);
    }
  }

  async #threadList(): Promise<string[]> {
    const all: string[] = [];
    let reply = await this.#client.ask('qfThreadInfo');
    for (let n = 0; n < 1024 && reply.startsWith('m'); n++) {
      all.push(
        ...reply
          .slice(1)
          .split(',')
          .filter((id) => /^p?[0-9a-f]+(\.[0-9a-f]+)?$/.test(id)),
      );
      reply = await this.#client.ask('qsThreadInfo');
    }
    return all;
  }

  /** The stub's flags for single steps, where it has them. */
  async stepFlags(): Promise<string | undefined> {
    const reply = await this.#client.ask('qqemu.sstep');
    return /^0x[0-9a-f]+$/i.test(reply) ? reply : undefined;
  }

  async setStepFlags(flags: string): Promise<void> {
    await this.#client.must(`Qqemu.sstep=${Number(flags).toString(16)}`);
  }

  /** @param kind the length that is watched; 1 for instructions. @throws RspError when the stub has no more of them */
  async setPoint(type: number, address: bigint, kind: number): Promise<void> {
    const key = `${type},${address.toString(16)},${kind.toString(16)}`;
    await this.#alone(() => this.#space(false));
    try {
      await this.#client.must(`Z${this.#wire(key)}`);
    } catch (error) {
      // A stub that has no debug registers to give, such as Linux's own without CONFIG_HAVE_HW_BREAKPOINT.
      const unknown = error instanceof RspError && error.reply === '';
      if (!unknown || type !== POINT.hardware || this.#instructions === 'software') throw error;
      this.#instructions = 'software';
      await this.#client.must(`Z${this.#wire(key)}`);
    }
    this.points.add(key);
  }

  async clearPoint(type: number, address: bigint, kind: number): Promise<void> {
    const key = `${type},${address.toString(16)},${kind.toString(16)}`;
    if (!this.points.delete(key)) return;
    await this.#client.must(`z${this.#wire(key)}`);
  }

  async clearInstruction(address: bigint): Promise<void> {
    await this.clearPoint(POINT.hardware, address, 1);
  }

  #wire(key: string): string {
    return this.#instructions === 'software' ? key.replace(/^1,/, '0,') : key;
  }

  /** All that was set, gone. */
  async clearAll(): Promise<void> {
    for (const key of [...this.points]) {
      this.points.delete(key);
      await this.#client.must(`z${this.#wire(key)}`).catch((error) => {
        if (!(error instanceof RspError)) throw error;
      });
    }
  }

  /** Runs one instruction of a vCPU, the others stand. */
  async step(vcpu: number): Promise<StubStop> {
    // What somebody still asks is answered first.
    await this.#alone(async () => {
      if (!this.#vCont) await this.#chooseToRun(vcpu);
    });
    return await this.#run(this.#vCont ? `vCont;s:${this.#thread(vcpu)}` : 's');
  }

  /** Lets all vCPUs run; the stop comes to onStop, or to waitForStop. */
  resume(): void {
    this.#selected = '';
    this.#client.run(this.#vCont ? 'vCont;c' : 'c');
  }

  /** The thread of `s`, where the stub knows threads. */
  async #chooseToRun(vcpu: number): Promise<void> {
    if (this.#threaded) this.#threaded = (await this.#client.ask(`Hc${this.#thread(vcpu)}`)) !== '';
  }

  /** Stops a running guest. */
  async pause(): Promise<StubStop> {
    const stop = this.#waitForStop(STOP_MS);
    this.#client.interrupt();
    return await stop;
  }

  /** Somebody else let the guest run. */
  noteRunning(): void {
    this.#client.running = true;
  }

  async #run(packet: string): Promise<StubStop> {
    const stop = this.#waitForStop(STOP_MS);
    this.#selected = '';
    this.#client.run(packet);
    return await stop;
  }

  #waitForStop(ms: number): Promise<StubStop> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#stopped = undefined;
        reject(new Error(`the guest does not stop in ${ms / 1000} s`));
      }, ms);
      this.#stopped = {
        resolve: (stop) => {
          clearTimeout(timer);
          resolve(stop);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
    });
  }

  #stop(reply: string): void {
    const stop = this.#parse(reply);
    const waiting = this.#stopped;
    this.#stopped = undefined;
    if (waiting) waiting.resolve(stop);
    else this.onStop(stop);
  }

  #parse(reply: string): StubStop {
    if (reply[0] === 'W' || reply[0] === 'X') return { vcpu: 0, signal: 0, exited: true };
    const signal = Number.parseInt(reply.slice(1, 3), 16) || 0;
    const thread = /thread:([0-9a-fp.]+);/.exec(reply)?.[1];
    const watch = /\b([ra]?)watch:([0-9a-f]{1,16});/.exec(reply);
    const access = { '': 'write', r: 'read', a: 'access' } as const;
    return {
      vcpu: Math.max(0, thread === undefined ? 0 : this.#threads.findIndex((id) => sameThread(id, thread))),
      signal,
      ...(watch ? { watch: { access: access[watch[1] as '' | 'r' | 'a'], address: BigInt(`0x${watch[2]}`) } } : {}),
    };
  }

  #thread(vcpu: number): string {
    const id = this.#threads[vcpu];
    if (id === undefined) throw new Error(`no vCPU ${vcpu}`);
    return id;
  }

  /** What chooses a thread or a space and asks then: no other question may come between. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const own = (async () => {
      await before.catch(() => {});
      return await work();
    })();
    this.#turn = own.catch(() => {});
    return await own;
  }

  async #select(vcpu: number): Promise<void> {
    const id = this.#thread(vcpu);
    if (this.#selected === id || !this.#threaded) return;
    const reply = await this.#client.ask(`Hg${id}`);
    if (reply === '') this.#threaded = false;
    else if (reply !== 'OK') throw new RspError(reply, `Hg${id}`);
    this.#selected = id;
  }

  /**
   * All registers of the `g` packet by the description's names, and those of `more` that the packet does not hold.
   * What the stub calls unavailable is absent.
   */
  readRegisters(vcpu: number, more: ReadonlySet<string> = NONE): Promise<Map<string, bigint>> {
    return this.#alone(() => this.#readRegisters(vcpu, more));
  }

  async #readRegisters(vcpu: number, more: ReadonlySet<string>): Promise<Map<string, bigint>> {
    await this.#select(vcpu);
    const dump = await this.#client.must('g');
    if (this.#registers.length === 0) this.#registers = undescribed(dump.length / 2);
    const values = new Map<string, bigint>();
    for (const { name, number, offset, bits } of this.#registers) {
      const bytes = Math.ceil(bits / 8);
      const inside = 2 * (offset + bytes) <= dump.length;
      if (!inside && !more.has(name)) continue;
      const text = inside
        ? dump.slice(2 * offset, 2 * (offset + bytes))
        : await this.#client.ask(`p${number.toString(16)}`);
      const value = /^E/.test(text) ? undefined : decodeLittleEndian(text);
      if (value !== undefined) values.set(name, value);
    }
    return values;
  }

  /** Writes, and reads back. @throws Error when the value does not hold */
  writeRegister(vcpu: number, name: string, value: bigint): Promise<void> {
    return this.#alone(() => this.#writeRegister(vcpu, name, value));
  }

  async #writeRegister(vcpu: number, name: string, value: bigint): Promise<void> {
    const register = this.#registers.find((one) => one.name === name);
    if (!register) throw new Error(`the stub has no register ${name}`);
    await this.#select(vcpu);
    // On KVM a write before the first read since the stop is answered OK and lost.
    await this.#client.must('g');
    const bytes = Math.ceil(register.bits / 8);
    await this.#write(register, BigInt.asUintN(register.bits, value));
    const back = (await this.#readRegisters(vcpu, new Set([name]))).get(name);
    if (back !== BigInt.asUintN(bytes * 8, value)) throw new Error(`${name} does not take 0x${value.toString(16)}`);
  }

  async #write({ number, offset, bits }: FeatureRegister, value: bigint): Promise<void> {
    const bytes = Math.ceil(bits / 8);
    const reply = await this.#client.ask(`P${number.toString(16)}=${encodeLittleEndian(value, bytes)}`);
    if (reply === 'OK') return;
    const question = `P${number.toString(16)}`;
    if (reply !== '') throw new RspError(reply, question);
    // A stub without P: all registers at once.
    const dump = await this.#client.must('g');
    if (2 * (offset + bytes) > dump.length) throw new RspError(reply, question);
    const changed = dump.slice(0, 2 * offset) + encodeLittleEndian(value, bytes) + dump.slice(2 * (offset + bytes));
    await this.#client.must(`G${changed}`);
  }

  /** Whether it reads and writes guest-physical memory, as QEMU's does. */
  async hasPhysical(): Promise<boolean> {
    return /^[01]$/.test(await this.#client.ask('qqemu.PhyMemMode'));
  }

  readMemory(vcpu: number, physical: boolean, address: bigint, length: number): Promise<Uint8Array> {
    return this.#alone(() => this.#readMemory(vcpu, physical, address, length));
  }

  async #readMemory(vcpu: number, physical: boolean, address: bigint, length: number): Promise<Uint8Array> {
    await this.#select(vcpu);
    await this.#space(physical);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < length; ) {
      const most = Math.min(this.#piece, length - at, 4096 - Number((address + BigInt(at)) & 0xfffn));
      const reply = await this.#client.ask(`m${(address + BigInt(at)).toString(16)},${most.toString(16)}`);
      const bytes = /^E/.test(reply) ? undefined : decodeHex(reply);
      if (!bytes || bytes.length === 0) break;
      parts.push(bytes);
      at += bytes.length;
      if (bytes.length < most) break;
    }
    return Buffer.concat(parts);
  }

  writeMemory(vcpu: number, physical: boolean, address: bigint, bytes: Uint8Array): Promise<number> {
    return this.#alone(() => this.#writeMemory(vcpu, physical, address, bytes));
  }

  async #writeMemory(vcpu: number, physical: boolean, address: bigint, bytes: Uint8Array): Promise<number> {
    await this.#select(vcpu);
    await this.#space(physical);
    let at = 0;
    while (at < bytes.length) {
      const piece = bytes.subarray(at, at + Math.min(this.#piece, 4096 - Number((address + BigInt(at)) & 0xfffn)));
      const where = (address + BigInt(at)).toString(16);
      const reply = await this.#client.ask(`M${where},${piece.length.toString(16)}:${encodeHex(piece)}`);
      if (reply !== 'OK') break;
      at += piece.length;
    }
    return at;
  }

  async #space(physical: boolean): Promise<void> {
    if (physical === this.#physical) return;
    await this.#client.must(`Qqemu.PhyMemMode:${physical ? 1 : 0}`);
    this.#physical = physical;
  }

  monitor(line: string): Promise<string> {
    return this.#client.monitor(line);
  }

  /**
   * Leaves the stub. The guest stands at this moment, all breakpoints are out.
   * @param run whether the guest is to run afterwards
   */
  async leave(run: boolean): Promise<void> {
    await this.#space(false).catch(() => {});
    // D resumes in any case, so a guest that is to stand is left by closing.
    if (run) {
      const process = /^p([0-9a-f]+)\./.exec(this.#threads[0] ?? '')?.[1];
      await this.#client.ask(process === undefined ? 'D' : `D;${process}`).catch(() => {});
    }
    this.#client.close('left');
  }

  close(): void {
    this.#client.close();
  }
}

const NONE: ReadonlySet<string> = new Set();

/** `p01.01` and `p1.1` are the same; `1` is that of the first process. */
function sameThread(a: string, b: string): boolean {
  const last = (id: string): number => Number.parseInt(id.split('.').at(-1)!.replace(/^p/, ''), 16);
  return last(a) === last(b);
}
