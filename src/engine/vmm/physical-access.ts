import { RAM_BASE } from '../core/layout.js';
import { walkEpt } from '../debug/ept-walk.js';
import { hostReader } from '../debug/translate.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

const EPT_WRITE = 2n;

/** Host address of a guest-physical byte that the EPT maps; undefined: no frame, or not for that access. */
function frameOf(vcpu: Vcpu, vm: Vm, gpa: number, write: boolean): number | undefined {
  const { output, levels } = walkEpt(vcpu.vmcs.get('EPT_POINTER'), BigInt(gpa), hostReader(vm));
  if (output === undefined || output < BigInt(RAM_BASE) || output >= BigInt(vm.host.bytes)) return undefined;
  if (write && levels.some(({ entry }) => (entry & EPT_WRITE) === 0n)) return undefined;
  return Number(output);
}

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
