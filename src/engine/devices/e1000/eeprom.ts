/**
 * The serial EEPROM of 64 words: its content, and both ways to read it. It cannot be written.
 * @8254x 5 "EEPROM Interface"
 */
import { flag, int, record, type StateOf, u8, u16 } from '../../state/schema.js';

const WORDS = 64;
const CHECKSUM_WORD = 63;
/** All words together, modulo 2^16. */
const CHECKSUM = 0xbaba;

export const DEVICE_ID = 0x100e;
const INTEL = 0x8086;
const NOT_USED = 0xffff;

/** @8254x 5.6 "EEPROM Address Map" */
export function eepromOf(mac: Uint8Array, subsystemVendor: number, subsystem: number): Uint16Array {
  const image = new Uint16Array(WORDS).fill(NOT_USED);
  for (let i = 0; i < 3; i++) image[i] = mac[2 * i] | (mac[2 * i + 1] << 8);
  // compatibility: a plain card
  image.fill(0, 3, 5);
  // the board's assembly number
  image[8] = 0x0000;
  image[9] = 0x0001;
  // control 1: identities are loaded from here, signature 01b
  image.set([0x4408, subsystem, subsystemVendor, DEVICE_ID, INTEL], 10);
  // control 2: clock runs, full duplex by negotiation
  image[15] = 0xb080;
  image[CHECKSUM_WORD] = 0;
  const sum = image.reduce((total, word) => total + word, 0);
  image[CHECKSUM_WORD] = (CHECKSUM - sum) & 0xffff;
  return image;
}

const SK = 0x01;
const CS = 0x02;
const DI = 0x04;
const DO = 0x08;
const PINS = 0x77;
const REQUEST = 0x40;
const GRANT = 0x80;
const PRESENT = 0x100;
/** Start bit, two of the operation, six of the address. */
const COMMAND_BITS = 9;
const READ = 0b110;

const EERD_START = 0x01;
const EERD_DONE = 0x10;

const STATE = record({
  pins: u8,
  /** Bits of the command so far, and how many; the start bit is the first. */
  command: int(0, 0x1ff),
  bits: u8,
  reading: flag,
  /** Bit of the whole EEPROM that is shown next, and the pin. */
  next: u16,
  output: flag,
});
type EepromState = StateOf<typeof STATE>;

/** Four wires that software moves bit by bit, and the register that reads a word at once. */
export class Eeprom {
  readonly shape = STATE;
  private s: EepromState = powerOn();

  constructor(readonly image: Uint16Array) {}

  reset(): void {
    this.s = powerOn();
  }

  /** EECD. @8254x 13.4.3 "EEPROM/Flash Control & Data Register" */
  get control(): number {
    const { pins, output } = this.s;
    return pins | PRESENT | ((pins & REQUEST) !== 0 ? GRANT : 0) | (output ? DO : 0);
  }

  set control(value: number) {
    const { s } = this;
    const before = s.pins;
    s.pins = value & PINS;
    if ((value & CS) === 0) {
      Object.assign(s, { ...powerOn(), pins: s.pins });
      return;
    }
    if ((value & SK) !== 0 && (before & SK) === 0) this.clock((value & DI) !== 0);
  }

  private clock(bit: boolean): void {
    const { s } = this;
    if (s.reading) {
      s.output = ((this.image[s.next >> 4] >> (15 - (s.next & 15))) & 1) !== 0;
      // what follows the last word is the first one again
      s.next = (s.next + 1) % (16 * WORDS);
      return;
    }
    if (s.bits === 0 && !bit) return;
    if (s.bits >= COMMAND_BITS) return;
    s.command = (s.command << 1) | (bit ? 1 : 0);
    s.bits++;
    if (s.bits < COMMAND_BITS || s.command >> 6 !== READ) return;
    s.reading = true;
    s.next = (s.command & 0x3f) * 16;
    // a zero is shown before the word
    s.output = false;
  }

  /** What EERD holds after a write to it. @8254x 13.4.4 "EEPROM Read Register" */
  read(command: number): number {
    if ((command & EERD_START) === 0) return command;
    const address = (command >>> 8) & 0xff;
    const word = address < WORDS ? this.image[address] : 0;
    return (((word << 16) | (address << 8)) >>> 0) + EERD_DONE;
  }

  save(): EepromState {
    return this.s;
  }

  load(state: EepromState): void {
    this.s = state;
  }
}

function powerOn(): EepromState {
  return { pins: 0, command: 0, bits: 0, reading: false, next: 0, output: true };
}
