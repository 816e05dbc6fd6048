// x87 escape opcodes D8 to DF. @sdm 2D A.5 "Escape Opcode Instructions"
import { hex, type OpcodeRow, rows } from './row.js';

/** Mnemonics by ModRM.reg: memory forms (`.` none), then register forms. */
const ESCAPES: readonly (readonly [string, string])[] = [
  ['FADD FMUL FCOM FCOMP FSUB FSUBR FDIV FDIVR', 'FADD FMUL FCOM FCOMP FSUB FSUBR FDIV FDIVR'],
  ['FLD . FST FSTP FLDENV . FNSTENV .', 'FLD FXCH FNOP . FCHS FLD1 F2XM1 FPREM'],
  ['FIADD FIMUL FICOM FICOMP FISUB FISUBR FIDIV FIDIVR', 'FCMOVB FCMOVE FCMOVBE FCMOVU . FUCOMPP . .'],
  ['FILD FISTTP FIST FISTP . FLD . FSTP', 'FCMOVNB FCMOVNE FCMOVNBE FCMOVNU . FUCOMI FCOMI .'],
  ['FADD FMUL FCOM FCOMP FSUB FSUBR FDIV FDIVR', 'FADD FMUL . . FSUBR FSUB FDIVR FDIV'],
  ['FLD FISTTP FST FSTP FRSTOR . FNSAVE .', 'FFREE . FST FSTP FUCOM FUCOMP . .'],
  ['FIADD FIMUL FICOM FICOMP FISUB FISUBR FIDIV FIDIVR', 'FADDP FMULP . FCOMPP FSUBRP FSUBP FDIVRP FDIVP'],
  ['FILD FISTTP FIST FISTP FBLD FILD FBSTP FISTP', '. . . . . FUCOMIP FCOMIP .'],
];

const unbuilt = ESCAPES.flatMap(([memory, register], n) =>
  [memory, register].flatMap((names, form) =>
    names
      .split(' ')
      .flatMap((name, reg): OpcodeRow[] =>
        name === '.'
          ? []
          : rows({ handler: 'execX87Reserved' }, `${hex(0xd8 + n)} /${reg} : ${name} ${form === 0 ? 'M' : 'Ry'}`),
      ),
  ),
);

/** Control instructions first: their exact rows win over the families above. */
export const x87: readonly OpcodeRow[] = [
  ...rows({ handler: 'execFnclex', title: 'FCLEX/FNCLEX' }, 'DB E2 : FNCLEX'),
  ...rows({ handler: 'execFninit', title: 'FINIT/FNINIT' }, 'DB E3 : FNINIT'),
  ...rows({ handler: 'execFldcw', title: 'FLDCW' }, 'D9 /5 : FLDCW Mw'),
  ...rows({ handler: 'execFnstcw', title: 'FSTCW/FNSTCW' }, 'D9 /7 : FNSTCW Mw'),
  ...rows({ handler: 'execFnstsw', title: 'FSTSW/FNSTSW' }, 'DD /7 : FNSTSW Mw\nDF E0 : FNSTSW AX'),
  ...unbuilt,
];
