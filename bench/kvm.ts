import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Hypervisor } from '../src/engine/vmm/hypervisor.js';
import type { Measurement } from './measurement.js';
import { ROOT } from './paths.js';
import { createCore, KvmHypervisor, Machine, probeKvm, Vm, viewOfVm } from './product.js';

const MEMORY_BYTES = 4 << 20;
const SLICE = 100_000;
const SECONDS = 1;
const ROUNDS = 3;
/** Where a start-up IPI sends other vCPUs, too. */
const START_PAGE = 7;
/** bench/self-ipi.S counts here. */
const INTERRUPTS = 0x500;

/** Loops that do nothing but exit, in real mode. */
const LOOPS = {
  /** out 80h, al ; jmp back */
  port: 'e680ebfc',
  /** mov ax, ffffh ; mov ds, ax ; mov [10h], al (GPA 100000h, made to lie behind RAM) ; jmp back */
  mmio: 'b8ffff8ed8a21000ebfb',
  /** mov cx, 1000 ; dec cx ; jnz back ; out 80h, al ; jmp to the start: hardly an exit */
  compute: 'b9e8034975fde680ebf6',
};

interface Image {
  name: string;
  bytes: Uint8Array;
  at?: number;
}

const loop = (code: string): Image => ({
  name: 'loop',
  bytes: Uint8Array.from(Buffer.from(code, 'hex')),
  at: START_PAGE << 12,
});

/** How fast a figure grows while a machine runs; closes the machine. */
function rate(vm: Hypervisor, image: Image, figure = () => vm.exits): number {
  new Machine(vm, {
    name: 'bench',
    image,
    ...(image.at === undefined ? {} : { at: image.at }),
    isaDebugExit: false,
    noReboot: true,
    wallSeconds: 0,
  });
  for (const vcpu of vm.vcpus.slice(1)) vcpu.pendingSipi = START_PAGE;
  const run = (seconds: number): number => {
    const before = figure();
    const start = performance.now();
    while (performance.now() - start < seconds * 1000) {
      const { kind } = vm.runTogether ? vm.runTogether().end : vm.runSlice(vm.vcpus[0], SLICE);
      if (kind !== 'limit') throw new Error(`the guest stopped: ${kind} ${vm.end?.message ?? ''}`);
    }
    return (figure() - before) / ((performance.now() - start) / 1000);
  };
  run(SECONDS / 4);
  const result = run(SECONDS);
  vm.synchronize();
  vm.close();
  return result;
}

/** RAM ends below the address of the MMIO loop. */
const memoryOf = (name: string): number => (name === 'mmio' ? 1 << 20 : MEMORY_BYTES);

function vtx(memoryBytes = MEMORY_BYTES): Hypervisor {
  const { core, host } = createCore(memoryBytes);
  return new Vm(core, host, memoryBytes, 1, viewOfVm);
}

type Options = Partial<Parameters<typeof KvmHypervisor.create>[0]>;
const kvm = (options: Options = {}): Hypervisor =>
  KvmHypervisor.create({ memoryBytes: MEMORY_BYTES, vcpus: 1, ...options });

/** The best of each: by turns, so that another load on the machine meets all of them; others only ever take time away. */
function byTurns<K extends string>(measures: Record<K, () => number>): Record<K, number> {
  const names = Object.keys(measures) as K[];
  const best = Object.fromEntries(names.map((name) => [name, 0])) as Record<K, number>;
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) best[name] = Math.max(best[name], measures[name]());
  }
  return best;
}

function mustWork(): void {
  const probe = probeKvm();
  if (!probe.usable) throw new Error(`not measured: ${probe.reason}`);
}

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-bench-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Port I/O and MMIO on kvm beside a plain C program that does the same requests, and beside vtx. */
export function kvmExitRates(): Measurement[] {
  mustWork();
  return inFolder((folder) => {
    const program = join(folder, 'kvm-exits');
    execFileSync('gcc', ['-O2', '-o', program, `${ROOT}bench/kvm-exits.c`]);
    return Object.entries(LOOPS).flatMap(([name, code]): Measurement[] => {
      const best = byTurns({
        c: () => Number(execFileSync(program, [code, String(SECONDS)], { encoding: 'utf8' })),
        kvm: () => rate(kvm({ memoryBytes: memoryOf(name) }), loop(code)),
        vtx: () => rate(vtx(memoryOf(name)), loop(code)),
      });
      return [
        {
          name: `kvm.${name}`,
          value: best.kvm,
          unit: 'exits/s',
          ...(name === 'compute' && { note: '2000 instructions each' }),
        },
        { name: `kvm.${name}-in-c`, value: best.c, unit: 'exits/s', note: 'a C program doing the same ioctls' },
        { name: `kvm.${name}-on-vtx`, value: best.vtx, unit: 'exits/s' },
        { name: `kvm.${name}-of-c`, value: best.kvm / best.c, unit: 'ratio', note: 'kvm / C' },
      ];
    });
  });
}

/** What a change of thread costs an exit, and what two vCPUs make together. */
export function kvmThreads(): Measurement[] {
  mustWork();
  const image = loop(LOOPS.port);
  const best = byTurns({
    same: () => rate(kvm(), image),
    own: () => rate(kvm({ threads: true }), image),
    two: () => rate(kvm({ vcpus: 2 }), image),
  });
  return [
    { name: 'kvm.port-own-thread', value: best.own, unit: 'exits/s', note: 'one vCPU in a thread of its own' },
    {
      name: 'kvm.own-thread-of-same',
      value: best.own / best.same,
      unit: 'ratio',
      note: 'own thread / devices’ thread',
    },
    { name: 'kvm.port-2-vcpus', value: best.two, unit: 'exits/s', note: 'two vCPUs together' },
  ];
}

/** Interrupts with the controllers here and in the kernel. */
export function kvmInterrupts(): Measurement[] {
  mustWork();
  return inFolder((folder) => {
    const lib = `${ROOT}samples/lib/`;
    const elf = join(folder, 'ipi.elf');
    const sources = [
      `${ROOT}bench/self-ipi.S`,
      ...['start64', 'serial64', 'idt64', 'pic64'].map((n) => `${lib}${n}.S`),
    ];
    const objects = sources.map((source, i) => {
      execFileSync('as', ['--64', '-I', lib, '-o', join(folder, `${i}.o`), source]);
      return join(folder, `${i}.o`);
    });
    const flags = ['--build-id=none', '--no-warn-rwx-segments', '-n', '-T', `${lib}sample.ld`];
    execFileSync('ld', [...flags, ...objects, '-o', elf]);
    const image = { name: elf, bytes: readFileSync(elf) };
    const interrupts = (vm: Hypervisor): number => {
      const counter = new DataView(vm.memory.read(INTERRUPTS, 4).slice().buffer);
      return counter.getUint32(0, true);
    };
    const measure = (make: () => Hypervisor) => (): number => {
      const vm = make();
      return rate(vm, image, () => interrupts(vm));
    };
    const best = byTurns({
      off: measure(() => kvm({ irqchip: 'off' })),
      split: measure(() => kvm({ irqchip: 'split' })),
      on: measure(() => kvm({ irqchip: 'on' })),
      vtx: measure(() => vtx()),
    });
    return [
      { name: 'kvm.self-ipi', value: best.off, unit: 'interrupts/s', note: 'local APIC in user space' },
      { name: 'kvm.self-ipi-split', value: best.split, unit: 'interrupts/s', note: '--kernel-irqchip split' },
      { name: 'kvm.self-ipi-in-kernel', value: best.on, unit: 'interrupts/s', note: '--kernel-irqchip on' },
      { name: 'kvm.self-ipi-on-vtx', value: best.vtx, unit: 'interrupts/s' },
    ];
  });
}
