// Which micro-ops the interpreter's big switch holds itself; the others are functions of their own.
//
// V8 compiles whole functions, and the switch in every guest: 1.6 ms of a compiling thread per KB. While a kernel boots
// and while a program of C begins, before its loops are compiled, these are 19 of 20 that are interpreted.
import type { NumberedUop } from './index.js';

/** Which sizes and forms, by handler; forms as rows print them. */
const COMMON: Readonly<Record<string, RegExp>> = {
  execMov: /(8|32|64)(, no index)?$/,
  execMovzx: /./,
  execMovsxd: / to 64/,
  execLea: / (32|64)$/,
  execNop: /^NOP/,
  execJmp: /./,
  execJcc: /./,
  execCall: /^CALL J (32|64)$/,
  execRet: /^RET (32|64)$/,
  execPush: /^PUSH R (32|64)$/,
  execPop: /^POP R (32|64)$/,
  execAlu:
    /^((ADD|SUB|AND|OR|XOR|CMP) R[RMI] (32|64)|CMP (RI|RM|MI) 8|CMP M[RI] (32|64))(, J(cc|Z|NZ|B|AE|BE|A|L|GE|LE|G))?$/,
  execTest: /^TEST ((RR|RI) (8|32|64)|MI 8)(, J(cc|Z|NZ|S|NS|LE|G))?$/,
  execShift: /^(SHL|SHR|SAR) I (32|64)$/,
  execIncDec: /^(INC|DEC) R (32|64)(, JN?Z)?$/,
  execImul2: / RR /,
  execCmov: / RR /,
};

export const isCommon = ({ name, row }: NumberedUop): boolean => COMMON[row.handler]?.test(name) ?? false;
