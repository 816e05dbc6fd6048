/**
 * One client's conversation: packets in, replies and stop replies out, in order.
 *
 * The client's view (`stopped` or `running`) is kept apart from the guest's state, because other observers stop
 * and resume the same guest:
 * - the guest stops while the client believes that it runs: a stop reply is sent, whoever stopped it;
 * - the guest is resumed elsewhere while the client believes that it stands: nothing is sent (the protocol has
 *   no such message). Memory, breakpoints and queries are served from the running guest. A register
 *   access pauses it first, since registers of a running guest mean nothing. `continue` joins the run. A step
 *   pauses and reports the place where the guest was caught, without stepping from there. Whatever
 *   paused the guest is told to the user with the next stop.
 */

import { encodeHexText } from '../rsp/hex.js';
import { encodeNotification, encodePacket, type PacketEvent, PacketParser } from '../rsp/packet.js';
import { ClientBreakpoints } from './breakpoints.js';
import type { Reply } from './command.js';
import { dispatch } from './commands/table.js';
import { selectThread } from './commands/threads.js';
import type { NonStop } from './non-stop.js';
import { allPermitted, type Permission, refusalOf } from './permissions.js';
import type { RegisterAccess } from './register-access.js';
import { ScratchMemory } from './scratch-memory.js';
import type { StubSettings } from './settings.js';
import { SIGNAL_NONE, SIGNAL_TRAP, type StopSummary, summarizeStop } from './stop-reply.js';
import { SyscallCatches } from './syscall-catches.js';
import type { MemorySpace, StopCause, Target, TargetCondition, TargetPosition, ThreadRegisters } from './target.js';
import { formatThreadId, PROCESS_ID } from './thread-id.js';
import { Tracepoints } from './tracepoints.js';
import { Views } from './views.js';

/** Announced as PacketSize: largest payload in either direction, in bytes. */
export const PACKET_SIZE = 0x100000;
/** Escapes double a binary payload at worst. */
const RAW_LIMIT = PACKET_SIZE * 2 + 64;
/** Work that goes on in promises alone starves the socket; after this long it lets the event loop turn. */
const TURN_MS = 8;
/** A client that waits for an answer is shown this often that there is life. */
const ALIVE_MS = 1000;
/** Input waiting for the guest beyond this many items stops reading from the socket. */
const MAX_BACKLOG = 1024;

/** Packets that concern the guest; the others make a client known. */
const IS_WORK = /^(?:[^qQvH!]|qRcmd|vCont;|vRun|vAttach)/;

/** The byte stream to a client. */
export interface Wire {
  /** Answers false when the stream is full; drained() then says when it is not. */
  write(bytes: Uint8Array): boolean;
  drained(): Promise<void>;
  /** What a client that answers at once sends now, without a turn of the event loop. Valid until the next call. */
  promptly?(): Uint8Array | undefined;
  pauseInput(): void;
  resumeInput(): void;
  /** Ends the stream once what was written is out. */
  end(): void;
}

/** What the client announced or switched on. */
export interface ClientFeatures {
  noAck: boolean;
  swbreak: boolean;
  hwbreak: boolean;
  multiprocess: boolean;
  execEvents: boolean;
  /** GDB's error-message+: `E.text` for every packet. */
  errorMessage: boolean;
  /** LLDB's QEnableErrorStrings: `Exx;hextext`. */
  errorStrings: boolean;
  threadsInStopReply: boolean;
  /** The client is LLDB. */
  lldb: boolean;
  extended: boolean;
  /** A plug-in that computes CS base + IP itself is connected. */
  plugin: boolean;
}

/** What a client wants to run. Threads that are named nowhere stand. */
export type RunRequest =
  /** Absent: all threads. */
  | { kind: 'continue'; threads?: readonly number[] }
  /**
   * `others` run meanwhile, and each of `before` makes one step before: what stops one of these ends it there. With
   * `within`, steps while the program counter, as the client sees it, is in it.
   */
  | {
      kind: 'step';
      thread: number;
      within?: { start: bigint; end: bigint };
      others?: readonly number[];
      before?: readonly number[];
    }
  /** Backwards. */
  | { kind: 'back' }
  | { kind: 'step-back'; thread: number };

/** What a client that has no word for going back asks for while `monitor direction back` is on. */
function turnedRound(request: RunRequest): RunRequest {
  if (request.kind === 'continue') return { kind: 'back' };
  return request.kind === 'step' ? { kind: 'step-back', thread: request.thread } : request;
}

const EACCES = 13;
/** Characters that wait for a client which does not take them, and of one packet. */
const MAX_PRINTED = 2 ** 20;
const PRINTED_PIECE = 0x4000;

/** What a stop reply shows. */
const STOP_REGISTERS = ['rip', 'rsp', 'rbp'];

type QueueItem =
  | PacketEvent
  | { kind: 'stopped'; thread: number; cause: StopCause }
  | { kind: 'thread-stopped'; thread: number; cause: StopCause };

/** The stop that an exec event stands for. */
interface BehindExec {
  thread: number;
  cause: Exclude<StopCause, { kind: 'exited' }>;
}

export class Session {
  readonly features: ClientFeatures = {
    noAck: false,
    swbreak: false,
    hwbreak: false,
    multiprocess: false,
    execEvents: false,
    errorMessage: false,
    errorStrings: false,
    threadsInStopReply: false,
    lldb: false,
    extended: false,
    plugin: false,
  };
  readonly syscalls: SyscallCatches;
  /** Tracepoints, and the frame that is looked at. */
  readonly trace: Tracepoints;
  /** Memory that the client has in the guest. */
  readonly scratch: ScratchMemory;
  /** What the client has not forbidden itself. */
  readonly permissions = allPermitted();
  readonly breakpoints: ClientBreakpoints;
  /** The processes that the client sees in the guest. */
  readonly views: Views;
  /** Threads stop and go each by itself; undefined in all-stop mode. */
  nonStop: NonStop | undefined;
  /** Thread of g, p, m and so on (`Hg`), and of c and s (`Hc`); from 0. */
  generalThread = 0;
  continueThread = 0;
  /** Thread that `monitor cpu N` chose, for as long as the client looks at the same one and the guest stands. */
  private monitorChoice: { thread: number; beside: number } | undefined;
  /** Qqemu.PhyMemMode: addresses of m, M, x, X and watchpoints are guest-physical. */
  physicalMemory = false;

  /** qXfer documents of which a piece is still to be read. */
  readonly documents = new Map<string, string>();
  /** The client has asked for something of the guest, beyond what the stub can do. */
  atWork = false;
  /** The client has asked which program runs, and will have a look at it. */
  programAsked = false;
  /** Its steps and runs go back. */
  backwards = false;
  /** A monitor command has put the guest elsewhere, and LLDB still shows where it was: its next step only looks at this thread. */
  moved: number | undefined;
  /** It asked at any time: GDB does when it connects, LLDB never. */
  takesProgram = false;
  /** The client has the kernel's symbols from here. */
  symbolsServed = false;
  /** Where the client's program has its ELF header, as its symbols say. */
  programHeader: bigint | undefined;
  /** How many trace state variables the client has been told of. */
  variablesTold = 0;
  /** Files that the client has open, by descriptor. */
  readonly files = new Map<number, Uint8Array>();
  /** Half a packet, since a byte may need an escape. */
  readonly maxDocumentPiece = PACKET_SIZE / 2 - 1;

  private readonly parser = new PacketParser(RAW_LIMIT);
  private readonly queue: QueueItem[] = [];
  /** First item of the queue that is not handled yet. */
  private head = 0;
  private packetBefore = '';
  /** Stops are not told: there is more to do. */
  private quiet = false;
  private pumping = false;
  /** A monitor command is being served, which may run the guest that stood. */
  private mayRun = false;
  private inputPaused = false;
  private closed = false;
  private full = false;
  private lastSent: Buffer | undefined;
  private view: 'stopped' | 'running' = 'stopped';
  /** The stop that stands behind an exec event, given when the client resumes from that. */
  private behindExec: BehindExec | undefined;
  private notes: string[] = [];
  /** Printed, and not sent yet. */
  private printed = '';
  /** The client is still to be told how its view goes with the guest's mode. */
  private modeToTell = false;
  private lastTurn = performance.now();
  private serving = false;
  /** Counts from the beginning of a packet on. */
  private readonly heart = setInterval(() => this.showLife(), ALIVE_MS).unref();
  private readonly unsubscribe: () => void;

  constructor(
    readonly target: Target,
    readonly settings: StubSettings,
    private readonly wire: Wire,
  ) {
    this.breakpoints = new ClientBreakpoints(target);
    this.views = new Views(target, settings, this.features);
    this.trace = new Tracepoints(this);
    this.syscalls = new SyscallCatches(target);
    this.scratch = new ScratchMemory(target);
    this.unsubscribe = target.onEvent((event) => {
      if (event.type === 'printed') this.print(event.text);
      else if (event.type !== 'running' && !this.quiet)
        this.enqueue([{ kind: event.type, thread: event.thread, cause: event.cause }]);
    });
  }

  /** Registers as the process that the client looks at shows them. */
  get registers(): RegisterAccess {
    return this.views.registers;
  }

  /** Takes bytes from the client. */
  feed(bytes: Uint8Array): void {
    const items = this.parser.push(bytes);
    this.enqueue(this.lastSent === undefined ? firstOfEach(items) : items);
  }

  /**
   * The client is gone: its breakpoints go, the guest stays as it is, running or stopped. One that has just stopped at
   * such a breakpoint, so that the client has not been told, goes on.
   */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.heart);
    this.unsubscribe();
    this.queue.length = 0;
    this.endCommand();
    const forNobody =
      this.nonStop === undefined ? this.view === 'running' && (await this.stoppedByOwn()) : await this.nonStop.end();
    this.nonStop = undefined;
    await this.forgetStops();
    if (forNobody) await this.target.resume();
  }

  /** The guest stands at what this client alone asked for. */
  private async stoppedByOwn(): Promise<boolean> {
    const cause = this.target.lastStop()?.cause;
    if (cause?.kind === 'syscall') return this.syscalls.any;
    if (cause?.kind === 'watchpoint') return this.breakpoints.watching(cause, this.views.attached) !== undefined;
    if (cause?.kind !== 'breakpoint' || this.breakpoints.at(cause.address, this.views.attached).length === 0)
      return false;
    return !((await this.target.othersBreakAt?.(cause.address)) ?? false);
  }

  /** A monitor command that runs the guest ends with a pause. */
  private endCommand(): void {
    if (this.mayRun && this.target.running()) void this.target.pause().catch(() => {});
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** Sends a packet; used directly for O packets, otherwise commands return their reply. */
  send(payload: string): void {
    if (this.closed) return;
    this.lastSent = encodePacket(payload);
    this.full = !this.wire.write(this.lastSent);
  }

  /** An error reply in the richest form that the client understands. `code` is an errno. */
  error(code: number, text: string): string {
    const digits = code.toString(16).padStart(2, '0');
    if (this.features.errorMessage) return `E.${text}`;
    return this.features.errorStrings ? `E${digits};${encodeHexText(text)}` : `E${digits}`;
  }

  /** The error reply for what the client has forbidden itself, where one of these is forbidden. */
  refusal(...needed: Permission[]): string | undefined {
    const forbidden = this.forbidden(...needed);
    return forbidden === undefined ? undefined : this.error(EACCES, forbidden);
  }

  /** The same as plain text. */
  forbidden(...needed: Permission[]): string | undefined {
    const permission = needed.find((name) => !this.permissions[name]);
    return permission && refusalOf(permission);
  }

  /**
   * Lets the event loop turn if it has not for some time: a target in the same thread answers without it, and
   * an interrupt must be able to come in.
   */
  async breathe(): Promise<void> {
    if (!this.breathless) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.lastTurn = performance.now();
  }

  private get breathless(): boolean {
    return performance.now() - this.lastTurn >= TURN_MS;
  }

  /** Answers the descriptor. */
  openFile(bytes: Uint8Array): number {
    let descriptor = 3;
    while (this.files.has(descriptor)) descriptor++;
    this.files.set(descriptor, bytes);
    return descriptor;
  }

  /** What a client's address is to the target. */
  whereIs(address: bigint): { space: MemorySpace; at: bigint } {
    if (this.physicalMemory) return { space: 'physical', at: address };
    if (this.scratch.isBare(address)) throw new Error(`no memory is behind 0x${address.toString(16)}`);
    const gpa = this.scratch.physical(address);
    return gpa === undefined ? { space: 'virtual', at: address } : { space: 'physical', at: gpa };
  }

  /** Ends the connection from this side. */
  hangUp(): void {
    this.wire.end();
  }

  /**
   * The thread that monitor commands are about: the one that the client looks at, unless `monitor cpu` chose another.
   * `thread apply` of GDB chooses none for a monitor command; it asks whether the thread is alive, and that is all.
   */
  get monitorThread(): number {
    const asked = this.packetBefore.startsWith('T') ? selectThread(this, this.packetBefore.slice(1), -1) : undefined;
    if (asked !== undefined && asked >= 0) return asked;
    const choice = this.monitorChoice;
    return choice?.beside === this.generalThread ? choice.thread : this.generalThread;
  }

  set monitorThread(thread: number) {
    this.monitorChoice = { thread, beside: this.generalThread };
  }

  /** Whether a thread runs, as far as this client is concerned. */
  runs(thread: number): boolean {
    return this.nonStop ? this.nonStop.runs(thread) : this.target.running();
  }

  /** A notification, which nobody acknowledges. */
  notify(payload: string): void {
    if (!this.closed) this.full = !this.wire.write(encodeNotification(payload));
  }

  /** The stop reply of one thread, without what is for all of them. */
  async stopOf(thread: number, cause: StopCause): Promise<string> {
    if (cause.kind === 'exited') return this.exitReply(cause.status);
    const registers = await this.target.readRegisters(thread, STOP_REGISTERS);
    // a thread that the client asked to stop has met no signal
    const { signal, reason } = cause.kind === 'paused' ? { signal: 0, reason: '' } : this.summarize(cause);
    return this.stopPacket(thread, registers, signal, reason);
  }

  /** What the numbers in agent expressions are to the target. */
  async expressionNames(): Promise<Pick<TargetCondition, 'registers' | 'variables'>> {
    return { registers: await this.registers.conditionNames(), variables: this.trace.builtinVariables };
  }

  /** Text for the user, printed with the next stop: GDB takes console output only while it waits for one. */
  note(text: string): void {
    this.notes.push(text);
  }

  startNoAck(): void {
    this.features.noAck = true;
    this.parser.ignoreChecksum = true;
  }

  threadId(thread: number, process = this.views.general): string {
    return formatThreadId(thread, this.features.multiprocess ? process : undefined);
  }

  private enqueue(items: QueueItem[]): void {
    if (this.closed) return;
    for (const item of items) this.queue.push(item);
    if (items.some(({ kind }) => kind === 'interrupt')) this.endCommand();
    if (this.queue.length - this.head > MAX_BACKLOG && !this.inputPaused) {
      this.inputPaused = true;
      this.wire.pauseInput();
    }
    if (!this.pumping) void this.pump();
  }

  private async pump(): Promise<void> {
    this.pumping = true;
    while (this.head < this.queue.length && !this.closed) {
      const item = this.queue[this.head++];
      // Taken off in batches: shift() on each item would be quadratic.
      if (this.head === this.queue.length || this.head >= 4096) {
        this.queue.splice(0, this.head);
        this.head = 0;
      }
      try {
        // to wait for nothing costs a step of a debugger's some of its time
        if (this.breathless) await this.breathe();
        const handled = this.handle(item);
        if (handled) await handled;
      } catch (error) {
        if (item.kind === 'packet') this.send(this.error(5, messageOf(error)));
        else if (item.kind === 'stopped' && !this.nonStop) await this.report(item.thread, item.cause).catch(() => {});
      }
      if (this.full && !this.closed) {
        await this.wire.drained();
        this.full = false;
      }
      if (this.head === this.queue.length && this.waits) {
        const more = this.wire.promptly?.();
        if (more) this.enqueue(this.parser.push(more));
      }
    }
    this.pumping = false;
    if (this.inputPaused && !this.closed) {
      this.inputPaused = false;
      this.wire.resumeInput();
    }
  }

  private handle(item: QueueItem): Promise<void> | void {
    switch (item.kind) {
      case 'ack':
        return;
      case 'nak':
        if (!this.features.noAck && this.lastSent !== undefined) this.full = !this.wire.write(this.lastSent);
        return;
      case 'corrupt':
        if (!this.features.noAck) this.wire.write(Buffer.from('-'));
        return;
      case 'oversized':
        this.acknowledge();
        return this.send(this.error(22, `packet longer than ${PACKET_SIZE} bytes`));
      case 'interrupt':
        return this.interrupt();
      case 'stopped':
        if (this.nonStop) return this.nonStop.guestStopped(item.thread, item.cause);
        return this.stopped(item.thread, item.cause);
      case 'thread-stopped':
        return this.nonStop?.threadStopped(item.thread, item.cause);
      case 'packet':
        return this.answer(item.payload);
    }
  }

  private async answer(payload: string): Promise<void> {
    this.acknowledge();
    this.atWork ||= IS_WORK.test(payload);
    const reply = await this.serve(payload);
    this.packetBefore = payload;
    if (reply !== undefined) this.send(reply);
  }

  /** Serves a packet, whose answer may take long. */
  private async serve(payload: string): Promise<Reply> {
    this.mayRun = payload.startsWith('qRcmd') && !this.target.running();
    this.serving = true;
    this.heart.refresh();
    try {
      return await dispatch(payload, this);
    } finally {
      this.mayRun = false;
      this.serving = false;
    }
  }

  /**
   * GDB gives up after three times two seconds without a byte; an acknowledgement between packets means nothing and starts
   * its clock anew.
   */
  private showLife(): void {
    if (this.serving && !this.closed && this.view === 'stopped') this.wire.write(Buffer.from('+'));
  }

  /** The next move is the client's: it has been answered, and nothing runs. */
  private get waits(): boolean {
    return !this.closed && this.view === 'stopped' && !this.target.running();
  }

  private acknowledge(): void {
    if (!this.features.noAck) this.wire.write(Buffer.from('+'));
  }

  /** Ctrl-C. While the client believes that the guest stands it has crossed a stop reply: nothing to do. */
  async interrupt(): Promise<void> {
    if (!this.permissions.Stop) return;
    if (this.nonStop) return this.nonStop.stopAll();
    if (this.view === 'stopped') return;
    await this.target.pause();
    // A guest that stood already (another observer's stop is on its way, or was let pass) emits nothing.
    const stop = this.target.lastStop();
    if (stop !== undefined && !this.queue.some((item, at) => at >= this.head && item.kind === 'stopped')) {
      await this.report(stop.thread, { kind: 'paused' });
    }
  }

  /** Pauses a guest that another observer has resumed, before an access that needs it to stand. */
  async hold(why: string, thread = this.generalThread): Promise<void> {
    if (this.nonStop) return this.nonStop.mustStand(thread);
    if (!this.target.running()) return;
    if (!this.permissions.Stop) throw new Error(refusalOf('Stop'));
    await this.target.pause();
    this.note(`The guest was running, resumed by another view; paused it for ${why}.`);
  }

  /** The client has (re)connected or detached: its earlier breakpoints go. */
  async forget(): Promise<void> {
    await this.nonStop?.end();
    this.nonStop = undefined;
    this.view = 'stopped';
    this.behindExec = undefined;
    this.physicalMemory = false;
    await this.forgetStops();
  }

  /** All that this client has had the target stop or act at goes. */
  private async forgetStops(): Promise<void> {
    await this.breakpoints.clear();
    await this.trace.end();
    await this.syscalls.clear();
    // in the past nothing is written, and what the client had there is not there
    await this.scratch.release().catch(() => {});
  }

  /** What breakpoints print, while GDB waits for a stop; else with the next one. */
  private print(text: string): void {
    if (this.closed) return;
    this.printed = this.printed.length < MAX_PRINTED ? this.printed + text : this.printed;
    if ((this.view === 'running' || this.nonStop) && !this.full) this.sendPrinted();
  }

  private sendPrinted(): void {
    const text = this.printed;
    this.printed = '';
    for (let at = 0; at < text.length; at += PRINTED_PIECE)
      this.send(`O${encodeHexText(text.slice(at, at + PRINTED_PIECE))}`);
  }

  /**
   * Serves c, s and vCont.
   * @param processes those that run
   * @returns a reply only when the guest cannot run
   */
  async run(asked: RunRequest, processes: readonly number[] = [this.views.continuing]): Promise<string | undefined> {
    const request = this.backwards ? turnedRound(asked) : asked;
    this.trace.frame = undefined;
    this.views.resume(processes);
    const { moved } = this;
    this.moved = undefined;
    if (moved !== undefined && asked.kind === 'step') {
      this.view = 'running';
      await this.report(moved, { kind: 'step' });
      return undefined;
    }
    const behind = this.behindExec;
    const stop = this.target.lastStop();
    this.behindExec = undefined;
    if (behind !== undefined) {
      this.view = 'running';
      await this.giveBehindExec(behind);
      return undefined;
    }
    const backwards = request.kind === 'back' || request.kind === 'step-back';
    if (
      !backwards &&
      (stop?.cause.kind === 'exited' || (stop?.cause.kind === 'fault' && stop.cause.status !== undefined))
    ) {
      return this.exitReply(stop.cause.status as number);
    }
    this.view = 'running';
    try {
      if (this.target.running()) {
        if (request.kind === 'continue') return undefined;
        await this.hold('a step; it stopped where it was caught');
        return undefined;
      }
      // a plain step meets no breakpoint: those that the client has taken out for it come back
      const plain = request.kind === 'step' && request.within === undefined && !request.others?.length;
      if (!plain) await this.breakpoints.reconcile();
      // a debugger steps thousands of times a second: what has nothing to do is not waited for
      if (this.syscalls.stale) await this.syscalls.reconcile();
      if (!backwards && this.scratch.mapped) await this.scratch.prepare();
      if (request.kind === 'continue') await this.target.resume(request.threads);
      else if (request.kind === 'back' || request.kind === 'step-back') this.goBack(request);
      else await this.step(request);
      return undefined;
    } catch (error) {
      this.view = 'stopped';
      return this.error(22, messageOf(error));
    }
  }

  /**
   * Gives the stop behind an exec event. Where no breakpoint that GDB has put in anew explains it, it is signal 0,
   * "stopped": GDB that was stepping over a breakpoint as it met the event takes SIGTRAP for that step's end and lets
   * the guest go.
   */
  private async giveBehindExec({ thread, cause }: BehindExec): Promise<void> {
    const own = [this.views.resumed];
    const breakpoint = cause.kind === 'breakpoint' && this.breakpoints.at(cause.address, own).length > 0;
    const registers = await this.target.readRegisters(thread, STOP_REGISTERS);
    // a reason that GDB cannot match has it resume for ever
    const { signal, reason } = this.summarize(cause, { swbreak: false, hwbreak: false });
    const explained = breakpoint || reason !== '' || signal !== SIGNAL_TRAP;
    await this.sendStop(thread, registers, explained ? signal : SIGNAL_NONE, reason);
  }

  /** Of the processes that run, the one whose breakpoint or watchpoint has stopped the guest. */
  private ownerOf(cause: StopCause): number | undefined {
    const { running } = this.views;
    if (running.length < 2) return undefined;
    if (cause.kind === 'breakpoint') return this.breakpoints.at(cause.address, running)[0]?.process;
    return cause.kind === 'watchpoint' ? this.breakpoints.watching(cause, running)?.entry.process : undefined;
  }

  /** @param announced which reasons of breakpoints the client may be given */
  private summarize(
    cause: BehindExec['cause'],
    announced: { swbreak: boolean; hwbreak: boolean } = this.features,
  ): StopSummary {
    const { swbreak, hwbreak } = announced;
    return summarizeStop(cause, this.breakpoints, { swbreak, hwbreak, syscalls: this.syscalls.any }, this.views);
  }

  private stopped(thread: number, cause: StopCause): Promise<void> | undefined {
    return this.view === 'stopped' ? undefined : this.report(thread, cause);
  }

  /** Starts a step. It may go on for long, or never end: packets are served meanwhile. */
  private async step({ thread, within, others, before = [] }: RunRequest & { kind: 'step' }): Promise<void> {
    const range = within && (await this.linearRange(thread, within));
    const all = async (): Promise<void> => {
      for (const other of before) if (!(await this.stepQuietly(other))) return;
      await this.target.step(thread, range, others);
    };
    const stepping = before.length > 0 ? all() : this.target.step(thread, range, others);
    void stepping.catch((error: unknown) => {
      this.view = 'stopped';
      this.send(this.error(22, messageOf(error)));
    });
  }

  /** One of several threads that step: the client is told of the last one's. False: something else has stopped it. */
  private async stepQuietly(thread: number): Promise<boolean> {
    this.quiet = true;
    try {
      await this.target.step(thread);
    } finally {
      this.quiet = false;
    }
    const cause = this.target.lastStop()?.cause;
    if (cause?.kind === 'step') return true;
    // an interrupt is told by itself
    if (cause !== undefined && cause.kind !== 'paused') this.enqueue([{ kind: 'stopped', thread, cause }]);
    return false;
  }

  /** Starts a way back, which may take long: packets are served meanwhile. */
  private goBack(request: RunRequest & { kind: 'back' | 'step-back' }): void {
    const { reverse } = this.target;
    const way = request.kind === 'back' ? reverse?.resume() : reverse?.step(request.thread);
    void way?.catch((error: unknown) => {
      this.view = 'stopped';
      this.send(this.error(22, messageOf(error)));
    });
  }

  /** A range of the program counter as the client sees it, by linear addresses. */
  async linearRange(
    thread: number,
    { start, end }: { start: bigint; end: bigint },
  ): Promise<{ start: bigint; end: bigint }> {
    const offset = this.registers.shownOffset(await this.target.readRegisters(thread, STOP_REGISTERS));
    return { start: start + offset, end: end + offset };
  }

  private exitReply(status: number): string {
    const { resumed } = this.views;
    const process = this.features.multiprocess ? `;process:${resumed.toString(16)}` : '';
    // for the client the others are still to end
    if (this.views.attached.length > 1) this.views.leave(resumed);
    return `W${(status & 0xff).toString(16).padStart(2, '0')}${process}`;
  }

  /** Tells a waiting client that the guest stands. */
  async report(thread: number, cause: StopCause): Promise<void> {
    this.monitorChoice = undefined;
    this.views.look(this.ownerOf(cause) ?? this.views.resumed);
    if (cause.kind === 'exited') {
      if (cause.message !== '') this.note(cause.message);
      this.sendNotes();
      this.view = 'stopped';
      return this.send(this.exitReply(cause.status));
    }
    const registers = await this.target.readRegisters(thread, STOP_REGISTERS);
    // each wait for what is there already takes a step some of its time
    const known = this.registers.layout(thread);
    const layout = known instanceof Promise ? await known : known;
    const summary = this.summarize(cause);
    if (summary.message) this.note(summary.message);
    if ((await this.registers.wanted(registers)) === layout.architecture) {
      return this.sendStop(thread, registers, summary.signal, summary.reason);
    }
    return this.reportOtherMode(thread, cause, registers, summary);
  }

  /** The guest stands in another mode than the client's view is of. */
  private async reportOtherMode(
    thread: number,
    cause: BehindExec['cause'],
    registers: ThreadRegisters,
    summary: StopSummary,
  ): Promise<void> {
    if (!this.followsModes) {
      this.note(`The guest is ${registers.architecture} now; disconnect and connect again to see it so.`);
      return this.sendStop(thread, registers, summary.signal, summary.reason);
    }
    if (!this.features.execEvents) {
      // LLDB reads the description anew at once, and forgets breakpoints that were set by address
      await this.registers.choose(await this.target.readRegisters(thread));
      return this.sendStop(thread, registers, summary.signal, 'reason:exec;');
    }
    // The exec event makes GDB read target.xml again. It then resumes, and gets the stop behind the event.
    await this.registers.choose(await this.target.readRegisters(thread));
    this.behindExec = { thread, cause };
    if (this.breakpoints.watches > 0) this.note('gdb drops its watchpoints as the mode changes; set them again.');
    // GDB takes its breakpoints for gone with the old program
    this.breakpoints.release(this.views.resumed);
    this.generalThread = this.continueThread = thread;
    this.view = 'stopped';
    const { architecture } = await this.registers.layout(thread);
    const name = encodeHexText(`[${architecture} code]`);
    this.send(`T05thread:${this.threadId(thread)};exec:${name};`);
  }

  /** Whether the client can be told that the guest's mode has changed: GDB by exec-events+, LLDB always. */
  get followsModes(): boolean {
    return this.features.execEvents || this.features.threadsInStopReply;
  }

  /** Has a new client of GDB's told with its first stop how its view goes with the guest's mode. */
  async tellMode(): Promise<void> {
    const { architecture } = await this.target.readRegisters(this.target.lastStop()?.thread ?? 0, []);
    const chosen = this.settings.architecture !== undefined;
    this.modeToTell = this.features.execEvents && !chosen && architecture !== 'x86-64';
  }

  private async sendStop(thread: number, registers: ThreadRegisters, signal: number, reason: string): Promise<void> {
    const threads = this.features.threadsInStopReply ? await this.threadList(thread, registers) : '';
    const stop = await this.stopPacket(thread, registers, signal, threads + reason);
    this.sendNotes();
    this.view = 'stopped';
    this.generalThread = this.continueThread = thread;
    this.send(stop);
  }

  private async stopPacket(thread: number, registers: ThreadRegisters, signal: number, tail: string): Promise<string> {
    const known = this.registers.layout(thread);
    const layout = known instanceof Promise ? await known : known;
    const place = this.target.position?.();
    const position = place instanceof Promise ? await place : place;
    const code = signal < 16 ? `0${signal.toString(16)}` : signal.toString(16);
    const head = `T${code}thread:${this.threadId(thread)};core:${thread.toString(16)};`;
    return head + this.registers.expedited(layout, registers) + tail + (position ? positionField(position) : '');
  }

  /** LLDB's `threads:` and `thread-pcs:`, which save it a round trip for each thread. */
  private async threadList(stopped: number, registers: ThreadRegisters): Promise<string> {
    if (!this.features.threadsInStopReply) return '';
    const layout = await this.registers.layout(stopped);
    const ids: string[] = [];
    const pcs: string[] = [];
    for (let thread = 0; thread < this.target.threads; thread++) {
      const own = thread === stopped ? registers : await this.target.readRegisters(thread, STOP_REGISTERS);
      ids.push((thread + 1).toString(16));
      pcs.push(this.registers.shownPc(layout, own));
    }
    return `threads:${ids.join(',')};thread-pcs:${pcs.join(',')};`;
  }

  /** The `?` reply: the current stop, without reasons that GDB would try to match. */
  async currentStop(): Promise<string> {
    const stop = this.target.lastStop() ?? { thread: 0, cause: { kind: 'paused' } as StopCause };
    this.view = 'stopped';
    if (stop.cause.kind === 'exited') return this.exitReply(stop.cause.status);
    const thread = stop.thread;
    const registers = await this.target.readRegisters(thread);
    this.generalThread = this.continueThread = thread;
    const signal = stop.cause.kind === 'fault' ? stop.cause.signal : SIGNAL_TRAP;
    return this.stopPacket(thread, registers, signal, await this.threadList(thread, registers));
  }

  private sendNotes(): void {
    if (this.modeToTell && this.views.attached.length === 1 && this.views.has(PROCESS_ID)) {
      this.modeToTell = false;
      this.note(
        this.registers.follows
          ? "Registers and disassembly go with the guest's mode; monitor arch x86-64 keeps one."
          : 'The guest is shown in 64-bit registers, as its image is; monitor arch auto goes with its mode.',
      );
    }
    this.sendPrinted();
    for (const note of this.notes) this.send(`O${encodeHexText(`vmscope: ${note}\n`)}`);
    this.notes = [];
  }
}

/** Clients skip what they do not know, unless it looks like a register's number. */
const positionField = ({ icount, exit }: TargetPosition): string =>
  `vmscope-at:${icount.toString(16)},${exit.toString(16)};`;

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const isGreeting = (payload: string, before: string): boolean => payload.startsWith('qSupported') && payload === before;

/** A client that was there before the stub has sent its first packet again and again. */
function firstOfEach(items: PacketEvent[]): PacketEvent[] {
  return items.filter((item, at) => {
    const before = items[at - 1];
    return !(item.kind === 'packet' && before?.kind === 'packet' && isGreeting(item.payload, before.payload));
  });
}
