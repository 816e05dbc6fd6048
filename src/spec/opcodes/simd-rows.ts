// Short notations for vector instructions that come in legacy, VEX and MMX forms.
import { type OpcodeRow, rows, type VectorGroup } from './row.js';

/** A line `[map] opcode NAME [operation]`; the map (38 or 3A) is left out for 0F. */
interface Line {
  code: string;
  name: string;
  operation: string;
}

function lines(text: string): Line[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const words = line.trim().split(/\s+/);
      const map = words[0] === '38' || words[0] === '3A' ? `${words.shift()} ` : '';
      if (map === '' && words.length < 2) throw new Error(`vector table: ${line}`);
      const [opcode = '', name = '', operation = name] = words;
      return { code: `0F ${map}${opcode}`, name, operation };
    });
}

export interface VectorFamily {
  group: VectorGroup;
  handler: string;
  /** Handler of the MMX forms; none: there are no MMX forms. */
  mmx?: string;
  /** Appended to the operands: ',Ib'. */
  tail?: string;
  /** Attributes of the VEX forms; lv where none is given. */
  vex?: string;
}

/** Two-operand vector instructions: 66 (and no prefix for MMX), and VEX.66 with a third operand. */
export function binaryRows(family: VectorFamily, text: string): OpcodeRow[] {
  const { group, handler, mmx, tail = '', vex = 'lv' } = family;
  return lines(text).flatMap(({ code, name, operation }) => [
    ...(mmx === undefined ? [] : rows({ group, operation, handler: mmx }, `NP ${code} /r : ${name} Pq,Qq${tail}`)),
    ...rows({ group, operation, handler }, `66 ${code} /r : ${name} Vx,Wx${tail}`),
    ...rows({ group, operation, handler, title: name }, `VEX.66 ${code} /r : V${name} Vx,Hx,Wx${tail} : ${vex}`),
  ]);
}

/** As binaryRows, without a second source. */
export function unaryRows(family: VectorFamily, text: string): OpcodeRow[] {
  return binaryRows(family, text).map((row) => ({ ...row, operands: row.operands.replace('Hx,', '') }));
}

/** Which prefixes a family of floating-point instructions has: NP packed single, 66 packed double, F3 scalar single, F2 scalar double. */
export type Form = 'NP' | '66' | 'F3' | 'F2';
const SUFFIX: Record<Form, string> = { NP: 'PS', '66': 'PD', F3: 'SS', F2: 'SD' };

/** Floating-point instructions `[map] opcode NAME`, the suffix by the prefix. `three`: VEX forms take a second source. */
export function floatRows(
  family: VectorFamily & { three: boolean; scalarThree?: boolean; suffix?: boolean },
  forms: readonly Form[],
  text: string,
): OpcodeRow[] {
  const { group, handler, tail = '', three } = family;
  return lines(text).flatMap(({ code, name, operation }) =>
    forms.flatMap((form) => {
      const full = family.suffix === false ? name : name + SUFFIX[form];
      const scalar = form === 'F3' || form === 'F2';
      const source = three || (scalar && family.scalarThree) ? 'Hx,' : '';
      return [
        ...rows({ group, operation, handler }, `${form} ${code} /r : ${full} Vx,Wx${tail}`),
        ...rows(
          { group, operation, handler, title: full },
          `VEX.${form} ${code} /r : V${full} Vx,${source}Wx${tail} : ${family.vex ?? (scalar ? 'lig' : 'lv')}`,
        ),
      ];
    }),
  );
}
