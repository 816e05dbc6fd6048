// The threads of the vCPUs as the devices' thread sees them: start one, wait for any, call one back.
import { Worker } from 'node:worker_threads';
import { EAGAIN, EINTR, ioctlError, KvmError } from '../kvm/errors.js';
import { kick } from '../kvm/kick.js';
import { INTERRUPTED, type KvmVcpu } from '../kvm/vcpu.js';
import type { Recall } from './run-timer.js';
import { BELL, cellOf, ERRNO, STATE, THREAD, TID, threadCells, type VcpuThreadData } from './thread-cells.js';

const START_MS = 10_000;
/** A kicked vCPU is back within microseconds; one that is not is stuck in the kernel. */
const KICKED_MS = 5000;

export class VcpuThread implements Recall {
  private readonly state: number;
  private readonly worker: Worker;
  private limit = Number.POSITIVE_INFINITY;
  private kicked = false;
  /** performance.now() when it was started last. */
  startedAt = 0;

  constructor(
    private readonly cells: Int32Array,
    private readonly vcpu: KvmVcpu,
  ) {
    this.state = cellOf(vcpu.id, STATE);
    vcpu.setSignalMask(0n);
    const workerData: VcpuThreadData = { cells, vcpu: vcpu.id, fd: vcpu.live() };
    this.worker = new Worker(new URL('./vcpu-thread.js', import.meta.url), { workerData });
    this.worker.unref();
    vcpu.runElsewhere = () => this.runUntilBack();
  }

  /** Waits until it is up. @throws KvmError when it does not come */
  ready(): void {
    if (!this.waitFor((state) => state !== THREAD.starting, START_MS)) {
      throw new KvmError('stuck', `the thread of vCPU ${this.vcpu.id} does not start`, 'run with --engine vtx');
    }
  }

  get running(): boolean {
    return Atomics.load(this.cells, this.state) === THREAD.running;
  }

  /** It is back from KVM_RUN and nobody has taken the answer. */
  get returned(): boolean {
    return Atomics.load(this.cells, this.state) === THREAD.returned;
  }

  /** Begins KVM_RUN. The vCPU belongs to its thread until `returned`. */
  start(): void {
    this.kicked = false;
    this.startedAt = performance.now();
    Atomics.store(this.cells, this.state, THREAD.running);
    Atomics.notify(this.cells, this.state);
  }

  /** What KVM_RUN answered, as KvmVcpu.runRaw(). */
  take(): number {
    Atomics.store(this.cells, this.state, THREAD.waiting);
    return this.peek();
  }

  /** As take(), and it may be taken later. */
  peek(): number {
    const errno = Atomics.load(this.cells, cellOf(this.vcpu.id, ERRNO));
    if (errno === EINTR || errno === EAGAIN) return INTERRUPTED;
    if (errno !== 0) throw ioctlError('KVM_RUN', errno);
    return this.vcpu.lastExit;
  }

  /** Calls it back from KVM_RUN, or from the beginning of it; once for each start. */
  kick(): void {
    if (this.kicked || !this.running) return;
    this.kicked = true;
    kick({ pid: process.pid, tid: Atomics.load(this.cells, cellOf(this.vcpu.id, TID)) });
  }

  /** Kicks it and waits until it is back. @throws KvmError when it does not come */
  stop(): void {
    this.kick();
    if (!this.waitFor((state) => state !== THREAD.running, KICKED_MS)) {
      throw new KvmError(
        'stuck',
        `vCPU ${this.vcpu.id} has not come back from KVM_RUN for ${KICKED_MS / 1000} s, though it was signalled`,
        "the host's KVM is stuck on an instruction; run with --engine vtx",
      );
    }
  }

  arm(atMs: number): void {
    this.limit = atMs;
  }

  fired(): void {
    this.limit = Number.POSITIVE_INFINITY;
  }

  close(): void {
    this.kick();
    Atomics.store(this.cells, this.state, THREAD.quit);
    Atomics.notify(this.cells, this.state);
    // its descriptors and its timer are gone when the machine is
    if (!this.waitFor((state) => state === THREAD.gone, KICKED_MS)) void this.worker.terminate();
  }

  /** KVM_RUN in the vCPU's thread while this one waits. */
  private runUntilBack(): number {
    this.start();
    const ms = this.limit - performance.now();
    if (!this.waitFor((state) => state !== THREAD.running, ms)) this.stop();
    return this.take();
  }

  private waitFor(is: (state: number) => boolean, ms: number): boolean {
    const until = performance.now() + ms;
    for (;;) {
      const bell = Atomics.load(this.cells, BELL);
      if (is(Atomics.load(this.cells, this.state))) return true;
      const left = until - performance.now();
      if (left <= 0) return false;
      Atomics.wait(this.cells, BELL, bell, left);
    }
  }
}

/** All threads of a machine. */
export class VcpuThreads {
  readonly all: VcpuThread[];
  private readonly cells: Int32Array;

  /** @throws KvmError when a thread does not start */
  constructor(vcpus: readonly KvmVcpu[]) {
    this.cells = threadCells(vcpus.length);
    this.all = vcpus.map((vcpu) => new VcpuThread(this.cells, vcpu));
    for (const thread of this.all) thread.ready();
  }

  /** To be read before looking at the threads, and given to `wait`: so that no return is missed. */
  get bell(): number {
    return Atomics.load(this.cells, BELL);
  }

  /** Waits until a vCPU has come back since `bell` was read, at most `ms`. */
  wait(bell: number, ms: number): void {
    if (ms > 0) Atomics.wait(this.cells, BELL, bell, ms);
  }

  /** Calls all back. */
  stop(): void {
    for (const thread of this.all) thread.kick();
    for (const thread of this.all) thread.stop();
  }

  close(): void {
    for (const thread of this.all) thread.kick();
    for (const thread of this.all) thread.close();
  }
}
