/** What a search for who wrote or read something has found, in words. */
import type { SymbolTable } from '../../disasm/symbols.js';
import { exitReasonName } from '../../spec/vmx/exit-reasons.js';
import type { Doer, Done } from '../debugger.js';

const hex = (value: bigint): string => `0x${value.toString(16)}`;
/** More digits than this say nothing in a line. */
const MAX_DIGITS = 64;

function valueText(value: bigint | undefined): string {
  if (value === undefined) return 'nothing';
  const text = hex(value);
  return text.length <= MAX_DIGITS ? text : `${text.slice(0, MAX_DIGITS)}...`;
}

function placeText(rip: bigint, symbols: SymbolTable | undefined): string {
  const label = symbols?.label(rip);
  return label === undefined ? hex(rip) : `${hex(rip)} <${label}>`;
}

function handling(exit: number | undefined, reason: number | undefined): string {
  return exit === undefined ? '' : ` in VM exit #${exit}${reason === undefined ? '' : ` ${exitReasonName(reason)}`}`;
}

/** `vCPU 0 at 0x100006 <main+0x6>`, `the VMM in VM exit #12 CPUID`, `disk0 by DMA in VM exit #40 EPT_VIOLATION` */
export function doerText(doer: Doer, symbols?: SymbolTable): string {
  switch (doer.by) {
    case 'instruction':
      return `vCPU ${doer.vcpu} at ${placeText(doer.rip, symbols)}`;
    case 'event':
      return `vCPU ${doer.vcpu}, delivering ${doer.name}`;
    case 'exit':
      return `vCPU ${doer.vcpu}'s VM exit #${doer.exit} ${exitReasonName(doer.reason)}`;
    case 'vmm':
      return `the VMM${handling(doer.exit, doer.reason) || `, before it enters vCPU ${doer.vcpu}`}`;
    case 'device': {
      const { request } = doer;
      const asked =
        request && `, asked by vCPU ${request.vcpu} at ${placeText(request.rip, symbols)} in exit #${request.exit}`;
      return `device ${doer.device}${handling(doer.exit, doer.reason)}${asked ?? ''}`;
    }
    case 'input':
      return `an input of the host (${doer.input})`;
  }
}

/** `written by vCPU 0 at 0x100006: 0x4 -> 0x5` */
export function doneText({ doer, before, after }: Done, verb: 'written' | 'read', symbols?: SymbolTable): string {
  const change = verb === 'read' ? valueText(after) : `${valueText(before)} -> ${valueText(after)}`;
  return `${verb} by ${doerText(doer, symbols)}: ${change}`;
}
