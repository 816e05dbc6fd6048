/** 8042 keyboard controller with a PS/2 keyboard on its first port and a PS/2 mouse on its second. */
import { counted } from '../counted.js';
import { flag, int, list, record, type StateOf, u8 } from '../state/schema.js';
import type { Device, IrqLine, PortDevice, PortRange } from './device.js';
import { bitNames, hex } from './device-state.js';
import { KEYBOARD_STATE, keyboardCommand, keyboardReset, keyEvent, nextByte } from './ps2-keyboard.js';
import {
  isReporting,
  MOUSE_STATE,
  type MouseMove,
  mouseCommand,
  mouseEvent,
  mouseKind,
  mouseReset,
  nextMouseByte,
} from './ps2-mouse.js';
import { keysOf, translateToSet1 } from './scancodes.js';
import type { A20Gate } from './system-ports.js';

const DATA = 0x60;

const STATUS_OUTPUT = 0x01;
const STATUS_SYSTEM = 0x04;
const STATUS_COMMAND = 0x08;
const STATUS_UNLOCKED = 0x10;
const STATUS_AUX = 0x20;

const CONFIG_KEYBOARD_IRQ = 0x01;
const CONFIG_AUX_IRQ = 0x02;
const CONFIG_SYSTEM = 0x04;
const CONFIG_KEYBOARD_OFF = 0x10;
const CONFIG_AUX_OFF = 0x20;
const CONFIG_TRANSLATE = 0x40;

const OUTPUT_RUNNING = 0x01;
const OUTPUT_A20 = 0x02;
const OUTPUT_KEYBOARD_IRQ = 0x10;
const OUTPUT_AUX_IRQ = 0x20;
/** Keyboard clock and data lines idle high, the rest as a PC wires it. */
const OUTPUT_IDLE = 0xcc;
/** Answers that nobody has taken yet; what comes then is lost. */
const MOST_ANSWERS = 256;
/** More than a state can hold. */
const MAX_ANSWERS = 1 << 20;

const STATE = record({
  /** 32 bytes of controller memory; byte 0 is the configuration. */
  memory: list(u8, 32),
  /** Byte for the guest; -1: none. */
  output: int(-1, 0xff),
  /** Status bits that belong to that byte. */
  outputFlags: u8,
  /** The last write was to port 64h. */
  lastWasCommand: flag,
  /** Controller command whose argument comes next through port 60h; 0: none. */
  command: u8,
  /** The controller's own answers, ahead of the keyboard's bytes. */
  answers: list(record({ byte: u8, flags: u8 }), { atMost: MAX_ANSWERS }),
  keyboard: KEYBOARD_STATE,
  mouse: MOUSE_STATE,
  /** The translation has seen f0. */
  release: flag,
  lastByte: u8,
});
type ControllerState = StateOf<typeof STATE>;

export interface I8042Options {
  irq: IrqLine;
  /** Of the second port. */
  auxIrq: IrqLine;
  a20: A20Gate;
  resetRequest(): void;
}

export class I8042 implements Device<ControllerState>, PortDevice {
  readonly name = 'i8042';
  readonly format = { kind: 'i8042', version: 2, shape: STATE };
  readonly ports: readonly PortRange[] = [
    { first: 0x60, count: 1 },
    { first: 0x64, count: 1 },
  ];
  readonly portWidth = 1;
  private s = powerOn();

  constructor(private readonly options: I8042Options) {}

  reset(): void {
    this.s = powerOn();
    this.options.irq.set(false);
    this.options.auxIrq.set(false);
  }

  /**
   * One key press and release by name (`a`, `Enter`, `F1`, `ctrl-c`), held modifiers around it.
   * @returns false for a name that is no key.
   */
  press(name: string): boolean {
    const keys = keysOf(name);
    if (keys === undefined) return false;
    for (const key of keys) this.key(key, true);
    for (const key of keys.reverse()) this.key(key, false);
    return true;
  }

  /** A key of `SET2_CODES` (or `pause`, `print`) goes down or up. */
  key(key: string, down: boolean): void {
    keyEvent(this.s.keyboard, key, down);
    this.fill();
  }

  /** The mouse moves, to the right and down; its wheel turns towards the user; buttons: left 1, right 2, middle 4. */
  moveMouse(move: MouseMove): void {
    mouseEvent(this.s.mouse, move);
    this.fill();
  }

  /** Nothing typed or moved waits for the guest to read it. */
  get idle(): boolean {
    const { output, keyboard } = this.s;
    return output < 0 && keyboard.buffer.length === 0 && keyboard.waiting.length === 0;
  }

  /** The keyboard's lights, as the guest has set them: Scroll Lock 1, Num Lock 2, Caps Lock 4. */
  get leds(): number {
    return this.s.keyboard.leds;
  }

  /** Buttons that the host holds down, also those that the guest has not heard of yet. */
  get mouseButtons(): number {
    const { moves, buttons } = this.s.mouse;
    return moves.at(-1)?.buttons ?? buttons;
  }

  /** A driver listens to the mouse. */
  get mouseIsHeard(): boolean {
    return isReporting(this.s.mouse);
  }

  portRead(port: number): number {
    const s = this.s;
    if (port !== DATA) {
      return (
        (s.output >= 0 ? STATUS_OUTPUT | s.outputFlags : 0) |
        (s.memory[0] & CONFIG_SYSTEM ? STATUS_SYSTEM : 0) |
        (s.lastWasCommand ? STATUS_COMMAND : 0) |
        STATUS_UNLOCKED
      );
    }
    // An empty buffer still shows the last byte; QEMU and hardware answer the same way.
    const byte = s.output >= 0 ? s.output : this.lastByte;
    this.lastByte = byte;
    s.output = -1;
    this.options.irq.set(false);
    this.options.auxIrq.set(false);
    this.fill();
    return byte;
  }

  private lastByte = 0;

  portWrite(port: number, _bytes: number, value: number): void {
    this.s.lastWasCommand = port !== DATA;
    if (port === DATA) this.writeData(value);
    else this.writeCommand(value);
    this.fill();
  }

  private answer(byte: number, flags = 0): void {
    if (this.s.answers.length < MOST_ANSWERS) this.s.answers.push({ byte, flags });
  }

  private writeCommand(value: number): void {
    const s = this.s;
    s.command = 0;
    if (value >= 0x20 && value < 0x40) {
      this.answer(s.memory[value & 0x1f]);
    } else if (value >= 0x60 && value < 0x80) {
      s.command = value;
    } else if (value >= 0xf0) {
      // Pulses the output port lines whose bits are 0; line 0 is the processor's reset.
      if (!(value & 1)) this.options.resetRequest();
    } else {
      this.namedCommand(value);
    }
  }

  private namedCommand(value: number): void {
    const s = this.s;
    switch (value) {
      case 0xa7:
        s.memory[0] |= CONFIG_AUX_OFF;
        break;
      case 0xa8:
        s.memory[0] &= ~CONFIG_AUX_OFF;
        break;
      case 0xa9:
        this.answer(0x00);
        break;
      case 0xaa:
        s.memory[0] |= CONFIG_SYSTEM;
        this.answer(0x55);
        break;
      case 0xab:
        this.answer(0x00);
        break;
      case 0xad:
        s.memory[0] |= CONFIG_KEYBOARD_OFF;
        break;
      case 0xae:
        s.memory[0] &= ~CONFIG_KEYBOARD_OFF;
        break;
      case 0xc0:
        this.answer(0x80);
        break;
      case 0xd0:
        this.answer(this.outputPort());
        break;
      case 0xd1:
      case 0xd2:
      case 0xd3:
      case 0xd4:
        s.command = value;
        break;
      case 0xdd:
        this.options.a20.set(false);
        break;
      case 0xdf:
        this.options.a20.set(true);
        break;
    }
  }

  private outputPort(): number {
    const { output, outputFlags } = this.s;
    const full = output < 0 ? 0 : outputFlags & STATUS_AUX ? OUTPUT_AUX_IRQ : OUTPUT_KEYBOARD_IRQ;
    return OUTPUT_IDLE | OUTPUT_RUNNING | (this.options.a20.open ? OUTPUT_A20 : 0) | full;
  }

  private writeData(value: number): void {
    const s = this.s;
    const { command } = s;
    s.command = 0;
    if (command >= 0x60 && command < 0x80) {
      s.memory[command & 0x1f] = value;
      if (command === 0x60) this.updateIrq();
      return;
    }
    switch (command) {
      case 0xd1:
        this.options.a20.set((value & OUTPUT_A20) !== 0);
        if (!(value & OUTPUT_RUNNING)) this.options.resetRequest();
        break;
      case 0xd2:
        this.answer(value);
        break;
      case 0xd3:
        this.answer(value, STATUS_AUX);
        break;
      case 0xd4:
        // as with the keyboard
        s.memory[0] &= ~CONFIG_AUX_OFF;
        mouseCommand(s.mouse, value);
        break;
      default:
        // Sending to the keyboard turns its clock on.
        s.memory[0] &= ~CONFIG_KEYBOARD_OFF;
        keyboardCommand(s.keyboard, value);
    }
  }

  /** Moves the next byte into the output buffer when it is empty. */
  private fill(): void {
    const s = this.s;
    while (s.output < 0) {
      const own = s.answers.shift();
      if (own !== undefined) {
        s.output = own.byte;
        s.outputFlags = own.flags;
        break;
      }
      const key = s.memory[0] & CONFIG_KEYBOARD_OFF ? undefined : nextByte(s.keyboard);
      if (key !== undefined) {
        const translated = s.memory[0] & CONFIG_TRANSLATE ? this.translate(key) : key;
        if (translated < 0) continue;
        s.output = translated;
        s.outputFlags = 0;
        break;
      }
      const byte = s.memory[0] & CONFIG_AUX_OFF ? undefined : nextMouseByte(s.mouse);
      if (byte === undefined) return;
      s.output = byte;
      s.outputFlags = STATUS_AUX;
    }
    this.updateIrq();
  }

  /** Set 2 to set 1 one byte at a time: f0 sets the top bit of the next code. -1: nothing to send yet. */
  private translate(byte: number): number {
    if (byte === 0xf0) {
      this.s.release = true;
      return -1;
    }
    const code = translateToSet1(byte) | (this.s.release && byte < 0xe0 ? 0x80 : 0);
    if (byte < 0xe0) this.s.release = false;
    return code;
  }

  private updateIrq(): void {
    const { output, outputFlags, memory } = this.s;
    const aux = (outputFlags & STATUS_AUX) !== 0;
    this.options.irq.set(output >= 0 && !aux && (memory[0] & CONFIG_KEYBOARD_IRQ) !== 0);
    this.options.auxIrq.set(output >= 0 && aux && (memory[0] & CONFIG_AUX_IRQ) !== 0);
  }

  save(): ControllerState {
    return { ...this.s, lastByte: this.lastByte };
  }

  load({ lastByte, ...rest }: ControllerState): void {
    this.s = rest;
    this.lastByte = lastByte;
  }

  describe(): [string, string][] {
    const { memory, output, keyboard, mouse } = this.s;
    const config = bitNames(memory[0], ['IRQ1', 'IRQ12', 'system', '', 'keyboard off', 'mouse off', 'translate']);
    return [
      ['configuration', `${hex(memory[0])} ${config}`],
      ['output buffer', output < 0 ? 'empty' : hex(output)],
      ['keyboard', `set ${keyboard.scanSet}, ${keyboard.enabled ? 'scanning' : 'off'}, LEDs ${keyboard.leds}`],
      ['waiting', `${counted(keyboard.buffer.length, 'byte')}, ${counted(keyboard.waiting.length, 'key')}`],
      ['mouse', `${mouseKind(mouse)}, ${isReporting(mouse) ? 'reporting' : 'off'}`],
    ];
  }
}

/** As firmware leaves it: tested, translating, IRQ1 on. */
function powerOn(): Omit<ControllerState, 'lastByte'> {
  const memory = new Array<number>(32).fill(0);
  memory[0] = CONFIG_SYSTEM | CONFIG_AUX_OFF | CONFIG_TRANSLATE | CONFIG_KEYBOARD_IRQ;
  return {
    memory,
    output: -1,
    outputFlags: 0,
    lastWasCommand: false,
    command: 0,
    answers: [],
    keyboard: keyboardReset(),
    mouse: mouseReset(),
    release: false,
  };
}
