/**
 * QEMU's own queries. pwndbg and GEF tell a QEMU-like stub by `Qqemu.sstepbits` (both spellings are in use) and then
 * use its monitor. Of QEMU's step bits NOTIMER does not exist: virtual time is the count of instructions.
 */

import { parseHexNumber } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import type { Session } from '../session.js';

const ENABLE = 1;
const NOIRQ = 2;

function stepBits(session: Session): string {
  session.features.plugin = true;
  return session.target.interruptHold === undefined ? `ENABLE=${ENABLE}` : `ENABLE=${ENABLE},NOIRQ=${NOIRQ}`;
}

function stepMask(args: string, session: Session): string {
  const hold = session.target.interruptHold;
  if (args === '') return `0x${(ENABLE | (hold?.held ? NOIRQ : 0)).toString(16)}`;
  const mask = args[0] === '=' ? parseHexNumber(args.slice(1).replace(/^0x/i, '')) : undefined;
  const supported = ENABLE | (hold === undefined ? 0 : NOIRQ);
  if (mask === undefined || (mask & ENABLE) === 0 || (mask & ~supported) !== 0) {
    return session.error(22, 'step bits are those of qqemu.sstepbits, with ENABLE');
  }
  if (hold !== undefined) hold.held = (mask & NOIRQ) !== 0;
  return 'OK';
}

function physicalMode(args: string, session: Session): string {
  if (args === '') return session.physicalMemory ? '1' : '0';
  if (args !== ':0' && args !== ':1') return session.error(22, 'PhyMemMode is 0 or 1');
  session.physicalMemory = args === ':1';
  return 'OK';
}

const SUPPORTED = 'sstepbits;sstep;PhyMemMode';

export const qemuCommands: Command[] = ['q', 'Q'].flatMap((letter) => [
  { name: `${letter}qemu.sstepbits`, run: (_args: string, session: Session) => stepBits(session) },
  { name: `${letter}qemu.sstep`, run: stepMask },
  { name: `${letter}qemu.PhyMemMode`, run: physicalMode },
  { name: `${letter}qemu.Supported`, run: () => SUPPORTED },
]);
