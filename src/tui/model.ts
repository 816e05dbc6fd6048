import { TRUNK } from '../commands/history.js';
/** The debugger's state as the panes see it: synchronous, cached, fetched only for what is on the screen. */
import { type CodeBits, type Disassembler, SymbolTable } from '../disasm/index.js';
import { callStack } from '../engine/debug/call-stack.js';
import { codeBase, codeBits, linearPc } from '../engine/debug/guest-mode.js';
import { isKernelAddress } from '../engine/debug/linux/kernel-half.js';
import type { Frame } from '../engine/debug/unwind.js';
import type {
  AddressSpace,
  Bookmark,
  Branch,
  Breakpoint,
  Debugger,
  DebuggerEvent,
  EptRange,
  ExitRecord,
  FitInto,
  HistoryPlace,
  PageWalk,
  PastStop,
  Progress,
  RegisterFile,
  RunState,
  StopReason,
  TargetInfo,
  VgaText,
  VmcsFieldValue,
} from '../engine/debugger.js';
import { ExitAnalysis } from './exit-analysis.js';
import { ExitRates, type RateSample } from './exit-rates.js';
import { ExitTrace } from './exit-trace.js';
import { type MemoryView, memoryView } from './memory-blocks.js';
import { ScreenMirror, type SeenScreen } from './picture/mirror.js';
import { Pace } from './picture/pace.js';
import { SerialTerminal } from './screen/serial-terminal.js';
import { reason, type Source, Sources } from './sources.js';
import { readSystem, type SystemView } from './system-view.js';

const MAX_MESSAGES = 500;
/** A running guest's processes, modules and log are read at most this often. */
const SYSTEM_MS = 2000;
/** Work that takes longer is told of. */
const PROGRESS_MS = 400;
/** vCPUs whose registers are read at each stop, for the marks. */
const MAX_MARKED_VCPUS = 16;
const PAGE_MASK = 0xfffn;
/** A guest that runs for a smaller share of its time than one in so many does little that has to be seen at once. */
const DROWSY = 16n;
/** After so many looks that found little or nothing new, it is looked at each so many polls, and if there is nothing new, all read again at some. */
const STILL_LOOKS = 3;
const STILL_TURNS = 5;
const STILL_REFRESH = 4;
/** One that has been halted for long is looked at once a second. */
const LONG_LOOKS = 16;
const LONG_TURNS = 10;
/** Looks at a running guest between two questions for symbols. */
const LOOKS_A_QUESTION = 50;

/** The run with what is known of it. */
export interface TimelineView {
  where: HistoryPlace;
  bookmarks: Bookmark[];
  branches: Branch[];
  stops: PastStop[];
}

export class Model {
  info: TargetInfo | undefined;
  symbols = new SymbolTable();
  state: RunState = { running: false, vcpu: 0, icount: 0n, clock: 0n };
  vcpu = 0;
  readonly messages: string[] = [];
  /** Long work that goes on. */
  progress: (Progress & { since: number }) | undefined;
  private systemAt: number | undefined;
  private systemNow: Promise<SystemView | null> | undefined;
  private foreseen = false;
  readonly serial = new SerialTerminal(undefined, undefined, () => this.changed());
  serialError: string | undefined;
  /** Stops so far: what is remembered of one holds until the next. */
  halts = 0;
  /**
   * Registers of each vCPU at the last two stops before this one: what changed is marked, what changed one stop ago fades.
   * A stop at which they were not looked at says nothing.
   */
  private stops: Map<number, RegisterFile>[] = [];
  private readonly sources: Sources;
  private readonly exitTrace: ExitTrace;
  private readonly rates: ExitRates;
  readonly analysis: ExitAnalysis;
  private readonly removeListener: () => void;
  private serialReady = false;
  /** Where the guest was when it was looked at last. */
  private place: { line: string; exit: number } | undefined;
  private mirror: ScreenMirror | undefined;
  private symbolsPending: Promise<void> | undefined;
  private looksWithoutNames = 0;
  /** Polls, and looks in a row that found a running guest with no instruction more: it is halted and waits. */
  private turn = 0;
  private stillLooks = 0;

  constructor(
    readonly debug: Debugger,
    private readonly disassembler: Disassembler,
    /** Something on the screen may have changed. */
    private readonly changed: () => void,
    private readonly now: () => number,
  ) {
    this.sources = new Sources(changed);
    this.exitTrace = new ExitTrace(changed);
    this.rates = new ExitRates(now);
    this.analysis = new ExitAnalysis({
      ...{ debug, now, running: () => this.state.running, unavailable: () => this.unavailable('exits') },
      noEpt: () => this.unavailable('ept'),
      query: (key, fetch) => this.query(key, fetch),
    });
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
    this.exitTrace.reset();
    this.rates.reset();
    this.stops = [];
    this.serialReady = false;
    void Promise.all([this.refreshState(), this.loadSerial()]).then(() => this.invalidate());
  }

  /** Throws away what is cached: the guest's state may have moved. */
  invalidate(): void {
    this.sources.generation++;
    this.changed();
  }

  get frozen(): boolean {
    return this.sources.frozen;
  }

  freeze(frozen: boolean): void {
    this.sources.frozen = frozen;
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
    const turn = this.turn++;
    const { turns } = this;
    const still = turns > 1;
    if (turn % turns !== 0) return;
    const { icount, clock } = this.state;
    await Promise.all([this.refreshState(), this.sampleCounts()]);
    const moved = this.state.icount - icount;
    const drowsy = moved === 0n || moved * DROWSY < this.state.clock - clock;
    this.stillLooks = this.counted && this.state.running && drowsy ? this.stillLooks + 1 : 0;
    // Devices may do something by themselves, but nothing that has to be seen at once.
    if (still && moved === 0n && this.stillLooks > 0 && this.stillLooks % STILL_REFRESH !== 0) return;
    this.nameKernel();
    this.invalidate();
  }

  /** Polls from one look to the next. */
  private get turns(): number {
    if (this.stillLooks <= STILL_LOOKS) return 1;
    return this.stillLooks > LONG_LOOKS ? LONG_TURNS : STILL_TURNS;
  }

  /** Leaves out the polls until the next look. @returns how many */
  skip(): number {
    const { turns } = this;
    const skipped = (turns - (this.turn % turns)) % turns;
    this.turn += skipped;
    return skipped;
  }

  /** Something was asked of the guest: it is looked at as often as a busy one again. */
  stir(): void {
    this.stillLooks = 0;
  }

  /** A guest that runs in a kernel without names: the target may find its symbols in guest memory by now. */
  private nameKernel(): void {
    const pc = this.pc();
    if (pc === undefined || !isKernelAddress(pc) || this.symbols.lookup(pc)) return;
    if (this.looksWithoutNames++ % LOOKS_A_QUESTION === 0 && !this.symbolsPending) void this.loadSymbols();
  }

  async refreshState(): Promise<void> {
    try {
      const before = this.place;
      this.state = await this.debug.state();
      const { position } = this.state;
      this.place = position && { line: position.line, exit: position.exit };
      // back in the run, or on another branch of it, other exits are the newest
      if (before && position && (before.line !== position.line || position.exit < before.exit)) this.exitTrace.reset();
    } catch (error) {
      this.message(`state: ${reason(error)}`);
    }
  }

  // --- what panes ask for ---

  get stop(): StopReason | undefined {
    return this.state.running ? undefined : this.state.stop;
  }

  registers(vcpu = this.vcpu): Source<RegisterFile> {
    return this.query(`registers ${vcpu}`, () => this.debug.readRegisters(vcpu));
  }

  /** Asks for the registers of all vCPUs of a guest that stands, so that each has its marks when it is looked at. */
  readAllRegisters(): void {
    if (this.state.running) return;
    for (let vcpu = 0; vcpu < Math.min(this.info?.vcpus ?? 1, MAX_MARKED_VCPUS); vcpu++) this.registers(vcpu);
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
    const old = this.stops.at(-1)?.get(this.vcpu);
    const older = this.stops.at(-2)?.get(this.vcpu);
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
      return callStack(this.debug, vcpu, registers, this.disassembler, this.symbols);
    });
  }

  bookmarks(): Source<{ name: string }[]> {
    return this.query('bookmarks', async () => (await this.debug.history?.bookmarks()) ?? []);
  }

  branches(): Source<{ name: string }[]> {
    return this.query('branches', async () =>
      ((await this.debug.history?.branches()) ?? []).filter(({ name }) => name !== TRUNK),
    );
  }

  /** What savevm has kept, by name. */
  snapshots(): Source<string[]> {
    return this.query('snapshots', async () => (await this.debug.snapshots?.names()) ?? []);
  }

  /** Names of the drives, as the monitor lists them. */
  drives(): Source<string[]> {
    return this.query('drives', async () => {
      const text = (await this.debug.monitor('info block')) ?? '';
      return [...text.matchAll(/^([\w-]+): /gm)].map(([, name]) => name);
    });
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

  timeline(): Source<TimelineView> {
    const { history } = this.debug;
    if (!history) return this.absent('history');
    return this.query('timeline', async () => {
      const [where, bookmarks, branches, stops] = await Promise.all([
        ...([history.where(), history.bookmarks(), history.branches(), history.stops()] as const),
      ]);
      return { where, bookmarks, branches, stops };
    });
  }

  /** The last of what a line of the run had printed before an instruction. */
  printed(line: string, icount: bigint, most: number): Source<Uint8Array> {
    const { history } = this.debug;
    if (!history) return this.absent('history');
    return this.query(`printed ${line} ${icount}`, () => history.printed(line, icount, most));
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

  /**
   * How the VMCS's controls were at an exit; a field that is not here yet, or that no VMCS has, reads undefined.
   * `now`: the target does not keep them, so they are those of now.
   */
  controlsAt(exit: ExitRecord): { field(encoding: number): bigint | undefined; now: boolean } {
    const { exits } = this.debug;
    // a guest of an older release does not know the question
    const source = this.query(`controls ${exit.sequence}`, async () => {
      const list = await exits?.controls?.(exit.sequence).catch(() => undefined);
      return list === undefined ? null : new Map(list.map(({ encoding, value }) => [encoding, value]));
    });
    if (source.value === undefined) return { field: () => undefined, now: false };
    const then = source.value;
    return then === null
      ? { field: (encoding) => this.vmcsField(encoding), now: true }
      : { field: (encoding) => then.get(encoding), now: false };
  }

  counts(): Source<Record<string, number>> {
    const { exits } = this.debug;
    if (!exits) return this.absent('exits');
    return this.query('counts', async () => {
      const counts = await exits.counts();
      this.rates.add(counts);
      return counts;
    });
  }

  /** The newest exits, as far as they are known. */
  get records(): readonly ExitRecord[] {
    return this.exitTrace.records;
  }

  /** Exits by reason, one sample a second while the guest runs. */
  get samples(): readonly RateSample[] {
    return this.rates.samples;
  }

  /** Exits a second over the last sample, while the guest runs. */
  exitRate(): number | undefined {
    return this.state.running ? this.rates.perSecond : undefined;
  }

  /** Exits a second by reason over the last sample, the most frequent first; empty while the guest stands. */
  exitRates(): { name: string; perSecond: number }[] {
    return this.state.running ? this.rates.byReason() : [];
  }

  /** Brings `records` up to date and says why it cannot. */
  trace(): Source<ExitRecord[]> {
    const { exits } = this.debug;
    if (!exits) return this.absent('exits');
    if (!this.frozen) this.exitTrace.update(exits, this.sources.generation, this.state.running);
    return this.exitTrace.source;
  }

  screen(): Source<VgaText | undefined> {
    const { console } = this.debug;
    if (!console) return this.absent('console');
    return this.query('screen', () => console.screen());
  }

  /**
   * The screen as pixels: all of them, or with `fit` made smaller where there is less room.
   * @param pace of the terminal that they are for
   */
  seenScreen(fit?: FitInto, pace = new Pace()): Source<SeenScreen> {
    const { console } = this.debug;
    if (!console) return this.absent('console');
    this.mirror ??= new ScreenMirror(console, pace);
    const { mirror } = this;
    return fit
      ? this.query(`screen ${fit.width}x${fit.height} ${fit.aspect}`, () => mirror.small(fit))
      : this.query('screen pixels', () => mirror.whole());
  }

  /** Bytes from `address` on, as far as they are here. */
  memory(space: AddressSpace, address: bigint, length: number): MemoryView {
    return memoryView(this.sources, this.debug, this.vcpu, space, address, length);
  }

  /** Instructions are counted; where they are not, icount reads 0. */
  get counted(): boolean {
    return this.info?.unavailable.icount === undefined;
  }

  unavailable(group: keyof TargetInfo['unavailable']): string {
    return this.info?.unavailable[group] ?? `this target has no ${group}`;
  }

  /** What a pane asks by itself. */
  ask<T>(key: string, fetch: () => Promise<T>): Source<T> {
    return this.query(key, fetch);
  }

  // --- below ---

  private absent<T>(group: keyof TargetInfo['unavailable']): Source<T> {
    return { error: this.unavailable(group), pending: false };
  }

  private query<T>(key: string, fetch: () => Promise<T>): Source<T> {
    return this.sources.query(key, fetch);
  }

  /** Rates need samples from before the view that shows them was opened. */
  private async sampleCounts(): Promise<void> {
    if (!this.debug.exits || !this.rates.due) return;
    try {
      this.rates.add(await this.debug.exits.counts());
    } catch {
      // The pane that shows counts asks for itself, and shows why it gets none.
    }
  }

  showProgress(event: Progress): void {
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

  private onEvent(event: DebuggerEvent): void {
    this.stir();
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
        this.halts++;
        this.vcpu = event.vcpu;
        if (event.stop.kind === 'exit') this.exitTrace.note(event.stop.exit);
        this.sources.generation++;
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
        // that a branch of the run begins is told so, and no stop follows
        if (this.state.position && !this.state.running) void this.refreshState().then(() => this.invalidate());
        return;
      case 'printed':
        for (const line of event.text.split('\n')) if (line !== '') this.message(line);
        return;
      case 'progress':
        this.showProgress(event);
        return;
    }
    this.changed();
  }

  private rememberRegisters(): void {
    if (this.state.running) return;
    const stop = new Map<number, RegisterFile>();
    for (let vcpu = 0; vcpu < Math.min(this.info?.vcpus ?? 1, MAX_MARKED_VCPUS); vcpu++) {
      const registers = this.sources.current(`registers ${vcpu}`) as RegisterFile | undefined;
      if (registers) stop.set(vcpu, registers);
    }
    this.stops = [...this.stops, stop].slice(-2);
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

function inPage(walk: PageWalk | undefined, address: bigint): PageWalk | undefined {
  return walk?.output === undefined ? walk : { ...walk, output: walk.output + (address & PAGE_MASK) };
}
