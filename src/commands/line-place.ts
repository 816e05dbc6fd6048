/** Where the code of a line of the source begins. */
import { lacking, type Session } from './command.js';
import { behindPrologue } from './prologue.js';

/** @throws Error when the guest has no source, or the file no code at the line or below it */
export async function lineAddress(session: Session, file: string, line: number): Promise<bigint> {
  const { source } = session.debug;
  if (source === undefined) throw await lacking(session, 'source');
  const found = await source.address(file, line);
  if (found === undefined) throw new Error(`${file}:${line}: the image's line numbers have no code there`);
  return found.address;
}

/** Where a guest is to stop for a line: as gdb, behind the set-up of a function that begins there. */
export async function lineStop(session: Session, file: string, line: number): Promise<bigint> {
  return behindPrologue(session, await lineAddress(session, file, line));
}
