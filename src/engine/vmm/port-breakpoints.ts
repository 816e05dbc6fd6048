// The guest's breakpoints on ports: the VMM does IN and OUT, so it tells of them.
import { bitsOf, CR4, DR7_ENABLES } from '../../spec/flags.js';
import { DR0 } from '../core/layout.js';
import type { Vcpu } from './vcpu.js';

const CR4_DE = bitsOf(CR4, 'DE');
const ENABLES = bitsOf(DR7_ENABLES);
const KIND_PORT = 2;

/**
 * Bits of DR6 for the breakpoints that an access to ports meets; the trap follows the instruction.
 * @sdm 3B 18.2.4 "Debug Control Register (DR7)", 18.2.5 "Breakpoint Field Recognition"
 */
export function portBreakpoints(vcpu: Vcpu, port: number, bytes: number): number {
  const dr7 = vcpu.vmcs.dr7;
  if ((dr7 & ENABLES) === 0 || (vcpu.vmcs.cr4 & CR4_DE) === 0) return 0;
  let bits = 0;
  for (let n = 0; n < 4; n++) {
    if (((dr7 >>> (2 * n)) & 3) === 0 || ((dr7 >>> (16 + 4 * n)) & 3) !== KIND_PORT) continue;
    const length = (dr7 >>> (18 + 4 * n)) & 3;
    const size = length === 2 ? 8n : BigInt(length + 1);
    const first = vcpu.host.get64(vcpu.at(DR0) + n * 8) & ~(size - 1n);
    if (BigInt(port + bytes) > first && BigInt(port) < first + size) bits |= 1 << n;
  }
  return bits;
}
