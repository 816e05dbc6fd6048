// Runs test cases on the embedded core, without VMCS: guest-physical 0 is RAM_BASE.
import {
  ACTIVITY,
  ATTENTION,
  CR0,
  CR2,
  CR3,
  CR4,
  DR6,
  DR7,
  EFER,
  EXIT_COUNTS,
  GDTR_BASE,
  GDTR_LIMIT,
  GPR,
  ICOUNT,
  IDTR_BASE,
  IDTR_LIMIT,
  INTERRUPTIBILITY,
  LIMIT,
  PENDING_DBG,
  RAM_BASE,
  RFLAGS,
  RIP,
  RUN_HALTED,
  RUN_LIMIT,
  RUN_VMEXIT,
  SEG_AR,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SELECTOR,
  SEGMENT_BYTES,
  SEGMENTS,
  VECTORING_INFO,
} from '../../core/layout.js';
import { type BedState, bedState, RAM_BYTES, type Ranges, type Segment } from '../../difftest/bed.js';
import type { Case, CaseRunner, Ending, Outcome } from '../../difftest/case.js';
import { normalise } from '../../difftest/outcome.js';
import { BedMemory } from './bed-memory.js';

/** What the runner calls in the core. */
export interface CoreUnderTest {
  run(): number;
  updateMode(): void;
  flushAllVcpus(): void;
  invalidatePageCode(hpaPage: number): void;
}

const SEGMENT_ORDER = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;
/** How a VM exit ends a case, by basic reason. @sdm 3D C "VMX Basic Exit Reasons" */
const EXIT_ENDINGS: Record<number, Ending> = { 2: 'shutdown', 12: 'halt', 30: 'io', 48: 'mmio', 49: 'mmio' };
/** More than any case takes: repeated strings of 40 iterations, and the way into a handler. */
const MAX_INSTRUCTIONS = 64n;

export class CoreCaseRunner implements CaseRunner {
  readonly name = 'core';
  private readonly view: DataView;
  private readonly memory: BedMemory;
  private readonly states = new Map<string, BedState>();
  private stateKey = '';

  /** @param memory the core's memory, with RAM_BYTES of RAM above RAM_BASE */
  constructor(
    private readonly core: CoreUnderTest,
    memory: ArrayBuffer,
    /** Each instruction by its handler, where blocks would run by the dispatcher's own code. */
    private readonly alone = false,
  ) {
    this.view = new DataView(memory);
    this.memory = new BedMemory(Buffer.from(memory, RAM_BASE, RAM_BYTES), (page) =>
      this.core.invalidatePageCode(RAM_BASE + page),
    );
  }

  run(cases: readonly Case[]): Outcome[] {
    return this.memory.runAll(cases, (c, ranges) => this.one(c, ranges));
  }

  close(): void {}

  private one(c: Case, ranges: Ranges): Outcome {
    if (this.memory.load(c)) this.core.flushAllVcpus();
    this.loadState(c);
    const { view } = this;
    const end = view.getBigUint64(ICOUNT, true) + MAX_INSTRUCTIONS;
    let ending: Ending;
    let detail = '';
    try {
      let reason: number;
      do {
        view.setBigUint64(LIMIT, this.alone ? view.getBigUint64(ICOUNT, true) + 1n : end, true);
        reason = this.core.run();
      } while (reason === RUN_LIMIT && view.getBigUint64(ICOUNT, true) < end);
      ending = reason === RUN_HALTED ? 'halt' : reason === RUN_LIMIT ? 'stuck' : 'other';
      if (ending === 'other') detail = `run answered ${reason}`;
      if (reason === RUN_VMEXIT) {
        const exit = this.exitReason();
        ending = EXIT_ENDINGS[exit] ?? 'other';
        detail = `VM exit ${exit}`;
      }
    } catch (error) {
      ending = 'other';
      detail = `the core trapped: ${error instanceof Error ? error.message : String(error)}`;
    }
    const outcome = this.collect(c, ending, detail, ranges);
    this.memory.restore(c, outcome.changes.length > 0 ? ranges : []);
    return outcome;
  }

  private loadState(c: Case): void {
    const { view } = this;
    const key = `${c.mode}${c.cpl}`;
    let bed = this.states.get(key);
    if (!bed) {
      bed = bedState(c.mode, c.cpl);
      this.states.set(key, bed);
    }
    const put = (at: number, value: number | bigint): void => view.setBigUint64(at, BigInt(value), true);
    SEGMENT_ORDER.forEach((name, i) => {
      this.putSegment(SEGMENTS + i * SEGMENT_BYTES, bed[name]);
    });
    put(GDTR_BASE, bed.gdtr.base);
    put(GDTR_LIMIT, bed.gdtr.limit);
    put(IDTR_BASE, bed.idtr.base);
    put(IDTR_LIMIT, bed.idtr.limit);
    put(CR0, bed.cr0);
    put(CR2, 0);
    put(CR3, bed.cr3);
    put(CR4, bed.cr4);
    put(EFER, bed.efer);
    put(DR6, 0xffff0ff0);
    put(DR7, 0x400);
    for (let i = 0; i < 16; i++) put(GPR + i * 8, c.gpr[i]);
    put(RIP, BigInt(c.address - bed.cs.base));
    put(RFLAGS, c.rflags);
    put(PENDING_DBG, 0);
    view.setUint32(INTERRUPTIBILITY, 0, true);
    view.setUint32(ACTIVITY, 0, true);
    view.setUint32(ATTENTION, 0, true);
    view.setUint32(VECTORING_INFO, 0, true);
    this.core.updateMode();
    if (key !== this.stateKey) {
      this.stateKey = key;
      this.core.flushAllVcpus();
    }
  }

  private putSegment(at: number, segment: Segment): void {
    const { view } = this;
    view.setUint16(at + SEG_SELECTOR, segment.selector, true);
    view.setUint32(at + SEG_AR, segment.access, true);
    view.setUint32(at + SEG_LIMIT, segment.limit, true);
    view.setBigUint64(at + SEG_BASE, BigInt(segment.base), true);
  }

  private collect(c: Case, ending: Ending, detail: string, ranges: Ranges): Outcome {
    const { view } = this;
    const ss = SEGMENTS + 2 * SEGMENT_BYTES;
    return normalise(
      c,
      {
        ending,
        detail,
        gpr: BigUint64Array.from({ length: 16 }, (_, i) => view.getBigUint64(GPR + i * 8, true)),
        rip: view.getBigUint64(RIP, true),
        rflags: Number(view.getBigUint64(RFLAGS, true)),
        selectors: Uint16Array.from({ length: 6 }, (_, i) => view.getUint16(SEGMENTS + i * SEGMENT_BYTES, true)),
        ssBase: Number(view.getBigUint64(ss + SEG_BASE, true)),
        ssBig: (view.getUint32(ss + SEG_AR, true) & 0x4000) !== 0,
        cr2: view.getBigUint64(CR2, true),
        memory: this.memory.ram,
      },
      ranges,
      this.memory.before,
      this.memory.same,
    );
  }

  /** Basic reason of the VM exit that just happened; forgets it. */
  private exitReason(): number {
    const counts = new Uint8Array(this.view.buffer, EXIT_COUNTS, 128 * 8);
    const reason = counts.findIndex((count) => count !== 0) >> 3;
    counts.fill(0);
    return reason;
  }
}
