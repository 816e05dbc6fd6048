/**
 * A toy machine behind the stub's Target: it really executes a few x86 instructions (nop, inc, mov to and from
 * [rbx], mov imm, jmp, hlt, ud2, and `out imm8, al` as a mode switch), so stepping, breakpoints and watchpoints are
 * real and GDB's disassembler agrees with what runs.
 */
import {
  type AgentContext,
  checkAgentExpression,
  evaluateAgentExpression,
} from '../../src/engine/debug/agent-expression.js';
import type {
  Architecture,
  ExtraRegister,
  MemoryRegion,
  MemorySpace,
  OsTable,
  StopCause,
  Target,
  TargetBreakpoint,
  TargetEvent,
  TargetExit,
  ThreadRegisters,
} from '../../src/gdbstub/target.js';

const MEMORY_BYTES = 0x400000;
const GENERAL = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'];
const HIGH = ['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];
const MODES: Architecture[] = ['i8086', 'i386', 'x86-64'];
/** Guest-physical = linear + this, so that physical accesses can be told from linear ones. */
const PHYSICAL_OFFSET = 0x100000;

/** Start of the main loop's code and the variable that it counts in. */
export const CODE = 0x1000n;
export const COUNTER = 0x2000n;
/** `nop; inc rax; mov [rbx], rax; nop; jmp 0x1001`. */
const LOOP = [0x90, 0x48, 0xff, 0xc0, 0x48, 0x89, 0x03, 0x90, 0xeb, 0xf7];
export const HALT = 0x1100n;
export const CRASH = 0x1200n;
export const MODE_SWITCH = 0x1400n;
export const READER = 0x1500n;

interface Cpu {
  values: Record<string, bigint>;
  mode: Architecture;
  csBase: bigint;
}

function newCpu(rip: bigint): Cpu {
  const values: Record<string, bigint> = {};
  for (const name of [...GENERAL, ...HIGH]) values[name] = 0n;
  for (let at = 0; at < 8; at++) values[`st${at}`] = 0n;
  for (const name of ['fctrl', 'fstat', 'ftag', 'fiseg', 'fioff', 'foseg', 'fooff', 'fop']) values[name] = 0n;
  for (let at = 0; at < 16; at++) values[`xmm${at}`] = BigInt(at) * 0x0101010101010101_0101010101010101n;
  for (let at = 0; at < 16; at++) values[`ymm${at}h`] = BigInt(at);
  for (const name of ['cs', 'ss', 'ds', 'es', 'fs', 'gs']) values[name] = 0x10n;
  Object.assign(values, { cs: 0x8n, fs_base: 0n, gs_base: 0n, mxcsr: 0x1f80n, fctrl: 0x37fn, ftag: 0xffffn });
  Object.assign(values, { rip, rflags: 0x202n, rbx: COUNTER, rsp: 0x8000n, rbp: 0x8000n });
  return { values, mode: 'x86-64', csBase: 0n };
}

const EXTRA: ExtraRegister[] = [
  { name: 'tsc', bits: 64, group: 'system', moves: true },
  {
    name: 'cr0',
    bits: 64,
    type: {
      kind: 'flags',
      id: 'cr0_flags',
      fields: [
        { name: 'PE', start: 0, end: 0 },
        { name: 'PG', start: 31, end: 31 },
      ],
    },
  },
  {
    name: 'vmcs_exit_reason',
    bits: 32,
    group: 'vmcs',
    moves: true,
    type: {
      kind: 'enum',
      id: 'exit_reason',
      values: [
        { name: 'CPUID', value: 10 },
        { name: 'EPT_VIOLATION', value: 48 },
      ],
    },
  },
];

export class FakeTarget implements Target {
  readonly name = 'toy';
  readonly memory = new Uint8Array(MEMORY_BYTES);
  cpus: Cpu[];
  /** Instructions run so far. */
  executed = 0;
  /** Breakpoints that others set, by address: reported but not the client's. */
  readonly breakpoints = new Map<number, TargetBreakpoint>();
  foreign = new Set<bigint>();
  extra: Record<string, bigint> = { cr0: 0x80000001n, vmcs_exit_reason: 48n, tsc: 0x1000n };
  private nextId = 1;
  private isRunning = false;
  stop: { thread: number; cause: StopCause } | undefined = { thread: 0, cause: { kind: 'paused' } };
  private readonly listeners = new Set<(event: TargetEvent) => void>();
  private watchHit: StopCause | undefined;

  constructor(readonly threads = 1) {
    this.cpus = [];
    this.load();
  }

  private load(): void {
    this.memory.fill(0);
    this.memory.set(LOOP, Number(CODE));
    this.memory.set([0x90, 0xf4], Number(HALT));
    this.memory.set([0x90, 0x0f, 0x0b], Number(CRASH));
    this.memory.set([0xeb, 0xfe], 0x1300);
    // nop; inc eax; out 1, al (the toy's mode switch: al modulo 3); nop; nop; jmp to the first nop
    this.memory.set([0x90, 0xff, 0xc0, 0xe6, 0x01, 0x90, 0x90, 0xeb, 0xf7], Number(MODE_SWITCH));
    // nop; mov rax, [rbx]; nop; hlt
    this.memory.set([0x90, 0x48, 0x8b, 0x03, 0x90, 0xf4], Number(READER));
    this.memory.set(Buffer.from('hello\0'), 0x3000);
    this.cpus = Array.from({ length: this.threads }, (_, thread) => newCpu(thread === 0 ? CODE : 0x1300n));
  }

  running(): boolean {
    return this.isRunning;
  }

  lastStop() {
    return this.stop;
  }

  onEvent(listener: (event: TargetEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private emit(event: TargetEvent): void {
    for (const listener of [...this.listeners]) listener(event);
  }

  private halt(thread: number, cause: StopCause): void {
    this.isRunning = false;
    this.stop = { thread, cause };
    this.emit({ type: 'stopped', thread, cause });
  }

  private linear(thread: number): bigint {
    const cpu = this.cpus[thread];
    return cpu.values.rip + cpu.csBase;
  }

  /** Why a thread stops before its next instruction. */
  private breaksAt(thread: number): StopCause | undefined {
    const address = this.linear(thread);
    if (this.foreign.has(address)) return { kind: 'breakpoint', address };
    for (const spec of this.breakpoints.values()) {
      if (spec.kind !== 'execute' || spec.address !== address) continue;
      const { condition } = spec;
      if (condition === undefined) return { kind: 'breakpoint', address };
      const { values } = this.cpus[thread];
      const context: AgentContext = {
        register: (number) => {
          const name = condition.registers[number];
          return name === 'linear-pc' ? address : name === undefined ? undefined : (values[name] ?? this.extra[name]);
        },
        memory: (at, length) => {
          const from = this.offset(condition.space, at);
          return this.memory.slice(from, from + length);
        },
      };
      for (const code of condition.expressions) {
        try {
          if (evaluateAgentExpression(code, context) !== 0n) return { kind: 'breakpoint', address };
        } catch (error) {
          const note = `Condition of the breakpoint at 0x${address.toString(16)}: ${(error as Error).message}.`;
          return { kind: 'breakpoint', address, note };
        }
      }
    }
    return undefined;
  }

  /** What the last resume and step were asked for. */
  asked: unknown[] = [];

  async resume(threads?: readonly number[]): Promise<void> {
    if (this.isRunning) return;
    this.asked = [threads];
    this.isRunning = true;
    this.stop = undefined;
    this.emit({ type: 'running' });
    let first = true;
    const slice = (): void => {
      for (let count = 0; count < 2000 && this.isRunning; count++) {
        for (let thread = 0; thread < this.threads && this.isRunning; thread++) {
          const stop = first ? undefined : this.breaksAt(thread);
          if (stop) {
            this.halt(thread, stop);
            return;
          }
          const cause = this.execute(thread);
          if (cause !== undefined) this.halt(thread, cause);
        }
        first = false;
      }
      if (this.isRunning) setImmediate(slice);
    };
    setImmediate(slice);
  }

  async pause(): Promise<void> {
    if (this.isRunning) this.halt(0, { kind: 'paused' });
  }

  async step(thread: number, within?: { start: bigint; end: bigint }, others?: readonly number[]): Promise<void> {
    this.asked = [thread, within, others];
    this.isRunning = true;
    this.stop = undefined;
    this.emit({ type: 'running' });
    for (;;) {
      const cause = this.execute(thread);
      const linear = this.linear(thread);
      if (cause !== undefined || within === undefined || linear < within.start || linear >= within.end) {
        return this.halt(thread, cause ?? { kind: 'step' });
      }
      const stop = this.breaksAt(thread);
      if (stop) return this.halt(thread, stop);
      if (this.executed % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
      if (!this.isRunning) return;
    }
  }

  private load64(address: bigint, bytes: number): bigint {
    let value = 0n;
    for (let at = bytes - 1; at >= 0; at--) value = (value << 8n) | BigInt(this.memory[Number(address) + at]);
    return value;
  }

  private touch(address: bigint, length: number, access: 'read' | 'write'): void {
    for (const spec of this.breakpoints.values()) {
      if (spec.kind !== 'watch' || (spec.access !== 'access' && spec.access !== access)) continue;
      const start = spec.space === 'physical' ? spec.address - BigInt(PHYSICAL_OFFSET) : spec.address;
      if (address + BigInt(length) <= start || address >= start + BigInt(spec.length)) continue;
      this.watchHit = { kind: 'watchpoint', access, address, length };
    }
  }

  /** Runs one instruction; answers why the guest stands after it, if it does. */
  private execute(thread: number): StopCause | undefined {
    const cpu = this.cpus[thread];
    const { values } = cpu;
    const start = Number(this.linear(thread));
    let at = start;
    const wide = cpu.mode === 'x86-64' && this.memory[at] === 0x48;
    if (wide) at++;
    const bytes = wide ? 8 : cpu.mode === 'i8086' ? 2 : 4;
    const next = (length: number): void => {
      values.rip = BigInt.asUintN(64, values.rip + BigInt(at - start + length));
    };
    this.watchHit = undefined;
    this.executed++;
    const opcode = this.memory[at];
    const modrm = this.memory[at + 1];
    if (opcode === 0x90) next(1);
    else if (opcode === 0xff && (modrm & 0xf8) === 0xc0) {
      const name = GENERAL[modrm & 7];
      values[name] = BigInt.asUintN(bytes * 8, values[name] + 1n);
      next(2);
    } else if (opcode === 0x89 && modrm === 0x03) {
      for (let byte = 0; byte < bytes; byte++) {
        this.memory[Number(values.rbx) + byte] = Number((values.rax >> BigInt(byte * 8)) & 0xffn);
      }
      this.touch(values.rbx, bytes, 'write');
      next(2);
    } else if (opcode === 0x8b && modrm === 0x03) {
      values.rax = this.load64(values.rbx, bytes);
      this.touch(values.rbx, bytes, 'read');
      next(2);
    } else if (opcode === 0xeb) {
      next(2);
      values.rip = BigInt.asUintN(64, values.rip + BigInt.asIntN(8, BigInt(modrm)));
    } else if (opcode === 0xe6) {
      cpu.mode = MODES[Number(values.rax & 0xffn) % 3];
      next(2);
    } else if (opcode === 0xf4) {
      return { kind: 'exited', status: 3, message: 'powered off' };
    } else {
      return { kind: 'fault', signal: 11, message: 'triple fault: #UD', status: 1 };
    }
    if (this.executed > 50_000_000) return { kind: 'exited', status: 99, message: 'the toy ran too long' };
    return this.watchHit;
  }

  async readRegisters(thread: number): Promise<ThreadRegisters> {
    const cpu = this.cpus[thread];
    return { architecture: cpu.mode, csBase: cpu.csBase, values: { ...cpu.values } };
  }

  async writeRegister(thread: number, name: string, value: bigint): Promise<void> {
    if (!(name in this.cpus[thread].values)) throw new Error(`no register ${name}`);
    this.cpus[thread].values[name] = value;
  }

  private offset(space: MemorySpace, address: bigint): number {
    const at = space === 'physical' ? address - BigInt(PHYSICAL_OFFSET) : address;
    return at < 0n || at > BigInt(MEMORY_BYTES) ? MEMORY_BYTES : Number(at);
  }

  async readMemory(space: MemorySpace, address: bigint, length: number): Promise<Uint8Array> {
    const at = this.offset(space, address);
    return this.memory.slice(at, Math.min(at + length, MEMORY_BYTES));
  }

  async writeMemory(space: MemorySpace, address: bigint, bytes: Uint8Array): Promise<number> {
    const at = this.offset(space, address);
    const fits = Math.min(bytes.length, MEMORY_BYTES - at);
    this.memory.set(bytes.subarray(0, fits), at);
    return fits;
  }

  async addBreakpoint(spec: TargetBreakpoint): Promise<number> {
    if (spec.kind === 'execute') spec.condition?.expressions.forEach(checkAgentExpression);
    if (spec.kind === 'watch' && spec.length > 0x10000) throw new Error('the toy watches 64 KiB at most');
    this.breakpoints.set(this.nextId, spec);
    return this.nextId++;
  }

  async removeBreakpoint(id: number): Promise<void> {
    this.breakpoints.delete(id);
  }

  readonly othersBreakAt = async (address: bigint): Promise<boolean> => this.foreign.has(address);

  readonly extraRegisters = {
    list: EXTRA,
    read: async (_thread: number, name: string): Promise<bigint | undefined> => this.extra[name],
    write: async (_thread: number, name: string, value: bigint): Promise<void> => {
      if (name === 'vmcs_exit_reason') throw new Error('vmcs_exit_reason is read-only');
      this.extra[name] = value;
    },
  };

  readonly monitor = async (line: string): Promise<string | undefined> => {
    if (line === 'info status') return `VM status: ${this.isRunning ? 'running' : 'paused'}\n`;
    if (line === 'help') return 'info status -- whether the guest runs\n';
    if (line === 'long') return 'x'.repeat(100_000);
    if (line === 'wait') {
      await this.resume();
      await new Promise<void>((resolve) => {
        const remove = this.onEvent((event) => {
          if (event.type !== 'stopped') return;
          remove();
          resolve();
        });
      });
      return 'it stands\n';
    }
    if (line === 'fail') throw new Error('the monitor failed');
    return undefined;
  };

  /** Of the first thread. */
  exit: TargetExit | undefined;
  readonly lastExit = async (thread: number): Promise<TargetExit | undefined> => (thread === 0 ? this.exit : undefined);

  readonly osTables: OsTable[] = [
    {
      name: 'exits',
      title: 'VM exits',
      description: 'Listing of recorded VM exits',
      rows: async () =>
        [0, 1, 2].map((n) => ({ '#': String(n), reason: n === 2 ? 'EPT_VIOLATION' : 'CPUID', rip: `<${n}&>` })),
    },
    {
      name: 'vmcs',
      title: 'VMCS',
      description: 'VMCS fields',
      rows: async () => [{ field: 'GUEST_RIP', value: '0x0' }],
    },
  ];

  readonly memoryRegion = async (address: bigint): Promise<MemoryRegion> => {
    const end = BigInt(MEMORY_BYTES);
    if (address < end) return { start: 0n, bytes: end, mapped: true, read: true, write: true, execute: true };
    return { start: end, bytes: (1n << 64n) - end, mapped: false, read: false, write: false, execute: false };
  };

  readonly reset = async (): Promise<void> => {
    const wasRunning = this.isRunning;
    this.load();
    this.isRunning = false;
    this.stop = { thread: 0, cause: { kind: 'paused' } };
    if (wasRunning) this.emit({ type: 'stopped', thread: 0, cause: { kind: 'paused' } });
  };
}
