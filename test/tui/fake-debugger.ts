/** A Debugger over a made-up guest: the same answers on every run, so that screens can be compared. */

import { courseOf } from '../../src/engine/debug/exit-course.js';
import { ExitReport, withTimes } from '../../src/engine/debug/exit-report.js';
import type {
  AddressSpace,
  Breakpoint,
  BreakpointChange,
  BreakpointSpec,
  Debugger,
  DebuggerEvent,
  DumpResult,
  EptRange,
  ExitCondition,
  ExitRecord,
  PageWalk,
  RegisterFile,
  RunState,
  SavedState,
  StopReason,
  TargetInfo,
  VgaText,
  VmcsFieldValue,
} from '../../src/engine/debugger.js';
import { exitReasonName } from '../../src/spec/vmx/exit-reasons.js';

/** `bare` lacks the optional groups, `failing` rejects every request, `hostile` has control sequences in every text. */
/** `uncounted`: instructions are not counted, as on engine kvm. */
export type FakeKind = 'full' | 'bare' | 'failing' | 'hostile' | 'uncounted';

/** [symbol, bytes] in address order from 0x401000. */
const CODE: [string | undefined, string][] = [
  ['_start', '31 ed'], // xor ebp, ebp
  [undefined, '48 89 e7'], // mov rdi, rsp
  [undefined, 'e8 16 00 00 00'], // call main
  [undefined, 'f4'], // hlt
  [undefined, 'eb fd'], // jmp -3
  ['uart_putc', 'ba f8 03 00 00'], // mov edx, 3f8h
  [undefined, '89 f8'], // mov eax, edi
  [undefined, 'ee'], // out dx, al
  [undefined, 'c3'], // ret
  [undefined, '0f 1f 80 00 00 00 00'], // nop
  ['main', '55'], // push rbp
  [undefined, '48 89 e5'], // mov rbp, rsp
  [undefined, '0f a2'], // cpuid
  [undefined, 'bf 41 00 00 00'], // mov edi, 'A'
  [undefined, 'e8 df ff ff ff'], // call uart_putc
  [undefined, '48 8d 05 d1 0f 00 00'], // lea rax, [rip + ..] = 0x402000
  [undefined, 'b9 80 00 00 c0'], // mov ecx, EFER
  [undefined, '0f 32'], // rdmsr
  [undefined, '0f 20 c0'], // mov rax, cr0
  [undefined, '0f 22 c0'], // mov cr0, rax
  [undefined, '89 07'], // mov [rdi], eax
  [undefined, '5d'], // pop rbp
  [undefined, 'c3'], // ret
];
const BASE = 0x401000n;

const parse = (hex: string) => Uint8Array.from(hex.split(' '), (pair) => Number.parseInt(pair, 16));

interface Line {
  address: bigint;
  bytes: Uint8Array;
}

function program(): { lines: Line[]; symbols: { name: string; address: bigint; size: bigint; kind: 'function' }[] } {
  let address = BASE;
  const lines: Line[] = [];
  const symbols: { name: string; address: bigint; size: bigint; kind: 'function' }[] = [];
  for (const [name, hex] of CODE) {
    if (name) symbols.push({ name, address, size: 0n, kind: 'function' });
    const bytes = parse(hex);
    lines.push({ address, bytes });
    address += BigInt(bytes.length);
  }
  for (const [n, symbol] of symbols.entries()) symbol.size = (symbols[n + 1]?.address ?? address) - symbol.address;
  return { lines, symbols };
}

/** Text that a guest would use to take over the terminal: SGR, title, C1, bidi, blessed tags, wide characters. */
export const HOSTILE = '\x1b[0;31;1mred\x1b]0;owned\x07\u009b35m\u202eevil{bold}tag{/bold}漢😀\x9dx\x00\x7f';

export class FakeDebugger implements Debugger {
  private readonly listeners = new Set<(event: DebuggerEvent) => void>();
  private readonly code = program();
  private readonly registers: RegisterFile;
  private readonly memory = new Map<bigint, number>();
  private list: Breakpoint[] = [];
  private nextId = 1;
  private run: RunState;
  private trace: ExitRecord[] = [];
  private timer: NodeJS.Timeout | undefined;
  /** What was asked, for tests to look at. */
  readonly log: string[] = [];
  readonly ept?: Debugger['ept'];
  readonly vmcs?: Debugger['vmcs'];
  readonly exits?: Debugger['exits'];
  readonly console?: Debugger['console'];
  readonly os?: Debugger['os'];
  private readonly fields: VmcsFieldValue[];
  private serial = 'memtest ready\r\n\x1b[1mbold\x1b[0m line\r\nlast';

  constructor(
    readonly kind: FakeKind = 'full',
    /** Exits are of each in turn. */
    readonly vcpus = 1,
  ) {
    this.registers = this.initialRegisters();
    for (const { address, bytes } of this.code.lines) {
      for (const [n, byte] of bytes.entries()) this.memory.set(address + BigInt(n), byte);
    }
    for (let n = 0; n < 256; n++) this.memory.set(0x402000n + BigInt(n), n);
    for (let n = 0; n < 256; n++) this.memory.set(0x7ff00n + BigInt(n), (n * 7) & 0xff);
    for (let n = 0; n < 40; n++) this.trace.push(this.record(n));
    this.run = {
      running: false,
      vcpu: 0,
      icount: 123456n,
      clock: 99000n,
      stop: { kind: 'exit', exit: this.trace.at(-1)! },
    };
    if (kind === 'uncounted') this.run.icount = 0n;
    this.registers.rip = this.trace.at(-1)!.rip;
    this.fields = this.vmcsFields();
    if (kind === 'bare') return;
    this.os = this.system();
    this.vmcs = {
      read: () => this.answer('vmcs.read', () => this.fields.map((field) => ({ ...field }))),
      write: (_vcpu, encoding, value) =>
        this.answer(`vmcs.write ${encoding.toString(16)} ${value.toString(16)}`, () => {
          const field = this.fields.find((f) => f.encoding === encoding)!;
          if (field.area === 'read-only') throw new Error(`${field.name} is read-only`);
          field.value = value;
        }),
    };
    this.ept = {
      walk: (gpa) => this.answer('ept.walk', () => eptWalk(gpa)),
      ranges: () => this.answer('ept.ranges', () => this.ranges()),
      heat: (_first, _bytes, cells) =>
        this.answer('ept.heat', () => ({
          exits: Array.from({ length: cells }, (_, n) => (n === 3 ? 5 : 0)),
          writes: Array.from({ length: cells }, (_, n) => (n % 7 === 0 ? 1 + (n % 5) * 10 : 0)),
          looks: 12,
        })),
    };
    this.exits = {
      records: (after, max) =>
        this.answer('exits.records', () => this.trace.filter((r) => r.sequence > after).slice(-max)),
      controls: (sequence) =>
        this.answer(`exits.controls ${sequence}`, () =>
          this.fields.filter(({ area }) => area === 'control').map(({ encoding, value }) => ({ encoding, value })),
        ),
      counts: () => this.answer('exits.counts', () => this.counts()),
      report: (by) =>
        this.answer('exits.report', () => {
          const report = new ExitReport(by);
          for (const exit of withTimes(this.trace)) report.add(exit);
          return report.data;
        }),
      course: (columns) => this.answer('exits.course', () => courseOf([...withTimes(this.trace)], columns)),
      hints: () => this.answer('exits.hints', () => []),
    };
    if (kind === 'hostile') this.serial = `${HOSTILE}\r\n`;
    this.console = {
      serialLog: () => this.answer('serialLog', () => new TextEncoder().encode(this.serial)),
      serialInput: (bytes) =>
        this.answer(`serialInput ${JSON.stringify(new TextDecoder().decode(bytes))}`, () => {
          this.emit({ type: 'serial', bytes: new TextEncoder().encode(`<${new TextDecoder().decode(bytes)}>`) });
        }),
      key: (name) => this.answer(`key ${name}`, () => undefined),
      screen: () => this.answer('screen', () => vgaScreen()),
    };
  }

  private answer<T>(what: string, value: () => T): Promise<T> {
    this.log.push(what);
    if (this.kind === 'failing') return Promise.reject(new Error(`engine: ${what.split(' ')[0]} failed`));
    return new Promise((resolve, reject) => {
      queueMicrotask(() => {
        try {
          resolve(value());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  private emit(event: DebuggerEvent): void {
    for (const listener of this.listeners) listener(event);
  }

  info(): Promise<TargetInfo> {
    const reason = 'KVM does not give it to user space';
    return this.answer('info', () => ({
      name: 'demo',
      engine: 'vtx',
      image: 'demo.elf',
      vcpus: this.vcpus,
      memoryBytes: 1 << 20,
      unavailable:
        this.kind === 'bare'
          ? { vmcs: reason, ept: reason, exits: 'no exits here', console: 'no console here' }
          : this.kind === 'uncounted'
            ? { icount: 'instructions are not counted here' }
            : {},
    }));
  }

  state(): Promise<RunState> {
    return this.answer('state', () => ({ ...this.run }));
  }

  onEvent(listener: (event: DebuggerEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  resume(): Promise<void> {
    return this.answer('resume', () => {
      this.run = { ...this.run, running: true, stop: undefined };
      this.emit({ type: 'running' });
      this.timer = setInterval(() => {
        this.run.icount += 1000n;
        this.trace.push(this.record(this.trace.length));
      }, 50);
    });
  }

  pause(): Promise<RunState> {
    return this.answer('pause', () => this.stop({ kind: 'paused' }));
  }

  private stop(stop: StopReason): RunState {
    clearInterval(this.timer);
    this.run = { ...this.run, running: false, stop };
    this.emit({ type: 'stopped', vcpu: 0, stop, icount: this.run.icount });
    return { ...this.run };
  }

  step(_vcpu: number, count = 1): Promise<RunState> {
    return this.answer(`step ${count}`, () => {
      for (let n = 0; n < count; n++) this.one();
      return this.stop({ kind: 'step' });
    });
  }

  /** Straight through the program, round at its end; rax counts. */
  private one(): void {
    const { lines } = this.code;
    const at = lines.findIndex((line) => line.address === this.registers.rip);
    this.registers.rip = lines[(at + 1) % lines.length]!.address;
    this.registers.rax = this.registers.rax! + 1n;
    if (this.kind !== 'uncounted') this.run.icount++;
  }

  stepToExit(condition?: ExitCondition): Promise<RunState> {
    return this.answer('stepToExit', () => {
      for (let n = 0; n < 20; n++) {
        const exit = this.record(this.trace.length);
        this.trace.push(exit);
        this.run.icount += 10n;
        if (condition?.reasons?.length && !condition.reasons.includes(exit.reason)) continue;
        this.registers.rip = exit.rip;
        return this.stop({ kind: 'exit', exit });
      }
      return this.stop({ kind: 'limit', message: 'no such exit' });
    });
  }

  runUntil(target: { gva?: bigint; icount?: bigint; exit?: ExitCondition }): Promise<RunState> {
    return this.answer(`runUntil ${target.gva?.toString(16)}`, () => {
      if (target.gva !== undefined) this.registers.rip = target.gva;
      return this.stop({ kind: 'until' });
    });
  }

  readRegisters(): Promise<RegisterFile> {
    return this.answer('registers', () => ({ ...this.registers }));
  }

  writeRegister(_vcpu: number, name: string, value: bigint): Promise<void> {
    return this.answer(`writeRegister ${name} ${value.toString(16)}`, () => {
      if (!(name in this.registers)) throw new Error(`no register ${name}`);
      this.registers[name] = value;
    });
  }

  readMemory(space: AddressSpace, address: bigint, length: number): Promise<Uint8Array> {
    return this.answer(`read ${space}`, () => {
      const linear = space === 'hpa' ? address - 0x10000000n : address;
      if (linear < 0n || linear >= 0x100000n + BASE) return new Uint8Array();
      return Uint8Array.from({ length }, (_, n) => this.memory.get(linear + BigInt(n)) ?? 0);
    });
  }

  writeMemory(space: AddressSpace, address: bigint, bytes: Uint8Array): Promise<number> {
    return this.answer(`write ${space} ${address.toString(16)} ${bytes.join(',')}`, () => {
      for (const [n, byte] of bytes.entries()) this.memory.set(address + BigInt(n), byte);
      return bytes.length;
    });
  }

  walk(gva: bigint): Promise<PageWalk> {
    return this.answer('walk', () => {
      const index = (shift: bigint) => Number((gva >> shift) & 511n);
      const levels = [
        { table: 'PML4', index: index(39n), entryAddress: 0x1000n, entry: 0x2027n, flags: ['P', 'W', 'U', 'A'] },
        { table: 'PDPT', index: index(30n), entryAddress: 0x2000n, entry: 0x3027n, flags: ['P', 'W', 'U', 'A'] },
        {
          table: 'PD',
          index: index(21n),
          entryAddress: 0x3010n,
          entry: 0x4000e7n,
          flags: ['P', 'W', 'U', 'A', 'D', 'PS'],
        },
      ];
      if (gva >= 0x40000000n)
        return { mode: '4-level', input: gva, levels: levels.slice(0, 2), failure: `PDPT[${index(30n)}] not present` };
      return { mode: '4-level', input: gva, levels, output: gva, pageBytes: 0x200000 };
    });
  }

  addBreakpoint(spec: BreakpointSpec, label?: string): Promise<Breakpoint> {
    return this.answer(`addBreakpoint ${spec.kind}`, () => {
      const breakpoint: Breakpoint = { ...spec, id: this.nextId++, enabled: true, hits: 0, label };
      this.list.push(breakpoint);
      return breakpoint;
    });
  }

  removeBreakpoint(id: number): Promise<boolean> {
    return this.answer('removeBreakpoint', () => {
      const before = this.list.length;
      this.list = this.list.filter((b) => b.id !== id);
      return this.list.length < before;
    });
  }

  enableBreakpoint(id: number, enabled: boolean): Promise<boolean> {
    return this.answer('enableBreakpoint', () => {
      const found = this.list.find((b) => b.id === id);
      if (found) found.enabled = enabled;
      return found !== undefined;
    });
  }

  changeBreakpoint(id: number, change: BreakpointChange): Promise<boolean> {
    return this.answer('changeBreakpoint', () => {
      const found = this.list.find((b) => b.id === id);
      if (!found) return false;
      const { ignore, commands, condition, exits } = change;
      if (ignore !== undefined) found.ignore = ignore;
      if (commands !== undefined) found.commands = commands ?? undefined;
      if (condition !== undefined && found.kind !== 'exit') found.condition = condition ?? undefined;
      if (exits !== undefined && found.kind === 'exit') found.condition = exits;
      return true;
    });
  }

  print(text: string): Promise<void> {
    return this.answer('print', () => this.emit({ type: 'printed', text }));
  }

  private system(): NonNullable<Debugger['os']> {
    const name = (plain: string): string => (this.kind === 'hostile' ? HOSTILE : plain);
    const info = () => ({
      kind: 'linux' as const,
      release: '6.1.0-test',
      banner: name('Linux version 6.1.0-test'),
      base: 0xffff_ffff_8100_0000n,
      slide: 0n,
      bits: 64 as const,
      symbols: 3,
    });
    const shell = () => ({ pid: 101, ppid: 1, name: name('sh'), state: 'S', cr3: 0x1b5_c000n, threads: 1 });
    const thread = { pid: 2, ppid: 0, name: 'kthreadd', state: 'S', threads: 1 };
    return {
      info: () => this.answer('os.info', info),
      foresee: () => this.answer('os.foresee', () => undefined),
      release: () => this.answer('os.release', () => '6.1.0-test'),
      unwind: () => this.answer('os.unwind', () => undefined),
      frameRow: () => this.answer('os.frameRow', () => undefined),
      log: () =>
        this.answer('os.log', () => [
          { sequence: 0n, ns: 0n, level: 5, text: name('Linux version 6.1.0-test') },
          { sequence: 1n, ns: 1_388_607_000n, level: 6, text: 'Run /init as init process' },
        ]),
      processes: () => this.answer('os.processes', () => [thread, shell()]),
      stack: () => this.answer('os.stack', () => ({ task: shell(), frames: [] })),
      absence: () => this.answer('os.absence', () => 'no operating system is found'),
      modules: () =>
        this.answer('os.modules', () => [{ name: name('virtio_net'), address: 0xffff_ffff_c010_0000n, bytes: 73728 }]),
      current: (vcpu) => this.answer(`os.current ${vcpu}`, () => (vcpu === 0 ? shell() : undefined)),
    };
  }

  breakpoints(): Promise<Breakpoint[]> {
    return this.answer('breakpoints', () => [...this.list]);
  }

  symbols(): ReturnType<Debugger['symbols']> {
    return this.answer('symbols', () =>
      this.kind === 'hostile' ? this.code.symbols.map((s) => ({ ...s, name: HOSTILE })) : this.code.symbols,
    );
  }

  devices(): Promise<{ name: string; rows: [string, string][] }[]> {
    const hostile = this.kind === 'hostile';
    return this.answer('devices', () => [
      {
        name: hostile ? HOSTILE : 'serial0',
        rows: [
          ['IER', '0x01'],
          ['LCR', hostile ? HOSTILE : '0x03 8N1'],
        ],
      },
      { name: 'pit', rows: [['channel 0', 'mode 2 count 1193']] },
    ]);
  }

  monitor(line: string): Promise<string | undefined> {
    return this.answer(`monitor ${line}`, () => (line === 'info version' ? `demo\n${HOSTILE}` : undefined));
  }

  dumpMemory(file: string): Promise<DumpResult> {
    return this.answer(`dumpMemory ${file}`, () => ({ file, memoryBytes: 1 << 20, vcpus: 1 }));
  }

  snapshots = {
    save: (file: string): Promise<SavedState> =>
      this.answer(`save ${file}`, () => ({ file, memoryBytes: 1 << 20, icount: this.run.icount })),
    load: (file: string): Promise<void> =>
      this.answer(`load ${file}`, () => {
        this.stop({ kind: 'start' });
      }),
    names: async (): Promise<string[]> => ['evening', 'morning'],
  };

  reset(): Promise<void> {
    return this.answer('reset', () => {
      this.registers.rip = BASE;
      this.stop({ kind: 'start' });
    });
  }

  quit(): Promise<void> {
    return this.answer('quit', () => clearInterval(this.timer));
  }

  private record(n: number): ExitRecord {
    const at = (symbolLine: number) => this.code.lines[symbolLine]!.address;
    const base = {
      sequence: n + 1,
      icount: 1000n * BigInt(n),
      clock: 1500n * BigInt(n) + 20n * BigInt((n * n) % 7),
      vcpu: n % this.vcpus,
      csBase: 0n,
      gla: 0n,
      gpa: 0n,
      qualification: 0n,
      instructionInfo: 0,
      interruptionInfo: 0,
      interruptionError: 0,
      vectoringInfo: 0,
      vectoringError: 0,
      cr3: 0x1000n,
      rax: BigInt(n),
      rcx: 0xc0000080n,
      action: 'resume' as const,
      detail: 0,
    };
    switch (n % 4) {
      case 0:
        return { ...base, reason: 10, rip: at(12), instructionLength: 2 };
      case 1:
        return { ...base, reason: 30, qualification: 0x3f80000n, rip: at(7), instructionLength: 1, detail: 0x41 };
      case 2:
        return { ...base, reason: 31, rip: at(17), instructionLength: 2 };
      default:
        return {
          ...base,
          reason: 48,
          qualification: 0x182n,
          gpa: 0xfee000b0n,
          gla: 0xfee000b0n,
          rip: at(20),
          instructionLength: 2,
          action: 'none',
        };
    }
  }

  private counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const record of this.trace)
      counts[exitReasonName(record.reason)] = (counts[exitReasonName(record.reason)] ?? 0) + 1;
    return counts;
  }

  private ranges(): EptRange[] {
    const range = (gpa: bigint, bytes: bigint, label: string, write = true): EptRange => ({
      gpa,
      hpa: gpa + 0x10000000n,
      bytes,
      read: true,
      write,
      execute: true,
      memoryType: 'WB',
      pageBytes: 4096,
      label: this.kind === 'hostile' ? HOSTILE : label,
    });
    return [range(0n, 0xa0000n, 'RAM'), range(0xf0000n, 0x10000n, 'BIOS', false), range(0x100000n, 0x700000n, 'RAM')];
  }

  private initialRegisters(): RegisterFile {
    const registers: RegisterFile = {};
    for (const name of 'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' ')) registers[name] = 0n;
    for (const [n, name] of ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'].entries()) {
      registers[name] = BigInt(8 * n);
      registers[`${name}_base`] = 0n;
      registers[`${name}_limit`] = 0xffffffffn;
      registers[`${name}_ar`] = name === 'cs' ? 0xa09bn : 0xc093n;
    }
    return Object.assign(registers, {
      rip: BASE,
      rsp: 0x7ff00n,
      rdi: 0x402000n,
      rflags: 0x46n,
      cr0: 0x80050033n,
      cr2: 0n,
      cr3: 0x1000n,
      cr4: 0x20n,
      cr8: 0n,
      efer: 0xd01n,
      gdtr_base: 0x5000n,
      gdtr_limit: 0x3fn,
      idtr_base: 0x6000n,
      idtr_limit: 0xfffn,
    });
  }

  private vmcsFields(): VmcsFieldValue[] {
    const field = (
      name: string,
      encoding: number,
      value: bigint,
      area: VmcsFieldValue['area'],
      widthBits: number,
      decoded: string[] = [],
    ) => ({
      name,
      encoding,
      value,
      area,
      widthBits,
      decoded: this.kind === 'hostile' ? [HOSTILE] : decoded,
    });
    return [
      field('PIN_BASED_VM_EXEC_CONTROL', 0x4000, 0x3fn, 'control', 32, ['External-interrupt exiting', 'NMI exiting']),
      field('CPU_BASED_VM_EXEC_CONTROL', 0x4002, 0x85006172n | 0x80n, 'control', 32, [
        'HLT exiting',
        'Unconditional I/O exiting',
        'Activate secondary controls',
      ]),
      field('EXCEPTION_BITMAP', 0x4004, 0x40n, 'control', 32, ['#UD']),
      field('SECONDARY_VM_EXEC_CONTROL', 0x401e, 0x82n, 'control', 32, ['Enable EPT', 'Unrestricted guest']),
      field('CR0_GUEST_HOST_MASK', 0x6000, 0xe0000000n, 'control', 64),
      field('CR0_READ_SHADOW', 0x6004, 0x80000011n, 'control', 64),
      field('EPT_POINTER', 0x201a, 0x2000005en, 'control', 64, ['WB', '4 levels', 'A/D']),
      field('VM_EXIT_REASON', 0x4402, 48n, 'read-only', 32, ['EPT_VIOLATION']),
      field('EXIT_QUALIFICATION', 0x6400, 0x182n, 'read-only', 64, ['write', 'GLA valid']),
      field('GUEST_RIP', 0x681e, 0x401000n, 'guest', 64),
      field('GUEST_RFLAGS', 0x6820, 0x46n, 'guest', 64, ['ZF', 'PF']),
      field('HOST_RIP', 0x6c16, 0xffff8000n, 'host', 64),
    ];
  }
}

function eptWalk(gpa: bigint): PageWalk {
  const index = (shift: bigint) => Number((gpa >> shift) & 511n);
  const levels = [
    { table: 'PML4', index: index(39n), entryAddress: 0x20000000n, entry: 0x20001007n, flags: ['R', 'W', 'X'] },
    { table: 'PDPT', index: index(30n), entryAddress: 0x20001000n, entry: 0x20002007n, flags: ['R', 'W', 'X'] },
    { table: 'PD', index: index(21n), entryAddress: 0x20002000n, entry: 0x20003007n, flags: ['R', 'W', 'X'] },
  ];
  if (gpa >= 0x800000n) return { mode: 'EPT', input: gpa, levels, failure: `PD[${index(21n)}] not present` };
  const last = {
    table: 'PT',
    index: index(12n),
    entryAddress: 0x20003000n,
    entry: 0x10000037n,
    flags: ['R', 'W', 'X', 'WB'],
  };
  return { mode: 'EPT', input: gpa, levels: [...levels, last], output: gpa + 0x10000000n, pageBytes: 4096 };
}

/** Two lines of text and every character of code page 437. */
function vgaScreen(): VgaText {
  const cells = new Uint16Array(80 * 25).fill(0x0720);
  const put = (row: number, column: number, codes: Iterable<number>, attribute: number) => {
    for (const code of codes) cells[row * 80 + column++] = code | (attribute << 8);
  };
  const text = (value: string) => [...value].map((c) => c.charCodeAt(0));
  put(0, 0, text(' Memtest86+ demo screen'.padEnd(80)), 0x1f);
  put(2, 2, text('Pass 3%'), 0x0a);
  for (let row = 0; row < 8; row++)
    put(
      5 + row,
      4,
      Array.from({ length: 32 }, (_, n) => row * 32 + n),
      0x07,
    );
  return { columns: 80, rows: 25, cells, cursor: { column: 0, row: 20 } };
}
