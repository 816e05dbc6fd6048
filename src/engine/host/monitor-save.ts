/** The monitor's `memsave` and `pmemsave`, in QEMU's words: guest memory into a file of the host. */
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import type { MachineView } from '../machine-view.js';
import { fileCause } from './file-cause.js';

const PIECE = 1 << 20;

/**
 * Answers one of the two; undefined when the line is another one.
 * @param number value of an expression
 * @throws Error that names what is wrong
 */
export function saveCommand(
  view: MachineView,
  vcpu: number,
  line: string,
  number: (text: string) => bigint,
  memoryBytes: number,
): string | undefined {
  const match = /^\s*(p?memsave)(?:\s+(\S+)\s+(\S+)\s+(.+?)|\b.*)?\s*$/.exec(line);
  if (match === null) return undefined;
  const [, name, from, size, quoted] = match;
  if (from === undefined) throw new Error(`usage: ${name} ADDR SIZE FILE`);
  const start = number(from);
  const total = number(size);
  const file = quoted.replace(/^"(.*)"$/, '$1');
  const space = name === 'pmemsave' ? 'gpa' : 'gva';
  if (total === 0n) throw new Error('a size of at least 1 byte is needed');
  // a guest's tables may show one page everywhere
  if (total > BigInt(memoryBytes))
    throw new Error(`the guest has ${memoryBytes} bytes of memory, which is the most to save`);
  // never over what is there: the client may be another user's
  let handle: number;
  try {
    handle = openSync(file, 'wx', 0o600);
  } catch (error) {
    throw new Error(`${file}: ${fileCause(error)}`);
  }
  try {
    for (let done = 0n; done < total; done += BigInt(PIECE)) {
      const wanted = Number(total - done < BigInt(PIECE) ? total - done : BigInt(PIECE));
      const bytes = view.readMemory(vcpu, space, start + done, wanted);
      if (bytes.length < wanted) {
        throw new Error(`there is no memory at 0x${(start + done + BigInt(bytes.length)).toString(16)}`);
      }
      writeSync(handle, bytes);
    }
  } catch (error) {
    unlinkSync(file);
    throw error;
  } finally {
    closeSync(handle);
  }
  return '';
}
