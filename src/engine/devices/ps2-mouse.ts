/**
 * A PS/2 mouse with a wheel and five buttons: commands from the controller, bytes to it. It is a plain mouse until a driver
 * knocks for IntelliMouse (sample rates 200, 100, 80) or IntelliMouse Explorer (200, 200, 80).
 * @qemu hw/input/ps2.c
 */
import { flag, int, list, oneOf, record, type StateOf, u8 } from '../state/schema.js';

const ACK = 0xfa;
const SELF_TEST_PASSED = 0xaa;

const STATUS_REMOTE = 0x40;
const STATUS_ENABLED = 0x20;
const STATUS_SCALE_21 = 0x10;

const PLAIN = 0;
const WHEEL = 3;
const EXPLORER = 4;

const SET_RESOLUTION = 0xe8;
const SET_RATE = 0xf3;
const RESET_WRAP = 0xec;
const RESET = 0xff;
const USUAL_RATE = 100;
const USUAL_RESOLUTION = 2;

/** Bytes that the mouse keeps while the controller does not take them. */
const BUFFER_BYTES = 16;
/** The same of answers. */
const MAX_BYTES = 256;
/** Moves between changes of the buttons that wait for the guest, at most; later ones add to the last. */
const MOST_MOVES = 64;
const FAR = 0x7fff;
/** What a packet holds of a distance, and of the wheel on a mouse with five buttons. */
const MOST_STEP = 127;
const MOST_NOTCHES = 7;
const ANY_BUTTON = 0x1f;

const distance = int(-FAR, FAR);
const MOVE = record({ dx: distance, dy: distance, wheel: distance, buttons: u8 });
export const MOUSE_STATE = record({
  buffer: list(u8, { atMost: MAX_BYTES }),
  status: u8,
  resolution: u8,
  rate: u8,
  type: oneOf(PLAIN, WHEEL, EXPLORER),
  /** How far a driver has got in knocking for another type. */
  knocked: int(0, 3),
  wrap: flag,
  /** Command whose argument byte comes next; 0: none. */
  command: u8,
  moves: list(MOVE, { atMost: MOST_MOVES }),
  buttons: u8,
});
export type MouseState = StateOf<typeof MOUSE_STATE>;
export type MouseMove = StateOf<typeof MOVE>;

export function mouseReset(): MouseState {
  return {
    ...{ buffer: [], status: 0, resolution: USUAL_RESOLUTION, rate: USUAL_RATE, type: PLAIN, knocked: 0 },
    ...{ wrap: false, command: 0, moves: [], buttons: 0 },
  };
}

const within = (value: number, most: number): number => Math.max(-most, Math.min(most, value));

/** The host moves it: to the right and down, the wheel towards the user. A mouse that nobody has enabled says nothing. */
export function mouseEvent(s: MouseState, { dx, dy, wheel, buttons }: MouseMove): void {
  const held = buttons & ANY_BUTTON;
  const last = s.moves.at(-1);
  const before = last?.buttons ?? s.buttons;
  if (!(s.status & STATUS_ENABLED)) {
    s.buttons = held;
    return;
  }
  if (last && (held === before || s.moves.length === MOST_MOVES)) {
    last.dx = within(last.dx + dx, FAR);
    last.dy = within(last.dy + dy, FAR);
    last.wheel = within(last.wheel + wheel, FAR);
    last.buttons = held;
  } else if (held !== before || dx !== 0 || dy !== 0 || wheel !== 0) {
    s.moves.push({ dx: within(dx, FAR), dy: within(dy, FAR), wheel: within(wheel, FAR), buttons: held });
  }
  if (!(s.status & STATUS_REMOTE)) report(s);
}

/** The next byte for the controller, or undefined. */
export function nextMouseByte(s: MouseState): number | undefined {
  const byte = s.buffer.shift();
  if (s.status & STATUS_ENABLED && !(s.status & STATUS_REMOTE)) report(s);
  return byte;
}

/** Packets for what waits, as far as there is room. */
function report(s: MouseState): void {
  while (s.moves.length > 0 && s.buffer.length + (s.type === PLAIN ? 3 : 4) <= BUFFER_BYTES) packet(s);
}

function packet(s: MouseState): void {
  const move = s.moves[0] ?? { dx: 0, dy: 0, wheel: 0, buttons: s.buttons };
  const dx = within(move.dx, MOST_STEP);
  // up is positive
  const dy = within(-move.dy, MOST_STEP);
  const wheel = s.type === PLAIN ? move.wheel : within(move.wheel, s.type === WHEEL ? MOST_STEP : MOST_NOTCHES);
  s.buttons = move.buttons;
  s.buffer.push(0x08 | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0) | (move.buttons & 7), dx & 0xff, dy & 0xff);
  if (s.type === WHEEL) s.buffer.push(wheel & 0xff);
  if (s.type === EXPLORER) s.buffer.push((wheel & 0x0f) | ((move.buttons & 0x18) << 1));
  move.dx -= dx;
  move.dy += dy;
  move.wheel -= wheel;
  if (move.dx === 0 && move.dy === 0 && move.wheel === 0) s.moves.shift();
}

function defaults(s: MouseState): void {
  s.rate = USUAL_RATE;
  s.resolution = USUAL_RESOLUTION;
  s.status = 0;
  s.moves.length = 0;
}

/** A byte from the controller: a command or the argument of one. */
export function mouseCommand(s: MouseState, byte: number): void {
  // what nobody takes is lost, as on a wire
  const answer = (...bytes: number[]): void => {
    if (s.buffer.length + bytes.length <= MAX_BYTES) s.buffer.push(...bytes);
  };
  const { command } = s;
  s.command = 0;
  if (command !== 0) {
    if (command === SET_RATE) rateIs(s, byte);
    else s.resolution = byte;
    answer(ACK);
    return;
  }
  if (s.wrap && byte !== RESET_WRAP && byte !== RESET) {
    answer(byte);
    return;
  }
  switch (byte) {
    case 0xe6:
      s.status &= ~STATUS_SCALE_21;
      answer(ACK);
      break;
    case 0xe7:
      s.status |= STATUS_SCALE_21;
      answer(ACK);
      break;
    case SET_RESOLUTION:
    case SET_RATE:
      s.command = byte;
      answer(ACK);
      break;
    case 0xe9:
      answer(ACK, s.status, s.resolution, s.rate);
      break;
    case 0xea:
      s.status &= ~STATUS_REMOTE;
      answer(ACK);
      break;
    case 0xeb:
      answer(ACK);
      if (s.buffer.length + 4 <= MAX_BYTES) packet(s);
      break;
    case RESET_WRAP:
      s.wrap = false;
      answer(ACK);
      break;
    case 0xee:
      s.wrap = true;
      answer(ACK);
      break;
    case 0xf0:
      s.status |= STATUS_REMOTE;
      answer(ACK);
      break;
    case 0xf2:
      answer(ACK, s.type);
      break;
    case 0xf4:
      s.status |= STATUS_ENABLED;
      answer(ACK);
      break;
    case 0xf5:
      s.status &= ~STATUS_ENABLED;
      s.moves.length = 0;
      answer(ACK);
      break;
    case 0xf6:
      defaults(s);
      answer(ACK);
      break;
    case RESET:
      defaults(s);
      s.type = PLAIN;
      s.knocked = 0;
      s.wrap = false;
      s.buffer.length = 0;
      answer(ACK, SELF_TEST_PASSED, s.type);
      break;
  }
}

/** A driver sets rates in an order that nobody would otherwise, to learn whether there is a wheel. */
function rateIs(s: MouseState, rate: number): void {
  s.rate = rate;
  const step = s.knocked;
  s.knocked = 0;
  if (step === 0 && rate === 200) s.knocked = 1;
  else if (step === 1 && rate === 100) s.knocked = 2;
  else if (step === 1 && rate === 200) s.knocked = 3;
  else if (step === 2 && rate === 80) s.type = WHEEL;
  else if (step === 3 && rate === 80) s.type = EXPLORER;
}

export function mouseKind({ type }: MouseState): string {
  if (type === PLAIN) return 'plain';
  return type === WHEEL ? 'with a wheel' : 'with a wheel and five buttons';
}

export const isReporting = ({ status }: MouseState): boolean => (status & STATUS_ENABLED) !== 0;

const MOVE_BYTES = 16;

/** A move as an input of the run. */
export function encodeMove({ dx, dy, wheel, buttons }: MouseMove): Uint8Array {
  return new Uint8Array(Int32Array.of(dx, dy, wheel, buttons).buffer);
}

/** Whatever the bytes are, it is some move. */
export function decodeMove(bytes: Uint8Array): MouseMove {
  const whole = new Uint8Array(MOVE_BYTES);
  whole.set(bytes.subarray(0, MOVE_BYTES));
  const [dx, dy, wheel, buttons] = new Int32Array(whole.buffer);
  return { dx, dy, wheel, buttons };
}
