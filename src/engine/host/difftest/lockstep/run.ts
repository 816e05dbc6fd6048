// The same guest on the core and on a judge, instruction by instruction: both advance by the same amount, then what the
// architecture defines is compared. The core has the devices; the judge is told what they answered, and gets interrupts
// at the same instructions.

import { exitReasonName } from '../../../../spec/vmx/exit-reasons.js';
import { counted } from '../../../counted.js';
import type { RegisterFile } from '../../../debugger.js';
import type { Mode } from '../../../difftest/bed.js';
import {
  compareRegisters,
  hex,
  LOCKSTEP_MASKS,
  type LockstepDifference,
  type LockstepReport,
  type NotCompared,
  UNSHARED,
} from '../../../difftest/lockstep-report.js';
import {
  isRepeated,
  notComparable,
  notTried,
  opcodeAt,
  type Step,
  touchesOtherState,
} from '../../../difftest/not-compared.js';
import { maskOf } from '../../../difftest/undefined.js';
import { GENERAL_REGISTERS, REGISTER_NAMES } from '../../../registers-view.js';
import type { SliceEnd } from '../../../vmm/hypervisor.js';
import { CodeReader } from './code-reader.js';
import { differentPages } from './kvm-side.js';
import type { Judge, JudgeStop } from './side.js';
import {
  CR0,
  cplOf,
  fillFromFile,
  linearRip,
  longMode,
  newQuick,
  QUICK_WORDS,
  type Quick,
  RFLAGS,
  SEGMENTS_FROM,
  sameRip,
  toFile,
} from './state.js';
import type { VtxSide } from './vtx-side.js';

export interface RunOptions {
  /** Instructions between two comparisons. */
  every: number;
  /**
   * Instructions since the last access to a device that are compared; what is left until the next access runs
   * freely and is compared there. 0: every instruction runs freely; infinite: none.
   */
  singly: number;
  /** From so many comparisons on a smaller number stands in for `singly`, so that long guests end. */
  tired?: { compared: number; singly: number };
  /** Comparisons after which all is well. */
  limit?: number;
  /** Compare all of memory after so many comparisons, and at the end; 0 never. */
  memoryEvery: number;
  paravirtual: boolean;
  /** Told now and then, with RIP where the judge runs freely for long; true ends the run. */
  progress?(compared: number, instructions: number, freelyAt?: bigint): boolean;
  /** Longest wall-clock time of the judge from one access to a device to the next, in ms. */
  patienceMs?: number;
  /** Starts both again, to find the instruction that made memory differ. */
  restart?(): { core: VtxSide; judge: Judge };
  /** Called at a halt of the guest without an event in sight; true when it brought one. */
  input?(core: VtxSide): boolean;
}

/** What a run is to do otherwise, after one before it found something. */
interface Again {
  watch?: Watch;
  /** Stretches, counted from 0, that are stepped after all; each with where the core came to when it ran freely. */
  stretches: ReadonlyMap<number, Place>;
}

interface Place {
  icount: number;
  state: Quick;
}

/** Pages that are compared at every step from a comparison on. */
interface Watch {
  from: number;
  pages: readonly number[];
}

/** Exits by which the machine works, and that no guest sees: shutdown, windows, CPUID, HLT, CR, I/O, MSR, MMIO, timer. */
const MACHINE_EXITS = new Set([2, 7, 8, 10, 12, 28, 30, 31, 32, 48, 52]);
const PROGRESS_EVERY = 4096;
/** Halts in a row from which the guest does not wake. */
const MAX_IDLE = 2000;
/** Time of a stretch on the judge's side, and more for each ms at this number of instructions. */
const FREE_RUN_MS = 2000;
const SLOWEST = 50;
/** Instructions of a stretch that the judge did not come through in time, that are stepped to see where it stands. */
const MAX_STEPPED = 1_000_000;
const PAGE = 4096;
/** Comparisons after which the pages are compared that the judge has written. */
const WRITTEN_EVERY = 32;
const MAX_MEMORY_DIFFERENCES = 4;
const MAX_REPEATS = 100_000_000;

/** Runs of a guest, each to step through one more stretch. */
const MAX_AGAIN = 24;

/** Runs of a guest whose judge may go astray. */
const MAX_ASTRAY = 8;

/** A judge that `restart` gives is closed here, the first one is the caller's. */
export function runLockstep(core: VtxSide, judge: Judge, options: RunOptions): LockstepReport {
  let sides = { core, judge };
  for (let astray = 0; ; astray++) {
    const run = new Lockstep(sides.core, sides.judge, options, { stretches: new Map() });
    const report = run.run();
    report.astray = astray;
    if (sides.judge !== judge) sides.judge.close();
    if (!run.astray || astray === MAX_ASTRAY || !options.restart) return report;
    sides = options.restart();
  }
}

class Lockstep {
  /** The judge is not to be believed any more. */
  astray = false;
  private readonly report: LockstepReport = {
    compared: 0,
    instructions: 0,
    freely: 0,
    accesses: 0,
    interrupts: 0,
    memories: 0,
    writtenPages: 0,
    undefined: 0,
    notCompared: [],
    astray: 0,
    ended: 'limit',
    message: '',
    differences: [],
    masks: LOCKSTEP_MASKS,
  };
  private readonly reader: CodeReader;
  /** Pattern of bits in which the two may differ, by the masks. */
  private readonly known: Quick = newQuick();
  private readonly judgeBefore: Quick = newQuick();
  private readonly memories: readonly [Buffer, Buffer];
  private sinceAccess = 0;
  private idles = 0;
  private lastGoodMemory = 0;
  private readonly watch: Watch | undefined;
  private stretch = -1;
  /** Where the core came to when it ran the present stretch freely. */
  private expected: Place | undefined;

  constructor(
    private readonly core: VtxSide,
    private readonly judge: Judge,
    private readonly options: RunOptions,
    private readonly again: Again,
  ) {
    this.watch = again.watch;
    this.reader = new CodeReader(core.ram);
    const bytes = (ram: Uint8Array): Buffer => Buffer.from(ram.buffer, ram.byteOffset, ram.length);
    this.memories = [bytes(core.ram), bytes(judge.ram)];
  }

  run(): LockstepReport {
    const { core, report, options } = this;
    const limit = options.limit ?? Number.POSITIVE_INFINITY;
    while (report.ended === 'limit' && report.message === '') {
      if (report.compared >= limit) this.end('limit', `no difference in ${counted(report.compared, 'comparison')}`);
      else if (this.sinceAccess >= this.singly && this.expected === undefined) this.nextStretch();
      else for (let i = 1; i <= options.every && report.message === ''; i++) this.step(i === options.every);
      if (report.message !== '') break;
      report.instructions = core.icount;
      if (report.compared % PROGRESS_EVERY !== 0) continue;
      this.reader.forget();
      if (options.progress?.(report.compared, report.instructions)) this.end('limit', 'stopped');
    }
    return report;
  }

  private get singly(): number {
    const { singly, tired } = this.options;
    return tired && this.report.compared >= tired.compared ? Math.min(singly, tired.singly) : singly;
  }

  private end(ended: LockstepReport['ended'], message: string): void {
    if (this.report.message !== '') return;
    if (ended !== 'difference' && this.options.memoryEvery > 0 && !this.compareMemory()) return;
    this.conclude(ended, message);
  }

  private conclude(ended: LockstepReport['ended'], message: string): void {
    this.report.ended = ended;
    this.report.message = message;
    this.report.instructions = this.core.icount;
  }

  /** One instruction on both, or all iterations of a repeated one. */
  private step(compare: boolean): void {
    const { core, judge, report } = this;
    const { step } = core;
    core.begin();
    step.code = this.reader.read(step.before);
    const long = longMode(step.before);
    this.judgeBefore.set(judge.quick);
    const repeated = isRepeated(step.code, long);
    const untried = notTried(this.describe([]), this.options.paravirtual);
    let end = core.one();
    if (end.kind === 'idle' && core.stood) {
      this.afterStep(end);
      return;
    }
    const vector = step.interrupt;
    for (let n = 0; repeated && end.kind === 'limit' && sameRip(step.before, step.after) && n < MAX_REPEATS; n++) {
      end = core.one();
    }
    this.sinceAccess = step.accesses.length > 0 ? 0 : this.sinceAccess + 1;
    report.accesses += step.accesses.length;
    if (step.interrupt !== undefined || step.nmi) report.interrupts++;
    if (repeated && step.interrupt !== vector) {
      this.takeOver('an interrupt inside a repeated instruction, which KVM runs to its end');
    } else if (untried !== undefined && vector === undefined) this.takeOver(untried);
    else if (core.middle) end = this.interrupted(core.middle, end, compare);
    else {
      let stop = judge.step(step);
      for (let n = 0; repeated && stop.kind === 'stepped' && n < MAX_REPEATS && sameRip(step.before, judge.quick); n++)
        stop = judge.again(step);
      this.settle(end, stop, compare);
    }
    if (this.expected && core.icount >= this.expected.icount && this.report.message === '') this.endStretch();
    this.afterStep(end);
  }

  /** An instruction with an interrupt behind it: the two are compared one after the other. */
  private interrupted(middle: RegisterFile, end: SliceEnd, compare: boolean): SliceEnd {
    const { core, judge } = this;
    const { step } = core;
    const { interrupt, nmi } = step;
    const final = step.after.slice();
    delete step.interrupt;
    delete step.nmi;
    fillFromFile(step.after, middle);
    const stop = judge.step(step);
    // a HLT that an interrupt ends at once
    const halts: SliceEnd = stop.kind === 'halted' ? { kind: 'idle', deadline: undefined } : { kind: 'limit' };
    this.settle(halts, stop, compare, false, middle);
    if (this.report.message !== '') return end;
    step.before.set(step.after);
    step.after.set(final);
    step.code = this.reader.read(step.before);
    if (interrupt !== undefined) step.interrupt = interrupt;
    if (nmi) step.nmi = true;
    // KVM goes on to the handler's second instruction
    const next = core.one();
    this.settle(next, judge.step(step), compare);
    return next;
  }

  /** What is left until the next access: freely, or one by one where that has found a difference. */
  private nextStretch(): void {
    this.expected = this.again.stretches.get(++this.stretch);
    if (this.expected === undefined) this.freeRun();
  }

  /** A stretch that was stepped through has ended: running it freely must have brought the core to the same place. */
  private endStretch(): void {
    const { core, expected } = this;
    if (expected === undefined) return;
    this.expected = undefined;
    const mine = core.step.after;
    const { state } = expected;
    // an interrupt behind the last instruction takes the step past the place
    if (core.icount > expected.icount || mine.every((word, i) => word === state[i])) {
      const reason = 'run freely, it differs on the judge; one by one it does not: stepped through';
      this.count(reason, linearRip(core.step.before));
      return;
    }
    const differences = compareRegisters(toFile(mine), toFile(state));
    this.differ(differences.map((d) => ({ ...d, what: `${d.what} (vtx one by one, vtx in blocks)` })));
  }

  /** A difference in a stretch that ran freely: another run steps through it. */
  private stepThrough(): void {
    const { core, options, again } = this;
    const next = again.stretches.size < MAX_AGAIN ? options.restart?.() : undefined;
    if (!next) return;
    const stretches = new Map<number, Place>([
      ...again.stretches,
      [this.stretch, { icount: core.icount, state: core.step.after.slice() }],
    ]);
    const found = new Lockstep(next.core, next.judge, options, { stretches }).run();
    next.judge.close();
    this.become(found);
  }

  private become(found: LockstepReport): void {
    const { report } = this;
    delete report.instruction;
    delete report.before;
    delete report.after;
    delete report.exits;
    Object.assign(report, found);
  }

  /** To the next access to a device. */
  private freeRun(): void {
    const { core, judge, report } = this;
    const { step } = core;
    core.begin();
    this.judgeBefore.set(judge.quick);
    const from = core.icount;
    let end = core.runToExit();
    const deliveries = core.deliveries.length;
    const at = newQuick();
    at.set(step.after);
    step.code = this.reader.read(at);
    if (end.kind === 'exit') {
      end = core.one();
      while (end.kind === 'limit' && isRepeated(step.code, longMode(at)) && sameRip(at, step.after)) end = core.one();
    }
    report.freely += core.icount - from;
    report.accesses += step.accesses.length;
    this.sinceAccess = 0;
    const exits = this.describe([]).exits;
    if (deliveries > 0 || exits.length > 0) {
      const what = deliveries > 0 ? 'an interrupt' : `VM exit ${exits[0]}`;
      this.takeOver(`from here to the next access to a device, run freely, with ${what} on the way`);
    } else {
      const ms = Math.min(
        FREE_RUN_MS + (core.icount - from) / SLOWEST,
        this.options.patienceMs ?? Number.POSITIVE_INFINITY,
      );
      const tick = (rip: bigint): void => void this.options.progress?.(report.compared, report.instructions, rip);
      let stop = judge.runToAccess(step, ms, tick);
      if (stop.kind === 'cannot' && core.icount - from > MAX_STEPPED) {
        this.conclude('cannot go on', `${judge.name}: ${stop.reason}`);
        return;
      }
      if (stop.kind === 'stepped') stop = judge.finishAccess(step);
      this.settle(end, stop, true, true);
    }
    if (report.message !== '') {
      this.stepThrough();
      return;
    }
    if (this.options.memoryEvery > 0) this.compareMemory();
    this.afterStep(end);
  }

  /** Compares, once both stand behind the instruction. */
  private settle(end: SliceEnd, stop: JudgeStop, compare: boolean, freely = false, middle?: RegisterFile): void {
    const { core, judge, report } = this;
    if (stop.kind === 'other access') {
      this.differ([stop.difference]);
      return;
    }
    if (stop.kind === 'astray') {
      this.goAstray(stop.reason);
      return;
    }
    if (stop.kind === 'cannot') {
      const row = notComparable(this.describe([], stop.reason), this.options.paravirtual);
      if (freely) this.end('cannot go on', `${judge.name}: ${stop.reason}`);
      else this.takeOver(row ?? stop.reason);
      return;
    }
    const halted = end.kind === 'idle';
    const shutdown = core.vm.end?.kind === 'triple-fault';
    if (halted !== (stop.kind === 'halted') || shutdown !== (stop.kind === 'shutdown')) {
      const left = halted ? 'halted' : shutdown ? 'shutdown' : 'goes on';
      this.differOrTakeOver([{ what: 'end', left, right: stop.kind === 'stepped' ? 'goes on' : stop.kind }]);
      return;
    }
    if (!compare && !core.ended) return;
    report.compared++;
    if (core.ended) {
      // the VMM of the core does not go on behind the instruction that ended the guest
      const last = compareRegisters(core.registers(), judge.registers()).filter(({ what }) => what !== 'rip');
      if (last.length > 0) this.differOrTakeOver(last);
      return;
    }
    // a fault's handler: the judge may stand at its first instruction, the core behind it
    if (!sameRip(core.step.after, judge.quick) && !freely && stop.kind === 'stepped') {
      const more = judge.again(core.step);
      if (more.kind === 'astray') {
        this.goAstray(more.reason);
        return;
      }
    }
    const full = !middle && (freely || touchesOtherState(core.step.code, longMode(core.step.before)));
    if (!full && !this.unknownBits()) return;
    const differences = full
      ? compareRegisters(core.registers(), judge.registers())
      : compareRegisters(middle ?? core.registers(), toFile(judge.quick));
    const left = differences.length > 0 && !freely ? this.takeOverUndefined(differences) : differences;
    if (left.length > 0) {
      this.differOrTakeOver(left);
      return;
    }
    this.known.set(core.step.after.map((word, i) => word ^ judge.quick[i]));
  }

  private goAstray(reason: string): void {
    this.astray = true;
    this.conclude('cannot go on', `${this.judge.name}: ${reason}`);
  }

  private afterStep(end: SliceEnd): void {
    const { core, report, options } = this;
    if (report.message !== '') return;
    if (core.ended) {
      this.end('guest ended', `the guest ended: ${core.vm.end?.message ?? ''}`);
      return;
    }
    if (end.kind === 'entry-failed') {
      this.end('cannot go on', 'vtx: VM entry failed');
      return;
    }
    if (end.kind === 'idle') {
      if (++this.idles > MAX_IDLE && !options.input?.(core)) this.end('waits for input', 'the guest waits for input');
      else if (!core.warp() && !options.input?.(core)) {
        this.end('guest ended', 'the guest is halted for good');
        return;
      }
    } else if (core.step.accesses.some(({ kind }) => kind === 'in' || kind === 'out')) this.idles = 0;
    if (this.watch && report.compared >= this.watch.from) this.compareWatched(this.watch.pages);
    else if (options.memoryEvery > 0 && report.compared % options.memoryEvery === 0) this.compareMemory();
    else if (options.memoryEvery > 0 && report.compared % WRITTEN_EVERY === 0) this.compareWritten();
  }

  /** A triple fault that did not end the guest. */
  private survived(reason: number): boolean {
    return reason === 2 && !this.core.ended;
  }

  private unknownBits(): boolean {
    const { known } = this;
    const { after } = this.core.step;
    const { quick } = this.judge;
    for (let i = 0; i < QUICK_WORDS; i++) if ((after[i] ^ quick[i]) >>> 0 !== known[i]) return true;
    return false;
  }

  private describe(differences: readonly LockstepDifference[], cannot?: string): Step {
    const { before, after, code, exits } = this.core.step;
    return {
      code,
      real: (before[CR0] & 1) === 0,
      longMode: longMode(before),
      cplBefore: cplOf(before),
      cplAfter: cplOf(after),
      differences,
      exits: exits.filter((reason) => !MACHINE_EXITS.has(reason) || this.survived(reason)).map(exitReasonName),
      ...(cannot === undefined ? {} : { cannot }),
    };
  }

  private differOrTakeOver(differences: LockstepDifference[]): void {
    const reason = notComparable(this.describe(differences), this.options.paravirtual);
    if (reason === undefined) this.differ(differences);
    else this.takeOver(reason);
  }

  /** The judge goes on from the core's state. */
  private takeOver(reason: string): void {
    const { core, judge } = this;
    const first = linearRip(core.step.before);
    this.count(reason, first);
    if (core.ended) return;
    const [from, to] = [core.registers(), judge.registers()];
    const names = REGISTER_NAMES.filter((name) => !UNSHARED.includes(name) && from[name] !== to[name]);
    judge.takeOver(from, names, core.ram);
    this.known.set(core.step.after.map((word, i) => word ^ judge.quick[i]));
  }

  private count(reason: string, first: bigint): void {
    const { core, report } = this;
    const { code, before } = core.step;
    const opcode = opcodeAt(code, longMode(before));
    const isSame = (other: NotCompared): boolean =>
      other.reason === reason && other.code[opcodeAt(other.code, longMode(before))] === code[opcode];
    const row = report.notCompared.find(isSame);
    const bits = longMode(before) ? 64 : (before[SEGMENTS_FROM + 14] & 0x4000) !== 0 ? 32 : 16;
    if (row) row.count++;
    else report.notCompared.push({ reason, count: 1, first, code: code.slice(), bits });
  }

  /** Flags and results that the instruction leaves undefined become the core's on both; answers what is left. */
  private takeOverUndefined(differences: LockstepDifference[]): LockstepDifference[] {
    const { core, judge, report } = this;
    const { before, after, code } = core.step;
    const mode: Mode = longMode(before)
      ? 'long'
      : (before[SEGMENTS_FROM + 14] & 0x4000) !== 0
        ? 'prot32'
        : (before[CR0] & 1) === 0
          ? 'real'
          : 'prot16';
    const file = toFile(before);
    const length = Number(BigInt.asUintN(16, toFile(after).rip - file.rip));
    const gpr = BigUint64Array.from(GENERAL_REGISTERS, (name) => file[name]);
    const mask = maskOf({ mode, code: code.slice(0, Math.min(length, code.length)), gpr });
    const flags = (after[RFLAGS] ^ judge.quick[RFLAGS]) & ~mask.flags & ~0x1_0100;
    const isUndefined = ({ what }: LockstepDifference): boolean =>
      what === 'rflags' ? flags === 0 : mask.result && (GENERAL_REGISTERS as readonly string[]).includes(what);
    const names = differences.filter(isUndefined).map(({ what }) => what);
    if (names.length === 0) return differences;
    report.undefined++;
    judge.takeOver(core.registers(), names, undefined);
    return differences.filter((difference) => !isUndefined(difference));
  }

  private differ(differences: LockstepDifference[]): void {
    const { core, judge, report } = this;
    const { step } = core;
    report.ended = 'difference';
    report.instructions = core.icount;
    report.message = `${differences[0].what} differs after ${counted(report.compared, 'comparison')}`;
    report.differences = differences;
    report.instruction = { address: linearRip(step.before), bytes: step.code.slice() };
    report.before = { left: toFile(step.before), right: toFile(this.judgeBefore) };
    report.after = { left: toFile(step.after), right: toFile(judge.quick) };
    report.exits = step.accesses.map(
      ({ kind, address, bytes, value }) => `${kind} ${hex(BigInt(address))} ${bytes} bytes ${hex(value)}`,
    );
  }

  /** True when all of memory is the same. A difference is traced to its instruction by a second run. */
  private compareMemory(): boolean {
    const { report } = this;
    const [left, right] = this.memories;
    report.memories++;
    const pages = differentPages(left, right);
    if (pages.length > 0) return this.memoryDiffers(pages);
    this.lastGoodMemory = report.compared;
    return true;
  }

  /** Compares the pages that the judge has written since the last look: cheap, and so done often. */
  private compareWritten(): void {
    const [left, right] = this.memories;
    const written = this.judge.written?.() ?? [];
    this.report.writtenPages += written.length;
    const wrong = written.filter((page) => left.compare(right, page, page + PAGE, page, page + PAGE) !== 0);
    if (wrong.length > 0) this.memoryDiffers(wrong);
  }

  /** Traces the difference to its instruction by a second run, where there can be one. */
  private memoryDiffers(pages: readonly number[]): false {
    const { report, options, watch } = this;
    const next = watch === undefined ? options.restart?.() : undefined;
    if (!next) {
      this.differ(this.memoryDifferences(pages));
      return false;
    }
    const again = { ...this.again, watch: { from: this.lastGoodMemory, pages } };
    const found = new Lockstep(next.core, next.judge, options, again).run();
    next.judge.close();
    this.become(found);
    if (report.differences.length === 0) this.differ(this.memoryDifferences(pages));
    return false;
  }

  private compareWatched(pages: readonly number[]): void {
    const [left, right] = this.memories;
    const wrong = pages.filter((page) => left.compare(right, page, page + PAGE, page, page + PAGE) !== 0);
    if (wrong.length > 0) this.differ(this.memoryDifferences(wrong));
  }

  private memoryDifferences(pages: readonly number[]): LockstepDifference[] {
    const [left, right] = this.memories;
    const differences: LockstepDifference[] = [];
    for (const page of pages) {
      for (let at = page; at < page + PAGE; at += 8) {
        if (left.compare(right, at, at + 8, at, at + 8) === 0) continue;
        const show = (memory: Buffer): string => memory.toString('hex', at, at + 8);
        differences.push({ what: `memory ${hex(BigInt(at))}`, left: show(left), right: show(right) });
        if (differences.length >= MAX_MEMORY_DIFFERENCES) return differences;
      }
    }
    return differences;
  }
}
