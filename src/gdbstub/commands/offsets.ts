import type { Command } from '../command.js';

/**
 * `qOffsets`: where the client's program lies. It is taken for the guest's kernel, which KASLR moves: with the address
 * of its first segment GDB is at source level from the reset on. `Text=` would make GEF and pwndbg take the guest for a
 * process.
 */
export const offsets: Command = {
  name: 'qOffsets',
  async run(_args, session) {
    session.registers.clientHasProgram = true;
    // those that were read from here have the right addresses
    if (session.symbolsServed) return '';
    const place = await session.target.kernel?.place();
    if (place === undefined) return '';
    const text = place.text.toString(16);
    session.note(`The symbols of gdb's program are moved to where the kernel's code lies, 0x${text}.`);
    if (place.perCpuMovedBy !== undefined) {
      const by = place.perCpuMovedBy.toString(16);
      session.note(`Per-CPU symbols are offsets from 0 in this kernel, and moved too: theirs are 0x${by} less.`);
    }
    return `TextSeg=${text}`;
  },
};
