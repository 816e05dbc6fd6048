import { AgentExpressionError, evaluateAgentExpression } from './agent-expression.js';
import type { Session } from './session.js';

/**
 * Whether a hit at a linear address is to be reported: the breakpoint there is unconditional, another
 * observer's, or one of its conditions is not 0. A condition that fails to evaluate stops the guest,
 * and the user is told why.
 */
export async function conditionHolds(session: Session, thread: number, address: bigint): Promise<boolean> {
  const entries = session.breakpoints.at(address);
  if (entries.length === 0 || entries.some((entry) => entry.conditions.length === 0)) return true;
  const layout = await session.registers.layout(thread);
  const space = session.physicalMemory ? 'physical' : 'virtual';
  const context = {
    register: async (number: number): Promise<bigint | undefined> => {
      const slot = layout.slots[number];
      if (slot === undefined) return undefined;
      const value =
        slot.source === 'extra'
          ? await session.target.extraRegisters?.read(thread, slot.key)
          : session.registers.value(slot, await session.target.readRegisters(thread, [slot.key]));
      return value === undefined ? undefined : BigInt.asUintN(slot.bits, value);
    },
    memory: (at: bigint, length: number): Promise<Uint8Array> => session.target.readMemory(space, at, length, thread),
  };
  for (const entry of entries) {
    for (const code of entry.conditions) {
      try {
        if ((await evaluateAgentExpression(code, context)) !== 0n) return true;
      } catch (error) {
        if (!(error instanceof AgentExpressionError)) throw error;
        session.note(`Condition of the breakpoint at 0x${address.toString(16)}: ${error.message}.`);
        return true;
      }
    }
  }
  return (await session.target.othersBreakAt?.(address)) ?? false;
}
