import { vectorName } from '../../spec/exceptions.js';
import { FAULT_LOG, FAULT_LOG_BYTES, FAULT_LOG_ENTRIES } from '../core/layout.js';
import type { FaultStep } from '../debugger.js';
import type { Vm } from '../vmm/vm.js';

const DF = 8;

/** The newest faults up to the one that could not be delivered, oldest first: a fault, what came of it, and so on. */
export function faultChain(vm: Vm): FaultStep[] {
  const { host } = vm;
  const count = host.get32(FAULT_LOG);
  const steps: (FaultStep & { icount: bigint })[] = [];
  for (let n = Math.max(0, count - FAULT_LOG_ENTRIES); n < count; n++) {
    const at = FAULT_LOG + 16 + (n % FAULT_LOG_ENTRIES) * FAULT_LOG_BYTES;
    const vector = host.get32(at);
    const name = vectorName(vector);
    const rip = host.get64(at + 8);
    const address = host.get64(at + 16);
    const error = host.get32(at + 32) !== 0 ? host.get32(at + 4) : undefined;
    const details = [
      error === undefined ? '' : ` error 0x${error.toString(16)}`,
      vector === 14 ? ` at 0x${address.toString(16)}` : '',
    ].join('');
    steps.push({
      vector,
      name,
      rip,
      icount: host.get64(at + 24),
      ...(error === undefined ? {} : { error }),
      ...(vector === 14 ? { address } : {}),
      text: `${name}${details}, RIP 0x${rip.toString(16)}`,
    });
  }
  return lastChain(steps).map(({ icount: _, ...step }) => step);
}

/** The faults of one instruction count belong together; a chain that has #DF reaches back to what led to it. */
function lastChain<T extends { vector: number; icount: bigint }>(steps: T[]): T[] {
  const last = steps.at(-1);
  if (!last) return [];
  let first = steps.length - 1;
  while (first > 0 && steps[first - 1].icount === last.icount) first--;
  const doubleFault = steps.slice(first).some((step) => step.vector === DF);
  if (!doubleFault && first > 0 && steps[first - 1].vector === DF) first--;
  return steps.slice(first);
}
