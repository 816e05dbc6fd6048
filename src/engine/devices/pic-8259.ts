/** The two cascaded 8259A interrupt controllers of a PC. @datasheet Intel 8259A */
import { flag, oneOf, record, type StateOf, tuple, u8 } from '../state/schema.js';
import type { Device, PortDevice, PortRange } from './device.js';
import { hex } from './device-state.js';
import type { IrqSink } from './irq.js';

const ICW1_INIT = 0x10;
const ICW1_NEEDS_ICW4 = 0x01;
const ICW1_SINGLE = 0x02;
const ICW1_LEVEL = 0x08;
const ICW4_AUTO_EOI = 0x02;
const ICW4_NESTED = 0x10;
const OCW3 = 0x08;
const OCW3_POLL = 0x04;
const SLAVE_PIN = 2;
/** IRQ 0, 1, 2, 8 and 13 cannot be level-triggered. */
const ELCR_WRITABLE = [0xf8, 0xde];

const CHIP = record({
  irr: u8,
  isr: u8,
  imr: u8,
  lines: u8,
  elcr: u8,
  /** Pin with the highest priority. */
  top: u8,
  base: u8,
  /** Which initialization word comes next. */
  init: oneOf(0, 2, 3, 4),
  needsIcw4: flag,
  single: flag,
  levelMode: flag,
  autoEoi: flag,
  rotateOnAutoEoi: flag,
  specialMask: flag,
  fullyNested: flag,
  readIsr: flag,
  poll: flag,
});
export type PicChipState = StateOf<typeof CHIP>;

const STATE = record({ chips: tuple(CHIP, CHIP), high: flag });
export type PicState = StateOf<typeof STATE>;

function chipReset(): PicChipState {
  return {
    irr: 0,
    isr: 0,
    imr: 0,
    lines: 0,
    elcr: 0,
    top: 0,
    base: 0,
    init: 0,
    needsIcw4: false,
    single: false,
    levelMode: false,
    autoEoi: false,
    rotateOnAutoEoi: false,
    specialMask: false,
    fullyNested: false,
    readIsr: false,
    poll: false,
  };
}

export interface PicOptions {
  /** The pair's INT output changed. */
  output?(high: boolean): void;
  /** A request may have gone, so that an edge would make one again. */
  listens?(): void;
}

export class Pic8259 implements Device<PicState>, PortDevice, IrqSink {
  readonly name = 'pic';
  readonly format = { kind: 'pic-8259', version: 1, shape: STATE };
  readonly ports: readonly PortRange[] = [
    { first: 0x20, count: 2 },
    { first: 0xa0, count: 2 },
    { first: 0x4d0, count: 2 },
  ];
  readonly portWidth = 1;
  private chips: [PicChipState, PicChipState] = [chipReset(), chipReset()];
  private high = false;

  constructor(private readonly options: PicOptions = {}) {}

  reset(): void {
    for (const i of [0, 1]) this.chips[i] = { ...chipReset(), lines: this.chips[i].lines };
    this.update();
    this.options.listens?.();
  }

  /** Input pin 0 to 15; pin 2 is the cascade and takes nothing. */
  setLine(pin: number, high: boolean): void {
    const chip = this.chips[pin >> 3];
    const bit = 1 << (pin & 7);
    const level = chip.levelMode || (chip.elcr & bit) !== 0;
    if (level) {
      if (high) chip.irr |= bit;
      else chip.irr &= ~bit;
    } else if (high && !(chip.lines & bit)) {
      chip.irr |= bit;
    }
    chip.lines = high ? chip.lines | bit : chip.lines & ~bit;
    this.update();
  }

  ignoresPulse(pin: number): boolean {
    const chip = this.chips[pin >> 3];
    const bit = 1 << (pin & 7);
    return !chip.levelMode && (chip.elcr & chip.lines & bit) === 0 && (chip.irr & chip.lines & bit) !== 0;
  }

  /** True while the INT output is high: some unmasked request outranks what is in service. */
  pending(): boolean {
    return this.high;
  }

  /** The processor's two INTA cycles. @returns the vector; that of pin 7 when the request is gone (spurious). */
  acknowledge(): number {
    const [master, slave] = this.chips;
    const pin = this.request(0);
    let vector: number;
    if (pin < 0) {
      vector = master.base + 7;
    } else if (pin === SLAVE_PIN && !master.single) {
      const slavePin = this.request(1);
      if (slavePin >= 0) this.begin(slave, slavePin);
      vector = slave.base + (slavePin >= 0 ? slavePin : 7);
      this.begin(master, pin);
    } else {
      this.begin(master, pin);
      vector = master.base + pin;
    }
    this.update();
    return vector;
  }

  portRead(port: number): number {
    if (port >= 0x4d0) return this.chips[port & 1].elcr;
    const index = port >> 7;
    const chip = this.chips[index];
    if (chip.poll) {
      chip.poll = false;
      const pin = this.request(index);
      if (pin < 0) return 0;
      this.begin(chip, pin);
      this.update();
      return 0x80 | pin;
    }
    if (port & 1) return chip.imr;
    return chip.readIsr ? chip.isr : chip.irr;
  }

  portWrite(port: number, _bytes: number, value: number): void {
    if (port >= 0x4d0) {
      this.chips[port & 1].elcr = value & ELCR_WRITABLE[port & 1];
      this.options.listens?.();
      return;
    }
    const chip = this.chips[port >> 7];
    if (port & 1) this.writeData(chip, value);
    else if (value & ICW1_INIT) this.initialize(chip, value);
    else if (value & OCW3) this.operate(chip, value);
    else this.endOfInterrupt(chip, value);
    this.update();
  }

  private initialize(chip: PicChipState, value: number): void {
    const level = (value & ICW1_LEVEL) !== 0;
    const { lines, elcr } = chip;
    Object.assign(chip, chipReset(), { lines, elcr, levelMode: level });
    // Level-triggered requests that are still asserted come back at once.
    chip.irr = lines & (level ? 0xff : elcr);
    chip.init = 2;
    chip.needsIcw4 = (value & ICW1_NEEDS_ICW4) !== 0;
    chip.single = (value & ICW1_SINGLE) !== 0;
    this.options.listens?.();
  }

  private writeData(chip: PicChipState, value: number): void {
    switch (chip.init) {
      case 0:
        chip.imr = value;
        break;
      case 2:
        chip.base = value & 0xf8;
        chip.init = chip.single ? (chip.needsIcw4 ? 4 : 0) : 3;
        break;
      case 3:
        chip.init = chip.needsIcw4 ? 4 : 0;
        break;
      case 4:
        chip.autoEoi = (value & ICW4_AUTO_EOI) !== 0;
        chip.fullyNested = (value & ICW4_NESTED) !== 0;
        chip.init = 0;
        break;
    }
  }

  private operate(chip: PicChipState, value: number): void {
    if (value & OCW3_POLL) chip.poll = true;
    if (value & 0x02) chip.readIsr = (value & 0x01) !== 0;
    if (value & 0x40) chip.specialMask = (value & 0x20) !== 0;
  }

  /** OCW2: rotate, specific, end of interrupt in bits 7 to 5. */
  private endOfInterrupt(chip: PicChipState, value: number): void {
    const pin = value & 7;
    switch (value >> 5) {
      case 0:
        chip.rotateOnAutoEoi = false;
        break;
      case 4:
        chip.rotateOnAutoEoi = true;
        break;
      case 1:
      case 5: {
        const ended = this.highest(chip, this.inService(chip));
        if (ended < 0) break;
        chip.isr &= ~(1 << ended);
        if (value >> 5 === 5) chip.top = (ended + 1) & 7;
        break;
      }
      case 3:
        chip.isr &= ~(1 << pin);
        break;
      case 7:
        chip.isr &= ~(1 << pin);
        chip.top = (pin + 1) & 7;
        break;
      case 6:
        chip.top = (pin + 1) & 7;
        break;
    }
  }

  /** The handler of an IRQ, 0 to 15, has not ended the interrupt. */
  serves(irq: number): boolean {
    return (this.chips[irq >> 3].isr & (1 << (irq & 7))) !== 0;
  }

  /** In special mask mode a masked level does not count as in service. */
  private inService(chip: PicChipState): number {
    return chip.specialMask ? chip.isr & ~chip.imr : chip.isr;
  }

  /** Pin with the highest priority among `pins`, or -1. */
  private highest(chip: PicChipState, pins: number): number {
    if (pins === 0) return -1;
    let pin = chip.top;
    while (!(pins & (1 << pin))) pin = (pin + 1) & 7;
    return pin;
  }

  private rank(chip: PicChipState, pin: number): number {
    return (pin - chip.top) & 7;
  }

  /** The request that chip `index` would present now, or -1. */
  private request(index: number): number {
    const chip = this.chips[index];
    const pin = this.highest(chip, chip.irr & ~chip.imr);
    if (pin < 0) return -1;
    let serving = this.inService(chip);
    // In special fully nested mode the master lets further requests of the slave through.
    if (chip.fullyNested && index === 0) serving &= ~(1 << SLAVE_PIN);
    const current = this.highest(chip, serving);
    return current < 0 || this.rank(chip, pin) < this.rank(chip, current) ? pin : -1;
  }

  private begin(chip: PicChipState, pin: number): void {
    if (chip.autoEoi) {
      if (chip.rotateOnAutoEoi) chip.top = (pin + 1) & 7;
    } else {
      chip.isr |= 1 << pin;
    }
    // An edge is used up; a level stays requested until its wire falls.
    if (chip.levelMode || chip.elcr & (1 << pin)) return;
    chip.irr &= ~(1 << pin);
    this.options.listens?.();
  }

  private update(): void {
    const [master] = this.chips;
    if (!master.single) {
      if (this.request(1) >= 0) master.irr |= 1 << SLAVE_PIN;
      else master.irr &= ~(1 << SLAVE_PIN);
    }
    const high = this.request(0) >= 0;
    if (high === this.high) return;
    this.high = high;
    this.options.output?.(high);
  }

  save(): PicState {
    return { chips: this.chips, high: this.high };
  }

  load({ chips, high }: PicState): void {
    this.chips = chips;
    this.high = high;
  }

  describe(): [string, string][] {
    return this.chips.flatMap((chip, i): [string, string][] => {
      const name = i === 0 ? 'master' : 'slave';
      return [
        [name, `IRR ${hex(chip.irr)} ISR ${hex(chip.isr)} IMR ${hex(chip.imr)} vectors from ${hex(chip.base)}`],
        [
          `${name} mode`,
          `ELCR ${hex(chip.elcr)}${chip.autoEoi ? ' auto-EOI' : ''}${chip.specialMask ? ' special mask' : ''}`,
        ],
      ];
    });
  }
}
