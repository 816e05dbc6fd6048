/** Types of C as debuggers need them, whichever format they come from: DWARF of a file, BTF of a running kernel. */

/** Of a type within one source of types; `void` is no type. */
export type TypeId = string;

export const VOID: TypeId = 'void';

export interface Member {
  /** Absent for a structure or union without a name, whose members are the outer's. */
  name?: string;
  type: TypeId;
  /** Bytes from the start of the structure. */
  offset: number;
  /** Of a bit field: from bit 0 of the structure's first byte, and how many. */
  bits?: { offset: number; size: number };
}

export type TypeNode =
  | { kind: 'void' }
  /** `char`s are numbers that are shown as characters too. */
  | {
      kind: 'base';
      name: string;
      bytes: number;
      encoding: 'signed' | 'unsigned' | 'bool' | 'char' | 'uchar' | 'float' | 'other';
    }
  | { kind: 'pointer'; to: TypeId; bytes: number }
  /** `count`: absent where it is not known. */
  | { kind: 'array'; of: TypeId; count?: number }
  /** `partial`: its members were left out. `declared`: nobody has told them. */
  | {
      kind: 'struct' | 'union';
      name?: string;
      bytes: number;
      members: Member[];
      partial?: true;
      declared?: true;
    }
  | { kind: 'enum'; name?: string; bytes: number; signed: boolean; values: { name: string; value: bigint }[] }
  | { kind: 'typedef'; name: string; to: TypeId }
  | { kind: 'qualified'; qualifier: 'const' | 'volatile' | 'restrict' | '_Atomic'; to: TypeId }
  | { kind: 'function'; returns: TypeId; parameters: TypeId[]; prototyped: boolean; variadic: boolean };

/** What a type may be called by: `struct foo`, `union foo`, `enum foo`, and the names that stand alone. */
export type TypeWord = 'struct' | 'union' | 'enum' | 'name';

/** The types that one is made of, but not what a pointer leads to. */
export function partsOfType(node: TypeNode): TypeId[] {
  switch (node.kind) {
    case 'array':
      return [node.of];
    case 'struct':
    case 'union':
      return node.members.map(({ type }) => type);
    case 'typedef':
    case 'qualified':
      return [node.to];
    case 'function':
      return [node.returns, ...node.parameters];
    default:
      return [];
  }
}
