/**
 * Who wrote something last: the run is repeated from places before, the nearest ones first, and everything that writes is
 * looked at as it happens. Only intervals that wrote none of the memory's frames are passed over, so the last one before an
 * instant is found.
 */
import { ALONE_ICOUNT, ALONE_RIP, FAULT_LOG, TRACE_SEQUENCE, WATCH_ID } from '../core/layout.js';
import { newestEvent } from '../debug/fault-chain.js';
import { readRecord } from '../debug/trace-reader.js';
import type { DeviceRequest, Doer, Position } from '../debugger.js';
import type { Instant } from '../time/instant.js';
import { linearAt } from '../vmm/code-address.js';
import type { Vcpu } from '../vmm/vcpu.js';
import type { Vm } from '../vmm/vm.js';
import type { Stage, Witness } from '../vmm/witness.js';
import type { History, Place } from './history.js';
import { travel } from './travel.js';
import { framesOf, type Watched } from './watched.js';

/** When something happened, finer than instants: within what one instant has, by the inputs so far and the stage. */
export interface Ordinal {
  readonly icount: number;
  readonly exits: number;
  readonly inputs: number;
  readonly stage: number;
}

/** The order of stages between two instructions: the first instruction's end, an exit, what follows it, deliveries in the guest. */
const ORDER: Record<Stage, number> = { ran: 0, watched: 0, exited: 1, handled: 2, prepared: 3, entered: 4 };
const IN_DELIVERY = 5;
const INPUT = -1;

export function compareOrdinals(a: Ordinal, b: Ordinal): number {
  return a.icount - b.icount || a.exits - b.exits || a.inputs - b.inputs || a.stage - b.stage;
}

/** A write that was seen. */
export interface Write {
  readonly doer: Doer;
  readonly at: Position;
  readonly before: bigint | undefined;
  readonly after: bigint | undefined;
  readonly ordinal: Ordinal;
  /** Where to stand to have it before oneself. */
  readonly place: Place;
}

/** Sees all that writes while the machine repeats a piece of its run. */
class WriteWitness implements Witness {
  /** The last one that is wanted. */
  last: Write | undefined;
  #value: bigint | undefined;
  /** Somebody other than an instruction wrote into it since the last stage, or near it; a device was it. */
  #written = false;
  #near = false;
  #device: string | undefined;
  #events: number;
  /** The last exit, and the instructions before it. */
  #exit: { number: number; icount: number; reason: number } | undefined;
  #requests = new Map<string, DeviceRequest>();

  constructor(
    private readonly history: History,
    private readonly vm: Vm,
    private readonly watched: Watched,
    private readonly watchIds: ReadonlySet<number>,
    private readonly wants: (write: Write) => boolean,
  ) {
    this.#value = watched.read();
    this.#events = vm.host.get32(FAULT_LOG);
  }

  probes(vcpu: Vcpu): readonly number[] {
    const { watched } = this;
    return watched.kind === 'register' && watched.vcpu === vcpu.index ? watched.words : [];
  }

  /** Listens to everybody; what ends that. */
  listen(): () => void {
    const { vm, watched } = this;
    const { dma, pc } = this.history.machine.pc;
    vm.witness = this;
    if (watched.kind === 'memory') {
      vm.host.writes = (hpa, bytes) => {
        for (const piece of watched.pieces) {
          if (hpa >= piece.hpa + 4096 || hpa + bytes <= piece.hpa - 4096) continue;
          this.#near = true;
          if (hpa >= piece.hpa + piece.bytes || hpa + bytes <= piece.hpa) continue;
          this.#written = true;
          this.#device = dma.device;
        }
      };
    }
    if (watched.kind === 'sector') {
      const { store, sector, device } = watched;
      store.accesses = (first, count, access) => {
        if (access !== 'write' || sector < first || sector >= first + count) return;
        this.#written = true;
        this.#device = device;
      };
    }
    if (watched.kind === 'sector' || watched.kind === 'memory') pc.bus.writes = (device) => this.#requested(device);
    return () => {
      vm.witness = undefined;
      vm.host.writes = undefined;
      pc.bus.writes = undefined;
      if (watched.kind === 'sector') watched.store.accesses = undefined;
    };
  }

  #requested(device: string | undefined): void {
    if (device === undefined) return;
    const { vm } = this;
    const { vcpu, rip, csBase, bits } = readRecord(vm.host, vm.host.getNumber(TRACE_SEQUENCE));
    const { work } = this.history.machine;
    const linear = bits === 64 ? rip : BigInt.asUintN(32, rip + csBase);
    this.#requests.set(requestKey(device), { icount: BigInt(work.icount), exit: work.exits, vcpu, rip: linear });
  }

  sees(stage: Stage, vcpu: Vcpu): void {
    const { work } = this.history.machine;
    if (stage === 'exited') {
      const { reason } = readRecord(this.vm.host, this.vm.host.getNumber(TRACE_SEQUENCE));
      this.#exit = { number: work.exits, icount: work.icount, reason };
    }
    if (!this.#isWrite(stage, vcpu)) return;
    const retired = vcpu.host.getNumber(ALONE_ICOUNT) < vcpu.icount;
    const alone = stage === 'ran' || stage === 'watched';
    this.#add(
      alone && !retired ? IN_DELIVERY : ORDER[stage],
      this.#doer(stage, vcpu, retired),
      this.#place(stage, retired),
    );
  }

  /** The history has delivered an input of the host's. @param from where the machine stood before that */
  seesInput(input: string, from: Instant): void {
    if (!this.#written && this.watched.read() === this.#value) return;
    const doer: Doer = this.#device === undefined ? { by: 'input', input } : { by: 'device', device: this.#device };
    this.#add(INPUT, doer, { kind: 'instant', instant: from });
  }

  #isWrite(stage: Stage, vcpu: Vcpu): boolean {
    const { watched } = this;
    if (stage === 'watched') return this.watchIds.has(vcpu.host.get32(vcpu.at(WATCH_ID)));
    if (this.#written) return true;
    if (watched.kind === 'sector') return false;
    if (watched.kind === 'memory') {
      const near = this.#near;
      this.#near = false;
      return near && watched.read() !== this.#value;
    }
    return watched.read() !== this.#value;
  }

  #add(stage: number, doer: Doer, place: Place): void {
    const { machine } = this.history;
    const { icount, exits } = machine.work;
    const after = this.watched.read();
    const write: Write = {
      ...{ doer, place, before: this.#value, after, at: { icount: BigInt(icount), exit: exits } },
      ordinal: { icount, exits, inputs: machine.pc.journal.position, stage },
    };
    this.#value = after;
    this.#written = false;
    this.#near = false;
    this.#device = undefined;
    if (this.wants(write)) this.last = write;
  }

  #doer(stage: Stage, vcpu: Vcpu, retired: boolean): Doer {
    const { index } = vcpu;
    const exit = this.#exit;
    const handled = exit ? { exit: exit.number, reason: exit.reason } : {};
    const delivered = this.#delivered();
    switch (stage) {
      case 'ran':
      case 'watched':
        if (!retired && delivered !== undefined) return { by: 'event', vcpu: index, name: delivered };
        return { by: 'instruction', vcpu: index, rip: linearAt(vcpu, vcpu.host.get64(ALONE_RIP)) };
      case 'exited':
        return { by: 'exit', vcpu: index, exit: exit!.number, reason: exit!.reason };
      case 'handled':
      case 'prepared': {
        const device = this.#device;
        const by = stage === 'handled' ? handled : {};
        if (device === undefined) return { by: 'vmm', vcpu: index, ...by };
        const request = this.#requests.get(requestKey(device)) ?? this.#requests.get(requestKey('ide'));
        return { by: 'device', device, ...by, ...(request ? { request } : {}) };
      }
      case 'entered':
        return delivered === undefined ? { by: 'vmm', vcpu: index } : { by: 'event', vcpu: index, name: delivered };
    }
  }

  /** The event that was delivered since this was asked last. */
  #delivered(): string | undefined {
    const events = this.vm.host.get32(FAULT_LOG);
    const delivered = events !== this.#events;
    this.#events = events;
    return delivered ? newestEvent(this.vm) : undefined;
  }

  #place(stage: Stage, retired: boolean): Place {
    const { icount } = this.history.machine.work;
    const exit = this.#exit;
    if ((stage === 'ran' || stage === 'watched') && retired) return { kind: 'icount', icount: BigInt(icount - 1) };
    if (stage === 'handled' && exit) return { kind: 'exit', exits: exit.number };
    // an exit at this instruction was before that
    if (stage !== 'exited' && exit?.icount === icount) return { kind: 'exit', exits: exit.number };
    return { kind: 'icount', icount: BigInt(icount) };
  }
}

/** A device's registers answer under several names: those of its BARs, of the cables of an IDE controller. */
function requestKey(device: string): string {
  const name = device.replace(/-bar\d+$/, '');
  return /^(?:ide\d?|PIIX3 IDE)$/.test(name) ? 'ide' : name;
}

/** So far back a search begins, and goes on from there: what is written often has been written there. */
const NEAR = [2000n, 100_000n];

export interface Search {
  readonly watched: Watched;
  /** Watchpoints of the core on its memory. */
  readonly watchIds: ReadonlySet<number>;
  /** The last one before this. Undefined: before where the machine stands. */
  readonly before?: Ordinal | undefined;
  wants(write: Write): boolean;
}

/** Leaves the machine somewhere: go to the place that is found. Undefined: there is none in the history. */
export function* lastWrite(history: History, vm: Vm, search: Search): Generator<number, Write | undefined> {
  const { before } = search;
  const from = history.now();
  history.leave();
  const { timeline, first } = history;
  const wants = (write: Write): boolean =>
    (before === undefined || compareOrdinals(write.ordinal, before) < 0) && search.wants(write);
  let until: Place =
    before === undefined ? { kind: 'instant', instant: from } : { kind: 'icount', icount: BigInt(before.icount) + 1n };
  const end = until.kind === 'icount' ? until.icount : from.icount;
  const whole = Number(end - first.icount) || 1;
  const walk = function* (): Generator<number, Write | undefined> {
    const witness = new WriteWitness(history, vm, search.watched, search.watchIds, wants);
    const deaf = witness.listen();
    try {
      for (;;) {
        const here = history.now();
        const input = history.machine.pc.journal.upcoming();
        const inputs = history.machine.pc.journal.position;
        const { kind } = history.repeat(until as Place);
        if (kind === 'reached' || kind === 'end') return witness.last;
        if (input && history.machine.pc.journal.position !== inputs) witness.seesInput(input.kind, here);
        yield Number(end - here.icount) / whole;
      }
    } finally {
      deaf();
    }
  };
  let index = timeline.lastWhere((instant) => instant.icount < end);
  for (const distance of NEAR) {
    const start = end - distance;
    if (start <= timeline.instant(index).icount) break;
    yield* travel(history, { kind: 'icount', icount: start });
    const found = yield* walk();
    if (found) return found;
    until = { kind: 'icount', icount: start };
  }
  const { watched } = search;
  const frames = watched.kind === 'memory' ? framesOf(watched.pieces) : undefined;
  for (; index >= 0; index--) {
    const start = timeline.instant(index);
    // what wrote none of its frames wrote nothing of it
    if (!frames || timeline.wrote(index, frames)) {
      history.moveTo(index);
      const found = yield* walk();
      if (found) return found;
    }
    until = { kind: 'instant', instant: start };
  }
  return undefined;
}
