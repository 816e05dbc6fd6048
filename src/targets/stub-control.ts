/**
 * Control of a guest through another program's GDB stub, with what is known of QEMU's: any packet stops a running guest,
 * `D` resumes always, a breakpoint where the vCPU stands holds it for ever, a register written before a read is lost.
 */
import type { Duplex } from 'node:stream';
import { RspClient, RspError } from '../rsp/client.js';
import { decodeHex, decodeLittleEndian, encodeHex, encodeLittleEndian } from '../rsp/hex.js';
import { type FeatureRegister, includedAnnexes, parseFeatures } from './gdb-features.js';

const ANSWER_MS = 5000;
const STOP_MS = 5000;
const MAX_XML = 1 << 20;
/** A read of QEMU's packet size. */
const PIECE = 1024;

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

export class StubControl {
  readonly #client: RspClient;
  #threads: string[] = [];
  #registers: FeatureRegister[] = [];
  #stopped: { resolve(stop: StubStop): void; reject(error: Error): void } | undefined;
  #selected = '';
  #physical = false;
  /** What is set in the stub, by `type,address,kind`. */
  readonly points = new Set<string>();
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
    // Who sends T asks for nothing more; QEMU forgets all breakpoints here.
    const why = await this.#client.must('?');
    this.#threads = await this.#threadList();
    if (this.#threads.length === 0) this.#threads = [/thread:([0-9a-fp.]+)/.exec(why)?.[1] ?? '1'];
    if (/qXfer:features:read\+/.test(features)) {
      let xml = await this.#client.transfer('features', 'target.xml', MAX_XML);
      const parts = await Promise.all(
        includedAnnexes(xml).map((name) => this.#client.transfer('features', name, MAX_XML)),
      );
      if (parts.length) xml = parts.join('\n');
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
    await this.#client.must(`Z${key}`);
    this.points.add(key);
  }

  async clearPoint(type: number, address: bigint, kind: number): Promise<void> {
    const key = `${type},${address.toString(16)},${kind.toString(16)}`;
    if (!this.points.delete(key)) return;
    await this.#client.must(`z${key}`);
  }

  /** All that was set, gone. */
  async clearAll(): Promise<void> {
    for (const key of [...this.points]) {
      this.points.delete(key);
      await this.#client.must(`z${key}`).catch((error) => {
        if (!(error instanceof RspError)) throw error;
      });
    }
  }

  /** Runs one instruction of a vCPU, the others stand. */
  async step(vcpu: number): Promise<StubStop> {
    return await this.#run(`vCont;s:${this.#thread(vcpu)}`);
  }

  /** Lets all vCPUs run; the stop comes to onStop, or to waitForStop. */
  resume(): void {
    this.#selected = '';
    this.#client.run('vCont;c');
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

  async #select(vcpu: number): Promise<void> {
    const id = this.#thread(vcpu);
    if (this.#selected === id) return;
    await this.#client.must(`Hg${id}`);
    this.#selected = id;
  }

  /** All registers of the `g` packet by the description's names. */
  async readRegisters(vcpu: number): Promise<Map<string, bigint>> {
    await this.#select(vcpu);
    const dump = await this.#client.must('g');
    const values = new Map<string, bigint>();
    for (const { name, offset, bits } of this.#registers) {
      const value = decodeLittleEndian(dump.slice(2 * offset, 2 * (offset + Math.ceil(bits / 8))));
      if (value !== undefined) values.set(name, value);
    }
    return values;
  }

  /** Writes, and reads back. @throws Error when the value does not hold */
  async writeRegister(vcpu: number, name: string, value: bigint): Promise<void> {
    const register = this.#registers.find((one) => one.name === name);
    if (!register) throw new Error(`the stub has no register ${name}`);
    await this.#select(vcpu);
    // On KVM a write before the first read since the stop is answered OK and lost.
    await this.#client.must('g');
    const bytes = Math.ceil(register.bits / 8);
    await this.#client.must(`P${register.number.toString(16)}=${encodeLittleEndian(value, bytes)}`);
    const back = await this.#client.must(`p${register.number.toString(16)}`);
    if (decodeLittleEndian(back) !== BigInt.asUintN(bytes * 8, value))
      throw new Error(`${name} does not take 0x${value.toString(16)}`);
  }

  async readMemory(vcpu: number, physical: boolean, address: bigint, length: number): Promise<Uint8Array> {
    await this.#select(vcpu);
    await this.#space(physical);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < length; ) {
      const most = Math.min(PIECE, length - at, 4096 - Number((address + BigInt(at)) & 0xfffn));
      const reply = await this.#client.ask(`m${(address + BigInt(at)).toString(16)},${most.toString(16)}`);
      const bytes = /^E/.test(reply) ? undefined : decodeHex(reply);
      if (!bytes || bytes.length === 0) break;
      parts.push(bytes);
      at += bytes.length;
      if (bytes.length < most) break;
    }
    return Buffer.concat(parts);
  }

  async writeMemory(vcpu: number, physical: boolean, address: bigint, bytes: Uint8Array): Promise<number> {
    await this.#select(vcpu);
    await this.#space(physical);
    let at = 0;
    while (at < bytes.length) {
      const piece = bytes.subarray(at, at + Math.min(PIECE, 4096 - Number((address + BigInt(at)) & 0xfffn)));
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
    if (run) await this.#client.ask('D;1').catch(() => {});
    this.#client.close('left');
  }

  close(): void {
    this.#client.close();
  }
}

/** `p01.01` and `p1.1` are the same; `1` is that of the first process. */
function sameThread(a: string, b: string): boolean {
  const last = (id: string): number => Number.parseInt(id.split('.').at(-1)!.replace(/^p/, ''), 16);
  return last(a) === last(b);
}
