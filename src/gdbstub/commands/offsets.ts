import type { Command } from '../command.js';

/**
 * `qOffsets`: where the client's program lies. It is taken for the guest's kernel, which KASLR moves: with the address
 * of its first segment GDB is at source level from the reset on. `Text=` would make GEF and pwndbg take the guest for a
 * process. LLDB takes either form for the distance from where the program was linked to.
 */
export const offsets: Command = {
  name: 'qOffsets',
  async run(_args, session) {
    session.registers.clientHasProgram = true;
    // those that were read from here have the right addresses
    if (session.symbolsServed) return '';
    const place = await session.target.kernel?.place();
    const { lldb } = session.features;
    // without a loader of its own LLDB wants to be told also that nothing was moved
    if (place === undefined) return lldb && session.settings.calls ? 'Text=0;Data=0;Bss=0' : '';
    const text = place.text.toString(16);
    session.note(
      `The symbols of ${lldb ? 'LLDB' : 'gdb'}'s program are moved to where the kernel's code lies, 0x${text}.`,
    );
    const by = place.movedBy.toString(16);
    if (place.perCpuMoved)
      session.note(`Per-CPU symbols are offsets from 0 in this kernel, and moved too: theirs are 0x${by} less.`);
    return lldb ? `Text=${by};Data=${by};Bss=${by}` : `TextSeg=${text}`;
  },
};
