/** The PHY inside the 82540EM, whose cable is always plugged in. @8254x 8.4 "PHY Registers" */
import { list, optional, record, type StateOf, time, u16 } from '../../state/schema.js';
import type { Clock, Timer } from '../device.js';
import { restoreTimer } from '../device-state.js';

const ADDRESS = 1;
const REGISTERS = 32;

const OP_WRITE = 1;
const OP_READ = 2;
const READY = 0x1000_0000;
const INTERRUPT = 0x2000_0000;
const ERROR = 0x4000_0000;

const CONTROL = 0;
const STATUS = 1;
const LINK_PARTNER = 5;
const SPECIFIC_STATUS = 17;

const CONTROL_RESET = 0x8000;
const CONTROL_LOOPBACK = 0x4000;
const CONTROL_NEGOTIATE = 0x1000;
const CONTROL_POWER_DOWN = 0x0800;
const CONTROL_RESTART = 0x0200;
const STATUS_NEGOTIATED = 0x0020;
const STATUS_LINK = 0x0004;
/** Speed and duplex are resolved, the link is up: bits of the PHY specific status. */
const SPECIFIC_LINK = 0x0c00;

/** After a reset. Control: 1000 Mb/s, full duplex, negotiates; the identity is a Marvell 88E1011's. */
const POWER_ON: Readonly<Record<number, number>> = {
  [CONTROL]: 0x1140,
  [STATUS]: 0x7949 | STATUS_NEGOTIATED | STATUS_LINK,
  2: 0x0141,
  3: 0x0c20,
  4: 0x0de1,
  [LINK_PARTNER]: 0x01e0,
  9: 0x0e00,
  10: 0x3c00,
  16: 0x0360,
  [SPECIFIC_STATUS]: 0xa000 | SPECIFIC_LINK,
  20: 0x0d60,
};
/** Which bits of a register software changes; none of the others. */
const WRITABLE: Readonly<Record<number, number>> = {
  [CONTROL]: 0x7d80,
  4: 0xffff,
  7: 0xffff,
  9: 0xffff,
  16: 0xffff,
  18: 0xffff,
  20: 0xffff,
  24: 0xffff,
  29: 0xffff,
  30: 0xffff,
};

/** How long two ends take to agree on a speed. */
const NEGOTIATION_NS = 500_000_000;

const STATE = record({ registers: list(u16, REGISTERS), upAt: optional(time) });
type PhyState = StateOf<typeof STATE>;

export class Phy {
  readonly shape = STATE;
  private registers: number[] = [];
  private readonly timer: Timer;

  constructor(
    name: string,
    private readonly clock: Clock,
    private readonly linkChanged: (up: boolean) => void,
  ) {
    this.timer = clock.timer(`${name} link`, () => this.setLink(true));
    this.reset();
  }

  reset(): void {
    this.timer.cancel();
    this.registers = Array.from({ length: REGISTERS }, (_, at) => POWER_ON[at] ?? 0);
  }

  /** What is sent comes back. */
  get loopback(): boolean {
    return (this.registers[CONTROL] & CONTROL_LOOPBACK) !== 0;
  }

  get link(): boolean {
    return (this.registers[STATUS] & STATUS_LINK) !== 0;
  }

  /** What MDIC holds after a write to it. @8254x 13.4.13 "MDI Control Register" */
  command(value: number): { mdic: number; interrupt: boolean } {
    const at = (value >>> 16) & 0x1f;
    const operation = (value >>> 26) & 3;
    const known = ((value >>> 21) & 0x1f) === ADDRESS && (operation === OP_READ || operation === OP_WRITE);
    let mdic = value;
    if (!known) mdic |= ERROR;
    else if (operation === OP_READ) mdic = (value & ~0xffff) | this.registers[at];
    else this.write(at, value & 0xffff);
    return { mdic: (mdic | READY) >>> 0, interrupt: (value & INTERRUPT) !== 0 };
  }

  private write(at: number, value: number): void {
    if (at === CONTROL && value & CONTROL_RESET) {
      this.reset();
      this.negotiate();
      return;
    }
    const mask = WRITABLE[at] ?? 0;
    const before = this.registers[at];
    this.registers[at] = (before & ~mask) | (value & mask);
    if (at !== CONTROL) return;
    if (value & CONTROL_POWER_DOWN) this.setLink(false);
    else if (before & CONTROL_POWER_DOWN || (value & CONTROL_RESTART && value & CONTROL_NEGOTIATE)) this.negotiate();
  }

  private negotiate(): void {
    this.setLink(false);
    this.timer.arm(this.clock.now() + NEGOTIATION_NS);
  }

  private setLink(up: boolean): void {
    const { registers } = this;
    this.timer.cancel();
    const status = STATUS_LINK | STATUS_NEGOTIATED;
    registers[STATUS] = up ? registers[STATUS] | status : registers[STATUS] & ~status;
    registers[SPECIFIC_STATUS] = up
      ? registers[SPECIFIC_STATUS] | SPECIFIC_LINK
      : registers[SPECIFIC_STATUS] & ~SPECIFIC_LINK;
    // the partner acknowledged
    registers[LINK_PARTNER] = up ? 0x45e1 : 0x01e0;
    this.linkChanged(up);
  }

  save(): PhyState {
    return { registers: this.registers, upAt: this.timer.deadline };
  }

  load({ registers, upAt }: PhyState): void {
    this.registers = registers;
    restoreTimer(this.timer, upAt);
  }
}
