/** The part of capstone-wasm 1.0.3 in use here: its package.json `exports` hide its own types from NodeNext. */
declare module 'capstone-wasm' {
  export interface Insn {
    id: number;
    /** Read as a signed 64-bit number by the wrapper: wrong above 2^63 and imprecise above 2^53. Do not use. */
    address: number | bigint;
    size: number;
    bytes: Uint8Array;
    mnemonic: string;
    opStr: string;
  }
  export class Capstone {
    constructor(arch: number, mode: number);
    setOption(option: number, value: number): number;
    /** @throws Error when not one instruction could be read. */
    disasm(data: Uint8Array, options?: { address?: number | bigint; count?: number }): Insn[];
    close(): void;
    static version(): { major: number; minor: number };
  }
  export const Const: {
    CS_ARCH_X86: number;
    CS_MODE_16: number;
    CS_MODE_32: number;
    CS_MODE_64: number;
    CS_OPT_SYNTAX: number;
    CS_OPT_SYNTAX_INTEL: number;
    CS_OPT_SYNTAX_ATT: number;
    CS_OPT_ON: number;
  };
  export function loadCapstone(module?: Record<string, unknown>): Promise<void>;
}
