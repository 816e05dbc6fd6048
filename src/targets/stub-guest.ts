/**
 * A guest under another program's GDB stub: its run control, breakpoints and what is written to it, in the debugger
 * API's words. How the stub is come by, and what is read while the guest runs, is the business of each kind of target.
 */

import { type AgentContext, programOf } from '../engine/debug/agent-expression.js';
import { codeBits, linearPc } from '../engine/debug/guest-mode.js';
import { isKernelAddress } from '../engine/debug/linux/kernel-half.js';
import type { CodeFile } from '../engine/debug/types/code-file.js';
import type * as D from '../engine/debugger.js';
import type { KernelSeeking } from '../engine/host/guest-code.js';
import { AR, EFER } from '../spec/masks.js';
import type { StubControl, StubStop } from './stub-control.js';
import { StubPoints } from './stub-points.js';

/** What KERNEL_GS_BASE and such are called by stubs; others have the same name. */
const STUB_NAMES: Record<string, string> = { rflags: 'eflags', kernel_gs_base: 'k_gs_base' };
/** Steps that one request takes at most: about two minutes. */
const MAX_STEPS = 100_000;
/** Pieces of memory that one expression reads. */
const MAX_FETCHES = 100;

/** Memory that an expression needs is not here yet. */
class MissingMemory extends Error {}

/** Why there is no source, as `unavailable` has it. */
export function noLines(file: CodeFile | undefined): Pick<D.TargetInfo['unavailable'], 'source'> {
  if (file?.lines) return {};
  const why = file ? 'the file of --symbols has no line numbers (.debug_line)' : 'attach with --symbols FILE';
  return { source: `no line table: ${why}` };
}

export abstract class StubGuest {
  readonly #listeners = new Set<(event: D.DebuggerEvent) => void>();
  protected readonly points = new StubPoints();
  protected running = true;
  protected vcpu = 0;
  protected ended = false;
  protected vcpus = 1;
  #stop: D.StopReason = { kind: 'paused' };
  /** Steps and runs of the stub, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** While what others tell of stops and runs is this program's own doing. */
  protected busy = 0;
  #waiting: ((state: D.RunState) => void)[] = [];
  #writes = 0;
  /** Counts stops, so that what was read at an earlier one is not taken for this. */
  protected stops = 0;

  /** The stub, with the guest standing. @returns whether it ran before */
  protected abstract take(): Promise<{ stub: StubControl; ran: boolean }>;
  protected abstract readonly stub: StubControl | undefined;
  abstract readRegisters(vcpu: number): Promise<D.RegisterFile>;
  abstract readMemory(space: D.AddressSpace, address: bigint, length: number, vcpu?: number): Promise<Uint8Array>;
  /** What was read of registers does not hold any more. */
  protected abstract forgetRegisters(): void;
  /** Lets the guest run by another way than the stub, where no breakpoint needs it. @returns whether it did */
  protected async runWithoutStub(): Promise<boolean> {
    return false;
  }
  /** The guest is to run, or as it was found, when it is given back. */
  protected noteRun(_running: boolean): void {}
  /** Why no more breakpoints can be had, in the stub's host's words. */
  protected pointLimit(): string {
    return '';
  }

  onEvent(listener: (event: D.DebuggerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  protected emit(event: D.DebuggerEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  async state(): Promise<D.RunState> {
    return this.runState();
  }

  protected runState(): D.RunState {
    return {
      running: this.running,
      vcpu: this.vcpu,
      ...(this.running ? {} : { stop: this.#stop }),
      icount: 0n,
      clock: BigInt(Math.floor(performance.now() * 1e6)),
    };
  }

  /** The guest has gone. */
  protected end(message: string): void {
    if (this.ended) return;
    this.ended = true;
    this.stopped(this.vcpu, { kind: 'ended', end: { kind: 'powered-off', status: 0, message } });
  }

  /** Counts up where memory may have changed; undefined while the guest runs. */
  protected readonly moment = (): number | undefined => (this.running ? undefined : this.stops + this.#writes);
  #lookedAt: number | undefined;
  /** When a kernel that is not known yet is looked for. */
  protected readonly seeking: KernelSeeking = {
    mayBeThere: () => this.#mayHaveKernel(),
    found: () => this.emit({ type: 'symbols' }),
  };

  /** Once at each stop: a kernel unpacks itself before it runs. */
  async #mayHaveKernel(): Promise<boolean> {
    if (this.running || this.ended || this.#lookedAt === this.stops) return false;
    this.#lookedAt = this.stops;
    const registers = await this.readRegisters(this.vcpu).catch((): D.RegisterFile => ({}));
    const inProgram = ((registers.cs ?? 0n) & 3n) === 3n && codeBits(registers) !== 16;
    return inProgram || isKernelAddress(linearPc(registers));
  }

  protected started(): void {
    this.running = true;
    this.forgetRegisters();
    this.emit({ type: 'running' });
  }

  protected stopped(vcpu: number, stop: D.StopReason): void {
    this.noteRun(false);
    this.running = false;
    this.vcpu = vcpu;
    this.#stop = stop;
    this.stops++;
    this.forgetRegisters();
    this.emit({ type: 'stopped', vcpu, stop, icount: 0n });
    for (const resolve of this.#waiting.splice(0)) resolve(this.runState());
  }

  /** Does work with the stub alone; what others tell of it meanwhile is its own. */
  protected async alone<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const run = (async () => {
      await before.catch(() => {});
      this.busy++;
      try {
        return await work();
      } finally {
        // A monitor's events of the last step come a moment after the stub's answer.
        setTimeout(() => {
          this.busy--;
        }, 50);
      }
    })();
    this.#turn = run.catch(() => {});
    return await run;
  }

  /** A stop that nobody waited for. */
  protected async onStop(stop: StubStop): Promise<void> {
    if (stop.exited) return this.end('the guest has ended');
    this.forgetRegisters();
    const now = ++this.stops;
    const address = await this.#next(stop.vcpu).catch(() => 0n);
    const reason = await this.#judged(this.points.reason(stop, address), stop.vcpu, address);
    // somebody has stopped it meanwhile
    if (now !== this.stops) return;
    if (reason === undefined) {
      void this.alone(() => this.#runOn()).catch((error: Error) => this.emit({ type: 'message', text: error.message }));
      return;
    }
    if (this.points.temporary !== undefined && reason.kind !== 'paused') this.points.temporary = undefined;
    this.stopped(stop.vcpu, reason);
  }

  /** Linear address of a vCPU's next instruction. */
  async #next(vcpu: number): Promise<bigint> {
    const { rip = 0n, cs_base = 0n, efer = 0n, cs_ar = 0n } = await this.readRegisters(vcpu);
    const long = (efer & EFER.LMA) !== 0n && (cs_ar & AR.L) !== 0n;
    return long ? rip : (rip + cs_base) & 0xffff_ffffn;
  }

  /** A stop at a breakpoint that it does not heed: the guest runs on, and has run for all others. */
  async #runOn(): Promise<void> {
    const { stub } = this;
    if (stub === undefined || this.ended) return;
    if (!this.running) this.started();
    const stop = await this.#stepOff(stub);
    if (stop) return await this.onStop(stop);
    await this.points.settle(stub);
    stub.resume();
  }

  /**
   * The stop as its breakpoint has it: undefined where its condition does not hold, hits are to pass, or it only prints.
   * A stub evaluates nothing, so this is done here at each hit.
   */
  async #judged(reason: D.StopReason, vcpu: number, address: bigint): Promise<D.StopReason | undefined> {
    const id = reason.kind === 'breakpoint' || reason.kind === 'watchpoint' ? reason.id : undefined;
    const point = id === undefined ? undefined : this.points.find(id);
    if (point === undefined || point.kind === 'exit') return reason;
    let failure: string | undefined;
    // gdb evaluates its own itself
    if (point.condition && point.label !== 'gdb') {
      const value = await this.#evaluate(point.condition, vcpu, address).catch((error: Error) => {
        failure = error.message;
        return 1n;
      });
      if (value === 0n) return undefined;
    }
    point.hits++;
    if (point.ignore) {
      point.ignore--;
      return undefined;
    }
    const action = point.kind === 'execute' ? point.action : undefined;
    if (action?.kind === 'print') {
      const say = (text: string): void => this.emit({ type: 'printed', text });
      await this.#evaluate(action, vcpu, address, say).catch((error: Error) => say(`<${error.message}>\n`));
      return undefined;
    }
    if (point.temporary) this.points.remove(point.id);
    return {
      ...(reason as D.StopReason & { kind: 'breakpoint' }),
      ...(failure === undefined ? {} : { failure }),
      ...(point.commands ? { commands: point.commands } : {}),
      ...(point.temporary ? { temporary: true } : {}),
    };
  }

  /** Memory that an expression asks for is fetched, and it begins anew. @throws Error that says why it has no value */
  async #evaluate(
    { expressions, registers, space }: D.Condition,
    vcpu: number,
    address: bigint,
    print?: (text: string) => void,
  ): Promise<bigint> {
    const file = await this.readRegisters(vcpu);
    const fetched = new Map<string, Uint8Array>();
    let missing: { address: bigint; length: number } | undefined;
    const context: AgentContext = {
      register: (number) => {
        const name = registers[number] ?? '';
        return name === 'linear_rip' ? address : Object.hasOwn(file, name) ? file[name] : undefined;
      },
      memory: (at, length) => {
        const bytes = fetched.get(`${at},${length}`);
        if (bytes) return bytes;
        missing = { address: at, length };
        throw new MissingMemory();
      },
      ...(print ? { print } : {}),
    };
    for (let round = 0; round < MAX_FETCHES; round++) {
      try {
        for (const code of expressions) {
          const value = programOf(code).run(context);
          if (value !== 0n) return value;
        }
        return 0n;
      } catch (error) {
        if (!(error instanceof MissingMemory) || !missing) throw error;
        const { address: at, length } = missing;
        fetched.set(`${at},${length}`, await this.readMemory(space, at, length, vcpu));
      }
    }
    throw new Error('the expression reads too much memory');
  }

  async pause(): Promise<D.RunState> {
    if (!this.running) return this.runState();
    await this.alone(async () => {
      const { ran } = await this.take();
      if (ran && this.running) this.stopped(this.vcpu, { kind: 'paused' });
    });
    return this.runState();
  }

  async resume(): Promise<void> {
    await this.alone(() => this.#go());
  }

  async #go(): Promise<void> {
    if (this.running) return;
    if (this.ended) throw new Error('the guest has ended');
    if (!this.points.any && this.points.temporary === undefined && (await this.runWithoutStub())) {
      this.started();
      return;
    }
    const { stub } = await this.take();
    const stop = await this.#stepOff(stub);
    if (stop) {
      await this.onStop(stop);
      return;
    }
    await this.points.settle(stub);
    this.noteRun(true);
    this.started();
    stub.resume();
  }

  /**
   * A vCPU that stands on a breakpoint never leaves it: each such one does a step without it.
   * @returns a stop that came instead of the end of such a step
   */
  async #stepOff(stub: StubControl): Promise<StubStop | undefined> {
    for (let vcpu = 0; vcpu < this.vcpus; vcpu++) {
      const address = await this.#next(vcpu);
      if (!this.points.breaksAt(address)) continue;
      const stop = await this.#stepOver(stub, vcpu, address);
      if (stop.exited || stop.watch || stop.signal !== 5) return stop;
    }
    return undefined;
  }

  async #stepOver(stub: StubControl, vcpu: number, address: bigint): Promise<StubStop> {
    if (this.points.breaksAt(address)) await stub.clearInstruction(address);
    this.forgetRegisters();
    const stop = await stub.step(vcpu);
    this.forgetRegisters();
    this.stops++;
    return stop;
  }

  async step(vcpu: number, count = 1, within?: { start: bigint; end: bigint }): Promise<D.RunState> {
    return await this.alone(async () => {
      const { stub, ran } = await this.take();
      if (ran) this.stopped(vcpu, { kind: 'paused' });
      this.emit({ type: 'running' });
      let reason: D.StopReason = { kind: 'step' };
      try {
        await this.points.settle(stub);
        for (let n = 0; n < count || within; n++) {
          const address = await this.#next(vcpu);
          if (n >= count && within && !(address >= within.start && address < within.end)) break;
          if (n >= count && this.points.breaksAt(address)) {
            const judged = await this.#judged(this.points.reason({ vcpu, signal: 5 }, address), vcpu, address);
            if (judged) {
              reason = judged;
              break;
            }
          }
          if (n >= MAX_STEPS) throw new Error(`more than ${MAX_STEPS} steps`);
          const stop = await this.#stepOver(stub, vcpu, address);
          if (stop.exited) {
            this.end('the guest has ended');
            return this.runState();
          }
          if (stop.watch || stop.signal !== 5) {
            const at = await this.#next(stop.vcpu);
            const judged = await this.#judged(this.points.reason(stop, at), stop.vcpu, at);
            if (judged) {
              reason = judged;
              break;
            }
          }
        }
      } finally {
        if (!this.ended) this.stopped(vcpu, reason);
      }
      return this.runState();
    });
  }

  async stepToExit(): Promise<D.RunState> {
    throw new Error('a GDB stub of another program does not report VM exits');
  }

  async runUntil(target: D.RunTarget): Promise<D.RunState> {
    const { gva } = target;
    if (target.exit) throw new Error('a GDB stub of another program does not report VM exits');
    if (target.icount !== undefined) throw new Error('a GDB stub of another program counts no instructions');
    if (gva === undefined) throw new Error('no address is given');
    const stopped = new Promise<D.RunState>((resolve) => this.#waiting.push(resolve));
    await this.alone(async () => {
      this.points.temporary = gva;
      if (this.running) {
        const { stub } = await this.take();
        await this.points.settle(stub);
        stub.resume();
      } else await this.#go();
    });
    return await stopped;
  }

  async writeRegister(vcpu: number, name: string, value: bigint): Promise<void> {
    await this.changing(async (stub) => {
      await stub.writeRegister(vcpu, STUB_NAMES[name] ?? name, value);
      this.forgetRegisters();
    });
  }

  async writeMemory(space: D.AddressSpace, address: bigint, bytes: Uint8Array, vcpu = this.vcpu): Promise<number> {
    if (space === 'hpa') return 0;
    this.#writes++;
    // By the stub: TCG has translated code that a write to the process would not reach.
    return await this.changing((stub) => stub.writeMemory(vcpu, space === 'gpa', address, bytes));
  }

  /** Changes something while the guest stands; one that ran goes on afterwards. */
  protected async changing<T>(work: (stub: StubControl) => Promise<T>): Promise<T> {
    return await this.alone(async () => {
      const { stub, ran } = await this.take();
      try {
        return await work(stub);
      } finally {
        if (ran) {
          await this.points.settle(stub);
          stub.resume();
        }
      }
    });
  }

  // --- breakpoints

  async addBreakpoint(spec: D.BreakpointSpec, label?: string): Promise<D.Breakpoint> {
    StubPoints.check(spec, label);
    const point = this.points.add(spec, label);
    try {
      await this.changing((stub) => this.points.settle(stub));
    } catch (error) {
      this.points.remove(point.id);
      throw new Error(`${(error as Error).message}${this.pointLimit()}`);
    }
    return point;
  }

  async removeBreakpoint(id: number): Promise<boolean> {
    const there = this.points.remove(id);
    if (there && this.stub) await this.changing((stub) => this.points.settle(stub));
    return there;
  }

  async enableBreakpoint(id: number, enabled: boolean): Promise<boolean> {
    const point = this.points.find(id);
    if (!point) return false;
    point.enabled = enabled;
    if (this.stub || enabled) await this.changing((stub) => this.points.settle(stub));
    return true;
  }

  async changeBreakpoint(id: number, change: D.BreakpointChange): Promise<boolean> {
    return this.points.change(id, change);
  }

  async print(text: string): Promise<void> {
    this.emit({ type: 'printed', text });
  }

  async breakpoints(): Promise<D.Breakpoint[]> {
    return this.points.list;
  }
}
