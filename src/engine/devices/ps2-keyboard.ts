/** A PS/2 keyboard with 101 keys: commands from the controller, bytes to it. */
import { flag, list, oneOf, record, type StateOf, u8 } from '../state/schema.js';
import { set2Bytes, translateToSet1 } from './scancodes.js';

const ACK = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;
/** Bytes that the keyboard keeps while the controller does not take them. */
const BUFFER_BYTES = 16;
/** More than a state can hold of answers that nobody took, and of keys typed ahead. */
const MAX_BYTES = 1 << 20;
/** Answers that nobody has taken yet, with the keys before them. */
const MOST_ANSWERS = 256;
/** Presses and releases that wait for the guest, and further releases: of as many keys as there are. */
const MOST_WAITING = 1 << 14;
const MOST_HELD = 256;

export const KEYBOARD_STATE = record({
  buffer: list(u8, { atMost: MAX_BYTES }),
  enabled: flag,
  scanSet: oneOf(1, 2),
  leds: u8,
  typematic: u8,
  /** Command whose argument byte comes next; 0: none. */
  command: u8,
  lastSent: u8,
  /** Keys typed by the host that the buffer had no room for. */
  waiting: list(list(u8, { atMost: BUFFER_BYTES }), { atMost: MAX_BYTES }),
});
export type KeyboardState = StateOf<typeof KEYBOARD_STATE>;

export function keyboardReset(): KeyboardState {
  return {
    buffer: [],
    enabled: true,
    scanSet: 2,
    leds: 0,
    typematic: 0x2b,
    command: 0,
    lastSent: SELF_TEST_PASSED,
    waiting: [],
  };
}

/** A key of the host goes down or up. It waits while the buffer is full, so that a script can type ahead. */
export function keyEvent(s: KeyboardState, key: string, down: boolean): void {
  const bytes = set2Bytes(key, down);
  if (bytes.length === 0 || !s.enabled) return;
  // keys that nobody reads are lost, presses before releases: none of those that were taken stays down
  if (s.waiting.length >= MOST_WAITING + (down ? 0 : MOST_HELD)) return;
  s.waiting.push(s.scanSet === 1 ? toSet1(bytes) : bytes);
  refill(s);
}

/** The next byte for the controller, or undefined. */
export function nextByte(s: KeyboardState): number | undefined {
  const byte = s.buffer.shift();
  if (byte !== undefined) s.lastSent = byte;
  refill(s);
  return byte;
}

function refill(s: KeyboardState): void {
  while (s.waiting.length > 0 && s.buffer.length + s.waiting[0].length <= BUFFER_BYTES) {
    s.buffer.push(...s.waiting.shift()!);
  }
}

function toSet1(bytes: readonly number[]): number[] {
  const out: number[] = [];
  let release = 0;
  for (const byte of bytes) {
    if (byte === 0xf0) release = 0x80;
    else {
      out.push(byte >= 0xe0 ? byte : translateToSet1(byte) | release);
      if (byte < 0xe0) release = 0;
    }
  }
  return out;
}

function defaults(s: KeyboardState): void {
  s.scanSet = 2;
  s.typematic = 0x2b;
  s.leds = 0;
}

/** A byte from the controller: a command or the argument of one. Answers go ahead of keys. */
export function keyboardCommand(s: KeyboardState, byte: number): void {
  // what nobody takes is lost, as on a wire
  const answer = (...bytes: number[]): void => {
    if (s.buffer.length + bytes.length <= MOST_ANSWERS) s.buffer.push(...bytes);
  };
  const command = s.command;
  s.command = 0;
  // A command where an argument was due is a command: that is how a driver recovers.
  if (command !== 0 && byte < 0xed) {
    argument(s, command, byte, answer);
    return;
  }
  switch (byte) {
    case 0xed:
    case 0xf0:
    case 0xf3:
      s.command = byte;
      answer(ACK);
      break;
    case 0xee:
      answer(0xee);
      break;
    case 0xf2:
      answer(ACK, 0xab, 0x83);
      break;
    case 0xf4:
      discardKeys(s);
      s.enabled = true;
      answer(ACK);
      break;
    case 0xf5:
    case 0xf6:
      discardKeys(s);
      defaults(s);
      s.enabled = byte === 0xf6;
      answer(ACK);
      break;
    case 0xf7:
    case 0xf8:
    case 0xf9:
    case 0xfa:
      // Key types of scan code set 3, which sets 1 and 2 do not have.
      answer(ACK);
      break;
    case 0xfe:
      answer(s.lastSent);
      break;
    case 0xff:
      discardKeys(s);
      defaults(s);
      s.enabled = true;
      answer(ACK, SELF_TEST_PASSED);
      break;
    default:
      answer(RESEND);
  }
}

function argument(s: KeyboardState, command: number, byte: number, answer: (...bytes: number[]) => void): void {
  if (command === 0xed) s.leds = byte & 7;
  if (command === 0xf3) s.typematic = byte & 0x7f;
  if (command === 0xf0) {
    if (byte === 0) {
      answer(ACK, s.scanSet);
      return;
    }
    if (byte > 2) {
      s.command = command;
      answer(RESEND);
      return;
    }
    discardKeys(s);
    s.scanSet = byte as 1 | 2;
  }
  answer(ACK);
}

function discardKeys(s: KeyboardState): void {
  s.buffer.length = 0;
}
