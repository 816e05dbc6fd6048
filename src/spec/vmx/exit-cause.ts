// Why an exit happened: the control bit, bitmap bit or mask that caused it.
import { CONTROL_FIELD, type ControlBit, findControl } from './controls.js';
import { exitReason } from './exit-reasons.js';
import { decodeInterruption } from './interruption-info.js';

/** The numbers of an exit that a cause depends on. */
export interface ExitFacts {
  readonly reason: number;
  readonly qualification: bigint;
  readonly interruption: number;
  readonly interruptionError: number;
  /** RCX at the exit: the MSR's number. */
  readonly rcx: bigint;
}

export interface ExitCause {
  /** Control bit to blame, where there is one. */
  readonly control?: ControlBit;
  /** VMCS field to look at. */
  readonly field?: string;
  /** Bit of that field, or of the bitmap that it points to. */
  readonly bit?: number;
  readonly text: string;
}

/** Reads a VMCS field by name; undefined: the target does not show it. */
export type ReadField = (name: string) => bigint | undefined;

function byControl(name: string): ExitCause {
  const control = findControl(name);
  if (!control) throw new Error(`no control ${name}`);
  return { control, field: CONTROL_FIELD[control.word], bit: control.bit, text: `"${control.name}" is 1` };
}

function hasBit(value: bigint | undefined, bit: number): boolean | undefined {
  return value === undefined ? undefined : ((value >> BigInt(bit)) & 1n) === 1n;
}

function ofException(exit: ExitFacts, read: ReadField): ExitCause {
  const event = decodeInterruption(exit.interruption);
  if (event.type === 2) return byControl('NMI exiting');
  const cause = { field: 'EXCEPTION_BITMAP', bit: event.vector };
  if (event.vector !== 14)
    return { ...cause, text: `bit ${event.vector} (${event.name}) of the exception bitmap is 1` };
  const mask = read('PAGE_FAULT_ERROR_CODE_MASK');
  const match = read('PAGE_FAULT_ERROR_CODE_MATCH');
  const set = hasBit(read('EXCEPTION_BITMAP'), 14);
  if (mask === undefined || match === undefined || set === undefined)
    return { ...cause, text: 'exception bitmap, page-fault mask and match' };
  const equal = (BigInt(exit.interruptionError) & mask) === match;
  return {
    ...cause,
    text: `bit 14 (#PF) of the exception bitmap is ${set ? 1 : 0} and the error code ${equal ? 'has' : 'lacks'} the bits of the page-fault match`,
  };
}

function ofControlRegister(qualification: bigint): ExitCause {
  const register = Number(qualification & 15n);
  const type = Number((qualification >> 4n) & 3n);
  if (register === 3) return byControl(type === 0 ? 'CR3-load exiting' : 'CR3-store exiting');
  if (register === 8) return byControl(type === 0 ? 'CR8-load exiting' : 'CR8-store exiting');
  return {
    field: `CR${register}_GUEST_HOST_MASK`,
    text: `a bit that the CR${register} guest/host mask owns differs from the read shadow`,
  };
}

function ofPort(qualification: bigint, read: ReadField): ExitCause {
  if (hasBit(read('CPU_BASED_VM_EXEC_CONTROL'), 25) === false) return byControl('Unconditional I/O exiting');
  const port = Number((qualification >> 16n) & 0xffffn);
  const name = port < 0x8000 ? 'A' : 'B';
  return {
    ...byControl('Use I/O bitmaps'),
    field: `IO_BITMAP_${name}`,
    bit: port & 0x7fff,
    text: `bit 0x${(port & 0x7fff).toString(16)} of I/O bitmap ${name} is 1, or the access wraps around`,
  };
}

function ofMsr(exit: ExitFacts, read: ReadField): ExitCause {
  const msr = Number(exit.rcx & 0xffffffffn);
  const control = findControl('Use MSR bitmaps');
  const field = 'MSR_BITMAP';
  if (hasBit(read('CPU_BASED_VM_EXEC_CONTROL'), 28) === false)
    return { control, field: 'CPU_BASED_VM_EXEC_CONTROL', bit: 28, text: '"Use MSR bitmaps" is 0: every access exits' };
  const high = msr >= 0xc0000000 && msr < 0xc0002000;
  if (!high && msr >= 0x2000) return { control, text: 'the MSR is outside both ranges of the bitmaps' };
  const area = `${(exit.reason & 0xffff) === 31 ? 'read' : 'write'} bitmap for ${high ? 'high' : 'low'} MSRs`;
  return { control, field, bit: msr & 0x1fff, text: `bit 0x${(msr & 0x1fff).toString(16)} of the ${area} is 1` };
}

/** The cause of an exit. @sdm 3C 25.1 "Instructions That Cause VM Exits" 25.2 "Other Causes of VM Exits" */
export function exitCause(exit: ExitFacts, read: ReadField): ExitCause {
  const row = exitReason(exit.reason);
  if (exit.reason >>> 31) return { text: 'the VM entry failed its checks' };
  if (!row) return { text: 'unknown exit reason' };
  switch (row.name) {
    case 'EXCEPTION_NMI':
      return ofException(exit, read);
    case 'CR_ACCESS':
      return ofControlRegister(exit.qualification);
    case 'IO_INSTRUCTION':
      return ofPort(exit.qualification, read);
    case 'MSR_READ':
    case 'MSR_WRITE':
      return ofMsr(exit, read);
    case 'TRIPLE_FAULT':
      return { text: 'a fault during delivery of #DF' };
    case 'EPT_VIOLATION':
      return {
        field: 'EPT_POINTER',
        text:
          (exit.qualification & 0x38n) === 0n
            ? 'no EPT entry maps the address'
            : 'the EPT entries do not permit the access',
      };
    case 'EPT_MISCONFIG':
      return { field: 'EPT_POINTER', text: 'an EPT entry holds an unsupported value' };
    case 'PAUSE_INSTRUCTION':
      return byControl(
        hasBit(read('CPU_BASED_VM_EXEC_CONTROL'), 30) === false ? 'PAUSE-loop exiting' : 'PAUSE exiting',
      );
    case 'VMFUNC':
      return { field: 'VM_FUNCTION_CONTROL', text: 'the VM function is not enabled, or its operand is not valid' };
    default:
      return row.controls.length > 0 ? byControl(row.controls[0]) : { text: 'unconditional: no control prevents it' };
  }
}
