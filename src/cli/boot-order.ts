/** --boot, in QEMU's words. */
import { BOOT_LETTERS } from '../engine/boot/boot-order.js';
import { UsageError } from './options.js';

const USE = '[order=]LETTERS of a (floppy), c (disk), d (CD-ROM) and n (network): what is tried first';

/** The letters of `--boot LETTERS` or `--boot order=LETTERS`. @throws UsageError */
export function parseBootOrder(text: string): string {
  const fail = (why: string): never => {
    throw new UsageError(`--boot ${text}: ${why}; usage: ${USE}`);
  };
  let order = '';
  for (const [at, part] of text.split(',').entries()) {
    const [key, value] = part.includes('=') ? (part.split(/=(.*)/s, 2) as [string, string]) : ['order', part];
    // what QEMU does without these words, or what there is no difference in
    if (/^(menu=off|strict=(on|off)|reboot-timeout=-1)$/.test(part)) continue;
    if (key !== 'order' || (at > 0 && !part.includes('='))) fail(`${part} is not an option`);
    order = value;
    const wrong = [...value].find((letter) => !BOOT_LETTERS.includes(letter));
    if (wrong !== undefined) fail(`${wrong} is not a letter of these`);
    if (new Set(value).size !== value.length) fail('a letter is there twice');
  }
  return order === '' ? fail('no letter') : order;
}
