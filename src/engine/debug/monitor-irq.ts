/** Monitor commands about interrupt controllers, in QEMU's wording: `info pic`, `info lapic` and `info irq`. */
import type { Ioapic } from '../devices/ioapic.js';
import type { IrqRouter } from '../devices/irq.js';
import type { Lapic } from '../devices/lapic.js';
import type { Pic8259 } from '../devices/pic-8259.js';

export interface IrqDevices {
  readonly pic: Pic8259;
  readonly ioapic: Ioapic;
  readonly lapic: readonly Lapic[];
  readonly irqs: IrqRouter;
  /** The host's kernel takes the interrupts of the local APICs. */
  readonly outsideApics: boolean;
}

type Command = (context: { irq: IrqDevices; vcpu: number; args: string[] }) => string;

const MASKED = 0x10000;
const LEVEL = 0x8000;
const REMOTE_IRR = 0x4000;
const ACTIVE_LOW = 0x2000;
const PENDING = 0x1000;
const LOGICAL = 0x800;
const DELIVERY = ['Fixed', 'Lowest', 'SMI', '...', 'NMI', 'INIT', 'SIPI', 'ExtINT'];
const PIN_DELIVERY = ['fixed', 'lowpri', 'SMI', '...', 'NMI', 'INIT', '...', 'extINT'];
const TIMER_MODES = ['one-shot', 'periodic', 'tsc-deadline', '...'];
const SHORTHANDS = ['no-shorthand', 'self', 'all-self', 'all'];
/** Memory offsets of the APIC's registers divided by 16. */
const REG = { tpr: 0x08, apr: 0x09, ppr: 0x0a, ldr: 0x0d, dfr: 0x0e, svr: 0x0f, isr: 0x10, tmr: 0x18, irr: 0x20 };
const MORE = { esr: 0x28, icrLow: 0x30, icrHigh: 0x31, initial: 0x38, current: 0x39, divide: 0x3e };
const LVTS = [
  ['LVT0', 0x35],
  ['LVT1', 0x36],
  ['LVTPC', 0x34],
  ['LVTERR', 0x37],
  ['LVTTHMR', 0x33],
  ['LVTT', 0x32],
] as const;

const hex = (value: number, digits: number): string => (value >>> 0).toString(16).padStart(digits, '0');

function lvtLine(name: string, value: number): string {
  const mode = (value >> 8) & 7;
  const words = [
    (value & ACTIVE_LOW) === 0 ? 'active-hi' : 'active-lo',
    (value & LEVEL) === 0 ? 'edge ' : 'level',
    ((value & MASKED) === 0 ? '' : 'masked').padEnd(6),
    ((value & PENDING) === 0 ? '' : 'pending').padEnd(7),
    (name === 'LVTT' ? TIMER_MODES[(value >> 17) & 3] : '').padEnd(12),
    DELIVERY[mode].padEnd(6),
  ];
  return `${name}\t 0x${hex(value, 8)} ${words.join(' ')}${mode === 4 ? '' : ` (vec ${value & 0xff})`}`;
}

function vectors(lapic: Lapic, first: number): string {
  const set: string[] = [];
  for (let vector = 0; vector < 256; vector++) {
    const bit = 1 << (vector & 31);
    if ((lapic.readRegister(first + (vector >> 5)) & bit) === 0) continue;
    const level = (lapic.readRegister(REG.tmr + (vector >> 5)) & bit) !== 0;
    set.push(`${vector}${level ? '(level)' : ''}`);
  }
  return set.length === 0 ? '(none)' : set.join(' ');
}

function lapicState(lapic: Lapic, cpu: number): string {
  const read = (register: number): number => lapic.readRegister(register) >>> 0;
  const svr = read(REG.svr);
  const icr = read(MORE.icrLow);
  const icrHigh = read(MORE.icrHigh);
  const divide = read(MORE.divide);
  const divisor = 1 << ((((divide & 3) | ((divide >> 1) & 4)) + 1) & 7);
  const destination = [
    (icr & LOGICAL) === 0 ? 'physical' : 'logical',
    (icr & LEVEL) === 0 ? 'edge' : 'level',
    (icr & 0x4000) === 0 ? 'de-assert' : 'assert',
    SHORTHANDS[(icr >> 18) & 3],
  ];
  const target = lapic.x2apic ? `${icrHigh} (X2APIC ID)` : `${icrHigh >>> 24} (APIC ID)`;
  return [
    `dumping local APIC state for CPU ${cpu}`,
    '',
    ...LVTS.map(([name, register]) => lvtLine(name, read(register))),
    `Timer\t DCR=0x${hex(divide, 1)} (divide by ${divisor}) initial_count = ${read(MORE.initial)} current_count = ${read(MORE.current)}`,
    `SPIV\t 0x${hex(svr, 8)} APIC ${(svr & 0x100) === 0 ? 'disabled' : 'enabled'}, focus=${(svr & 0x200) === 0 ? 'off' : 'on'}, spurious vec ${svr & 0xff}`,
    `ICR\t 0x${hex(icr, 8)} ${destination.join(' ')}`,
    `ICR2\t 0x${hex(icrHigh, 8)}${(icr & LOGICAL) === 0 ? ` cpu ${target}` : ` mask ${hex(icrHigh >>> 24, 2)}`}`,
    `ESR\t 0x${hex(read(MORE.esr), 8)}`,
    `ISR\t ${vectors(lapic, REG.isr)}`,
    `IRR\t ${vectors(lapic, REG.irr)}`,
    '',
    `APR 0x${hex(read(REG.apr), 2)} TPR 0x${hex(read(REG.tpr), 2)} DFR 0x${hex(read(REG.dfr) >>> 28, 2)} LDR 0x${hex(read(REG.ldr) >>> 24, 2)} PPR 0x${hex(read(REG.ppr), 2)}`,
  ].join('\n');
}

function pinLine(pin: number, low: number, high: number): string {
  const mode = (low >> 8) & 7;
  const logical = (low & LOGICAL) !== 0;
  const words = [
    `0x${hex(high, 8)}${hex(low, 8)}`,
    `dest=${logical ? hex(high >>> 24, 2) : high >>> 24}`,
    `vec=${String(low & 0xff).padEnd(3)}`,
    (low & ACTIVE_LOW) === 0 ? 'active-hi' : 'active-lo',
    (low & LEVEL) === 0 ? 'edge ' : 'level',
    (low & MASKED) === 0 ? '      ' : 'masked',
    PIN_DELIVERY[mode].padEnd(6),
    logical ? 'logical ' : 'physical',
  ];
  return `  pin ${String(pin).padEnd(2)} ${words.join(' ')}`;
}

function pinsOf(name: string, rows: readonly number[], bit: number): string {
  const pins = rows.flatMap((low, pin) => ((low & bit) === 0 ? [] : [pin]));
  return `  ${name} ${pins.length === 0 ? '(none)' : pins.join(' ')}`;
}

/** The devices' saved states have all that is shown. */
function controllers({ pic, ioapic }: IrqDevices): string {
  const io = ioapic.save();
  const { chips } = pic.save();
  const requested = io.low.map((low, pin) => ((io.lines & (1 << pin)) === 0 ? 0 : low | PENDING));
  return [
    `ioapic0: ver=0x20 id=0x${hex(io.id, 2)} sel=0x${hex(io.select, 2)}`,
    ...io.low.map((low, pin) => pinLine(pin, low, io.high[pin])),
    pinsOf('IRR     ', requested, PENDING),
    pinsOf('Remote IRR', io.low, REMOTE_IRR),
    ...[1, 0].map((index) => {
      const chip = chips[index];
      const masks = `irr=${hex(chip.irr, 2)} imr=${hex(chip.imr, 2)} isr=${hex(chip.isr, 2)} hprio=${chip.top}`;
      const modes = `rr_sel=${chip.readIsr ? 1 : 0} elcr=${hex(chip.elcr, 2)} fnm=${chip.fullyNested ? 1 : 0}`;
      return `pic${index}: ${masks} irq_base=${hex(chip.base, 2)} ${modes}`;
    }),
  ].join('\n');
}

const counts = (rows: readonly (readonly [number, number])[]): string[] =>
  rows.filter(([, count]) => count > 0).map(([index, count]) => `${String(index).padStart(2)}: ${count}`);

/** How often each pin was raised, and what the local APICs accepted, messages and timers too, by vector. */
function statistics({ irqs, lapic, outsideApics }: IrqDevices): string {
  const raised = [...irqs.raised.entries()];
  const apics = [...lapic.entries()].flatMap(([cpu, { accepted }]) =>
    outsideApics
      ? [`IRQ statistics not available for apic${cpu}: the host's kernel has it`]
      : [`IRQ statistics for apic${cpu}, by vector:`, ...counts([...accepted.entries()])],
  );
  return [
    'IRQ statistics for isa-i8259:',
    ...counts(raised.filter(([irq]) => irq < 16)),
    'IRQ statistics for ioapic:',
    ...counts(raised.map(([irq, count]) => [irq === 0 ? 2 : irq, count] as const)),
    ...apics,
    '(since the last reset, or since a state was loaded)',
  ].join('\n');
}

export const IRQ_COMMANDS: Record<string, Command> = {
  'info pic': ({ irq }) => controllers(irq),
  'info irq': ({ irq }) => statistics(irq),
  'info lapic': ({ irq, vcpu, args }) => {
    const cpu = args[0] === undefined ? vcpu : Number(args[0]);
    const lapic = irq.lapic[cpu];
    if (lapic === undefined) throw new Error(`no CPU ${args[0]}`);
    return lapicState(lapic, cpu);
  },
};
