// State of interrupt controllers in the kernel's structures and in that of the program's own models.
import type { Ioapic } from '../../devices/ioapic.js';
import type { Lapic } from '../../devices/lapic.js';
import type { Pic8259, PicChipState } from '../../devices/pic-8259.js';
import type { KvmStruct } from '../kvm/structs.js';

const PINS = 24;

/** Steps of initialization: which word comes next, and the kernel's number for that. */
const INIT_STEPS: readonly PicChipState['init'][] = [0, 2, 3, 4];

/** @param states of master and slave, changed in place */
export function picToKernel(pic: Pic8259, states: readonly KvmStruct[]): void {
  const { chips } = pic.save();
  chips.forEach((chip, i) => {
    const put = (name: string, value: number | boolean): void => void states[i].set(`chip.pic.${name}`, Number(value));
    put('last_irr', chip.lines);
    put('irr', chip.irr);
    put('imr', chip.imr);
    put('isr', chip.isr);
    put('priority_add', chip.top);
    put('irq_base', chip.base);
    put('read_reg_select', chip.readIsr);
    put('poll', chip.poll);
    put('special_mask', chip.specialMask);
    put('init_state', INIT_STEPS.indexOf(chip.init));
    put('auto_eoi', chip.autoEoi);
    put('rotate_on_auto_eoi', chip.rotateOnAutoEoi);
    put('special_fully_nested_mode', chip.fullyNested);
    put('init4', chip.needsIcw4);
    put('elcr', chip.elcr);
  });
}

export function picFromKernel(pic: Pic8259, states: readonly KvmStruct[]): void {
  const { chips, high } = pic.save();
  const fromKernel = (chip: PicChipState, i: number): PicChipState => {
    const get = (name: string): number => states[i].get(`chip.pic.${name}`);
    return {
      ...chip,
      lines: get('last_irr'),
      irr: get('irr'),
      imr: get('imr'),
      isr: get('isr'),
      top: get('priority_add'),
      base: get('irq_base'),
      readIsr: get('read_reg_select') !== 0,
      poll: get('poll') !== 0,
      specialMask: get('special_mask') !== 0,
      init: INIT_STEPS[get('init_state')] ?? 0,
      autoEoi: get('auto_eoi') !== 0,
      rotateOnAutoEoi: get('rotate_on_auto_eoi') !== 0,
      fullyNested: get('special_fully_nested_mode') !== 0,
      needsIcw4: get('init4') !== 0,
      elcr: get('elcr'),
    };
  };
  pic.load({ high, chips: [fromKernel(chips[0], 0), fromKernel(chips[1], 1)] });
}

export function ioapicToKernel(ioapic: Ioapic, state: KvmStruct): void {
  const { select, id, low, high } = ioapic.save();
  state.set('chip.ioapic.ioregsel', select).set('chip.ioapic.id', id).set('chip.ioapic.irr', 0);
  for (let pin = 0; pin < PINS; pin++) {
    state.setBig('chip.ioapic.redirtbl', (BigInt(high[pin] >>> 0) << 32n) | BigInt(low[pin] >>> 0), pin);
  }
}

export function ioapicFromKernel(ioapic: Ioapic, state: KvmStruct): void {
  const entries = Array.from({ length: PINS }, (_, pin) => state.getBig('chip.ioapic.redirtbl', pin));
  ioapic.load({
    ...ioapic.save(),
    select: state.get('chip.ioapic.ioregsel'),
    id: state.get('chip.ioapic.id'),
    low: entries.map((entry) => Number(entry & 0xffff_ffffn)),
    high: entries.map((entry) => Number(entry >> 32n)),
    lines: state.get('chip.ioapic.irr'),
  });
}

/** Offsets in the register page. @sdm 3A table 10-1 "Local APIC Register Address Map" */
const LAPIC = { id: 0x20, tpr: 0x80, ldr: 0xd0, dfr: 0xe0, svr: 0xf0, esr: 0x280, icrLow: 0x300, icrHigh: 0x310 };
const VECTORS = { isr: 0x100, tmr: 0x180, irr: 0x200 };
const FIRST_LVT = 0x320;
/** Without CMCI, which comes with machine-check banks that the kernel is not told of. */
const LVTS = 6;
const TIMER = { initial: 0x380, current: 0x390, divide: 0x3e0 };
const STEP = 16;

export function lapicToKernel(lapic: Lapic, page: KvmStruct): void {
  const state = lapic.save();
  const put = (at: number, value: number): void => page.view.setUint32(at, value >>> 0, true);
  put(LAPIC.id, lapic.id << 24);
  for (const name of ['tpr', 'ldr', 'dfr', 'svr', 'esr', 'icrLow', 'icrHigh'] as const) put(LAPIC[name], state[name]);
  for (const name of ['isr', 'tmr', 'irr'] as const) {
    state[name].forEach((word, i) => {
      put(VECTORS[name] + i * STEP, word);
    });
  }
  for (let i = 0; i < LVTS; i++) put(FIRST_LVT + i * STEP, state.lvt[i]);
  for (const at of Object.values(TIMER)) put(at, 0);
}

/** What belongs to a local APIC beside its registers. */
export interface LapicSurroundings {
  /** IA32_APIC_BASE and IA32_TSC_DEADLINE. */
  base: bigint;
  tscDeadline: bigint;
  /** Nanoseconds since power-on; the kernel's timer counts at 1 GHz too. */
  now: number;
}

export function lapicFromKernel(lapic: Lapic, page: KvmStruct, { base, tscDeadline, now }: LapicSurroundings): void {
  const get = (at: number): number => page.view.getUint32(at, true);
  const bits = (at: number): Uint32Array => Uint32Array.from({ length: 8 }, (_, i) => get(at + i * STEP));
  const divide = get(TIMER.divide) & 0xb;
  const code = (divide & 3) | ((divide & 8) >> 1);
  const divisor = code === 7 ? 1 : 2 << code;
  const [initial, current] = [get(TIMER.initial), get(TIMER.current)];
  const before = lapic.save();
  lapic.load({
    ...before,
    base,
    ...{ tpr: get(LAPIC.tpr), ldr: get(LAPIC.ldr), dfr: get(LAPIC.dfr), svr: get(LAPIC.svr), esr: get(LAPIC.esr) },
    ...{ icrLow: get(LAPIC.icrLow), icrHigh: get(LAPIC.icrHigh) },
    isr: bits(VECTORS.isr),
    tmr: bits(VECTORS.tmr),
    irr: bits(VECTORS.irr),
    lvt: before.lvt.map((entry, i) => (i < LVTS ? get(FIRST_LVT + i * STEP) : entry)),
    timer: {
      mode: (get(FIRST_LVT) >> 17) & 3,
      divide,
      initial,
      start: now - (initial - current) * divisor,
      stopped: current === 0,
      deadline: tscDeadline,
      armed: undefined,
      runsOutside: current !== 0 || tscDeadline !== 0n,
    },
  });
}
