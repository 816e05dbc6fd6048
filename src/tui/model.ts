/** The debugger's state as the panes see it: synchronous, cached, fetched only for what is on the screen. */
import { type CodeBits, type Disassembler, SymbolTable } from '../disasm/index.js';
import type {
  AddressSpace,
  Breakpoint,
  Debugger,
  DebuggerEvent,
  EptRange,
  ExitRecord,
  PageWalk,
  Progress,
  RegisterFile,
  RunState,
  StopReason,
  TargetInfo,
  VgaText,
  VmcsFieldValue,
} from '../engine/debugger.js';
import { codeBase, codeBits, linearPc } from './guest-mode.js';
import { SerialTerminal } from './screen/serial-terminal.js';
import { frameRows, readSystem, type SystemView } from './system-view.js';
import { backtrace, type Frame } from './unwind.js';

/** A value that may not be here yet, may be out of date while the next one is on its way, or may never come. */
export interface Source<T> {
  value?: T;
  error?: string;
  /** A newer value has been asked for. */
  pending: boolean;
}

interface Entry extends Source<unknown> {
  generation: number;
  used: number;
}

export interface MemoryView {
  /** What could be read from the start address on; shorter than asked where memory ends. */
  bytes: Uint8Array;
  error?: string;
  pending: boolean;
}

const BLOCK_BYTES = 1024n;
const MAX_ENTRIES = 512;
const MAX_RECORDS = 5000;
const RECORDS_WHILE_RUNNING = 256;
const MAX_MESSAGES = 500;
const SAMPLES = 60;
const SAMPLE_MS = 1000;
/** A running guest's processes, modules and log are read at most this often. */
const SYSTEM_MS = 2000;
/** Work that takes longer is told of. */
const PROGRESS_MS = 400;
const U64 = (1n << 64n) - 1n;
const PAGE_MASK = 0xfffn;
/** Where 64-bit kernels are. */
const KERNEL_HALF = 1n << 63n;
/** Time between questions for symbols while the guest runs. */
const SYMBOLS_MS = 5000;

export interface RateSample {
  total: number;
  counts: Record<string, number>;
  ms: number;
}

export class Model {
  info: TargetInfo | undefined;
  symbols = new SymbolTable();
  state: RunState = { running: false, vcpu: 0, icount: 0n, clock: 0n };
  vcpu = 0;
  frozen = false;
  readonly messages: string[] = [];
  /** Long work that goes on. */
  progress: (Progress & { since: number }) | undefined;
  private systemAt: number | undefined;
  private systemNow: Promise<SystemView | null> | undefined;
  private foreseen = false;
  readonly records: ExitRecord[] = [];
  /** Exits by reason, one sample a second while the guest runs. */
  readonly samples: RateSample[] = [];
  readonly serial = new SerialTerminal();
  serialError: string | undefined;
  /** Registers at the last two stops before this one: what changed is marked, what changed one stop ago fades. */
  private stops: RegisterFile[] = [];
  private generation = 1;
  private useClock = 0;
  private readonly entries = new Map<string, Entry>();
  private readonly removeListener: () => void;
  private serialReady = false;
  private recordsPending = false;
  private recordsGeneration = -1;
  private recordsPartial = false;
  /** Newest sequence number that a fetch has given; `note` runs ahead of it. */
  private recordsFetched = 0;
  private recordsError: string | undefined;
  private symbolsPending: Promise<void> | undefined;
  private symbolsMs = Number.NEGATIVE_INFINITY;

  constructor(
    readonly debug: Debugger,
    private readonly disassembler: Disassembler,
    /** Something on the screen may have changed. */
    private readonly changed: () => void,
    private readonly now: () => number,
  ) {
    this.removeListener = debug.onEvent((event) => this.onEvent(event));
  }

  async start(): Promise<void> {
    const failed = (what: string) => (error: unknown) => this.message(`${what}: ${reason(error)}`);
    await Promise.all([
      this.debug.info().then((info) => {
        this.info = info;
      }, failed('target')),
      this.loadSymbols(),
      this.refreshState(),
      this.loadSerial(),
    ]);
    this.vcpu = this.state.vcpu;
    this.changed();
  }

  close(): void {
    this.removeListener();
  }

  /** The machine was reset: what was counted and recorded is of another run. */
  reset(): void {
    this.records.length = 0;
    this.recordsFetched = 0;
    this.samples.length = 0;
    this.stops = [];
    this.serialReady = false;
    void Promise.all([this.refreshState(), this.loadSerial()]).then(() => this.invalidate());
  }

  /** Throws away what is cached: the guest's state may have moved. */
  invalidate(): void {
    this.generation++;
    this.changed();
  }

  freeze(frozen: boolean): void {
    this.frozen = frozen;
    if (!frozen) this.invalidate();
    this.changed();
  }

  message(text: string): void {
    this.messages.push(text);
    if (this.messages.length > MAX_MESSAGES) this.messages.shift();
    this.changed();
  }

  /** One look at a running guest; called at most ten times a second. */
  async poll(): Promise<void> {
    if (this.frozen) return;
    await Promise.all([this.refreshState(), this.sampleCounts()]);
    this.nameKernel();
    this.invalidate();
  }

  /** A guest that runs in a kernel without names: the target may find its symbols in guest memory by now. */
  private nameKernel(): void {
    const pc = this.pc();
    const due = this.symbolsPending === undefined && this.now() - this.symbolsMs >= SYMBOLS_MS;
    if (due && pc !== undefined && pc >= KERNEL_HALF && !this.symbols.lookup(pc)) void this.loadSymbols();
  }

  async refreshState(): Promise<void> {
    try {
      this.state = await this.debug.state();
    } catch (error) {
      this.message(`state: ${reason(error)}`);
    }
  }

  // --- what panes ask for ---

  get stop(): StopReason | undefined {
    return this.state.running ? undefined : this.state.stop;
  }

  registers(): Source<RegisterFile> {
    return this.query(`registers ${this.vcpu}`, () => this.debug.readRegisters(this.vcpu));
  }

  /** `file:line  text` by the address of the first instruction of each line among these, where the source is known. */
  sourceNotes(addresses: bigint[]): Map<bigint, string> {
    const notes = new Map<bigint, string>();
    const { source } = this.debug;
    if (source === undefined || addresses.length === 0) return notes;
    const key = `source ${addresses[0]} ${addresses.length} ${addresses.at(-1)}`;
    const places = this.query(key, () => source.locate(addresses)).value ?? [];
    places.forEach((place, index) => {
      const before = places[index - 1];
      if (place === undefined || (before?.line === place.line && before.file === place.file)) return;
      const text = this.query(`text ${place.file}`, async () => (await source.text(place.file)) ?? []).value;
      const name = place.file.slice(place.file.lastIndexOf('/') + 1);
      notes.set(addresses[index], `${name}:${place.line}  ${text?.[place.line - 1]?.trim() ?? ''}`.trimEnd());
    });
    return notes;
  }

  /** 0: unchanged; 1: changed one stop ago; 2: changed since the last stop. */
  registerChange(name: string): 0 | 1 | 2 {
    const old = this.stops.at(-1);
    const older = this.stops.at(-2);
    const now = this.registers().value;
    if (!now || !old) return 0;
    if (now[name] !== old[name]) return 2;
    return older && old[name] !== older[name] ? 1 : 0;
  }

  /** Set by the `arch` command: reads code so, whatever the segment says. */
  forcedBits: CodeBits | undefined;

  bits(): CodeBits {
    if (this.forcedBits) return this.forcedBits;
    const registers = this.registers().value;
    return registers ? codeBits(registers) : 64;
  }

  segmentBase(): bigint {
    const registers = this.registers().value;
    return registers ? codeBase(registers) : 0n;
  }

  pc(): bigint | undefined {
    const registers = this.registers().value;
    return registers && linearPc(registers);
  }

  /** Who called whom; only of use while the guest stands. */
  frames(): Source<Frame[]> {
    const vcpu = this.vcpu;
    return this.query(`frames ${vcpu}`, async () => {
      const registers = await this.debug.readRegisters(vcpu);
      return backtrace({
        registers,
        read: this.blockReader(vcpu),
        disassembler: this.disassembler,
        symbols: this.symbols,
        ...frameRows(this.debug),
      });
    });
  }

  /** Reads memory in blocks, each fetched once: many small reads of a standing guest are few requests then. */
  private blockReader(vcpu: number): (gva: bigint, length: number) => Promise<Uint8Array> {
    const blocks = new Map<bigint, Promise<Uint8Array>>();
    const block = (start: bigint) => {
      let bytes = blocks.get(start);
      if (!bytes) {
        bytes = this.debug.readMemory('gva', start, Number(BLOCK_BYTES), vcpu);
        blocks.set(start, bytes);
      }
      return bytes;
    };
    return async (gva, length) => {
      const result = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const here = BigInt.asUintN(64, gva + BigInt(filled));
        const offset = Number(here % BLOCK_BYTES);
        const bytes = await block(here - BigInt(offset));
        const part = bytes.subarray(offset, offset + length - filled);
        result.set(part, filled);
        filled += part.length;
        if (offset + part.length < Number(BLOCK_BYTES)) break;
      }
      return result.subarray(0, filled);
    };
  }

  breakpoints(): Source<Breakpoint[]> {
    return this.query('breakpoints', () => this.debug.breakpoints());
  }

  /** The guest's operating system; null while none is found. */
  system(): Source<SystemView | null> {
    const { os } = this.debug;
    if (!os) return this.absent('os');
    return this.query('system', () => {
      const now = this.now();
      // reading it is work for the thread that runs the guest
      const again = !this.state.running || this.systemAt === undefined || now - this.systemAt >= SYSTEM_MS;
      if (again) {
        this.systemAt = now;
        this.systemNow = readSystem(os, this.info?.vcpus ?? 1);
      }
      return this.systemNow as Promise<SystemView | null>;
    });
  }

  devices(): Source<{ name: string; rows: [string, string][] }[]> {
    return this.query('devices', () => this.debug.devices());
  }

  walk(gva: bigint): Source<PageWalk> {
    return this.query(`walk ${this.vcpu} ${gva}`, () => this.debug.walk(gva, this.vcpu));
  }

  eptWalk(gpa: bigint): Source<PageWalk> {
    const { ept } = this.debug;
    if (!ept) return this.absent('ept');
    return this.query(`ept ${this.vcpu} ${gpa}`, () => ept.walk(gpa, this.vcpu));
  }

  /** The walks of the page of an address, for those who ask about many addresses. The output is that of the address. */
  walkPage(gva: bigint): PageWalk | undefined {
    return inPage(this.walk(gva & ~PAGE_MASK).value, gva);
  }

  eptWalkPage(gpa: bigint): PageWalk | undefined {
    return inPage(this.eptWalk(gpa & ~PAGE_MASK).value, gpa);
  }

  eptRanges(): Source<EptRange[]> {
    const { ept } = this.debug;
    if (!ept) return this.absent('ept');
    return this.query('ept ranges', () => ept.ranges());
  }

  vmcs(): Source<VmcsFieldValue[]> {
    const { vmcs } = this.debug;
    if (!vmcs) return this.absent('vmcs');
    return this.query(`vmcs ${this.vcpu}`, () => vmcs.read(this.vcpu));
  }

  vmcsField(encoding: number): bigint | undefined {
    return this.vmcs().value?.find((field) => field.encoding === encoding)?.value;
  }

  counts(): Source<Record<string, number>> {
    const { exits } = this.debug;
    if (!exits) return this.absent('exits');
    return this.query('counts', async () => {
      const counts = await exits.counts();
      this.sample(counts);
      return counts;
    });
  }

  /** Exits a second over the last sample, while the guest runs. */
  exitRate(): number | undefined {
    const [before, last] = this.samples.slice(-2);
    if (!this.state.running || !before || !last) return undefined;
    return ((last.total - before.total) * 1000) / (last.ms - before.ms);
  }

  /** Exits a second by reason over the last sample, the most frequent first; empty while the guest stands. */
  exitRates(): { name: string; perSecond: number }[] {
    const [before, last] = this.samples.slice(-2);
    if (!this.state.running || !before || !last) return [];
    return Object.entries(last.counts)
      .map(([name, count]) => ({
        name,
        perSecond: ((count - (before.counts[name] ?? 0)) * 1000) / (last.ms - before.ms),
      }))
      .filter(({ perSecond }) => perSecond > 0)
      .sort((a, b) => b.perSecond - a.perSecond);
  }

  /** Brings `records` up to date and says why it cannot. */
  trace(): Source<ExitRecord[]> {
    const { exits } = this.debug;
    if (!exits) return this.absent('exits');
    if (!this.frozen && !this.recordsPending && this.recordsGeneration !== this.generation) {
      this.recordsPending = true;
      const generation = this.generation;
      // A running guest may exit 100,000 times between two looks: take few then, and all when it stands.
      const { running } = this.state;
      const complete = !running && this.recordsPartial;
      // The newest record is asked for again: at a stop before its handler ran it does not say what was done yet.
      const after = complete ? -1 : this.recordsFetched - 1;
      exits
        .records(after, running ? RECORDS_WHILE_RUNNING : MAX_RECORDS)
        .then(
          (list) => {
            this.recordsError = undefined;
            this.recordsPartial = running;
            const first = list[0]?.sequence;
            if (first === undefined) return;
            this.recordsFetched = list.at(-1)!.sequence;
            while (this.records.length && this.records.at(-1)!.sequence >= first) this.records.pop();
            if (this.records.length && this.records.at(-1)!.sequence < first - 1) this.records.length = 0;
            this.records.push(...list);
            if (this.records.length > MAX_RECORDS) this.records.splice(0, this.records.length - MAX_RECORDS);
          },
          (error: unknown) => {
            this.recordsError = reason(error);
          },
        )
        .finally(() => {
          this.recordsPending = false;
          this.recordsGeneration = generation;
          this.changed();
        });
    }
    return { value: this.records, error: this.recordsError, pending: this.recordsPending };
  }

  screen(): Source<VgaText | undefined> {
    const { console } = this.debug;
    if (!console) return this.absent('console');
    return this.query('screen', () => console.screen());
  }

  /** Bytes from `address` on, as far as they are here. */
  memory(space: AddressSpace, address: bigint, length: number): MemoryView {
    const result = new Uint8Array(length);
    let filled = 0;
    let error: string | undefined;
    let pending = false;
    const spaceEnd = U64;
    while (filled < length) {
      const here = address + BigInt(filled);
      if (here > spaceEnd) break;
      const start = here - (here % BLOCK_BYTES);
      const vcpu = this.vcpu;
      const block = this.query<Uint8Array>(`memory ${space} ${vcpu} ${start}`, () =>
        this.debug.readMemory(space, start, Number(BLOCK_BYTES), vcpu),
      );
      pending ||= block.pending;
      const offset = Number(here - start);
      if (!block.value) {
        error = block.error;
        break;
      }
      const part = block.value.subarray(offset, offset + length - filled);
      result.set(part, filled);
      filled += part.length;
      if (block.value.length < Number(BLOCK_BYTES) && filled < length) {
        error = part.length || filled ? undefined : 'not mapped';
        break;
      }
    }
    return { bytes: result.subarray(0, filled), error, pending };
  }

  unavailable(group: keyof TargetInfo['unavailable']): string {
    return this.info?.unavailable[group] ?? `this target has no ${group}`;
  }

  // --- below ---

  private absent<T>(group: keyof TargetInfo['unavailable']): Source<T> {
    return { error: this.unavailable(group), pending: false };
  }

  private query<T>(key: string, fetch: () => Promise<T>): Source<T> {
    let entry = this.entries.get(key);
    if (!entry) {
      entry = { pending: false, generation: -1, used: 0 };
      this.entries.set(key, entry);
      if (this.entries.size > MAX_ENTRIES) this.prune();
    }
    entry.used = ++this.useClock;
    const fresh = entry.generation === this.generation;
    // A frozen screen shows what it has; what it never had may still come.
    if (!fresh && !entry.pending && !(this.frozen && entry.generation >= 0)) this.fetch(entry, fetch);
    return entry as Source<T>;
  }

  private fetch(entry: Entry, fetch: () => Promise<unknown>): void {
    entry.pending = true;
    const generation = this.generation;
    let promise: Promise<unknown>;
    try {
      promise = fetch();
    } catch (error) {
      promise = Promise.reject(error);
    }
    promise
      .then(
        (value) => {
          entry.value = value;
          entry.error = undefined;
        },
        (error: unknown) => {
          entry.value = undefined;
          entry.error = reason(error);
        },
      )
      .finally(() => {
        entry.pending = false;
        entry.generation = generation;
        this.changed();
      });
  }

  private prune(): void {
    const old = [...this.entries].filter(([, entry]) => !entry.pending).sort((a, b) => a[1].used - b[1].used);
    for (const [key] of old.slice(0, MAX_ENTRIES / 2)) this.entries.delete(key);
  }

  /** Rates need samples from before the view that shows them was opened. */
  private async sampleCounts(): Promise<void> {
    const last = this.samples.at(-1);
    if (!this.debug.exits || (last && this.now() - last.ms < SAMPLE_MS)) return;
    try {
      this.sample(await this.debug.exits.counts());
    } catch {
      // The pane that shows counts asks for itself, and shows why it gets none.
    }
  }

  private showProgress(event: Progress): void {
    const before = this.progress;
    if (event.done) this.progress = undefined;
    else if (before?.task === event.task) this.progress = { ...event, since: before.since };
    else {
      this.progress = { ...event, since: this.now() };
      setTimeout(this.changed, PROGRESS_MS).unref();
    }
    if (before && this.now() - before.since >= PROGRESS_MS) this.changed();
  }

  /** Work that takes long enough to be worth a word. */
  longWork(): Progress | undefined {
    const { progress } = this;
    return progress && this.now() - progress.since >= PROGRESS_MS ? progress : undefined;
  }

  /**
   * Waits for symbols that are on their way, else learns those of a kernel that has not started yet, which takes
   * seconds; answers whether there may be new ones.
   */
  async moreNames(): Promise<boolean> {
    if (this.symbolsPending) {
      await this.symbolsPending;
      return true;
    }
    if (this.foreseen || !this.debug.os) return false;
    this.foreseen = true;
    const found = await this.debug.os.foresee().catch(() => undefined);
    if (found) await this.loadSymbols();
    return found !== undefined;
  }

  private loadSymbols(): Promise<void> {
    const pending = this.fetchSymbols().finally(() => {
      if (this.symbolsPending === pending) this.symbolsPending = undefined;
      this.symbolsMs = this.now();
    });
    this.symbolsPending = pending;
    return pending;
  }

  private async fetchSymbols(): Promise<void> {
    try {
      this.symbols = new SymbolTable(await this.debug.symbols());
    } catch (error) {
      this.message(`symbols: ${reason(error)}`);
    }
  }

  private sample(counts: Record<string, number>): void {
    const ms = this.now();
    const last = this.samples.at(-1);
    if (last && ms - last.ms < SAMPLE_MS) return;
    this.samples.push({ ms, counts, total: Object.values(counts).reduce((sum, n) => sum + n, 0) });
    if (this.samples.length > SAMPLES + 1) this.samples.shift();
  }

  private onEvent(event: DebuggerEvent): void {
    switch (event.type) {
      case 'running': {
        this.rememberRegisters();
        this.state = { ...this.state, running: true, stop: undefined };
        break;
      }
      case 'stopped': {
        // A step may be over before any `running` was told.
        this.rememberRegisters();
        this.state = { ...this.state, running: false, vcpu: event.vcpu, stop: event.stop, icount: event.icount };
        this.vcpu = event.vcpu;
        if (event.stop.kind === 'exit') this.note(event.stop.exit);
        this.generation++;
        void this.refreshState().then(this.changed);
        break;
      }
      case 'symbols':
        void this.loadSymbols().then(this.changed);
        return;
      case 'serial':
        if (this.serialReady) this.serial.write(event.bytes);
        break;
      case 'message':
        this.message(event.text);
        return;
      case 'progress':
        this.showProgress(event);
        return;
    }
    this.changed();
  }

  private rememberRegisters(): void {
    const registers = this.entries.get(`registers ${this.vcpu}`)?.value as RegisterFile | undefined;
    if (registers && !this.state.running) this.stops = [...this.stops, registers].slice(-2);
  }

  /** The exit at which the guest stands may not be in the trace yet; `trace` must not wait for a round trip. */
  private note(record: ExitRecord): void {
    const last = this.records.at(-1);
    if (last && last.sequence === record.sequence - 1) this.records.push(record);
  }

  private async loadSerial(): Promise<void> {
    const { console } = this.debug;
    if (!console) {
      this.serialError = 'console';
      return;
    }
    try {
      const log = await console.serialLog();
      // Events that came before this answer are part of the log.
      this.serial.reset();
      this.serial.write(log);
      this.serialReady = true;
    } catch (error) {
      this.serialError = reason(error);
    }
  }
}

export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function inPage(walk: PageWalk | undefined, address: bigint): PageWalk | undefined {
  return walk?.output === undefined ? walk : { ...walk, output: walk.output + (address & PAGE_MASK) };
}
