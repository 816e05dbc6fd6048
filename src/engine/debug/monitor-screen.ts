/** The monitor's `screendump`, in QEMU's words. */
import type { Debugger, ScreenDump } from '../debugger.js';

const FORMATS = ['png', 'ppm'] as const;

/** One line on a picture that was written. */
export function screendumpText({ file, mode, width, height }: ScreenDump): string {
  return `${width}x${height} pixels (${mode}) written to ${file}`;
}

/** @throws Error where the target has no pictures, or naming what is not understood */
export async function screendump(target: Debugger, args: readonly string[]): Promise<string> {
  const words = [...args];
  const option = words.indexOf('-f');
  const [, format] = option < 0 ? [] : words.splice(option, 2);
  if (option >= 0 && !FORMATS.some((known) => known === format))
    throw new Error(`-f ${format ?? ''}: a picture is ${FORMATS.join(' or ')}`);
  const [file, other] = words;
  if (file === undefined) throw new Error('the name of a file is missing');
  if (other !== undefined) throw new Error(`${other}: only screendump FILE [-f png|ppm] is known`);
  if (!target.console?.screendump) throw new Error('this target shows no pictures');
  return screendumpText(await target.console.screendump(file, format as ScreenDump['format'] | undefined));
}
