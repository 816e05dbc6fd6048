/** 82093AA I/O APIC with 24 inputs. @datasheet Intel 82093AA */

import { IOAPIC_BASE } from '../memory/memory-map.js';
import { list, record, type StateOf, u8, word } from '../state/schema.js';
import type { ApicMessage } from './apic-bus.js';
import type { Device, MmioDevice } from './device.js';
import { hex } from './device-state.js';
import type { IrqSink } from './irq.js';

const PINS = 24;
/** Version 20h has the EOI register. */
const VERSION = 0x20;

const SELECT = 0x00;
const WINDOW = 0x10;
const EOI = 0x40;

const REG_ID = 0;
const REG_VERSION = 1;
const REG_ARBITRATION = 2;
const REG_FIRST_ENTRY = 0x10;

const MASKED = 1 << 16;
const LEVEL = 1 << 15;
const REMOTE_IRR = 1 << 14;
const DELIVERY_STATUS = 1 << 12;
const LOGICAL = 1 << 11;
const DELIVERY_EXTINT = 7;

const MODES = ['fixed', 'lowest', 'SMI', '?', 'NMI', 'INIT', '?', 'ExtINT'];

const STATE = record({
  select: u8,
  id: u8,
  /** Low and high halves of the redirection entries. */
  low: list(word, PINS),
  high: list(word, PINS),
  lines: word,
});
export type IoapicState = StateOf<typeof STATE>;

function powerOn(): IoapicState {
  return { select: 0, id: 0, low: new Array(PINS).fill(MASKED), high: new Array(PINS).fill(0), lines: 0 };
}

export class Ioapic implements Device<IoapicState>, MmioDevice, IrqSink {
  readonly name = 'ioapic';
  readonly format = { kind: 'ioapic', version: 1, shape: STATE };
  readonly mmio = { gpa: IOAPIC_BASE, bytes: 0x1000 };
  private s = powerOn();

  /** `send` puts an interrupt message on the bus to the local APICs. */
  constructor(
    private readonly send: (message: ApicMessage) => void,
    private readonly entriesChanged?: () => void,
  ) {}

  reset(): void {
    this.s = { ...powerOn(), lines: this.s.lines };
  }

  setLine(pin: number, high: boolean): void {
    const s = this.s;
    const bit = 1 << pin;
    const rising = high && !(s.lines & bit);
    s.lines = high ? s.lines | bit : s.lines & ~bit;
    // An edge on a masked input is lost; a level stays until someone looks.
    if (s.low[pin] & LEVEL ? high : rising) this.serve(pin);
  }

  ignoresPulse(pin: number): boolean {
    return (this.s.low[pin] & MASKED) !== 0 && (this.s.lines & (1 << pin)) !== 0;
  }

  /** A local APIC ended a level-triggered interrupt with this vector. */
  endOfInterrupt(vector: number): void {
    const s = this.s;
    for (let pin = 0; pin < PINS; pin++) {
      if ((s.low[pin] & 0xff) !== vector || !(s.low[pin] & LEVEL)) continue;
      s.low[pin] &= ~REMOTE_IRR;
      if (s.lines & (1 << pin)) this.serve(pin);
    }
  }

  private serve(pin: number): void {
    const s = this.s;
    const low = s.low[pin];
    if (low & MASKED) return;
    const level = (low & LEVEL) !== 0;
    const mode = (low >> 8) & 7;
    if (level && mode !== DELIVERY_EXTINT) {
      if (low & REMOTE_IRR) return;
      s.low[pin] |= REMOTE_IRR;
    }
    this.send({
      vector: low & 0xff,
      mode,
      level,
      logical: (low & LOGICAL) !== 0,
      destination: s.high[pin] >>> 24,
    });
  }

  mmioRead(offset: number, bytes: number): bigint {
    if (bytes !== 4 && offset !== SELECT) return 0n;
    if (offset === SELECT) return BigInt(this.s.select);
    return offset === WINDOW ? BigInt(this.readRegister(this.s.select)) : 0n;
  }

  /** Reads have no effects. */
  mmioPeek(offset: number, bytes: number): bigint {
    return this.mmioRead(offset, bytes);
  }

  mmioWrite(offset: number, _bytes: number, value: bigint): void {
    const word = Number(value & 0xffffffffn);
    if (offset === SELECT) this.s.select = word & 0xff;
    else if (offset === WINDOW) this.writeRegister(this.s.select, word);
    else if (offset === EOI) this.endOfInterrupt(word & 0xff);
  }

  private readRegister(index: number): number {
    const s = this.s;
    if (index === REG_ID || index === REG_ARBITRATION) return (s.id << 24) >>> 0;
    if (index === REG_VERSION) return ((PINS - 1) << 16) | VERSION;
    const pin = (index - REG_FIRST_ENTRY) >> 1;
    if (index < REG_FIRST_ENTRY || pin >= PINS) return 0;
    return (index & 1 ? s.high[pin] : s.low[pin]) >>> 0;
  }

  private writeRegister(index: number, value: number): void {
    const s = this.s;
    if (index === REG_ID) {
      s.id = (value >>> 24) & 0x0f;
      return;
    }
    const pin = (index - REG_FIRST_ENTRY) >> 1;
    if (index < REG_FIRST_ENTRY || pin >= PINS) return;
    if (index & 1) {
      s.high[pin] = value & 0xff000000;
      this.entriesChanged?.();
      return;
    }
    const readOnly = REMOTE_IRR | DELIVERY_STATUS;
    s.low[pin] = (value & 0x1ffff & ~readOnly) | (s.low[pin] & readOnly);
    this.entriesChanged?.();
    // Linux clears a stuck remote IRR by making the pin edge-triggered for a moment.
    if (!(value & LEVEL)) s.low[pin] &= ~REMOTE_IRR;
    else if (s.lines & (1 << pin)) this.serve(pin);
  }

  save(): IoapicState {
    return this.s;
  }

  load(state: IoapicState): void {
    this.s = state;
  }

  describe(): [string, string][] {
    const s = this.s;
    const rows: [string, string][] = [['id', String(s.id)]];
    for (let pin = 0; pin < PINS; pin++) {
      const low = s.low[pin];
      if (low === MASKED) continue;
      const words = [hex(low & 0xff), MODES[(low >> 8) & 7], low & LEVEL ? 'level' : 'edge'];
      words.push(`${low & LOGICAL ? 'logical' : 'physical'} ${hex(s.high[pin] >>> 24)}`);
      if (low & MASKED) words.push('masked');
      if (low & REMOTE_IRR) words.push('remote IRR');
      rows.push([`pin ${pin}`, words.join(' ')]);
    }
    return rows;
  }
}
