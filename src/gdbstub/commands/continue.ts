import { parseHexBigInt } from '../../rsp/hex.js';
import type { Command, Reply } from '../command.js';
import type { RunRequest, Session } from '../session.js';

/** Sets the program counter that c, s, C and S may carry, then runs. */
export async function runFrom(session: Session, address: string, request: RunRequest): Promise<Reply> {
  if (address !== '') {
    const value = parseHexBigInt(address);
    if (value === undefined) return session.error(22, 'malformed address');
    const refusal = session.refusal('WriteReg');
    if (refusal !== undefined) return refusal;
    await session.hold('setting the program counter');
    const layout = await session.registers.layout(session.continueThread);
    const digits = BigInt.asUintN(layout.wordBytes * 8, value)
      .toString(16)
      .padStart(layout.wordBytes * 2, '0');
    await session.registers.writeOne(
      session.continueThread,
      layout.pc,
      Buffer.from(digits, 'hex').reverse().toString('hex'),
    );
  }
  return session.run(request);
}

/** `XX` or `XX;ADDR` of C and S. A guest has no signals: the number is checked and not delivered. */
export function afterSignal(args: string): string | undefined {
  const match = /^([0-9a-fA-F]{2})(?:;(.*))?$/.exec(args);
  return match === null ? undefined : (match[2] ?? '');
}

/** `c [ADDR]`. */
export const continueRun: Command = {
  name: 'c',
  run: (args, session) => runFrom(session, args, { kind: 'continue' }),
};

/** `C SIG[;ADDR]`. */
export const continueSignal: Command = {
  name: 'C',
  run(args, session) {
    const address = afterSignal(args);
    if (address === undefined) return session.error(22, 'malformed signal');
    return runFrom(session, address, { kind: 'continue' });
  },
};
