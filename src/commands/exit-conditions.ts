/** Conditions on VM exits, with the variables of the guest's code. */
import { exitFieldNamed, exitTest, parseExitCondition } from '../engine/debug/exit-condition.js';
import type { ExitCondition } from '../engine/debugger.js';
import type { Session } from './command.js';
import { placeAnywhere, resolvedAt } from './typed-values.js';

/** As parseExitCondition. A function's own variables are none of an exit's, which may be anywhere. */
export async function exitCondition(session: Session, text: string): Promise<ExitCondition> {
  const place = await placeAnywhere(session);
  const test = exitTest(text);
  if (test === undefined) return parseExitCondition(text, place.names);
  const names = { ...place.names, later: exitFieldNamed };
  return parseExitCondition(text, place.names, await resolvedAt(session, test, { ...place, names }));
}
