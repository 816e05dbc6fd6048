// A slice: one vCPU runs, with its exits handled, until its limit or something ends it earlier.

import {
  LATCH_COUNT,
  LIMIT,
  RUN_BREAKPOINT,
  RUN_HALTED,
  RUN_LIMIT,
  RUN_PROBE,
  RUN_VMEXIT,
  RUN_WATCHPOINT,
  TRACE_RECORDS,
} from '../core/layout.js';
import type { DeviceAccesses } from './device-access.js';
import type { Outcome } from './exit.js';
import { handleExit } from './exit-handling.js';
import type { SliceEnd } from './hypervisor.js';
import { entryDelivers, hasEvent, nextEvent } from './pending-events.js';
import { isStepTrap, stepDone } from './stepping.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';
import { enter, prepareEntry, signal } from './vm-entry.js';
import { armProbes } from './witness.js';

/** A slice ends after so many exits: the ring of the trace holds them until somebody has looked. */
const SLICE_EXITS = TRACE_RECORDS / 2;
/** A slice in which devices have moved more ends early: instructions no longer say how long it takes. */
const SLICE_DMA_BYTES = 16 << 20;

export class Slice {
  /** The vCPU that runs only waits for another one. */
  yields = false;
  /** Somebody wants the slice to end; the turn goes on. */
  interrupted = false;
  /** `memory.moved` that ends the slice. */
  #mostMoved = 0;

  constructor(
    private readonly vm: Vm,
    private readonly accesses: DeviceAccesses,
  ) {}

  /** Something ends the slice at the next occasion. */
  get ends(): boolean {
    return this.yields || this.interrupted || this.#movedMuch;
  }

  get #movedMuch(): boolean {
    return this.vm.memory.moved > this.#mostMoved;
  }

  /** @see Hypervisor.runSlice */
  run(vcpu: Vcpu, instructions: number): SliceEnd {
    const { vm } = this;
    vm.select(vcpu);
    const { core, host } = vm;
    const until = vcpu.icount + instructions;
    // what came up since this vCPU's last turn is for the VM entry to see
    if (vcpu.woken || vcpu.armedFor !== nextEvent(vm, vcpu)) vm.kick(vcpu);
    this.yields = false;
    this.interrupted = false;
    this.#mostMoved = vm.memory.moved + SLICE_DMA_BYTES;
    const full = vm.exits + SLICE_EXITS;
    for (;;) {
      vm.select(vcpu);
      if (vcpu.pendingExit) {
        vcpu.pendingExit = false;
        const outcome = this.#handle(vcpu);
        vm.witness?.sees('handled', vcpu);
        if (outcome === 'stop') return { kind: 'ended' };
        if (stepDone(vcpu)) return { kind: 'step' };
        if (this.yields) return { kind: 'limit', yields: true };
        if (this.interrupted || this.#movedMuch) return { kind: 'limit' };
        // a limit that the exit's instruction reaches is met before what the next VM entry delivers
        if (vcpu.icount >= until && entryDelivers(vm, vcpu)) return { kind: 'limit' };
        if (vm.exits >= full) return { kind: 'limit' };
        if (vm.exitGoal?.pending === false && vm.exits >= vm.exitGoal.exits) return { kind: 'limit' };
      }
      if (vm.end) return { kind: 'ended' };
      if (!vcpu.inGuest) {
        const goes = prepareEntry(vm, vcpu);
        vm.witness?.sees('prepared', vcpu);
        if (!goes) return { kind: 'idle', deadline: vm.board.nextDeadline() };
        if (this.interrupted) return { kind: 'limit' };
        let entered = enter(vm, vcpu);
        while (entered === 'repaired') {
          const stop = this.#stopsAtExit(vcpu, false);
          if (stop) return stop;
          entered = enter(vm, vcpu);
        }
        vm.witness?.sees(entered === 'entered' && !vcpu.pendingExit ? 'entered' : 'exited', vcpu);
        if (entered === 'failed') return { kind: 'entry-failed' };
        if (vcpu.pendingExit || (vcpu.provoked.hostEvent && signal(vm, vcpu))) {
          // a step's trap between the delivery of an event and the instruction is no exit to anybody
          const stop = this.#stopsAtExit(vcpu, false);
          if (stop) return stop;
          continue;
        }
      }
      if (vcpu.icount >= until) return { kind: 'limit' };
      // an instruction whose device accesses are latched ends before anything else happens
      const completing = host.get32(LATCH_COUNT) !== 0;
      host.setNumber(LIMIT, completing ? vcpu.icount + 1 : until);
      const before = vcpu.icount;
      vm.quick.allow(this.#handsOver(vcpu) ? full - vm.exits - 1 : 0, vcpu.armedFor, vcpu, vm.board);
      if (vm.witness) armProbes(host, vm.witness.probes(vcpu));
      const result = core.run();
      vm.exits += vm.quick.take(vm, vcpu);
      vm.jit?.compileWaiting();
      if (completing && vcpu.icount > before) host.set32(LATCH_COUNT, 0);
      switch (result) {
        case RUN_VMEXIT:
          vcpu.inGuest = false;
          vcpu.pendingExit = true;
          vcpu.entered = false;
          // counted, and nobody waits for it
          if (this.accesses.hasLeft) break;
          vm.exits++;
          vm.witness?.sees('exited', vcpu);
          {
            const stop = this.#stopsAtExit(vcpu, true);
            if (stop) return stop;
          }
          break;
        case RUN_HALTED:
          vm.kick(vcpu);
          vcpu.halted = true;
          break;
        case RUN_LIMIT:
          if (!completing) return { kind: 'limit' };
          if (this.#hasCompleted(vcpu)) return { kind: 'step' };
          break;
        case RUN_PROBE:
          vm.witness?.sees('ran', vcpu);
          if (completing && vcpu.icount > before && this.#hasCompleted(vcpu)) return { kind: 'step' };
          break;
        case RUN_BREAKPOINT:
          // asked while the guest's state is still the core's: a condition that does not hold costs no VM entry
          if (vm.breakpointFilter?.(vcpu) === false) break;
          if (vcpu.inGuest) vm.leave(vcpu);
          return { kind: 'breakpoint' };
        case RUN_WATCHPOINT:
          vm.witness?.sees('watched', vcpu);
          vm.leave(vcpu);
          return { kind: 'watchpoint' };
        default:
          throw new Error(`the core answered run status ${result}`);
      }
    }
  }

  #handle(vcpu: Vcpu): Outcome {
    const handled = this.accesses.takeHandled();
    return handled === undefined ? handleExit(this.vm, vcpu) : this.accesses.conclude(vcpu, handled);
  }

  /**
   * Somebody waits for the exit at hand, which is counted and not handled. A step's trap will be withdrawn: it is none that
   * the history counts.
   * @param seesTraps the filter is asked about such a trap, too: the emulator of engine kvm steps by it
   */
  #stopsAtExit(vcpu: Vcpu, seesTraps: boolean): SliceEnd | undefined {
    const { exitGoal, exitFilter, exits } = this.vm;
    if (!exitGoal && !exitFilter) return undefined;
    const trap = isStepTrap(vcpu);
    if (exitGoal?.pending && !trap && exits >= exitGoal.exits) return { kind: 'limit' };
    return (seesTraps || !trap) && exitFilter?.(vcpu) ? { kind: 'exit' } : undefined;
  }

  /** Nobody looks at each exit, and nothing is prepared for the next VM entry, or for it to look at. */
  #handsOver({ provoked, stepGoal, steppedOver, woken }: Vcpu): boolean {
    const { vm } = this;
    if (woken) return false;
    if (vm.exitFilter !== undefined || vm.exitGoal !== undefined || vm.witness !== undefined) return false;
    if (stepGoal !== undefined || steppedOver !== undefined) return false;
    return provoked.hostEvent === undefined && provoked.failEntry === undefined && provoked.failing === undefined;
  }

  /** An instruction has taken its latches: true where that was a debugger's step. */
  #hasCompleted(vcpu: Vcpu): boolean {
    // the common case of a device access: nothing came up meanwhile, so the guest goes on without another entry
    if (hasEvent(this.vm, vcpu)) this.vm.kick(vcpu);
    else if (vcpu.stepGoal === undefined) return false;
    else this.vm.leave(vcpu);
    return stepDone(vcpu);
  }
}
