/** A serial EEPROM of 64 words on three wires and one back, as network cards have it: the 93C46. It cannot be written. */
import { flag, int, record, type StateOf, u8, u16 } from '../state/schema.js';

export const EEPROM_WORDS = 64;
/** Start bit, two of the operation, six of the address. */
const COMMAND_BITS = 9;
const READ = 0b110;

const STATE = record({
  clock: flag,
  /** Bits of the command so far, and how many; the start bit is the first. */
  command: int(0, 0x1ff),
  bits: u8,
  reading: flag,
  /** Bit of the whole EEPROM that is shown next, and the wire back. */
  next: u16,
  output: flag,
});
type MicrowireState = StateOf<typeof STATE>;

export class MicrowireEeprom {
  readonly shape = STATE;
  private s: MicrowireState = powerOn();

  constructor(readonly image: Uint16Array) {}

  reset(): void {
    this.s = powerOn();
  }

  /** The wire back. */
  get output(): boolean {
    return this.s.output;
  }

  /** Levels of the wires: chip select, clock, data in. */
  set(select: boolean, clock: boolean, data: boolean): void {
    const { s } = this;
    const rises = clock && !s.clock;
    if (!select) this.s = powerOn();
    else if (rises) this.shift(data);
    this.s.clock = clock;
  }

  private shift(bit: boolean): void {
    const { s } = this;
    if (s.reading) {
      s.output = ((this.image[s.next >> 4] >> (15 - (s.next & 15))) & 1) !== 0;
      // what follows the last word is the first one again
      s.next = (s.next + 1) % (16 * EEPROM_WORDS);
      return;
    }
    if (s.bits >= COMMAND_BITS || (s.bits === 0 && !bit)) return;
    s.command = (s.command << 1) | (bit ? 1 : 0);
    s.bits++;
    if (s.bits < COMMAND_BITS || s.command >> 6 !== READ) return;
    s.reading = true;
    s.next = (s.command & 0x3f) * 16;
    // a zero is shown before the word
    s.output = false;
  }

  save(): MicrowireState {
    return this.s;
  }

  load(state: MicrowireState): void {
    this.s = state;
  }
}

function powerOn(): MicrowireState {
  return { clock: false, command: 0, bits: 0, reading: false, next: 0, output: true };
}
