import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Hypervisor } from '../src/engine/vmm/hypervisor.js';
import type { Measurement } from './measurement.js';
import { ROOT } from './paths.js';
import { createCore, KvmHypervisor, Machine, probeKvm, Vm } from './product.js';

const MEMORY_BYTES = 1 << 20;
const SLICE = 100_000;
const SECONDS = 1;
const ROUNDS = 3;

/** Loops that do nothing but exit, in real mode. */
const LOOPS = {
  /** out 80h, al ; jmp back */
  port: 'e680ebfc',
  /** mov ax, ffffh ; mov ds, ax ; mov [10h], al (GPA 100000h, behind RAM) ; jmp back */
  mmio: 'b8ffff8ed8a21000ebfb',
};

/** Exits a second of a loop on an engine, through the VMM and its devices. */
function rate(vm: Hypervisor, code: string): number {
  new Machine(vm, {
    name: 'bench',
    image: { name: 'loop', bytes: Uint8Array.from(Buffer.from(code, 'hex')) },
    at: 0x7c00,
    isaDebugExit: false,
    noReboot: true,
    wallSeconds: 0,
  });
  const run = (seconds: number): number => {
    const before = vm.exits;
    const start = performance.now();
    while (performance.now() - start < seconds * 1000) {
      const { kind } = vm.runSlice(vm.vcpus[0], SLICE);
      if (kind !== 'limit') throw new Error(`the guest stopped: ${kind} ${vm.end?.message ?? ''}`);
    }
    return (vm.exits - before) / ((performance.now() - start) / 1000);
  };
  run(SECONDS / 4);
  const result = run(SECONDS);
  vm.close();
  return result;
}

function vtx(): Hypervisor {
  const { core, host } = createCore(MEMORY_BYTES);
  return new Vm(core, host, MEMORY_BYTES, 1);
}

/** Port I/O and MMIO on kvm beside a plain C program that does the same requests, and beside vtx. */
export function kvmExitRates(): Measurement[] {
  const probe = probeKvm();
  if (!probe.usable) throw new Error(`not measured: ${probe.reason}`);
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-bench-'));
  try {
    const program = join(folder, 'kvm-exits');
    execFileSync('gcc', ['-O2', '-o', program, `${ROOT}bench/kvm-exits.c`]);
    return Object.entries(LOOPS).flatMap(([name, code]): Measurement[] => {
      const best = { c: 0, kvm: 0, vtx: 0, ratio: 0 };
      // by turns, so that another load on the machine meets all of them; others only ever take time away
      for (let round = 0; round < ROUNDS; round++) {
        best.c = Math.max(best.c, Number(execFileSync(program, [code, String(SECONDS)], { encoding: 'utf8' })));
        best.kvm = Math.max(best.kvm, rate(KvmHypervisor.create({ memoryBytes: MEMORY_BYTES, vcpus: 1 }), code));
        best.vtx = Math.max(best.vtx, rate(vtx(), code));
      }
      return [
        { name: `kvm.${name}`, value: best.kvm, unit: 'exits/s' },
        { name: `kvm.${name}-in-c`, value: best.c, unit: 'exits/s', note: 'a C program doing the same ioctls' },
        { name: `kvm.${name}-on-vtx`, value: best.vtx, unit: 'exits/s' },
        { name: `kvm.${name}-of-c`, value: best.kvm / best.c, unit: 'ratio', note: 'kvm / C' },
      ];
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
