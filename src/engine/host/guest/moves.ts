import type * as D from '../../debugger.js';
import { StateError } from '../../state/schema.js';
import type { Machine } from '../../vmm/machine.js';
import { loadMachine, saveMachine } from '../../vmm/machine-state.js';
import { Migrations } from '../migration/migrations.js';
import type { MovingGuest } from '../migration/moving-guest.js';
import { SavedMachines } from '../saved-machines.js';
import { inSlices } from '../slices.js';
import { readState, writeState } from '../state-file.js';
import type { GuestParts } from './parts.js';
import type { RunLoop } from './run-loop.js';

/** The machine's whole state comes and goes: saved, loaded, moved to another process, reset. */
export class Moves {
  readonly moving: MovingGuest;
  readonly migration: Migrations;
  readonly #saved: SavedMachines;

  constructor(
    private readonly parts: GuestParts,
    private readonly loop: RunLoop,
  ) {
    this.moving = this.#asMoving();
    this.migration = new Migrations(this.moving);
    this.#saved = new SavedMachines(this.moving, () => Math.floor(Date.now() / 1000));
  }

  /** The monitor's commands that move the machine's state; undefined where the line is none of them. */
  async command(line: string): Promise<string | undefined> {
    return (await this.migration.command(line)) ?? (await this.#saved.command(line));
  }

  // ---- the guest stands meanwhile ----

  /** Work on a guest that stands until it is done. */
  async standing<T>(work: () => Promise<T>): Promise<T> {
    const running = this.#hold('memory is being written to a file');
    try {
      return await work();
    } finally {
      this.#letGo(running);
    }
  }

  /** Stops the guest, which nobody lets run until `#letGo`. Answers whether it ran. */
  #hold(why: string): boolean {
    const { status } = this.parts;
    status.mustNotBeHeld();
    const { running } = status;
    if (running) this.loop.halt(status.vcpu, { kind: 'paused' });
    status.hold(why);
    return running;
  }

  #letGo(run: boolean): void {
    this.parts.status.release();
    if (run) this.loop.start();
  }

  // ---- files ----

  /** Absent where the engine does not give its state. */
  get snapshots(): D.Debugger['snapshots'] {
    if (this.#machine.vm.unsavable !== undefined) return undefined;
    return {
      save: (file) => this.#save(file),
      load: (file) => this.#load(file),
      names: async () => this.#saved.names(),
    };
  }

  async #save(file: string): Promise<D.SavedState> {
    const { kept, turns } = this.parts;
    return this.standing(async () => {
      const { vm } = this.#machine;
      if (!kept.inPast) kept.flush();
      const saved = saveMachine(this.#machine, [turns]);
      const path = await inSlices(writeState(file, saved, vm.host.bytes), () => {});
      return { file: path, memoryBytes: vm.memoryBytes, icount: BigInt(vm.icount) };
    });
  }

  async #load(file: string): Promise<void> {
    const { status, kept, turns } = this.parts;
    const { vm } = this.#machine;
    if (status.running) this.loop.halt(status.vcpu, { kind: 'paused' });
    status.mustBeStopped();
    status.mustBeHere();
    // a recording may begin with a state, which is nobody's change
    if (vm.icount > 0 && kept.isRecorded) kept.mustBeLive();
    const { state, frames } = readState(file);
    kept.toTrunk();
    if (vm.icount > 0) kept.recording?.finish('another state is loaded');
    try {
      loadMachine(this.#machine, state, frames, [turns]);
    } catch (error) {
      throw error instanceof StateError ? new StateError(`${file}: ${error.message}`) : error;
    }
    this.#elsewhere();
  }

  /** Another state was loaded: what was known of the run so far holds no more. */
  #elsewhere(): void {
    const { kept, kernel } = this.parts;
    kept.past?.restart();
    kernel.forget();
    this.loop.halt(0, { kind: 'start' });
  }

  // ---- reset ----

  async reset(): Promise<void> {
    const { status, kept, kernel } = this.parts;
    status.mustBeHere();
    if (kept.isRecorded) kept.mustBeLive();
    const { running } = status;
    if (running) this.loop.halt(0, { kind: 'paused' });
    kept.past?.rejoin();
    kept.note({ kind: 'reset', vcpu: 0 });
    this.#machine.reset();
    kernel.forget();
    status.restarted();
    status.emit({ type: 'stopped', vcpu: 0, stop: status.stop, icount: 0n });
    if (running) this.loop.startAll();
  }

  // ---- another process ----

  get #machine(): Machine {
    return this.parts.machine;
  }

  /** What a migration needs of this guest, at either end. */
  #asMoving(): MovingGuest {
    const { machine, status, stops, turns, kept } = this.parts;
    const { vm } = machine;
    return {
      machine,
      get runs() {
        return [turns];
      },
      get ended() {
        return vm.end?.message;
      },
      get away() {
        const { end } = vm;
        return end?.kind === 'migrated' ? end.message : undefined;
      },
      mayMove: () => kept.mustBeOnTrunk(),
      stand: (why) => {
        kept.mustBeOnTrunk();
        // to save is an event of the run
        kept.flush();
        return this.#hold(why);
      },
      replaced: () => kept.recording?.finish('another state is loaded'),
      release: (run) => this.#letGo(run),
      moved: (message) => {
        status.release();
        vm.finish({ kind: 'migrated', status: 0, message });
        status.emit({ type: 'message', text: message });
        this.loop.haltAll(status.vcpu, stops.ended());
      },
      arrived: () => {
        kept.past?.restart();
        machine.pc.loseConnections();
        this.parts.kernel.forget();
        this.loop.halt(0, { kind: 'start' });
      },
      onceRunning: (call) => {
        const off = status.onEvent(({ type }) => {
          if (type !== 'running') return;
          off();
          call();
        });
      },
      tell: (text) => status.emit({ type: 'message', text }),
    };
  }
}
