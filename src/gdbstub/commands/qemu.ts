/**
 * QEMU's own queries. pwndbg and GEF tell a QEMU-like stub by `Qqemu.sstepbits` (both spellings are in use) and then
 * use its monitor. Steps never hold interrupts or timers back here, so only ENABLE exists.
 */
import type { Command } from '../command.js';
import type { Session } from '../session.js';

function stepBits(session: Session): string {
  session.registers.pluginDetected = true;
  return 'ENABLE=1';
}

function stepMask(args: string, session: Session): string {
  if (args === '') return '0x1';
  return /^=(0x)?0*1$/.test(args) ? 'OK' : session.error(22, 'only ENABLE (1) is supported');
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
