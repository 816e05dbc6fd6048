/** The spec's tables as the views ask them, and the VMCS encodings that they look up. */
import { decodeBits } from '../spec/flags.js';
import { SYSTEM_REGISTERS } from '../spec/registers.js';

export { exitReason, exitReasonByName, exitReasonName } from '../spec/vmx/exit-reasons.js';

const FIELDS = new Map(SYSTEM_REGISTERS.map((row) => [row.name, row.fields]));

/** Set bits of a register by name, lowest first; empty for a register without named bits. */
export function registerBits(name: string, value: bigint): string[] {
  const fields = name === 'cr3' ? undefined : FIELDS.get(name);
  return fields ? decodeBits(value, fields) : [];
}

/** VMCS field encodings. @sdm 3D B "Field Encoding in VMCS" */
export const ENCODING = {
  pin: 0x4000,
  primary: 0x4002,
  exceptionBitmap: 0x4004,
  pfecMask: 0x4006,
  pfecMatch: 0x4008,
  exitControls: 0x400c,
  entryControls: 0x4012,
  secondary: 0x401e,
  ioBitmapA: 0x2000,
  ioBitmapB: 0x2002,
  msrBitmap: 0x2004,
  apicAccess: 0x2014,
  eptPointer: 0x201a,
  cr0Mask: 0x6000,
  cr4Mask: 0x6002,
  cr0Shadow: 0x6004,
  cr4Shadow: 0x6006,
  cr3TargetCount: 0x400a,
  cr3Target0: 0x6008,
  guestPhysical: 0x2400,
} as const;
