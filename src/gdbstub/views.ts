/**
 * The processes that a client sees in the one guest: views of the same vCPUs in other registers. Process 1 is the guest
 * as it is shown to everybody; 2 and 3 stand beside it once the client attaches to them, so that real mode and 32-bit
 * code are seen as such while process 1 shows all 64 bits.
 * @gdb "Multiprocess Extensions", "Debugging Multiple Inferiors"
 */
import { RegisterAccess } from './register-access.js';
import type { ClientFeatures } from './session.js';
import type { StubSettings } from './settings.js';
import type { Architecture, Target } from './target.js';
import { PROCESS_ID } from './thread-id.js';

/** What each process beside the first one shows the guest as. */
const FIXED: ReadonlyMap<number, Architecture> = new Map([
  [2, 'i386'],
  [3, 'i8086'],
]);

export class Views {
  /** Processes of packets about registers (`Hg`), and of those that run the guest (`Hc`). */
  general = PROCESS_ID;
  continuing = PROCESS_ID;
  /** The process that has had the guest run: it is told of the stop. */
  resumed = PROCESS_ID;
  /** The processes that have, `resumed` first. */
  running: readonly number[] = [PROCESS_ID];
  /** The process of the thread that the client has looked at last. */
  shown = PROCESS_ID;
  private readonly held = new Set([PROCESS_ID]);
  /** The one that the client has left last. */
  private left = PROCESS_ID;
  private readonly access = new Map<number, RegisterAccess>();

  constructor(target: Target, settings: StubSettings, features: ClientFeatures) {
    const beside = (): boolean => this.held.size > 1;
    this.access.set(PROCESS_ID, new RegisterAccess(target, settings, features, { beside }));
    for (const [process, architecture] of FIXED)
      this.access.set(process, new RegisterAccess(target, settings, features, { architecture }));
  }

  /** Those that the client has, in ascending order. */
  get attached(): number[] {
    return [...this.held].sort((a, b) => a - b);
  }

  /** Whether there is such a process, attached or not. */
  exists(process: number): boolean {
    return this.access.has(process);
  }

  has(process: number): boolean {
    return this.held.has(process);
  }

  /** Registers as the process that is looked at shows them. */
  get registers(): RegisterAccess {
    return this.access.get(this.general) as RegisterAccess;
  }

  /** Whether process 1, which is attached too, is still shown in the mode of the guest rather than in 64 bits. */
  async firstChanges(thread: number): Promise<boolean> {
    if (this.held.size < 2 || !this.held.has(PROCESS_ID)) return false;
    return (this.access.get(PROCESS_ID) as RegisterAccess).outdated(thread);
  }

  /** What a process beside the first one is shown as. */
  architecture(process: number): Architecture | undefined {
    return FIXED.get(process);
  }

  /** All packets are about this process from now on. */
  look(process: number): void {
    this.general = process;
    this.continuing = process;
    this.shown = process;
    this.resumed = process;
  }

  /** @param processes those that the client has run: what stops the guest is told to the first one, or to its owner */
  resume(processes: readonly number[]): void {
    this.running = processes;
    this.look(processes[0] ?? PROCESS_ID);
  }

  /** The process that a client's new program is: the one that it has left last, or else another that it has not. */
  get free(): number | undefined {
    return [this.left, ...this.access.keys()].find((process) => !this.held.has(process));
  }

  attach(process: number): void {
    this.held.add(process);
    this.look(process);
  }

  /** @returns whether others stay */
  leave(process: number): boolean {
    this.held.delete(process);
    this.left = process;
    const [other] = this.attached;
    if (this.general === process || this.continuing === process) this.look(other ?? PROCESS_ID);
    return other !== undefined;
  }

  leaveAll(): void {
    this.held.clear();
    this.look(PROCESS_ID);
  }
}
