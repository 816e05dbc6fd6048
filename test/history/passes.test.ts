/** A search backwards that passes over intervals finds what one finds that repeats all of them. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { deviceWatch } from '../../src/engine/debug/device-watch.js';
import { History } from '../../src/engine/history/history.js';
import { type Passes, passesOf } from '../../src/engine/history/passes.js';
import { type Found, searchBack, travel } from '../../src/engine/history/travel.js';
import { Turns } from '../../src/engine/host/turns.js';
import type { Watch } from '../../src/engine/machine-view.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import type { SliceEnd, VirtualCpu } from '../../src/engine/vmm/hypervisor.js';
import { COUNTER, dmaGuest, READ_BY_IDE, READ_BY_VIRTIO } from './dma-guest.js';
import { type LiveRun, liveRun, runTo } from './live-run.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

function drain<T>(work: Generator<unknown, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value as T;
  }
}

/** The last writes before the live end, newest first, and how many intervals were passed over. */
function writesBack(run: LiveRun, watch: Watch, most: number, passes: Passes): { at: bigint[]; passed: number } {
  const { history, machine, vm } = run;
  const { dma } = machine.pc;
  let passed = 0;
  const counted: Passes = (index, stands) => {
    const over = passes(index, stands);
    if (over) passed++;
    return over;
  };
  const judge = (vcpu: VirtualCpu | undefined, end: SliceEnd | undefined): Found<true> | undefined => {
    const { hit } = dma;
    dma.hit = undefined;
    if (end?.kind === 'watchpoint') machine.view.takeWatchHit(vcpu!.index);
    else if (!hit) return undefined;
    return { place: { kind: 'icount', icount: history.now().icount - 1n }, what: true };
  };
  const arm = (on: boolean): void => {
    machine.view.breakpoints.write(new Set(), on ? [watch] : []);
    dma.watches = on ? [deviceWatch(machine.view, watch)] : [];
    dma.live = on;
    dma.hit = undefined;
  };
  const at: bigint[] = [];
  while (at.length < most) {
    arm(true);
    const found = drain(searchBack(history, history.now(), judge, counted));
    arm(false);
    if (!found) break;
    drain(travel(history, found.place));
    at.push(history.now().icount);
  }
  history.rejoin();
  expect(vm.end?.kind ?? 'runs').not.toBe('error');
  return { at, passed };
}

/** Both ways for a range of each space. @returns how many intervals were passed over */
function compare(run: LiveRun, address: bigint, length: number, most: number): number {
  let sum = 0;
  for (const space of ['gva', 'gpa'] as const) {
    const watch: Watch = { kind: 'watch', id: 1, space, address, length, access: 'write' };
    const ranges = [{ space, address, bytes: length }];
    const quick = writesBack(run, watch, most, passesOf(run.vm, run.history.timeline, ranges));
    const whole = writesBack(run, watch, most, () => false);
    expect(quick.at, `${space} 0x${address.toString(16)}`).toEqual(whole.at);
    sum += quick.passed;
  }
  return sum;
}

test.each(['ring3', 'exit-zoo', 'interrupts'])('%s', (sample) => {
  const run = liveRun({ file: `${root}samples/${sample}/${sample}.elf`, jit: 'on' });
  const stacks = new Set<bigint>();
  for (let i = 0; i < 40; i++) {
    if (!runTo(run, run.machine.work.icount + 1500)) break;
    stacks.add(BigInt.asUintN(64, run.machine.view.readRegisters(0).rsp - 8n) & ~7n);
    run.history.snapshot();
  }
  const addresses = [...stacks].filter((address) => address > 0x1000n).slice(0, 4);
  expect(addresses.length).toBeGreaterThan(0);
  const passed = [...addresses, 0x3ff000n].map((address) => compare(run, address, 8, 3));
  expect(Math.max(...passed)).toBeGreaterThan(3);
});

test.each([1, 2])('devices write, beside %i vCPUs', (vcpus) => {
  const inputs = new InputLog();
  const guest = dmaGuest(vcpus, inputs);
  const { machine, vm } = guest;
  const turns = new Turns(vm, () => {});
  const history = new History(machine, vm, turns, inputs, 1 << 30, guest.disks);
  const run = { ...guest, turns, history, output: '' } as unknown as LiveRun;
  for (let i = 0; i < 50; i++) {
    if (!runTo(run, machine.work.icount + 40)) break;
    history.snapshot();
  }
  const passed = [READ_BY_VIRTIO, READ_BY_IDE, COUNTER, 0x3f0000].map((at) => compare(run, BigInt(at), 16, 4));
  expect(passed[0]).toBeGreaterThan(3);
  expect(passed[3]).toBeGreaterThan(20);
});
