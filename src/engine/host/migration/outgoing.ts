/** A guest on its way to another process: its memory is copied while it runs, round by round, then it stops and follows. */
import type { MigrationPhase, MigrationStatus } from '../../debugger.js';
import type { DirtyWatch } from '../../vmm/dirty-frames.js';
import type { Hypervisor } from '../../vmm/hypervisor.js';
import { machineFormats, machineIdentity, saveMachine } from '../../vmm/machine-state.js';
import { fileCause } from '../file-cause.js';
import { deflateTree } from '../state-tree.js';
import { drivesOf, type MovingGuest } from './moving-guest.js';
import { occupied, PAGES_A_RECORD, type PageCounts, sendFrames } from './pages.js';
import { type Hello, KIND, MigrationStream, PeerGone } from './stream.js';
import { connectTo, type MigrationUri, showUri } from './uri.js';

const PAGE = 4096;
const CONNECT_MS = 10_000;
/** The receiver checks all it has got, and may be a busy host. */
const ANSWER_MS = 60_000;
/** The guest stops for its last pages once they are expected to take no longer, as QEMU's default. */
const DOWNTIME_MS = 300;
/** A guest that writes faster than the connection carries is stopped after so many rounds. */
const MAX_ROUNDS = 30;

export class Outgoing {
  #phase: MigrationPhase = 'setup';
  #error: string | undefined;
  #stream: MigrationStream | undefined;
  readonly #counts: PageCounts = { normal: 0, zero: 0 };
  #rounds = 0;
  /** The guest is the receiver's, if that is still there. */
  #given = false;
  #remaining = 0;
  readonly #started = performance.now();
  #ended: number | undefined;
  #setupMs = 0;
  #downtimeMs: number | undefined;
  /** Resolves when it is over, however it went. */
  readonly done: Promise<void>;

  constructor(
    private readonly guest: MovingGuest,
    private readonly uri: MigrationUri,
  ) {
    this.done = this.#move().then(
      () => this.#end('completed'),
      (error: Error) => this.#fail(error),
    );
  }

  get isOver(): boolean {
    return this.#ended !== undefined;
  }

  status(): MigrationStatus {
    const total = (this.#ended ?? performance.now()) - this.#started;
    return {
      ...{ phase: this.#phase, to: showUri(this.uri), totalMs: Math.round(total), setupMs: Math.round(this.#setupMs) },
      ...(this.#error === undefined ? {} : { error: this.#error }),
      ...(this.#downtimeMs === undefined ? {} : { downtimeMs: Math.round(this.#downtimeMs) }),
      ...{ transferredBytes: this.#stream?.sentBytes ?? 0, remainingBytes: this.#remaining * PAGE },
      ...{ totalBytes: this.guest.machine.vm.memoryBytes, rounds: this.#rounds },
      ...{ zeroPages: this.#counts.zero, normalPages: this.#counts.normal },
    };
  }

  /** Gives it up. @throws Error when the guest may be the receiver's already */
  cancel(): void {
    if (this.isOver) return;
    if (this.#given) throw new Error('it is too late: the guest has stopped here and is being started there');
    this.#phase = 'cancelling';
    this.#stream?.close();
  }

  async #move(): Promise<void> {
    const { guest, uri } = this;
    const { machine } = guest;
    const { vm } = machine;
    const socket = await connectTo(uri, CONNECT_MS).catch((error) => {
      throw new Error(fileCause(error));
    });
    const stream = new MigrationStream(socket, 'the receiver');
    this.#stream = stream;
    this.#mustGoOn();
    const watch = vm.dirtyFrames.watch();
    try {
      await stream.sendHead();
      const hello: Hello = {
        ...{ name: machine.name, identity: machineIdentity(machine) },
        ...{ formats: machineFormats(machine, guest.runs), drives: drivesOf(machine) },
      };
      await stream.send(KIND.hello, Buffer.from(JSON.stringify(hello)));
      await stream.expect(KIND.yes, ANSWER_MS);
      this.#setupMs = performance.now() - this.#started;
      this.#phase = 'active';
      await this.#copy(vm, stream, watch);
      this.#phase = 'device';
      await this.#follow(vm, stream, watch);
    } finally {
      watch.close();
      stream.finish();
    }
  }

  /** Rounds over what the guest has written in the meantime, until the rest is small. */
  async #copy(vm: Hypervisor, stream: MigrationStream, watch: DirtyWatch): Promise<void> {
    await this.#round(vm, stream, watch, occupied(vm));
    for (let copyMs = 0; ; ) {
      this.#mustGoOn();
      const list = watch.take();
      this.#remaining = list.length;
      const rate = stream.sentBytes / Math.max(1, performance.now() - this.#started - this.#setupMs);
      copyMs = (list.length * PAGE) / rate;
      this.#last = list;
      if (copyMs <= DOWNTIME_MS || this.#rounds >= MAX_ROUNDS) return;
      await this.#round(vm, stream, watch, list);
    }
  }

  /** What the last look found and no round has sent. */
  #last: readonly number[] = [];

  async #round(vm: Hypervisor, stream: MigrationStream, watch: DirtyWatch, list: Iterable<number>): Promise<void> {
    this.#rounds++;
    let batch: number[] = [];
    const flush = async (): Promise<void> => {
      await sendFrames(vm, stream, batch, this.#counts, watch);
      this.#remaining = Math.max(0, this.#remaining - batch.length);
      batch = [];
      // the guest has its turn
      await new Promise((resolve) => setImmediate(resolve));
      this.#mustGoOn();
    };
    for (const hpa of list) if (batch.push(hpa) === PAGES_A_RECORD) await flush();
    if (batch.length > 0) await flush();
  }

  /** The guest stops, and what is left of it follows. */
  async #follow(vm: Hypervisor, stream: MigrationStream, watch: DirtyWatch): Promise<void> {
    const { guest } = this;
    const { machine } = guest;
    const stopped = performance.now();
    const ran = guest.stand('the guest is being moved to another process');
    try {
      const { state } = saveMachine(machine, guest.runs);
      const rest = [...new Set([...this.#last, ...watch.take()])];
      this.#rounds++;
      for (let at = 0; at < rest.length; at += PAGES_A_RECORD) {
        await sendFrames(vm, stream, rest.slice(at, at + PAGES_A_RECORD), this.#counts, watch);
      }
      this.#remaining = 0;
      await stream.send(KIND.tree, deflateTree(state));
      await stream.send(KIND.end, stream.sentDigest());
      await stream.expect(KIND.yes, ANSWER_MS);
      this.#given = true;
      machine.passDrives(true);
      await stream.send(KIND.go, Buffer.from([ran ? 1 : 0]));
      await stream.expect(KIND.started, ANSWER_MS);
    } catch (error) {
      if (this.#given) this.#takeBack(error as Error);
      guest.release(ran);
      throw error;
    }
    this.#downtimeMs = performance.now() - stopped;
    this.#end('completed');
    const message = `the guest goes on at ${showUri(this.uri)}: downtime ${Math.round(this.#downtimeMs)} ms`;
    guest.moved(`${message}, ${Math.round(performance.now() - this.#started)} ms in all`);
  }

  /**
   * The receiver had everything and has not said that the guest runs. One that has gone runs nothing; one that is only
   * out of reach may, and then it has the disks, or nobody knows.
   */
  #takeBack(error: Error): void {
    const { guest } = this;
    const unknown = error instanceof PeerGone && !error.closed;
    let taken = true;
    try {
      guest.machine.passDrives(false);
    } catch {
      taken = false;
    }
    if (taken && !unknown) return;
    guest.release(false);
    const why = taken ? 'whether it runs there is not known' : 'its disks are in use there';
    throw new Error(
      `${error.message}, ${why}: the guest is stopped here; quit, or let it run if it does not run there`,
    );
  }

  #mustGoOn(): void {
    if (this.#phase === 'cancelling') throw new Error('cancelled');
    const { ended } = this.guest;
    if (ended !== undefined) throw new Error(`the guest has ended: ${ended}`);
  }

  #end(phase: MigrationPhase): void {
    this.#phase = phase;
    this.#ended ??= performance.now();
  }

  #fail(error: Error): void {
    this.#stream?.close();
    if (this.#phase === 'cancelling') {
      this.#end('cancelled');
      return;
    }
    this.#error = error.message;
    this.#end('failed');
    this.guest.tell(`migration to ${showUri(this.uri)} failed: ${error.message}`);
  }
}
