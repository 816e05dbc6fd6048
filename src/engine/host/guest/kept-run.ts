import { number } from '../../debug/monitor.js';
import { deviceCommand } from '../../debug/monitor-devices.js';
import type * as D from '../../debugger.js';
import type { Machine } from '../../vmm/machine.js';
import { Vm } from '../../vmm/vm.js';
import { GuestHistory, type HistoryHooks } from '../guest-history.js';
import { GuestRecording } from '../recording/guest-recording.js';
import { RunNotes } from '../run-notes.js';
import type { Turns } from '../turns.js';
import type { GuestOptions } from './options.js';
import type { RunStatus } from './status.js';

/** What a debugger does to the machine, as the journal keeps it. Numbers of 64 bits are decimal. */
export type Change = { vcpu: number } & (
  | { kind: 'register'; name: string; value: string }
  | { kind: 'memory'; space: D.AddressSpace; address: string; bytes: string }
  | { kind: 'vmcs'; encoding: number; value: string }
  | { kind: 'monitor'; line: string }
  | { kind: 'reset' }
);

/** What is kept of the run, to go back in it and to repeat it elsewhere; nothing where nobody asked for it. */
export class KeptRun {
  /** What a debugger does is kept, for who repeats the run. */
  readonly notes: RunNotes | undefined;
  #past: GuestHistory | undefined;
  #recording: GuestRecording | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly turns: Turns,
    private readonly status: RunStatus,
    private readonly options: GuestOptions,
  ) {
    const { vm } = machine;
    const { history, recorder } = options;
    machine.pc.journal.take('debugger', (data) => this.#repeat(JSON.parse(data as string)));
    if (vm instanceof Vm && (history || recorder))
      this.notes = new RunNotes(machine, vm, turns, () => this.mustBeLive());
  }

  /** The run begins. */
  begin(hooks: HistoryHooks): void {
    const { machine, turns, notes } = this;
    const { vm } = machine;
    const { history, recorder } = this.options;
    if (!(vm instanceof Vm) || !notes) return;
    if (history) this.#past = new GuestHistory(machine, vm, turns, notes, hooks, history);
    if (recorder) this.#recording = new GuestRecording(machine, vm, turns, notes, recorder);
  }

  /** Going back; undefined where nothing is kept for it. */
  get past(): GuestHistory | undefined {
    return this.#past;
  }

  get recording(): GuestRecording | undefined {
    return this.#recording;
  }

  get inPast(): boolean {
    return this.#past?.inPast === true;
  }

  /** The guest is on a branch, of which nobody outside is to know. */
  get onBranch(): boolean {
    return this.#past?.onBranch === true;
  }

  /** What is repeated was made elsewhere. */
  get isRecorded(): boolean {
    return this.#past?.isRecorded === true;
  }

  afterTurn(): void {
    if (!this.inPast) (this.#past ?? this.#recording)?.afterTurn();
  }

  mustBeLive(): void {
    if (this.isRecorded)
      throw new Error('the guest repeats a recording, where nothing can be changed: branch leaves it');
    if (this.inPast)
      throw new Error('the guest is in its past, where nothing can be changed: branch leaves it, goto end returns');
  }

  /** What is to go elsewhere, or to stay when the program ends, is the trunk's. @throws Error on a branch */
  mustBeOnTrunk(): void {
    if (this.onBranch) throw new Error('the guest is on a branch of its run, which is its own: switch trunk first');
  }

  /** Leaves a branch for the trunk's live end. */
  toTrunk(): void {
    if (this.onBranch) this.#past?.toTrunk();
  }

  /** To watch memory, or other memory, drops translations, which may show in the guest's paging structures. */
  watchesChanged(): void {
    if (!this.inPast) this.notes?.dropTranslations();
  }

  /** To save, or to look as far as that, is an event of the run. */
  flush(): void {
    if (!this.notes) return;
    this.mustBeLive();
    this.notes.flush();
  }

  // ---- what a debugger does to the machine belongs to the run ----

  /** It is about to be done. @throws Error in the past, which is as it was */
  note(change: Change): void {
    if (!this.notes) return;
    this.mustBeLive();
    this.notes.change(change);
  }

  /** Notes it and does it. */
  change(change: Change): Promise<number> {
    return this.make(change, () => this.#perform(change));
  }

  /**
   * Notes it and does it by `act`. In the past that begins a branch, once it is known that the machine takes the change.
   * @throws Error what `act` does, and where the guest runs in its past
   */
  async make<T>(change: Change, act: () => T | Promise<T>): Promise<T> {
    const past = this.#past;
    if (!past?.inPast) {
      this.note(change);
      return act();
    }
    this.status.mustBeStopped();
    const result = await act();
    // nothing was written, or nobody knows the command
    if (result === undefined ? change.kind === 'monitor' : change.kind === 'memory' && result === 0) return result;
    past.branch();
    this.note(change);
    return result;
  }

  /** Does again what was noted. What the machine refused then it refuses now. */
  #repeat(change: Change): void {
    try {
      this.#perform(change);
    } catch {}
  }

  #perform(change: Change): number {
    const { machine } = this;
    const { view } = machine;
    const vcpu = this.status.vcpuOf(change.vcpu);
    const { index } = vcpu;
    switch (change.kind) {
      case 'register':
        view.writeRegister(index, change.name, BigInt(change.value));
        vcpu.woken = true;
        return 0;
      case 'memory': {
        const { space, address, bytes } = change;
        return view.writeMemory(index, space, BigInt(address), Buffer.from(bytes, 'hex'));
      }
      case 'vmcs':
        void view.vmcs?.write(index, change.encoding, BigInt(change.value));
        vcpu.woken = true;
        return 0;
      case 'reset':
        machine.reset();
        return 0;
      case 'monitor':
        deviceCommand(machine, change.line, (text) => number(view, index, text));
        return 0;
    }
  }
}
