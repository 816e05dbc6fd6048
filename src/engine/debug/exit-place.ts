/** Which instruction exited. */
import type { ExitRecord } from '../debugger.js';

/** What is known of an instruction near the exit. */
export interface NearbyInstruction {
  address: bigint;
  bytes: Uint8Array;
  mnemonic: string;
  operands: string;
}

/** Linear address of RIP as the exit recorded it. @param now width of the code where the record does not say */
export function exitRip({ rip, csBase, bits }: ExitRecord, now: 16 | 32 | 64): bigint {
  return (bits ?? now) === 64 ? rip : BigInt.asUintN(32, csBase + rip);
}

/** The same for who puts exits together and sees records alone: where one does not say its width, nothing is cut off. */
export function recordedRip({ rip, csBase, bits }: ExitRecord): bigint {
  if (bits === 64) return rip;
  return BigInt.asUintN(bits === undefined ? 64 : 32, csBase + rip);
}

const IO = /^(?:rep\w* )?(?:in|out)(?:s[bwd])?$/;

/** Whether the instruction can have made the exit; undefined for reasons that many instructions have. */
function fits(exit: ExitRecord, { mnemonic, operands }: NearbyInstruction): boolean | undefined {
  switch (exit.reason & 0xffff) {
    case 12:
      return mnemonic === 'hlt';
    case 30:
      return IO.test(mnemonic);
    case 31:
      return mnemonic === 'rdmsr';
    case 32:
      return mnemonic === 'wrmsr';
    case 48:
      return operands.includes('[') || /^(?:rep\w* )?(?:movs|stos|lods|cmps|scas|push|pop|call|ret)/.test(mnemonic);
    default:
      return undefined;
  }
}

const WRITE = 2n;
const IN = 8n;

/**
 * Address of the instruction that exited. KVM has moved RIP behind some before user space hears of them: HLT always, and
 * what its emulator has carried out but for the answer of a device, writes to memory and ports; so of the instruction at
 * RIP and the one before it, the one that fits is taken. Other targets record RIP as the SDM has it.
 * @param lines of the code around, in order
 */
export function exitedAt(exit: ExitRecord, rip: bigint, lines: readonly NearbyInstruction[], byKvm: boolean): bigint {
  if (!byKvm) return rip;
  const before = lines.find(({ address, bytes }) => address + BigInt(bytes.length) === rip);
  if (before === undefined || !fits(exit, before)) return rip;
  const here = lines.find(({ address }) => address === rip);
  const both = here === undefined || fits(exit, here);
  if (!both) return before.address;
  const reason = exit.reason & 0xffff;
  if (reason === 12) return before.address;
  if (reason === 48) return exit.qualification & WRITE ? before.address : rip;
  return reason === 30 && !(exit.qualification & IN) && here === undefined ? before.address : rip;
}
