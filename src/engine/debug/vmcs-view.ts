import { VMCS_FIELDS, vmcsFieldBits, vmcsFieldByEncoding } from '../../spec/vmx/vmcs-fields.js';
import type { VmcsFieldValue } from '../debugger.js';
import type { Vcpu } from '../vmm/vcpu.js';
import { decodeField } from './field-decode.js';

const AREAS = { control: 'control', 'read-only': 'read-only', guest: 'guest', host: 'host' } as const;

/** Every field of a vCPU's VMCS with its decoded bits. */
export function viewVmcs(vcpu: Vcpu): VmcsFieldValue[] {
  return VMCS_FIELDS.map((field) => {
    const value = vcpu.vmcs.readField(field);
    return {
      name: field.name,
      encoding: field.encoding,
      value,
      area: AREAS[field.type],
      widthBits: vmcsFieldBits(field),
      decoded: decodeField(field, value, (name) => vcpu.vmcs.get(name)),
    };
  });
}

/** The control fields as they were at one of the vCPU's exits; undefined where that is no longer known. */
export function controlsAt(vcpu: Vcpu, exit: number): { encoding: number; value: bigint }[] | undefined {
  const before = vcpu.vmcs.controls.before(exit);
  return (
    before &&
    VMCS_FIELDS.filter(({ type }) => type === 'control').map((field) => ({
      encoding: field.encoding,
      value: before.get(field.offset) ?? vcpu.vmcs.readField(field),
    }))
  );
}

/** Writes a field. @throws Error naming it when it is unknown, read-only or the value too wide. */
export function writeVmcs(vcpu: Vcpu, encoding: number, value: bigint): void {
  const field = vmcsFieldByEncoding(encoding);
  if (!field) throw new Error(`no VMCS field with encoding 0x${encoding.toString(16)}`);
  if (field.type === 'read-only') throw new Error(`${field.name} is read-only`);
  const bits = vmcsFieldBits(field);
  if (value < 0n || value >> BigInt(bits) !== 0n) throw new Error(`${field.name} holds ${bits} bits`);
  vcpu.vmcs.set(field.name, value);
}
