import { wakingVector } from '../boot/acpi.js';
import { biosFiles, loadBios } from '../boot/bios.js';
import { loadImage } from '../boot/detect.js';
import { realModeState } from '../boot/entry-state.js';
import type { GuestSymbol, LoadedImage, LoadOptions, Module } from '../boot/image.js';
import { biosKernel } from '../boot/kernel/index.js';
import type { NicCounts, Picture, VgaText } from '../debugger.js';
import type { Drive } from '../devices/block.js';
import type { GuestEnd, GuestMemory } from '../devices/device.js';
import type { MouseMove } from '../devices/ps2-mouse.js';
import type { PictureWatch } from '../devices/vga/picture-watch.js';
import type { MachineView } from '../machine-view.js';
import type { Stateful } from '../state/saved.js';
import { count, flag, record, type StateOf } from '../state/schema.js';
import type { InputKeeper } from '../time/input-keeper.js';
import type { Card } from './cards.js';
import type { Firmware, Hypervisor } from './hypervisor.js';
import { type NetworkOptions, PcBoard } from './pc-board.js';
import { Work } from './work.js';

export interface MachineOptions {
  name: string;
  image: { name: string; bytes: Uint8Array };
  append?: string;
  initrd?: Module;
  /** Further modules of a kernel that takes some. */
  modules?: readonly Module[];
  at?: number;
  isaDebugExit: boolean;
  /** A guest's reset ends it instead of starting it again. */
  noReboot: boolean;
  /** A triple fault resets the guest, as hardware does, instead of ending it. */
  rebootOnTripleFault?: boolean;
  /** Seconds since 1970 at power-on, for the RTC. */
  wallSeconds: number;
  drives?: readonly Drive[];
  network?: NetworkOptions;
  /** Keeps what enters from the host, for a history or a recording; without one nothing is kept. */
  inputs?: InputKeeper;
  cards?: readonly Card[];
  /** Glyphs of 16 lines for text modes in which the guest has loaded none. */
  font?: Uint8Array;
  /** A byte to port 402h or e9h; without it the ports do not exist. */
  debugOutput?: (byte: number) => void;
  /** The image is a BIOS, which finds something to boot itself. */
  firmware?: {
    vgaBios?: Uint8Array;
    serialConsole: boolean;
    bootOrder?: string;
    /** A kernel that the BIOS starts, with `append`, `initrd` and `modules`. */
    kernel?: { name: string; bytes: Uint8Array };
  };
}

const STATE = record({ asleep: flag, shownAt: count });
/** Vector of IRQ 0 under a BIOS, and where its handler is. */
const TIMER_VECTOR = 8;
const BIOS_SEGMENT = 0xf000;
/** More than that handler takes. */
const TICK_INSTRUCTIONS = 100_000;

const PAGE = 4096;
const ZEROS = new Uint8Array(PAGE);

/** Zeros in memory, written as devices write, so that whoever watches frames sees them go. Whole pages go back to the host. */
function clear(memory: GuestMemory, gpa: number, bytes: number): void {
  const end = gpa + bytes;
  for (let at = gpa; at < end; ) {
    const length = Math.min(PAGE - (at % PAGE), end - at);
    if (!isZero(memory.read(at, length))) {
      if (length === PAGE && memory.release) memory.release(at, PAGE);
      else memory.write(at, ZEROS.subarray(0, length));
    }
    at += length;
  }
}

function isZero(bytes: Uint8Array): boolean {
  if (bytes.byteOffset % 4 !== 0 || bytes.length % 4 !== 0) return bytes.every((byte) => byte === 0);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}

/** A guest: the virtual machine, its devices and the image that it boots. */
export class Machine {
  readonly pc: PcBoard;
  readonly loaded: LoadedImage;
  readonly symbols: GuestSymbol[];
  /** The machine as the debugger sees it. */
  readonly view: MachineView;
  onSerial: (bytes: Uint8Array) => void = () => {};
  onMessage: (text: string) => void = () => {};
  /** Called after each slice, when the guest stands: trace files drain here. */
  afterSlice: (() => void) | undefined;
  /** Interrupts wait while a debugger steps, as with QEMU's sstep=7. */
  holdInterruptsOnStep = true;
  /** Called when the host's network has something for the guest. */
  onHostInput: () => void = () => {};
  lastError: Error | undefined;
  /** What the guest has done since power-on, over its resets. */
  readonly work: Work;
  /** Called when the machine is given up: disks are written back here. */
  onClose: () => void = () => {};
  /** Gives the images of its drives up for another process, or takes them. @throws Error naming the one that cannot be had */
  passDrives: (give: boolean) => void = () => {};
  readonly #rom: Firmware | undefined;
  readonly #video: ReturnType<NonNullable<Hypervisor['mapVideo']>>;
  /** Instructions retired when the last character was asked for. */
  #shownAt = 0;
  #toldOfReset = false;
  readonly #toldUnserved = new Set<number>();

  /** @throws ImageError when the image cannot be used. */
  constructor(
    readonly vm: Hypervisor,
    readonly options: MachineOptions,
  ) {
    const { image, firmware } = options;
    this.work = new Work(vm);
    const given: LoadOptions = {
      memoryBytes: vm.memoryBytes,
      vcpus: vm.vcpus.length,
      ...(options.append === undefined ? {} : { append: options.append }),
      ...(options.initrd ? { initrd: options.initrd } : {}),
      ...(options.drives?.some(({ bus }) => bus === 'floppy') ? { floppy: true } : {}),
      ...(options.modules ? { modules: options.modules } : {}),
      ...(options.at === undefined ? {} : { at: options.at }),
    };
    this.loaded = firmware ? loadBios(image.name, image.bytes) : loadImage(image.name, image.bytes, given);
    const kernel = firmware?.kernel && biosKernel(firmware.kernel.name, firmware.kernel.bytes, given);
    this.symbols = [...(kernel ?? this.loaded).symbols].sort((a, b) =>
      a.address < b.address ? -1 : a.address > b.address ? 1 : 0,
    );
    vm.onMessage = (text) => this.onMessage(text);
    this.view = vm.view((gpa) => this.regionLabel(gpa));
    if (firmware && !vm.mapFirmware) throw new Error(`engine ${vm.engine} has no ROM: a BIOS needs --engine vtx`);
    this.#rom = firmware ? vm.mapFirmware?.(image.bytes) : undefined;
    this.#video = vm.mapVideo?.(this.romBytes);
    const machine = { memoryBytes: vm.memoryBytes, vcpus: vm.vcpus.length };
    this.pc = new PcBoard(vm, {
      ...options,
      ...(this.#video ? { video: this.#video } : {}),
      serial: (bytes) => this.onSerial(bytes),
      ...(firmware
        ? {
            bios: {
              files: biosFiles({
                ...machine,
                ...{ ...firmware, kernel },
                drives: options.drives ?? [],
                network: options.network !== undefined,
              }),
              bootOrder: firmware.bootOrder,
              shadowChanged: (area) => this.#rom?.show(area),
            },
          }
        : {}),
    });
    vm.board = this.pc;
    if (this.#rom) for (const area of this.pc.pc.hostBridge.areas()) this.#rom.show(area);
    this.#boot();
  }

  get name(): string {
    return this.options.name;
  }

  /** Its drives with what is in them now. */
  get drives(): Drive[] {
    const bays = new Map(this.pc.mediumDrives.map(({ bay }) => [bay.name, bay]));
    return (this.options.drives ?? []).map((drive) => {
      const bay = bays.get(drive.name);
      if (!bay) return drive;
      const { store, image, traffic, ...empty } = drive;
      return { ...empty, store: bay.medium?.store, ...bay.medium };
    });
  }

  get image(): string {
    return this.options.image.name;
  }

  /**
   * Begins anew: loads the state at power-on, frames from where they came from. The debugger's breakpoints stay, and so does
   * what a battery or the host keeps.
   */
  reset(): void {
    const { vm, pc } = this;
    this.work.beforeReset(true);
    clear(vm.memory, 0, vm.memoryBytes);
    this.#rom?.restore();
    this.#video?.clear();
    vm.resetState();
    pc.beginAgain();
    this.ownState.load({ asleep: false, shownAt: 0 });
    this.#boot();
  }

  /** What the machine keeps beside its board and engine. */
  get ownState(): Stateful<StateOf<typeof STATE>> {
    return {
      name: 'machine',
      format: { kind: 'machine', version: 2, shape: STATE },
      save: () => ({ asleep: this.asleep, shownAt: this.#shownAt }),
      load: ({ asleep, shownAt }) => {
        this.#shownAt = shownAt;
        this.asleep = asleep;
      },
    };
  }

  /** In S3: no vCPU runs. */
  asleep = false;

  /** The guest entered S3: its vCPUs stop until something wakes the machine. */
  suspend(): void {
    this.asleep = true;
    this.vm.stopVcpus?.();
  }

  /**
   * From S3 back to where the guest's waking vector leads, as firmware does it: devices and vCPUs as after a reset,
   * memory and the clocks as they are.
   * @acpi 7.4.2.3 "S3"
   */
  resume(): void {
    const { vm } = this;
    this.asleep = false;
    const now = vm.now();
    const vector = wakingVector((gpa, bytes) => vm.memory.read(gpa, bytes));
    this.work.beforeReset(false);
    vm.resetState();
    vm.warpTo(now);
    this.pc.reset();
    if (this.#rom || vector === 0) vm.start(this.loaded.initial);
    else vm.start(realModeState(vector >>> 4, vector & 15, {}, 0));
  }

  /** The guest has ended: true when that was a reset or a sleep, through which it is taken. */
  outlives(): boolean {
    const { noReboot, rebootOnTripleFault } = this.options;
    const { end } = this.vm;
    const resets = end?.kind === 'reset' ? !noReboot : end?.kind === 'triple-fault' && rebootOnTripleFault === true;
    if (resets) {
      if (end?.kind === 'triple-fault' && !this.#toldOfReset)
        this.onMessage(`${end.message}: the guest is reset (said only once)`);
      this.#toldOfReset ||= end?.kind === 'triple-fault';
      this.reset();
      return true;
    }
    if (end?.kind !== 'suspended' || !this.vm.stopVcpus) return false;
    this.suspend();
    return true;
  }

  /** Bytes of the BIOS's ROM at the top of 4 GiB; 0: there is none. */
  get romBytes(): number {
    return this.#rom ? 2 ** 32 - this.#rom.gpa : 0;
  }

  /** The engine has frames for the video card's memory. */
  get hasVideoFrames(): boolean {
    return this.#video !== undefined;
  }

  serialInput(bytes: Uint8Array): void {
    this.pc.serialInput(bytes);
  }

  get inputWaiting(): number {
    return this.pc.inputWaiting;
  }

  networkEvent(bytes: Uint8Array): void {
    if (this.vm.end) return;
    this.pc.networkEvent(bytes);
    this.onHostInput();
  }

  /** The guest waits for the host's network: idle time passes at the wall clock's pace. */
  get waitsForHost(): boolean {
    return this.pc.net?.waitsForHost === true;
  }

  key(name: string): void {
    this.pc.key(name);
  }

  keyEvent(name: string, down: boolean): void {
    this.pc.keyEvent(name, down);
  }

  moveMouse(move: MouseMove): void {
    this.pc.moveMouse(move);
  }

  screen(): VgaText | undefined {
    return this.pc.screen();
  }

  /** The screen as pixels, made smaller to fit into `most`. */
  picture(most?: { width: number; height: number }): Picture {
    return this.pc.picture(most);
  }

  /** For who looks at the screen again and again. */
  watchPicture(): PictureWatch {
    return this.pc.pc.vga.watch();
  }

  devices(): { name: string; rows: [string, string][] }[] {
    return this.pc.describe();
  }

  /** What went through its network cards. */
  nics(): NicCounts[] {
    return this.pc.net ? [{ device: 'net0', ...this.pc.traffic }] : [];
  }

  /** What a guest-physical address is, for the EPT view. */
  regionLabel(gpa: number): string {
    if (this.#rom && gpa >= this.#rom.gpa) return 'BIOS ROM';
    if (this.pc.pc.vga.windows.some((it) => gpa >= it.gpa && gpa < it.gpa + it.bytes)) return 'VGA memory';
    if (gpa >= 0xa0000 && gpa < 0xc0000) return 'VGA memory';
    if (gpa >= 0xc0000 && gpa < 0x100000) return 'firmware';
    return 'RAM';
  }

  /**
   * SeaBIOS keeps the last character that it shows on COM1 back until the timer's next interrupt, which a guest that is
   * halted with interrupts off never takes: it gets one, and halts again. True where it did.
   */
  showLastCharacter(): boolean {
    const { vm } = this;
    if (!this.options.firmware?.serialConsole || vm.icount < this.#shownAt + TICK_INSTRUCTIONS) return false;
    if (vm.vcpus.some((vcpu) => vcpu.runnable && (!vcpu.halted || vcpu.interruptsEnabled))) return false;
    if (!vm.interruptHalted?.(TIMER_VECTOR, BIOS_SEGMENT)) return false;
    this.#shownAt = vm.icount;
    return true;
  }

  /** Says which of a BIOS's interrupts the guest has called without one, each once. */
  tellUnserved(): void {
    const vectors = this.pc.pc.unserved?.vectors.filter((vector) => !this.#toldUnserved.has(vector)) ?? [];
    if (vectors.length === 0) return;
    for (const vector of vectors) this.#toldUnserved.add(vector);
    const names = vectors.map((vector) => `${vector.toString(16).toUpperCase().padStart(2, '0')}h`);
    const called = names.length === 1 ? names[0] : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
    this.onMessage(
      `INT ${called} did nothing: the guest runs without a BIOS; --bios FILE, or a boot sector without --at, has one`,
    );
  }

  /** How a guest ended that is halted with nothing to wake it. */
  haltedForever(): GuestEnd {
    if (this.asleep) return { kind: 'halted-forever', status: 1, message: 'the guest sleeps and nothing will wake it' };
    const masked = this.vm.vcpus.every((vcpu) => !vcpu.interruptsEnabled);
    return {
      kind: 'halted-forever',
      status: 1,
      message: masked ? 'the guest is halted with interrupts off' : 'the guest is halted and no device will wake it',
    };
  }

  /** Gives up what the machine holds of the host. */
  close(): void {
    this.onClose();
    this.vm.close();
  }

  #boot(): void {
    const { vm, loaded } = this;
    for (const { gpa, bytes } of loaded.zero) clear(vm.memory, gpa, bytes);
    for (const { gpa, bytes } of loaded.chunks) vm.memory.write(gpa, bytes);
    vm.start(loaded.initial);
  }
}
