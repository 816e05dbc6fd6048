import { RAM_BASE } from '../core/layout.js';
import type { Vm } from '../vmm/vm.js';

/** Reads the engine's whole memory; short where it ends. */
export function readHost(vm: Vm, address: bigint, length: number): Uint8Array {
  if (address >= BigInt(vm.host.bytes)) return new Uint8Array(0);
  const at = Number(address);
  return vm.host.u8.slice(at, at + length);
}

/** Writes into frames only; answers how many bytes were written. Host memory below guest RAM is the engine's own. */
export function writeHost(vm: Vm, address: bigint, bytes: Uint8Array): number {
  if (address < BigInt(RAM_BASE) || address >= BigInt(vm.host.bytes)) return 0;
  const at = Number(address);
  const fits = Math.min(bytes.length, vm.host.bytes - at);
  vm.host.willWrite(at, fits);
  vm.host.u8.set(bytes.subarray(0, fits), at);
  for (let page = at - (at % 4096); page < at + fits; page += 4096) vm.core.invalidatePageCode(page);
  return fits;
}
