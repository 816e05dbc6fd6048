/**
 * A guest behind a GDB stub alone, whoever's it is: QEMU's `-s`, gdbserver, Linux's kgdb, an emulator. A stub shows only a
 * guest that stands, so attaching stops it, and what is asked while it runs is answered when it stands again.
 */
import type { CodeFile } from '../../engine/debug/types/code-file.js';
import type * as D from '../../engine/debugger.js';
import { type CodeKernel, GuestCode } from '../../engine/host/guest-code.js';
import { BannerKernel } from '../banner-kernel.js';
import { readLinear, type SlowMemory, walkSlowly } from '../memory.js';
import { parseRegisters } from '../qemu/registers.js';
import { SlowKernel } from '../slow-kernel.js';
import type { StubControl } from '../stub-control.js';
import { noLines, StubGuest } from '../stub-guest.js';
import { StubHold } from './hold.js';

export interface GdbTargetOptions {
  /** How `attach` names the guest: `gdb:HOST:PORT`. */
  target: string;
  /** `HOST:PORT`, or a path. */
  where: string;
  /** For the note of a guest that is held. */
  folder: string;
  /** What a file that the user named tells of its code. */
  file?: CodeFile;
}

const MAX_READ = 16 << 20;
/** A stub does not say how much memory there is. */
const MAX_MEMORY = 2 ** 46;
/** The debugger API's names of what stubs call otherwise. */
const API_NAMES: Record<string, string> = { eflags: 'rflags', k_gs_base: 'kernel_gs_base', eip: 'rip' };
for (const name of ['ax', 'bx', 'cx', 'dx', 'si', 'di', 'bp', 'sp']) API_NAMES[`e${name}`] = `r${name}`;
/** Fetched one by one where the stub does not send them with the others: what says how code and addresses are read. */
const WANTED: ReadonlySet<string> = new Set([
  ...['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'fs_base', 'gs_base', 'k_gs_base'],
  ...['cs', 'ss', 'ds', 'es', 'fs', 'gs', 'ldtr', 'tr'].flatMap((s) => [`${s}_base`, `${s}_limit`, `${s}_ar`]),
  ...['gdtr_base', 'gdtr_limit', 'idtr_base', 'idtr_limit', 'ldtr', 'tr'],
]);
/** Access rights in the VMCS format of a code segment whose width alone is known. */
const CODE_64 = 0xa09bn;
const CODE_32 = 0xc09bn;
const CODE_16 = 0x9bn;
const LONG_MODE = 0x500n;

export class GdbTarget extends StubGuest implements D.Debugger {
  readonly os: D.Debugger['os'];
  readonly source: D.Debugger['source'];
  readonly types: D.Debugger['types'];
  #kernel: SlowKernel | undefined;
  #code!: GuestCode;
  readonly #registers = new Map<number, Promise<D.RegisterFile>>();
  readonly #memory: SlowMemory;
  #hold!: StubHold;
  #physical = false;
  /** The stub hands lines to QEMU's monitor, whose registers say more. */
  #tellsAll = false;
  #detached: Promise<void> | undefined;

  private constructor(private readonly options: GdbTargetOptions) {
    super();
    this.#memory = { read: (gpa, length) => this.#standing((stub) => stub.readMemory(this.vcpu, true, gpa, length)) };
  }

  /** @throws Error in one line when nobody is there, or it is no stub, or another debugger has it */
  static async open(options: GdbTargetOptions): Promise<GdbTarget> {
    const target = new GdbTarget(options);
    target.#hold = await StubHold.take(options);
    try {
      await target.#start();
      return target;
    } catch (error) {
      await target.#hold.leave().catch(() => {});
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { stub } = this.#hold;
    stub.onStop = (stop) => void this.onStop(stop);
    void stub.closed.then((reason) => {
      if (reason !== 'left') this.end(`the stub is gone: ${reason}`);
    });
    this.running = false;
    this.vcpus = stub.threads;
    this.vcpu = stub.first;
    this.#physical = await stub.hasPhysical();
    // QEMU's monitor behind its stub, and what understands its words.
    this.#tellsAll = /\bRIP=|\bEIP=/.test(await stub.monitor('info registers').catch(() => ''));
    if (this.#physical)
      this.#kernel = new SlowKernel(
        this.#memory,
        MAX_MEMORY,
        () => this.readRegisters(this.vcpu),
        (event) => this.emit(event),
        this.vcpus,
        this.moment,
      );
    const { file = {} } = this.options;
    const kernel: CodeKernel | undefined =
      this.#kernel ?? BannerKernel.of(file, (gva, length) => this.readMemory('gva', gva, length), this.moment);
    this.#code = new GuestCode(file, kernel, [], this.seeking);
    const views: Partial<Pick<D.Debugger, 'os' | 'source' | 'types'>> = {
      ...(this.#kernel ? { os: this.#kernel.os } : {}),
      ...(this.#code.source ? { source: this.#code.source } : {}),
      // the kernel that runs has some too
      ...(this.#kernel || file.dwarf || file.frames ? { types: this.#code.types } : {}),
    };
    Object.assign(this, views);
  }

  async info(): Promise<D.TargetInfo> {
    return {
      name: this.options.target,
      engine: 'gdb',
      image: '',
      vcpus: this.vcpus,
      memoryBytes: 0,
      unavailable: {
        vmcs: 'a GDB stub of another program gives no VMCS',
        ept: 'a GDB stub of another program gives no second-level page tables',
        exits: 'a GDB stub of another program does not report VM exits',
        icount: 'a GDB stub of another program counts no instructions',
        console: 'a GDB stub has no console: use the one of the program behind it',
        snapshots: 'a GDB stub of another program saves no states',
        ...noLines(this.options.file),
        ...(this.types ? {} : { types: 'no types: attach with --symbols FILE that has DWARF' }),
        ...(this.#kernel ? {} : { os: 'the stub reads no guest-physical memory' }),
      },
    };
  }

  protected async take(): Promise<{ stub: StubControl; ran: boolean }> {
    if (this.ended) throw new Error('the guest has ended');
    const { stub } = this.#hold;
    const ran = this.running;
    if (stub.running) await stub.pause();
    return { stub, ran };
  }

  protected get stub(): StubControl {
    return this.#hold.stub;
  }

  protected forgetRegisters(): void {
    this.#registers.clear();
  }

  // --- registers and memory

  /** Asks the stub of a guest that stands; between two steps nobody else asks. */
  async #standing<T>(work: (stub: StubControl) => Promise<T>): Promise<T> {
    if (this.ended) throw new Error('the guest has ended');
    if (this.#hold.stub.running) throw new Error('the guest is running: a GDB stub answers only while it is stopped');
    return await work(this.#hold.stub);
  }

  async readRegisters(vcpu: number): Promise<D.RegisterFile> {
    let file = this.#registers.get(vcpu);
    if (!file) {
      file = this.#standing((stub) => this.#read(stub, vcpu));
      this.#registers.set(vcpu, file);
      const own = file;
      file.catch(() => {
        if (this.#registers.get(vcpu) === own) this.#registers.delete(vcpu);
      });
    }
    return { ...(await file) };
  }

  async #read(stub: StubControl, vcpu: number): Promise<D.RegisterFile> {
    const file: D.RegisterFile = this.#tellsAll ? await monitorRegisters(stub, vcpu) : {};
    for (const [name, value] of await stub.readRegisters(vcpu, this.#tellsAll ? undefined : WANTED))
      file[API_NAMES[name] ?? name] = value;
    if (file.rip === undefined) throw new Error('the stub gives no instruction pointer: is it not an x86 guest?');
    return withMode(
      file,
      stub.architecture,
      stub.registers.some(({ name }) => name === 'r15'),
    );
  }

  async #paging(vcpu: number): Promise<{ cr0: bigint; cr3: bigint; cr4: bigint; efer: bigint }> {
    const { cr0, cr3, cr4 = 0n, efer = 0n } = await this.readRegisters(vcpu);
    if (cr0 === undefined || cr3 === undefined) throw new Error('the stub gives no control registers');
    if (!this.#physical) throw new Error('the stub reads no guest-physical memory');
    return { cr0, cr3, cr4, efer };
  }

  async readMemory(space: D.AddressSpace, address: bigint, length: number, vcpu = this.vcpu): Promise<Uint8Array> {
    if (length > MAX_READ) throw new Error(`${length} bytes at once: at most ${MAX_READ}`);
    if (space === 'hpa') return new Uint8Array(0);
    if (space === 'gpa') {
      if (!this.#physical) throw new Error('the stub reads no guest-physical memory');
      return await this.#memory.read(address, length);
    }
    if (!this.#physical) return await this.#standing((stub) => stub.readMemory(vcpu, false, address, length));
    return await readLinear(await this.#paging(vcpu), address, length, this.#memory);
  }

  async walk(gva: bigint, vcpu = this.vcpu): Promise<D.PageWalk> {
    return await walkSlowly(await this.#paging(vcpu), gva, this.#memory);
  }

  // --- views

  symbols(): Promise<D.TargetSymbol[]> {
    return this.#code.symbols();
  }

  async devices(): Promise<{ name: string; rows: [string, string][] }[]> {
    return [];
  }

  async monitor(line: string): Promise<string | undefined> {
    const text = await this.#standing((stub) => stub.monitor(line)).catch((error: Error) => {
      // What has no monitor has no command either.
      if (/does not know/.test(error.message)) return undefined;
      throw error;
    });
    return text === undefined || /^unknown command/.test(text) ? undefined : text;
  }

  async dumpMemory(): Promise<D.DumpResult> {
    throw new Error('a GDB stub writes no memory dumps');
  }

  async reset(): Promise<void> {
    if (!this.#tellsAll) throw new Error('a GDB stub resets nothing');
    await this.#standing((stub) => stub.monitor('system_reset'));
    this.forgetRegisters();
  }

  async quit(): Promise<void> {
    throw new Error('a GDB stub ends no guest: end the program behind it');
  }

  /** Breakpoints out, and the guest runs on, as gdb's own `detach` leaves it. Once, however often it is asked. */
  detach(): Promise<void> {
    this.#detached ??= this.alone(() => this.#hold.leave()).finally(() => {
      this.ended = true;
    });
    return this.#detached;
  }
}

/** What QEMU's monitor behind a stub prints of one vCPU. */
async function monitorRegisters(stub: StubControl, vcpu: number): Promise<D.RegisterFile> {
  const text = (await stub.monitor('info registers -a')).replaceAll('\r', '');
  const parts = text.split(/^CPU#\d+\n/m);
  const own = parts[vcpu + 1] ?? parts[0]!;
  try {
    return parseRegisters(own);
  } catch {
    return {};
  }
}

/** Where the stub does not say how wide code is, its description does. */
function withMode(file: D.RegisterFile, architecture: string | undefined, wide: boolean): D.RegisterFile {
  if (file.cs_ar !== undefined) return file;
  const narrow = architecture === 'i8086' ? CODE_16 : CODE_32;
  // A 64-bit description is sent in all modes; where EFER is known, it has the last word.
  const long = wide && (file.efer === undefined || (file.efer & 0x400n) !== 0n);
  const rights = long ? CODE_64 : file.cr0 !== undefined && (file.cr0 & 1n) === 0n ? CODE_16 : narrow;
  return { ...file, cs_ar: rights, ss_ar: file.ss_ar ?? rights, ...(long ? { efer: file.efer ?? LONG_MODE } : {}) };
}
