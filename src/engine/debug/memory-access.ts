import { RAM_BASE } from '../core/layout.js';
import type { AddressSpace } from '../debugger.js';
import type { Vcpu } from '../vmm/vcpu.js';
import type { Vm } from '../vmm/vm.js';
import { guestToHost, translate } from './translate.js';

const PAGE = 4096n;
const ADDRESS_MASK = (1n << 64n) - 1n;

/** Host address of one guest or host address, or undefined. */
function locate(vm: Vm, vcpu: Vcpu, space: AddressSpace, address: bigint): number | undefined {
  const gpa = space === 'gva' ? translate(vcpu, vm, address) : address;
  if (gpa === undefined) return undefined;
  const hpa = space === 'hpa' ? gpa : guestToHost(vm, vcpu, gpa);
  return hpa === undefined || hpa >= BigInt(vm.host.bytes) ? undefined : Number(hpa);
}

/** Walks [address, address + length) page by page; stops where memory ends. */
function* pieces(
  vm: Vm,
  vcpu: Vcpu,
  space: AddressSpace,
  address: bigint,
  length: number,
): Generator<[number, number, number]> {
  for (let done = 0; done < length; ) {
    const at = (address + BigInt(done)) & ADDRESS_MASK;
    const bytes = Math.min(length - done, Number(PAGE - (at % PAGE)));
    const hpa = locate(vm, vcpu, space, at);
    if (hpa === undefined) return;
    yield [hpa, done, Math.min(bytes, vm.host.bytes - hpa)];
    done += bytes;
  }
}

/** Reads without side effects; short where memory ends or is not mapped. */
export function readMemory(vm: Vm, vcpu: Vcpu, space: AddressSpace, address: bigint, length: number): Uint8Array {
  const result = new Uint8Array(length);
  let valid = 0;
  for (const [hpa, offset, bytes] of pieces(vm, vcpu, space, address, length)) {
    result.set(vm.host.u8.subarray(hpa, hpa + bytes), offset);
    valid = offset + bytes;
  }
  return valid === length ? result : result.slice(0, valid);
}

/** Writes into frames only; answers how many bytes were written. Host memory below guest RAM is the engine's own. */
export function writeMemory(vm: Vm, vcpu: Vcpu, space: AddressSpace, address: bigint, bytes: Uint8Array): number {
  let written = 0;
  for (const [hpa, offset, count] of pieces(vm, vcpu, space, address, bytes.length)) {
    if (hpa < RAM_BASE) break;
    vm.host.u8.set(bytes.subarray(offset, offset + count), hpa);
    vm.core.invalidatePageCode(hpa - (hpa % 4096));
    written = offset + count;
  }
  return written;
}
