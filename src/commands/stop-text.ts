/** Why and where the guest stands, in a few words. */
import type { SymbolTable } from '../disasm/index.js';
import { linearPc } from '../engine/debug/guest-mode.js';
import { watchText } from '../engine/debug/watch-text.js';
import type { RunState, StopReason } from '../engine/debugger.js';
import { exitReasonName } from '../spec/vmx/exit-reasons.js';
import type { Session } from './command.js';
import { hex } from './numbers.js';

/** Why the guest stands, in a few words. */
export function stopText(stop: StopReason | undefined, symbols: SymbolTable): string {
  if (!stop) return 'STOPPED';
  const at = (address: bigint) => symbols.label(address) ?? hex(address);
  switch (stop.kind) {
    case 'start':
      return 'STOPPED: start';
    case 'paused':
      return `STOPPED: ${stop.note ?? 'paused'}`;
    case 'step':
      return stop.note === undefined ? 'STOPPED: step' : 'STOPPED: step, still halted';
    case 'until':
      return 'STOPPED: target reached';
    case 'breakpoint':
      return `STOPPED: ${stop.temporary ? 'temporary ' : ''}breakpoint ${stop.id} ${at(stop.gva)}${stop.failure === undefined ? '' : `, its condition: ${stop.failure}`}`;
    case 'watchpoint':
      return `STOPPED: ${stop.by === 'device' ? 'DMA ' : ''}${watchText(stop, at(stop.address))} (watchpoint ${stop.id})`;
    case 'exit':
      return `STOPPED: ${exitReasonName(stop.exit.reason)}${stop.id === undefined ? '' : ` (breakpoint ${stop.id})`}`;
    case 'syscall':
      return `STOPPED: ${stop.by} ${stop.number} ${stop.phase === 'entry' ? 'called' : 'returned'}`;
    case 'history':
      return stop.at === 'end' ? 'STOPPED: live end' : 'STOPPED: start of the history';
    case 'limit':
      return `STOPPED: ${stop.message}`;
    case 'entry-failed':
      return `VM ENTRY FAILED: ${stop.failures[0]?.id ?? stop.message}`;
    case 'ended':
      return `ENDED: ${stop.end.message || stop.end.kind}`;
  }
}

/** `STOPPED: CPUID at 0x401041 main+0x24, instruction 123456, exit 41`: one line for who sees no screen. */
export async function arrivalText(state: RunState, session: Session): Promise<string> {
  if (state.running) return 'RUNNING';
  const symbols = await session.symbols();
  const pc = linearPc(await session.debug.readRegisters(state.vcpu));
  const label = symbols.label(pc);
  const counted = (await session.info()).unavailable.icount === undefined;
  return [
    `${stopText(state.stop, symbols)} at 0x${hex(pc)}${label === undefined ? '' : ` ${label}`}`,
    ...(counted ? [`instruction ${state.icount}`] : []),
    ...(state.stop?.kind === 'exit' ? [`exit ${state.stop.exit.sequence}`] : []),
  ].join(', ');
}
