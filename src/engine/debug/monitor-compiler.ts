// What the compiler of guest code has done, as text: QEMU tells such things by the same name.
import { counted } from '../counted.js';
import type { CompilerCounters, Debugger } from '../debugger.js';

const percent = (part: number, whole: number): string =>
  `${whole === 0 ? 0 : Math.round((part / whole) * 1000) / 10} %`;

/** The counters, with each cause by which compiled code was left or not entered as a share of all. */
export function compilerText(of: CompilerCounters): string {
  const { left, refused, entered } = of;
  const causes = (rows: readonly (readonly [number, string])[], whole: number): string[] =>
    rows.map(([count, cause]) => `  ${String(count).padStart(12)} ${percent(count, whole).padStart(7)}  ${cause}`);
  const notEntered = refused.noPage + refused.breakpoint + refused.limit;
  return [
    `--jit ${of.mode}: ${counted(of.regions, 'region')} of ${counted(of.instructions, 'instruction')}, ${counted(of.codeBytes, 'byte')} of WebAssembly, compiled in ${of.compileMs} ms`,
    `${percent(of.share, 1)} of the guest's instructions ran in them; ${counted(of.declined, 'hot block was', 'hot blocks were')} not worth a region, ${counted(of.samples, 'sample')} taken`,
    `entered ${counted(entered, 'time')}; left`,
    ...causes(
      [
        [left.anywhere, 'by a return, jump or call to an address from memory or a register'],
        [left.out, 'for a block outside'],
        [left.late, 'at the end of a slice of instructions'],
        [left.missed, 'for the interpreter in the middle of a block, mostly by a TLB miss'],
        [left.handled, 'by a fault, a VM exit or a change of mode'],
      ],
      entered,
    ),
    `not entered ${counted(notEntered, 'time')}`,
    ...causes(
      [
        [refused.noPage, 'a further page of it is not in the TLB'],
        [refused.breakpoint, 'a breakpoint lies inside'],
        [refused.limit, "it may pass the code segment's limit"],
      ],
      notEntered,
    ),
  ].join('\n');
}

export const COMPILER_COMMANDS = {
  'info jit': async ({ target }: { target: Debugger }): Promise<string> => {
    const counters = await target.compiler?.counters();
    return counters
      ? compilerText(counters)
      : 'nothing is compiled: the guest runs with --jit off, or by another engine';
  },
};
