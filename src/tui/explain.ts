/** A VM exit in words: its qualification, and the control that made it exit. */
import type { ExitRecord } from '../engine/debugger.js';
import { exitReason } from '../spec/vmx/exit-reasons.js';
import { ENCODING, vectorName } from './facts.js';
import { hex } from './screen/text.js';

const GPR = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'];
const register = (n: number) => GPR[n] ?? `r${n}`;
const bits = (value: bigint, low: number, count: number) =>
  Number((value >> BigInt(low)) & ((1n << BigInt(count)) - 1n));
const bit = (value: bigint, n: number) => bits(value, n, 1) === 1;

/** Reads a VMCS field, or undefined where the target gives none. */
export type FieldReader = (encoding: number) => bigint | undefined;

const EXCEPTION = 0;
const TASK_SWITCH = 9;
const INVLPG = 14;
const CR_ACCESS = 28;
const DR_ACCESS = 29;
const IO_INSTRUCTION = 30;
const MSR_READ = 31;
const MSR_WRITE = 32;
const EPT_VIOLATION = 48;

/**
 * The exit qualification in words, or undefined where the reason defines none.
 * @sdm 3C 27.2.1 "Basic VM-Exit Information"
 */
export function describeQualification(exit: ExitRecord): string | undefined {
  const q = exit.qualification;
  switch (exit.reason & 0xffff) {
    case EXCEPTION: {
      const vector = exit.interruptionInfo & 0xff;
      if (vector === 14) return `faulting address ${hex(q)}`;
      if (vector === 1) {
        const causes = ['B0', 'B1', 'B2', 'B3'].filter((_, n) => bit(q, n));
        if (bit(q, 13)) causes.push('BD');
        if (bit(q, 14)) causes.push('BS');
        return `debug ${causes.join(' ')}`;
      }
      return undefined;
    }
    case TASK_SWITCH:
      return `selector ${hex(q & 0xffffn, 4)} by ${['CALL', 'IRET', 'JMP', 'task gate'][bits(q, 30, 2)]}`;
    case INVLPG:
      return `address ${hex(q)}`;
    case CR_ACCESS: {
      const cr = `cr${bits(q, 0, 4)}`;
      const gpr = register(bits(q, 8, 4));
      const forms = [`mov ${cr}, ${gpr}`, `mov ${gpr}, ${cr}`, 'clts', `lmsw ${hex((q >> 16n) & 0xffffn, 4)}`];
      return forms[bits(q, 4, 2)];
    }
    case DR_ACCESS: {
      const dr = `dr${bits(q, 0, 3)}`;
      const gpr = register(bits(q, 8, 4));
      return bit(q, 4) ? `mov ${gpr}, ${dr}` : `mov ${dr}, ${gpr}`;
    }
    case IO_INSTRUCTION: {
      const parts = [`${bit(q, 3) ? 'in' : 'out'} ${bits(q, 0, 3) + 1} byte`, `port ${hex((q >> 16n) & 0xffffn)}`];
      if (bit(q, 4)) parts.push('string');
      if (bit(q, 5)) parts.push('rep');
      parts.push(bit(q, 6) ? 'imm' : 'dx');
      return parts.join(' ');
    }
    case EPT_VIOLATION: {
      const wanted = permissions(q, 0);
      const allowed = permissions(q, 3);
      const parts = [`${wanted} wanted, ${allowed} allowed`];
      if (bit(q, 7)) parts.push(bit(q, 8) ? 'GLA ok' : 'GLA ok, page-walk access');
      if (bit(q, 12)) parts.push('unblocks NMI by IRET');
      return parts.join(', ');
    }
    default:
      return undefined;
  }
}

function permissions(q: bigint, low: number): string {
  const text = ['R', 'W', 'X'].filter((_, n) => bit(q, low + n)).join('');
  return text || '---';
}

/** What is left to say in one short cell: port, MSR, leaf, address or vector. */
export function exitSubject(exit: ExitRecord): string {
  switch (exit.reason & 0xffff) {
    case EXCEPTION:
      return vectorName(exit.interruptionInfo & 0xff);
    case 1:
      return exit.interruptionInfo >>> 31 ? `vector ${hex(exit.interruptionInfo & 0xff, 2)}` : '';
    case 10:
      return `leaf ${hex(exit.rax & 0xffffffffn)}.${hex(exit.rcx & 0xffffffffn)}`;
    case MSR_READ:
    case MSR_WRITE:
      return `msr ${hex(exit.rcx & 0xffffffffn)}`;
    case IO_INSTRUCTION: {
      const q = exit.qualification;
      return `${bit(q, 3) ? 'in ' : 'out'} ${hex(bits(q, 16, 16), 3)} ${bits(q, 0, 3) + 1}b`;
    }
    case EPT_VIOLATION:
      return `gpa ${hex(exit.gpa)} ${permissions(exit.qualification, 0)}`;
    case 49:
      return `gpa ${hex(exit.gpa)}`;
    default:
      return describeQualification(exit) ?? '';
  }
}

/** Event in an interruption-information field. @sdm 3C 24.9.2 "Information for VM Exits Due to Vectored Events" */
export function describeInterruption(info: number, error: number): string {
  const types = ['external', 'type 1', 'NMI', 'hw exception', 'sw int', 'priv sw exception', 'sw exception', 'other'];
  const vector = info & 0xff;
  const text = `${vectorName(vector)} (${types[(info >> 8) & 7]})`;
  return info & 0x800 ? `${text} error ${hex(error)}` : text;
}

/**
 * Why this exit happened: the control bit, bitmap or EPT permission that caused it.
 * @sdm 3C 25.1 "Instructions That Cause VM Exits", 25.2 "Other Causes of VM Exits"
 */
export function explainExit(exit: ExitRecord, field: FieldReader): string {
  const number = exit.reason & 0xffff;
  const row = exitReason(number);
  if (exit.reason >>> 31) return 'VM entry failed its checks';
  const q = exit.qualification;
  switch (number) {
    case EXCEPTION: {
      const vector = exit.interruptionInfo & 0xff;
      if (((exit.interruptionInfo >> 8) & 7) === 2) return 'pin control "NMI exiting" = 1';
      const bitmap = field(ENCODING.exceptionBitmap);
      if (vector === 14) {
        const mask = field(ENCODING.pfecMask);
        const match = field(ENCODING.pfecMatch);
        if (bitmap !== undefined && mask !== undefined && match !== undefined) {
          const equal = (BigInt(exit.interruptionError) & mask) === match;
          return `exception bitmap bit 14 = ${bit(bitmap, 14) ? 1 : 0}, error code ${equal ? 'matches' : 'differs from'} PFEC match`;
        }
      }
      const state = bitmap === undefined ? '' : ` (bitmap ${hex(bitmap)})`;
      return `exception bitmap bit ${vector} ${vectorName(vector)} = 1${state}`;
    }
    case CR_ACCESS: {
      const cr = bits(q, 0, 4);
      const kind = bits(q, 4, 2);
      if (cr === 3) return `primary control "CR3-${kind === 0 ? 'load' : 'store'} exiting" = 1`;
      if (cr === 8) return `primary control "CR8-${kind === 0 ? 'load' : 'store'} exiting" = 1`;
      const mask = field(cr === 0 ? ENCODING.cr0Mask : ENCODING.cr4Mask);
      const shadow = field(cr === 0 ? ENCODING.cr0Shadow : ENCODING.cr4Shadow);
      const text =
        mask === undefined ? '' : ` mask ${hex(mask)}${shadow === undefined ? '' : ` shadow ${hex(shadow)}`}`;
      return `CR${cr} guest/host mask: a masked bit differs from its shadow${text}`;
    }
    case IO_INSTRUCTION: {
      const primary = field(ENCODING.primary);
      const port = bits(q, 16, 16);
      if (primary === undefined) return 'I/O exiting';
      if (!bit(primary, 25)) return 'primary control "Unconditional I/O exiting" = 1';
      return `I/O bitmap ${port < 0x8000 ? 'A' : 'B'} bit ${hex(port & 0x7fff)} = 1`;
    }
    case MSR_READ:
    case MSR_WRITE: {
      const primary = field(ENCODING.primary);
      if (primary !== undefined && !bit(primary, 28))
        return 'primary control "Use MSR bitmaps" = 0: every access exits';
      const msr = Number(exit.rcx & 0xffffffffn);
      const low = msr < 0x2000;
      if (!low && (msr < 0xc0000000 || msr > 0xc0001fff)) return 'MSR outside both bitmap ranges';
      return `MSR bitmap ${number === MSR_READ ? 'read' : 'write'} ${low ? 'low' : 'high'} bit ${hex(msr & 0x1fff)} = 1`;
    }
    case EPT_VIOLATION: {
      const allowed = permissions(q, 3);
      if (allowed === '---') return `EPT has no entry for gpa ${hex(exit.gpa)}`;
      const missing = ['R', 'W', 'X'].filter((_, n) => bit(q, n) && !bit(q, n + 3)).join('');
      return `EPT entry for gpa ${hex(exit.gpa)} allows ${allowed}, lacks ${missing || 'nothing'}`;
    }
    case 49:
      return `EPT entry for gpa ${hex(exit.gpa)} holds a reserved combination`;
    case 2:
      return 'a fault while delivering #DF';
  }
  if (!row) return 'unknown reason';
  if (row.controls.length === 0) return 'unconditional: exits whatever the controls say';
  return row.controls.map((name) => `"${name}" = 1`).join(' or ');
}
