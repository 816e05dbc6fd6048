/**
 * A processor's local APIC: xAPIC registers in memory, x2APIC registers as MSRs, the timer and interrupt messages.
 * @sdm 3A 10 "Advanced Programmable Interrupt Controller (APIC)"
 */
import { X2APIC_FIRST } from '../../spec/msrs.js';
import {
  type ApicBus,
  type ApicMessage,
  DELIVERY_EXTINT,
  DELIVERY_FIXED,
  DELIVERY_INIT,
  DELIVERY_LOWEST,
  DELIVERY_NMI,
  DELIVERY_STARTUP,
} from './apic-bus.js';
import type { Clock, Device, GuestMemory, Nanoseconds, Timer } from './device.js';
import { hex } from './device-state.js';
import {
  BASE_BOOT,
  BASE_ENABLE,
  BASE_FIELD,
  BASE_X2APIC,
  DEFAULT_BASE,
  ERROR_RECEIVE_VECTOR,
  ERROR_REGISTER,
  ERROR_SEND_VECTOR,
  ICR_ASSERT,
  ICR_LEVEL,
  ICR_LOGICAL,
  isRegister,
  LVT_BITS,
  LVT_DELIVERY_STATUS,
  LVT_ERROR,
  LVT_LEVEL,
  LVT_LINT0,
  LVT_LINT1,
  LVT_MASKED,
  LVT_REMOTE_IRR,
  LVT_TIMER,
  LVT_TIMER_MODE,
  lvtIndex,
  REG_APR,
  REG_CURRENT_COUNT,
  REG_DFR,
  REG_DIVIDE,
  REG_EOI,
  REG_ESR,
  REG_ICR_HIGH,
  REG_ICR_LOW,
  REG_ID,
  REG_INITIAL_COUNT,
  REG_IRR,
  REG_ISR,
  REG_LDR,
  REG_PPR,
  REG_SELF_IPI,
  REG_SVR,
  REG_TMR,
  REG_TPR,
  REG_VERSION,
  SVR_ENABLE,
  takesX2apic,
  VERSION,
  X2APIC_WRITABLE,
} from './lapic-registers.js';
import {
  type ApicVectors,
  decodeBase,
  LAPIC_STATE,
  type LapicRegisters,
  type LapicState,
  ownVectors,
  powerOn,
} from './lapic-state.js';
import { LapicTimer, type TscView } from './lapic-timer.js';
import { ParavirtualEoi } from './paravirtual-eoi.js';
import { clearBit, highest, setBit, testBit, vectorsOf } from './vector-set.js';

const SHORTHAND_SELF = 1;
const SHORTHAND_ALL = 2;
const SHORTHAND_OTHERS = 3;

export interface LapicOptions {
  id: number;
  /** By default its own memory. */
  vectors?: ApicVectors;
  bus: ApicBus;
  clock: Clock;
  tsc: TscView;
  /** For the paravirtual end of interrupt. */
  memory?: GuestMemory;
  /** A level-triggered interrupt with this vector ended. */
  endOfInterrupt(vector: number): void;
  nmi(): void;
  init(): void;
  /** Start-up IPI: the processor starts at vector << 12. */
  startup(vector: number): void;
  /** Something happened that a halted processor may have to see. */
  wake?(): void;
}

export class Lapic implements Device<LapicState> {
  readonly name: string;
  readonly format = { kind: 'lapic', version: 3, shape: LAPIC_STATE };
  readonly id: number;
  private s: LapicRegisters;
  private readonly timer: LapicTimer;
  private readonly eoi: ParavirtualEoi;
  private base = decodeBase(DEFAULT_BASE);
  /** Interrupts accepted by vector, for whoever debugs: no state of the machine, as IrqRouter's counts. */
  readonly accepted: Float64Array;
  /** Where ISR, TMR and IRR stand. */
  private readonly vectors: ApicVectors;

  constructor(private readonly options: LapicOptions) {
    this.id = options.id;
    this.name = `lapic${options.id}`;
    this.vectors = options.vectors ?? ownVectors();
    this.accepted = this.vectors.accepted;
    this.s = this.inPlace(powerOn(options.id));
    this.baseChanged();
    this.eoi = new ParavirtualEoi(
      options.memory,
      () => this.s,
      () => this.endOfInterrupt(),
    );
    this.timer = new LapicTimer(`${this.name} timer`, options.clock, options.tsc, () => this.fireLvt(LVT_TIMER));
  }

  /** The vectors of these registers go where they stand. */
  private inPlace(registers: LapicRegisters): LapicRegisters {
    const { isr, tmr, irr } = this.vectors;
    isr.set(registers.isr);
    tmr.set(registers.tmr);
    irr.set(registers.irr);
    return { ...registers, isr, tmr, irr };
  }

  reset(): void {
    this.s = this.inPlace(powerOn(this.id));
    this.baseChanged();
    this.timer.reset();
  }

  /** INIT: all but the ID and the base MSR goes back to power-on. @sdm 3A 10.4.7.3 "Local APIC State After an INIT Reset" */
  initReset(): void {
    const { base, xapicId } = this.s;
    this.reset();
    Object.assign(this.s, { base, xapicId });
    this.baseChanged();
  }

  /** Virtual wire mode, as firmware leaves the boot processor: LINT0 passes the 8259's interrupts, LINT1 is NMI. */
  firmwareInit(): void {
    this.s.svr = SVR_ENABLE | 0xff;
    this.s.lvt[LVT_LINT0] = LVT_LEVEL | (DELIVERY_EXTINT << 8);
    this.s.lvt[LVT_LINT1] = DELIVERY_NMI << 8;
  }

  /** IA32_APIC_BASE has changed: its parts are asked for at every device access. */
  private baseChanged(): void {
    this.base = decodeBase(this.s.base);
  }

  // --- what the processor asks -------------------------------------------------------------------------------

  /** True when the global enable and the software enable are both set. */
  get enabled(): boolean {
    return this.base.enabled && (this.s.svr & SVR_ENABLE) !== 0;
  }

  /** True when the memory window answers: enabled and not in x2APIC mode. */
  get hasWindow(): boolean {
    return this.base.enabled && !this.base.x2apic;
  }

  /** Guest-physical address of the memory window. */
  get windowBase(): number {
    return this.base.gpa;
  }

  get x2apic(): boolean {
    return this.base.x2apic;
  }

  /** What physical destinations name. */
  private get physicalId(): number {
    return this.x2apic ? this.id : this.s.xapicId;
  }

  /** The guest may have ended an interrupt without an exit. */
  seeEndOfInterrupt(): void {
    if (this.enabled) this.eoi.sync();
  }

  /** Vector that the processor would get now, or undefined. The software-disabled APIC gives none. */
  pending(): number | undefined {
    if (!this.enabled) return undefined;
    this.eoi.sync();
    const vector = highest(this.s.irr);
    return vector >= 0 && vector >> 4 > this.processorPriority() >> 4 ? vector : undefined;
  }

  /** Takes the pending interrupt into service. @returns its vector, or the spurious one when there is none. */
  acknowledge(): number {
    const vector = this.pending();
    if (vector === undefined) return this.s.svr & 0xff;
    clearBit(this.s.irr, vector);
    setBit(this.s.isr, vector);
    this.eoi.offer(vector);
    return vector;
  }

  /** True when the 8259 pair's output reaches the processor through LINT0 (or past a disabled APIC). */
  acceptsPic(): boolean {
    if (!this.base.enabled) return this.options.id === 0;
    const lint0 = this.s.lvt[LVT_LINT0];
    return !(lint0 & LVT_MASKED) && ((lint0 >> 8) & 7) === DELIVERY_EXTINT;
  }

  /** An ExtINT message from the I/O APIC waits: the vector is to be had from the 8259 pair. */
  get extIntPending(): boolean {
    return this.s.extInt;
  }

  clearExtInt(): void {
    this.s.extInt = false;
  }

  /** @sdm 3A 10.8.3.1 "Task and Processor Priorities" */
  processorPriority(): number {
    const serving = highest(this.s.isr);
    const { tpr } = this.s;
    return serving >= 0 && serving >> 4 > tpr >> 4 ? serving & 0xf0 : tpr;
  }

  /** CR8 is the class of the task priority. */
  get cr8(): number {
    return this.s.tpr >> 4;
  }

  set cr8(value: number) {
    this.s.tpr = (value & 0x0f) << 4;
    this.options.wake?.();
  }

  /** Level of the LINT0 input (the 8259 pair's output), for its modes other than ExtINT. */
  setLint0(high: boolean): void {
    const rising = high && !this.s.lint0;
    this.s.lint0 = high;
    if (!this.base.enabled) return;
    const mode = (this.s.lvt[LVT_LINT0] >> 8) & 7;
    if (mode !== DELIVERY_EXTINT && rising) this.fireLvt(LVT_LINT0);
  }

  // --- what comes from the bus -------------------------------------------------------------------------------

  /** True when a message for this destination is for this APIC. */
  matches(destination: number, logical: boolean): boolean {
    if (!this.base.enabled) return false;
    if (!logical)
      return (
        destination === this.physicalId || destination === (this.x2apic ? 0xffffffff : 0xff) || destination === 0xff
      );
    if (this.x2apic) {
      // A message of the I/O APIC names a cluster member with 8 bits: cluster 0 has it in its low bits.
      if (destination >>> 0 === 0xffffffff) return true;
      const cluster = destination >>> 16;
      return cluster === this.id >> 4 && ((destination >>> (this.id & 15)) & 1) !== 0;
    }
    if (destination === 0xff) return true;
    const own = this.s.ldr >>> 24;
    if (this.s.dfr >>> 28 === 0xf) return (own & destination) !== 0;
    return own >> 4 === destination >> 4 && (own & destination & 0x0f) !== 0;
  }

  accept(message: ApicMessage): void {
    switch (message.mode) {
      case DELIVERY_FIXED:
      case DELIVERY_LOWEST:
        this.request(message.vector, message.level);
        break;
      case DELIVERY_NMI:
        this.options.nmi();
        break;
      case DELIVERY_INIT:
        this.options.init();
        break;
      case DELIVERY_STARTUP:
        this.options.startup(message.vector);
        break;
      case DELIVERY_EXTINT:
        this.s.extInt = true;
        break;
    }
    this.options.wake?.();
  }

  private request(vector: number, level: boolean): void {
    if (!this.enabled) return;
    if (vector < 16) {
      this.error(ERROR_RECEIVE_VECTOR);
      return;
    }
    this.eoi.withdraw();
    this.accepted[vector]++;
    setBit(this.s.irr, vector);
    if (level) setBit(this.s.tmr, vector);
    else clearBit(this.s.tmr, vector);
  }

  private error(bit: number): void {
    const first = !(this.s.errors & bit);
    this.s.errors |= bit;
    if (first) this.fireLvt(LVT_ERROR);
  }

  private fireLvt(index: number): void {
    const entry = this.s.lvt[index];
    if (entry & LVT_MASKED) return;
    const mode = index === LVT_TIMER || index === LVT_ERROR ? DELIVERY_FIXED : (entry >> 8) & 7;
    const vector = entry & 0xff;
    // The error interrupt's own bad vector must not raise another error.
    if (index === LVT_ERROR && vector < 16) return;
    this.accept({ vector, mode, level: false, logical: false, destination: this.id });
  }

  /** Switches KVM's paravirtual end of interrupt on, with its word in guest memory, or off. */
  setParavirtualEoi(gpa: number | undefined): void {
    this.eoi.setWord(gpa);
  }

  private endOfInterrupt(): void {
    const vector = highest(this.s.isr);
    if (vector < 0) return;
    clearBit(this.s.isr, vector);
    if (testBit(this.s.tmr, vector)) this.options.endOfInterrupt(vector);
    this.options.wake?.();
  }

  // --- registers ---------------------------------------------------------------------------------------------

  /** 32-bit register; `index` is the memory offset divided by 16, which is also the MSR's number from 800h. */
  readRegister(index: number): number {
    const s = this.s;
    this.eoi.sync();
    if (index >= REG_ISR && index < REG_ISR + 8) return s.isr[index - REG_ISR];
    if (index >= REG_TMR && index < REG_TMR + 8) return s.tmr[index - REG_TMR];
    if (index >= REG_IRR && index < REG_IRR + 8) return s.irr[index - REG_IRR];
    const entry = lvtIndex(index);
    if (entry !== undefined) return s.lvt[entry];
    switch (index) {
      case REG_ID:
        return this.x2apic ? this.id : (s.xapicId << 24) >>> 0;
      case REG_VERSION:
        return VERSION;
      case REG_TPR:
        return s.tpr;
      case REG_APR:
        return 0;
      case REG_PPR:
        return this.processorPriority();
      case REG_LDR:
        return this.x2apic ? (((this.id >> 4) << 16) | (1 << (this.id & 15))) >>> 0 : s.ldr;
      case REG_DFR:
        return s.dfr;
      case REG_SVR:
        return s.svr;
      case REG_ESR:
        return s.esr;
      case REG_ICR_LOW:
        return s.icrLow;
      case REG_ICR_HIGH:
        return s.icrHigh;
      case REG_INITIAL_COUNT:
        return this.timer.initialCount;
      case REG_CURRENT_COUNT:
        return this.timer.currentCount();
      case REG_DIVIDE:
        return this.timer.divide;
      default:
        return 0;
    }
  }

  // --- what the processor does for it: see OwnApic -------------------------------------------------------------

  get tpr(): number {
    return this.s.tpr;
  }

  get endsByWord(): boolean {
    return this.s.eoiWord !== undefined;
  }

  get countNs(): number {
    return this.timer.countNs;
  }

  get takesDeadline(): boolean {
    return this.timer.takesDeadline;
  }

  /** Its timer among all of the machine. */
  get timerAt(): Timer {
    return this.timer.timer;
  }

  /** The task priority was written, and what it lets through is delivered. */
  hearTpr(value: number): void {
    this.s.tpr = value;
  }

  /** ICR was written, and what it asks for is done. */
  hearIcr(low: number, high: number): void {
    this.s.icrLow = low;
    if (this.x2apic) this.s.icrHigh = high;
  }

  /** The timer's initial count was written at this time. */
  hearCount(count: number, at: Nanoseconds): void {
    this.timer.writeInitialCount(count, at);
  }

  /** The timer's deadline was written, to which the counter comes at this time. */
  hearDeadline(deadline: bigint, due: Nanoseconds): void {
    this.timer.setDeadline(deadline, due);
  }

  /** A register that time alone does not change. */
  isSteady(index: number): boolean {
    return index !== REG_CURRENT_COUNT;
  }

  /** The guest may end an interrupt at any time without an exit. */
  get offersEnd(): boolean {
    return this.s.eoiOffered;
  }

  writeRegister(index: number, value: number): void {
    const s = this.s;
    const entry = lvtIndex(index);
    if (entry !== undefined) {
      this.writeLvt(entry, value);
      return;
    }
    switch (index) {
      case REG_ID:
        s.xapicId = value >>> 24;
        break;
      case REG_TPR:
        s.tpr = value & 0xff;
        this.options.wake?.();
        break;
      case REG_EOI:
        this.eoi.withdraw();
        this.endOfInterrupt();
        break;
      case REG_LDR:
        s.ldr = (value & 0xff000000) >>> 0;
        break;
      case REG_DFR:
        s.dfr = (value | 0x0fffffff) >>> 0;
        break;
      case REG_SVR:
        s.svr = value & 0x1ff;
        // A software-disabled APIC has all its local interrupts masked.
        if (!(s.svr & SVR_ENABLE)) for (let i = 0; i < s.lvt.length; i++) s.lvt[i] |= LVT_MASKED;
        this.options.wake?.();
        break;
      case REG_ESR:
        s.esr = s.errors;
        s.errors = 0;
        break;
      case REG_ICR_LOW:
        s.icrLow = (value & 0x000c_cfff) >>> 0;
        this.sendIpi(s.icrLow, this.x2apic ? s.icrHigh : s.icrHigh >>> 24);
        break;
      case REG_ICR_HIGH:
        s.icrHigh = this.x2apic ? value >>> 0 : (value & 0xff000000) >>> 0;
        break;
      case REG_INITIAL_COUNT:
        this.timer.writeInitialCount(value);
        break;
      case REG_DIVIDE:
        this.timer.writeDivide(value);
        break;
    }
  }

  private writeLvt(index: number, value: number): void {
    const s = this.s;
    const readOnly = LVT_REMOTE_IRR | LVT_DELIVERY_STATUS;
    let entry = (value & LVT_BITS[index]) | (s.lvt[index] & readOnly & LVT_BITS[index]);
    if (!(s.svr & SVR_ENABLE)) entry |= LVT_MASKED;
    s.lvt[index] = entry >>> 0;
    if (index === LVT_TIMER) this.timer.setMode((entry & LVT_TIMER_MODE) >> 17);
    this.options.wake?.();
  }

  /** @sdm 3A 10.6.1 "Interrupt Command Register (ICR)", tables 10-3 and 10-4: combinations that are not valid send nothing */
  private sendIpi(low: number, destination: number): void {
    const { bus } = this.options;
    const mode = (low >> 8) & 7;
    const vector = low & 0xff;
    // INIT level de-assert only synchronizes arbitration, which this bus does not have.
    if (mode === DELIVERY_INIT && low & ICR_LEVEL && !(low & ICR_ASSERT)) return;
    if ((mode === DELIVERY_FIXED || mode === DELIVERY_LOWEST) && vector < 16) {
      this.error(ERROR_SEND_VECTOR);
      return;
    }
    const shorthand = (low >> 18) & 3;
    // with itself among the receivers a processor may send nothing but plain interrupts
    if ((shorthand === SHORTHAND_SELF || shorthand === SHORTHAND_ALL) && mode !== DELIVERY_FIXED) return;
    const message = { vector, mode, level: false, logical: (low & ICR_LOGICAL) !== 0, destination };
    const others = bus.lapics.filter((lapic) => lapic !== this && (lapic.s.base & BASE_ENABLE) !== 0n);
    switch (shorthand) {
      case SHORTHAND_SELF:
        bus.deliver(message, [this]);
        break;
      case SHORTHAND_ALL:
        bus.deliver(message, [...others, this]);
        break;
      case SHORTHAND_OTHERS:
        bus.deliver(message, others);
        break;
      default:
        bus.send(message);
    }
  }

  /** A load from the window at FEE00000h; registers are 32 bits wide at 16-byte boundaries. */
  windowRead(offset: number, bytes: number): bigint {
    return BigInt(this.windowRead32(offset, Math.min(bytes, 4)));
  }

  /** As windowRead of at most 4 bytes. */
  windowRead32(offset: number, bytes: number): number {
    const value = this.readRegister(offset >> 4);
    if ((offset & 15) >= 4) return 0;
    return ((value >>> (8 * (offset & 3))) & (bytes === 4 ? -1 : (1 << (8 * bytes)) - 1)) >>> 0;
  }

  windowWrite(offset: number, _bytes: number, value: bigint): void {
    this.windowWrite32(offset, Number(value & 0xffffffffn));
  }

  windowWrite32(offset: number, value: number): void {
    const index = offset >> 4;
    if (offset & 15) return;
    if (!isRegister(index)) this.error(ERROR_REGISTER);
    else this.writeRegister(index, value);
  }

  // --- MSRs --------------------------------------------------------------------------------------------------

  get apicBase(): bigint {
    return this.s.base;
  }

  /** @returns false when the write is a #GP: reserved bits, or a change of mode that the SDM forbids. */
  writeApicBase(value: bigint): boolean {
    const old = this.s.base;
    if (value & ~(BASE_FIELD | BASE_BOOT | BASE_X2APIC | BASE_ENABLE)) return false;
    const mode = (base: bigint) => Number((base >> 10n) & 3n);
    const next = mode(value);
    // 0 disabled, 2 xAPIC, 3 x2APIC. @sdm 3A 10.12.5 "x2APIC State Transitions"
    if (next === 1 || (mode(old) === 3 && next === 2) || (mode(old) === 0 && next === 3)) return false;
    this.s.base = (value & ~BASE_BOOT) | (old & BASE_BOOT);
    if (next === 0) {
      const { base } = this.s;
      this.reset();
      this.s.base = base;
    }
    this.baseChanged();
    this.options.wake?.();
    return true;
  }

  /** RDMSR of 800h to 83Fh. @returns undefined for a #GP. */
  readX2apic(msr: number): bigint | undefined {
    const index = msr - X2APIC_FIRST;
    if (!this.x2apic || !isRegister(index) || index === REG_DFR || index === REG_ICR_HIGH) return undefined;
    if (index === REG_EOI || index === REG_SELF_IPI || index === REG_APR) return undefined;
    const low = BigInt(this.readRegister(index));
    return index === REG_ICR_LOW ? low | (BigInt(this.s.icrHigh) << 32n) : low;
  }

  /** WRMSR of 800h to 83Fh. @returns false for a #GP. */
  writeX2apic(msr: number, value: bigint): boolean {
    const index = msr - X2APIC_FIRST;
    if (!this.x2apic || !X2APIC_WRITABLE.has(index) || !takesX2apic(index, value)) return false;
    if (index === REG_ICR_LOW) {
      this.s.icrHigh = Number(value >> 32n);
      this.writeRegister(REG_ICR_LOW, Number(value & 0xffffffffn));
      return true;
    }
    const word = Number(value);
    if (index === REG_SELF_IPI) this.accept(selfMessage(word & 0xff, this.id));
    else this.writeRegister(index, word);
    return true;
  }

  get tscDeadline(): bigint {
    return this.timer.deadline;
  }

  set tscDeadline(value: bigint) {
    this.timer.writeDeadline(value);
  }

  save(): LapicState {
    const { isr, tmr, irr } = this.s;
    return { ...this.s, isr: isr.slice(), tmr: tmr.slice(), irr: irr.slice(), timer: this.timer.save() };
  }

  load({ timer, ...registers }: LapicState): void {
    this.s = this.inPlace(registers);
    this.baseChanged();
    this.accepted.fill(0);
    this.timer.load(timer);
  }

  describe(): [string, string][] {
    const s = this.s;
    const list = (bits: Uint32Array) =>
      vectorsOf(bits)
        .map((vector) => hex(vector))
        .join(' ') || '-';
    const lvt = (index: number) => `${hex(s.lvt[index] & 0xff)}${s.lvt[index] & LVT_MASKED ? ' masked' : ''}`;
    return [
      ['mode', !(s.base & BASE_ENABLE) ? 'disabled' : this.x2apic ? 'x2APIC' : 'xAPIC'],
      ['SVR', `${hex(s.svr, 3)}${s.svr & SVR_ENABLE ? '' : ' software-disabled'}`],
      ['TPR / PPR', `${hex(s.tpr)} / ${hex(this.processorPriority())}`],
      ['IRR', list(s.irr)],
      ['ISR', list(s.isr)],
      ['timer', `${lvt(LVT_TIMER)} ${this.timer.describe()}`],
      ['LINT0', `${lvt(LVT_LINT0)} mode ${(s.lvt[LVT_LINT0] >> 8) & 7}`],
      ['LINT1', `${lvt(LVT_LINT1)} mode ${(s.lvt[LVT_LINT1] >> 8) & 7}`],
      ['ESR', hex(s.esr)],
    ];
  }
}

function selfMessage(vector: number, id: number): ApicMessage {
  return { vector, mode: DELIVERY_FIXED, level: false, logical: false, destination: id };
}
