/**
 * The serial EEPROM of 64 words: its content, and both ways to read it. It cannot be written.
 * @8254x 5 "EEPROM Interface"
 */
import { record, type StateOf, u8 } from '../../state/schema.js';
import { EEPROM_WORDS, MicrowireEeprom } from '../microwire.js';

const CHECKSUM_WORD = 63;
/** All words together, modulo 2^16. */
const CHECKSUM = 0xbaba;

export const DEVICE_ID = 0x100e;
const INTEL = 0x8086;
const NOT_USED = 0xffff;

/** @8254x 5.6 "EEPROM Address Map" */
export function eepromOf(mac: Uint8Array, subsystemVendor: number, subsystem: number): Uint16Array {
  const image = new Uint16Array(EEPROM_WORDS).fill(NOT_USED);
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

const EERD_START = 0x01;
const EERD_DONE = 0x10;

function shapeOf(wires: MicrowireEeprom) {
  return record({ pins: u8, wires: wires.shape });
}
type EepromState = StateOf<ReturnType<typeof shapeOf>>;

/** Four wires that software moves bit by bit, and the register that reads a word at once. */
export class Eeprom {
  readonly shape;
  private readonly wires: MicrowireEeprom;
  private pins = 0;

  constructor(readonly image: Uint16Array) {
    this.wires = new MicrowireEeprom(image);
    this.shape = shapeOf(this.wires);
  }

  reset(): void {
    this.pins = 0;
    this.wires.reset();
  }

  /** EECD. @8254x 13.4.3 "EEPROM/Flash Control & Data Register" */
  get control(): number {
    const granted = (this.pins & REQUEST) !== 0 ? GRANT : 0;
    return this.pins | PRESENT | granted | (this.wires.output ? DO : 0);
  }

  set control(value: number) {
    this.pins = value & PINS;
    this.wires.set((value & CS) !== 0, (value & SK) !== 0, (value & DI) !== 0);
  }

  /** What EERD holds after a write to it. @8254x 13.4.4 "EEPROM Read Register" */
  read(command: number): number {
    if ((command & EERD_START) === 0) return command;
    const address = (command >>> 8) & 0xff;
    const word = address < EEPROM_WORDS ? this.image[address] : 0;
    return (((word << 16) | (address << 8)) >>> 0) + EERD_DONE;
  }

  save(): EepromState {
    return { pins: this.pins, wires: this.wires.save() };
  }

  load({ pins, wires }: EepromState): void {
    this.pins = pins;
    this.wires.load(wires);
  }
}
