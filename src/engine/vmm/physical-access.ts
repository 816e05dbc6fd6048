import { frameByEpt } from '../memory/engine-frames.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

const frameOf = (vcpu: Vcpu, { host }: Vm, gpa: number, write: boolean): number | undefined =>
  frameByEpt(host, vcpu.vmcs.get('EPT_POINTER'), gpa, write);

/**
 * Reads guest-physical memory for the processor, as its own accesses to paging structures or task states: RAM and ROM by
 * their frames, devices, and all ones where there is nothing. The access is naturally aligned; 1, 2, 4 or 8 bytes.
 */
export function physicalRead(vcpu: Vcpu, vm: Vm, gpa: number, bytes: number): bigint {
  const at = frameOf(vcpu, vm, gpa, false);
  if (at === undefined) return vm.mmioRead(vcpu, gpa, bytes);
  let value = 0n;
  for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(vm.host.u8[at + i]);
  return value;
}

/** As physicalRead for a write: ROM keeps what it holds. */
export function physicalWrite(vcpu: Vcpu, vm: Vm, gpa: number, bytes: number, value: bigint): void {
  const at = frameOf(vcpu, vm, gpa, true);
  if (at === undefined) {
    vm.mmioWrite(vcpu, gpa, bytes, value);
    return;
  }
  vm.host.willWrite(at, bytes);
  for (let i = 0; i < bytes; i++) vm.host.u8[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  vm.core.invalidatePageCode(at - (at % 4096));
}
