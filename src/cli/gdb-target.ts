/** The GDB stub's view of a guest, over the debugger API. */

import { lineEffect, monitorLine } from '../commands/monitor-door.js';
import { lastExit } from '../engine/debug/monitor-why.js';
import { watchText } from '../engine/debug/watch-text.js';
import type {
  BreakpointAction,
  BreakpointSpec,
  Condition,
  Debugger,
  ExitRecord,
  Position,
  RunState,
  StopReason,
} from '../engine/debugger.js';
import type {
  Architecture,
  MemoryRegion,
  StopCause,
  Target,
  TargetAction,
  TargetBreakpoint,
  TargetCondition,
  TargetEvent,
  TargetExit,
  ThreadRegisters,
} from '../gdbstub/target.js';
import { EFER } from '../spec/masks.js';
import { exitReasonName } from '../spec/vmx/exit-reasons.js';
import { kernelOf, librariesOf } from './gdb-kernel.js';
import { DEBUGGER_NAMES, SYSTEM_REGISTERS, VMCS_ENCODINGS, VMCS_REGISTERS } from './gdb-registers.js';
import { osTables } from './gdb-tables.js';
import { programOf } from './program.js';

const SIGNAL_ABORT = 6;
const SIGNAL_SEGV = 11;

/** CS access rights in the VMCS format. @sdm 3C 24.4.1 "Guest Register State" */
const AR_LONG = 1n << 13n;
const AR_DEFAULT_32 = 1n << 14n;

/** What the architecture and the linear address of code depend on. */
const MODE = ['efer', 'cs_ar', 'cs_base'];

/** Lists that the stub asks for again and again, with MODE. */
const WITH_MODE = new WeakMap<readonly string[], readonly string[]>();

function withMode(names: readonly string[]): readonly string[] {
  let all = WITH_MODE.get(names);
  if (all === undefined) WITH_MODE.set(names, (all = [...names, ...MODE]));
  return all;
}

function architectureOf(values: Record<string, bigint>): Architecture {
  const rights = values.cs_ar ?? 0n;
  if ((values.efer ?? 0n) & EFER.LMA && rights & AR_LONG) return 'x86-64';
  return rights & AR_DEFAULT_32 ? 'i386' : 'i8086';
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

function causeOf(stop: StopReason | undefined): StopCause {
  switch (stop?.kind) {
    case undefined:
    case 'start':
    case 'paused':
      return { kind: 'paused' };
    case 'step':
      return { kind: 'step', ...(stop.note === undefined ? {} : { note: `${stop.note}.` }) };
    case 'until':
      return { kind: 'event', message: 'The guest reached the place that another view ran it to.' };
    case 'breakpoint':
      return {
        kind: 'breakpoint',
        address: stop.gva,
        ...(stop.failure === undefined
          ? {}
          : { note: `Condition of the breakpoint at ${hex(stop.gva)}: ${stop.failure}.` }),
      };
    case 'watchpoint':
      return {
        ...{ kind: 'watchpoint', access: stop.access, address: stop.address, length: stop.length },
        // who wrote by an instruction, gdb shows itself
        ...(stop.by === 'device' ? { note: `A device's DMA: ${watchText(stop)}.` } : {}),
      };
    case 'exit':
      return { kind: 'event', message: `VM exit ${exitReasonName(stop.exit.reason)} at rip ${hex(stop.exit.rip)}.` };
    case 'syscall':
      return {
        ...{ kind: 'syscall', phase: stop.phase, number: stop.number },
        // gdb names calls by the 64-bit table
        ...(stop.by === 'syscall' ? {} : { note: `By ${stop.by}: call ${stop.number} of the 32-bit table.` }),
      };
    case 'history':
      return { kind: 'history', at: stop.at };
    case 'limit':
      return { kind: 'event', message: stop.message };
    case 'entry-failed':
      return { kind: 'fault', signal: SIGNAL_ABORT, message: `VM entry failed: ${stop.message}` };
    case 'ended': {
      const { end, faults = [] } = stop;
      const message = [end.message, ...faults.map((fault) => fault.text)].join('\n');
      // After a failure the guest is worth a look; after a power-off there is nothing left to see.
      if (end.kind === 'triple-fault') return { kind: 'fault', signal: SIGNAL_SEGV, message, status: end.status };
      if (end.kind === 'error') return { kind: 'fault', signal: SIGNAL_ABORT, message, status: end.status };
      return { kind: 'exited', status: end.status, message };
    }
  }
}

/** With registers named as the debugger names them. */
function conditionOf({ expressions, registers, space, variables }: TargetCondition): Condition {
  return {
    ...{ expressions, registers: registers.map(debuggerName), variables: variables.map(debuggerName) },
    space: space === 'physical' ? 'gpa' : 'gva',
  };
}

function actionOf(action: TargetAction): BreakpointAction {
  if (action.kind === 'print') return { kind: 'print', ...conditionOf(action) };
  const { kind, tracepoint, passes, allRegisters, memory } = action;
  return { ...{ kind, tracepoint, passes, allRegisters, memory }, ...conditionOf(action) };
}

function threadRegisters(values: Record<string, bigint>): ThreadRegisters {
  const architecture = architectureOf(values);
  return { architecture, csBase: architecture === 'x86-64' ? 0n : (values.cs_base ?? 0n), values };
}

function debuggerName(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  if (name === 'linear-pc') return 'linear_rip';
  const encoding = VMCS_ENCODINGS.get(name);
  return encoding === undefined ? (DEBUGGER_NAMES[name] ?? name) : `vmcs:${encoding.toString(16)}`;
}

function tracingOf(tracing: NonNullable<Debugger['tracing']>): NonNullable<Target['tracing']> {
  return {
    start: (options) => tracing.start(options),
    stop: () => tracing.stop(),
    status: () => tracing.status(),
    async frame(index) {
      const frame = await tracing.frame(index);
      if (frame === undefined) return undefined;
      const { registers, exit, ...rest } = frame;
      return {
        ...rest,
        ...(exit === undefined ? {} : { exit: targetExit(exit) }),
        ...(registers === undefined ? {} : { registers: threadRegisters(registers) }),
      };
    },
    list: () => tracing.list(),
    variable: (number) => tracing.variable(number),
  };
}

const targetExit = (exit: ExitRecord, stoppedHere = false): TargetExit => ({
  ...exit,
  linearRip: exit.csBase + exit.rip,
  stoppedHere,
});

/** An exit breakpoint that does not stop. */
function exitPoint({ reason, place, condition, action }: TargetBreakpoint & { kind: 'exit' }): BreakpointSpec {
  const where = place && [
    { field: 'rip' as const, op: '==' as const, value: place.rip },
    { field: 'csBase' as const, op: '==' as const, value: place.csBase },
  ];
  return {
    kind: 'exit',
    condition: { ...(reason === undefined ? {} : { reasons: [reason] }), ...(where ? { where } : {}) },
    ...(condition ? { when: conditionOf(condition) } : {}),
    action: actionOf(action),
  };
}

/** Engines whose machine is this program's. */
const OWN_ENGINES: ReadonlySet<string> = new Set(['vtx', 'kvm']);
const MEBIBYTE = 2 ** 20;
/** Of the RAM where a PC's adapters have their ROMs; none has one here, and the memory map that systems get leaves it out. */
const SCRATCH = { gpa: 0xd0000n, bytes: 0x10000 };

/** Linear bytes that an entry of each table maps. */
const ENTRY_BYTES: Record<string, Record<string, bigint>> = {
  '32-bit': { PD: 1n << 22n, PT: 1n << 12n },
  PAE: { PDPT: 1n << 30n, PD: 1n << 21n, PT: 1n << 12n },
  '4-level': { PML4: 1n << 39n, PDPT: 1n << 30n, PD: 1n << 21n, PT: 1n << 12n },
  '5-level': { PML5: 1n << 48n, PML4: 1n << 39n, PDPT: 1n << 30n, PD: 1n << 21n, PT: 1n << 12n },
};

const FOUR_GIB = 1n << 32n;
const TOP = 1n << 64n;
/** Pages that are joined to one region at most. */
const JOINED_PAGES = 512;

/** The page, or the hole under the entry where the walk stops, that holds a linear address. */
async function pageOrHole(debug: Debugger, address: bigint, thread: number): Promise<MemoryRegion> {
  const walk = await debug.walk(address, thread);
  if (walk.mode === 'none') {
    return address < FOUR_GIB
      ? { start: 0n, bytes: FOUR_GIB, mapped: true, read: true, write: true, execute: true }
      : { start: FOUR_GIB, bytes: TOP - FOUR_GIB, mapped: false, read: false, write: false, execute: false };
  }
  if (address >= FOUR_GIB && (walk.mode === '32-bit' || walk.mode === 'PAE')) {
    return { start: FOUR_GIB, bytes: TOP - FOUR_GIB, mapped: false, read: false, write: false, execute: false };
  }
  const half = walk.mode === '4-level' ? 1n << 47n : walk.mode === '5-level' ? 1n << 56n : undefined;
  if (half !== undefined && address >= half && address < TOP - half) {
    return { start: half, bytes: TOP - 2n * half, mapped: false, read: false, write: false, execute: false };
  }
  const bytes = BigInt(walk.pageBytes ?? ENTRY_BYTES[walk.mode]?.[walk.levels.at(-1)?.table ?? ''] ?? 4096);
  const mapped = walk.output !== undefined;
  // PAE's directory pointers have no W bit.
  const directory = walk.mode === 'PAE' ? 'PDPT' : undefined;
  const write = mapped && walk.levels.every(({ flags, table }) => flags.includes('W') || table === directory);
  const execute = mapped && !walk.levels.some((level) => level.flags.includes('NX'));
  return { start: address & ~(bytes - 1n), bytes, mapped, read: mapped, write, execute };
}

/** From the page of an address on, all pages of the same access. */
async function memoryRegion(debug: Debugger, address: bigint, thread: number): Promise<MemoryRegion> {
  const region = await pageOrHole(debug, address, thread);
  for (let joined = 1; joined < JOINED_PAGES && region.start + region.bytes < TOP; joined++) {
    const next = await pageOrHole(debug, region.start + region.bytes, thread);
    if (next.mapped !== region.mapped || next.write !== region.write || next.execute !== region.execute) break;
    region.bytes += next.bytes;
  }
  return region;
}

/** Of which places the exits come is asked of this many. */
const RECENT_EXITS = 4096;

const recentExitsOf = (exits: NonNullable<Debugger['exits']>) => async (): Promise<TargetExit[]> =>
  (await exits.records(-1, RECENT_EXITS)).map((exit) => targetExit(exit));

function reverseOf(
  history: NonNullable<Debugger['history']>,
  settle: (state: RunState, stopsBefore: number) => void,
  stops: () => number,
): NonNullable<Target['reverse']> {
  return {
    async step(thread) {
      const before = stops();
      settle(await history.stepBack(thread), before);
    },
    async resume() {
      const before = stops();
      settle(await history.continueBack(), before);
    },
  };
}

/**
 * Adapts a debugger. Its `stopped` event is expected before the call that caused the stop resolves, as both sides of
 * the worker's port keep the order of messages.
 * @param interruptHold the engine's switch, where its steps can hold interrupts back.
 */
export async function createGdbTarget(debug: Debugger, interruptHold?: { held: boolean }): Promise<Target> {
  const info = await debug.info();
  const listeners = new Set<(event: TargetEvent) => void>();
  /** Ids of the breakpoints that were added here. */
  const own = new Set<number>();
  let running = false;
  let stop: { thread: number; cause: StopCause } | undefined;
  /** Of the guest that stands, where it was told with its stop. */
  let position: Position | undefined;
  /** Stops seen so far. */
  let stops = 0;

  const emit = (event: TargetEvent): void => {
    for (const listener of [...listeners]) listener(event);
  };
  const stopped = (thread: number, reason: StopReason | undefined, at?: Position): void => {
    running = false;
    position = at;
    stops++;
    stop = { thread, cause: causeOf(reason) };
    emit({ type: 'stopped', ...stop });
  };
  const started = (): void => {
    running = true;
    stop = undefined;
    position = undefined;
    emit({ type: 'running' });
  };
  /** For a debugger that answers with the stop and has no event for it. */
  const settle = (state: RunState, stopsBefore: number): void => {
    if (!state.running && stops === stopsBefore) stopped(state.vcpu, state.stop);
  };

  debug.onEvent((event) => {
    if (event.type === 'running') started();
    else if (event.type === 'stopped') stopped(event.vcpu, event.stop, event.position);
    else if (event.type === 'printed') emit({ type: 'printed', text: event.text });
    else if (event.type === 'vcpu-stopped')
      emit({ type: 'thread-stopped', thread: event.vcpu, cause: causeOf(event.stop) });
  });
  const state = await debug.state();
  if (stops === 0) {
    running = state.running;
    if (!running) stop = { thread: state.vcpu, cause: causeOf(state.stop) };
  }

  const readExtra = async (thread: number, name: string): Promise<bigint | undefined> => {
    const encoding = VMCS_ENCODINGS.get(name);
    if (encoding === undefined) {
      const own = DEBUGGER_NAMES[name] ?? name;
      return (await debug.readRegisters(thread, [own]))[own];
    }
    return (await debug.vmcs?.read(thread))?.find((field) => field.encoding === encoding)?.value;
  };
  const writeExtra = async (thread: number, name: string, value: bigint): Promise<void> => {
    const encoding = VMCS_ENCODINGS.get(name);
    if (encoding !== undefined) await debug.vmcs?.write(thread, encoding, value);
    else await debug.writeRegister(thread, DEBUGGER_NAMES[name] ?? name, value);
  };

  const program = programOf(info.image);

  return {
    name: info.name,
    ...(program === undefined ? {} : { programBits: program.bits }),
    ...(program?.threadLocal ? { threadLocal: program.threadLocal } : {}),
    threads: info.vcpus,
    running: () => running,
    lastStop: () => stop,
    onEvent(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    async resume(threads) {
      if (running) return;
      await debug.resume(threads);
    },
    async pause() {
      if (!running) return;
      const before = stops;
      settle(await debug.pause(), before);
    },
    async step(thread, within, others) {
      const before = stops;
      settle(await debug.step(thread, 1, within, others), before);
    },

    ...(debug.history ? { reverse: reverseOf(debug.history, settle, () => stops) } : {}),
    position: () => position ?? debug.state().then((state) => state.position),

    async readRegisters(thread, names): Promise<ThreadRegisters> {
      return threadRegisters(await debug.readRegisters(thread, names && withMode(names)));
    },
    writeRegister: (thread, name, value) => debug.writeRegister(thread, name, value),
    readMemory: (space, address, length, thread) =>
      debug.readMemory(space === 'physical' ? 'gpa' : 'gva', address, length, thread),
    writeMemory: (space, address, bytes, thread) =>
      debug.writeMemory(space === 'physical' ? 'gpa' : 'gva', address, bytes, thread),

    ...(OWN_ENGINES.has(info.engine) && info.memoryBytes >= MEBIBYTE ? { scratch: SCRATCH } : {}),
    async addBreakpoint(spec) {
      const { id } = await debug.addBreakpoint(
        spec.kind === 'exit'
          ? exitPoint(spec)
          : spec.kind === 'execute'
            ? {
                kind: 'execute',
                gva: spec.address,
                ...(spec.condition ? { condition: conditionOf(spec.condition) } : {}),
                ...(spec.action ? { action: actionOf(spec.action) } : {}),
              }
            : { ...spec, space: spec.space === 'physical' ? 'gpa' : 'gva' },
        'gdb',
      );
      own.add(id);
      return id;
    },
    async removeBreakpoint(id) {
      own.delete(id);
      await debug.removeBreakpoint(id);
    },
    async othersBreakAt(address) {
      const all = await debug.breakpoints();
      return all.some(
        (other) => other.kind === 'execute' && other.gva === address && other.enabled && !own.has(other.id),
      );
    },

    ...(debug.each ? { each: debug.each } : { eachUnavailable: info.unavailable.each ?? 'this guest cannot' }),
    ...(debug.syscalls ? { catchSyscalls: debug.syscalls.catch } : {}),
    ...(debug.tracing ? { tracing: tracingOf(debug.tracing) } : {}),
    extraRegisters: {
      list: debug.vmcs === undefined ? SYSTEM_REGISTERS : [...SYSTEM_REGISTERS, ...VMCS_REGISTERS],
      read: readExtra,
      write: writeExtra,
    },
    ...(interruptHold === undefined ? {} : { interruptHold }),
    monitor: (line, thread) => monitorLine(debug, line, thread),
    monitorEffect: lineEffect,
    async threadDetail(thread) {
      const task = await debug.os?.current(thread).catch(() => undefined);
      return task && `${task.name} (pid ${task.pid})`;
    },
    ...(debug.os === undefined ? {} : { kernel: kernelOf(debug, debug.os) }),
    async lastExit(thread) {
      const exit = await lastExit(debug, thread);
      const at = (await debug.state()).stop;
      return exit && targetExit(exit, at?.kind === 'exit' && at.exit.sequence === exit.sequence);
    },
    ...(debug.tracing && debug.exits ? { recentExits: recentExitsOf(debug.exits) } : {}),
    ...(debug.os === undefined ? {} : { libraries: librariesOf(debug, debug.os) }),
    osTables: osTables(debug, () => stop?.thread ?? 0),
    memoryRegion: (address, thread) => memoryRegion(debug, address, thread),
    async reset() {
      if (running) await debug.pause();
      await debug.reset();
    },
  };
}
