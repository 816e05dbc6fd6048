// x87 escape opcodes D8 to DF. @sdm 2D A.5 "Escape Opcode Instructions"
import { hex, type OpcodeRow, rows } from './row.js';

/** Mnemonics by ModRM.reg of one handler: `.` none. `form` M is memory, Ry a register of the stack. */
function family(handler: string, title: string, opcode: number, form: 'M' | 'Ry', names: string): OpcodeRow[] {
  return names
    .split(' ')
    .flatMap((name, reg) => (name === '.' ? [] : rows({ handler, title }, `${hex(opcode)} /${reg} : ${name} ${form}`)));
}

/** Instructions with one whole ModRM byte, as `D9 E0 FCHS`. */
function single(handler: string, lines: string): OpcodeRow[] {
  return lines
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .flatMap((line) => {
      const [opcode = '', modrm = '', name = '', title = name] = line.split(' ');
      return rows({ handler, title }, `${opcode} ${modrm} : ${name}`);
    });
}

const REAL = 'FADD FMUL . . FSUB FSUBR FDIV FDIVR';
const REVERSED = 'FADD FMUL . . FSUBR FSUB FDIVR FDIV';
const POPPING = 'FADDP FMULP . . FSUBRP FSUBP FDIVRP FDIVP';
const INTEGER = 'FIADD FIMUL . . FISUB FISUBR FIDIV FIDIVR';
const ARITHMETIC = 'execX87Arithmetic';
const ARITHMETIC_MEMORY = 'execX87ArithmeticMemory';
const COMPARE = 'execX87Compare';

/**
 * Handlers that need neither flags nor general registers but those of an address; where they are they tell from where their
 * block is.
 */
export const X87_LEAN: readonly string[] = (
  'Arithmetic ArithmeticMemory Compare CompareMemory Constant Load LoadExtended LoadInteger LoadRegister Sign Store StoreExtended ' +
  'StoreInteger StoreRegister Unary'
)
  .split(' ')
  .map((name) => `execX87${name}`)
  .concat('execFxch', 'execFtst', 'execFxam', 'execFldcw', 'execFnstcw', 'execFwait');

/** Whole ModRM bytes first: their rows win over the families below. */
export const x87: readonly OpcodeRow[] = [
  ...single('execFnop', 'D9 D0 FNOP'),
  ...single('execX87Sign', 'D9 E0 FCHS\nD9 E1 FABS'),
  ...single('execFtst', 'D9 E4 FTST'),
  ...single('execFxam', 'D9 E5 FXAM'),
  ...single(
    'execX87Constant',
    'D9 E8 FLD1\nD9 E9 FLDL2T\nD9 EA FLDL2E\nD9 EB FLDPI\nD9 EC FLDLG2\nD9 ED FLDLN2\nD9 EE FLDZ',
  ),
  ...single('execF2xm1', 'D9 F0 F2XM1'),
  ...single('execX87Binary', 'D9 F1 FYL2X\nD9 F3 FPATAN\nD9 F9 FYL2XP1'),
  ...single('execFptan', 'D9 F2 FPTAN'),
  ...single('execFxtract', 'D9 F4 FXTRACT'),
  ...single('execFprem', 'D9 F5 FPREM1\nD9 F8 FPREM'),
  ...single('execX87Rotate', 'D9 F6 FDECSTP\nD9 F7 FINCSTP'),
  ...single('execX87Unary', 'D9 FA FSQRT\nD9 FC FRNDINT'),
  ...single('execFsincos', 'D9 FB FSINCOS'),
  ...single('execFscale', 'D9 FD FSCALE'),
  ...single('execFsin', 'D9 FE FSIN'),
  ...single('execFcos', 'D9 FF FCOS'),
  ...single(COMPARE, 'DA E9 FUCOMPP FUCOM/FUCOMP/FUCOMPP\nDE D9 FCOMPP FCOM/FCOMP/FCOMPP'),
  ...single('execX87Obsolete', 'DB E0 FNENI\nDB E1 FNDISI\nDB E4 FNSETPM'),
  ...single('execFnclex', 'DB E2 FNCLEX FCLEX/FNCLEX'),
  ...single('execFninit', 'DB E3 FNINIT FINIT/FNINIT'),
  ...rows({ handler: 'execFnstsw', title: 'FSTSW/FNSTSW' }, 'DF E0 : FNSTSW AX'),

  ...family(ARITHMETIC_MEMORY, 'FADD/FADDP/FIADD', 0xd8, 'M', REAL),
  ...family(ARITHMETIC, 'FADD/FADDP/FIADD', 0xd8, 'Ry', REAL),
  ...family(ARITHMETIC_MEMORY, 'FADD/FADDP/FIADD', 0xda, 'M', INTEGER),
  ...family(ARITHMETIC_MEMORY, 'FADD/FADDP/FIADD', 0xdc, 'M', REAL),
  ...family(ARITHMETIC, 'FADD/FADDP/FIADD', 0xdc, 'Ry', REVERSED),
  ...family(ARITHMETIC_MEMORY, 'FADD/FADDP/FIADD', 0xde, 'M', INTEGER),
  ...family(ARITHMETIC, 'FADD/FADDP/FIADD', 0xde, 'Ry', POPPING),

  ...[0xd8, 0xdc].flatMap((opcode) =>
    family('execX87CompareMemory', 'FCOM/FCOMP/FCOMPP', opcode, 'M', '. . FCOM FCOMP'),
  ),
  ...[0xda, 0xde].flatMap((opcode) => family('execX87CompareMemory', 'FICOM/FICOMP', opcode, 'M', '. . FICOM FICOMP')),
  // DC D0, DC D8 and DE D0 are undocumented aliases that processors carry out
  ...[0xd8, 0xdc].flatMap((opcode) => family(COMPARE, 'FCOM/FCOMP/FCOMPP', opcode, 'Ry', '. . FCOM FCOMP')),
  ...family(COMPARE, 'FCOM/FCOMP/FCOMPP', 0xde, 'Ry', '. . FCOMP'),
  ...family(COMPARE, 'FUCOM/FUCOMP/FUCOMPP', 0xdd, 'Ry', '. . . . FUCOM FUCOMP'),
  ...family('execX87CompareFlags', 'FCOMI/FCOMIP/FUCOMI/FUCOMIP', 0xdb, 'Ry', '. . . . . FUCOMI FCOMI'),
  ...family('execX87CompareFlags', 'FCOMI/FCOMIP/FUCOMI/FUCOMIP', 0xdf, 'Ry', '. . . . . FUCOMIP FCOMIP'),

  ...family('execX87Load', 'FLD', 0xd9, 'M', 'FLD'),
  ...family('execX87Load', 'FLD', 0xdd, 'M', 'FLD'),
  ...family('execX87LoadExtended', 'FLD', 0xdb, 'M', '. . . . . FLD'),
  ...family('execX87LoadRegister', 'FLD', 0xd9, 'Ry', 'FLD'),
  ...family('execX87LoadInteger', 'FILD', 0xdb, 'M', 'FILD'),
  ...family('execX87LoadInteger', 'FILD', 0xdf, 'M', 'FILD . . . . FILD'),
  ...family('execFbld', 'FBLD', 0xdf, 'M', '. . . . FBLD'),
  ...family('execFxch', 'FXCH', 0xd9, 'Ry', '. FXCH'),
  ...[0xdd, 0xdf].flatMap((opcode) => family('execFxch', 'FXCH', opcode, 'Ry', '. FXCH')),
  ...family('execFcmov', 'FCMOVcc', 0xda, 'Ry', 'FCMOVB FCMOVE FCMOVBE FCMOVU'),
  ...family('execFcmov', 'FCMOVcc', 0xdb, 'Ry', 'FCMOVNB FCMOVNE FCMOVNBE FCMOVNU'),

  ...family('execX87Store', 'FST/FSTP', 0xd9, 'M', '. . FST FSTP'),
  ...family('execX87Store', 'FST/FSTP', 0xdd, 'M', '. . FST FSTP'),
  ...family('execX87StoreExtended', 'FST/FSTP', 0xdb, 'M', '. . . . . . . FSTP'),
  ...family('execX87StoreRegister', 'FST/FSTP', 0xdd, 'Ry', '. . FST FSTP'),
  ...family('execX87StoreRegister', 'FST/FSTP', 0xd9, 'Ry', '. . . FSTP'),
  ...family('execX87StoreRegister', 'FST/FSTP', 0xdf, 'Ry', '. . FSTP FSTP'),
  ...family('execX87StoreInteger', 'FIST/FISTP', 0xdb, 'M', '. FISTTP FIST FISTP'),
  ...family('execX87StoreInteger', 'FISTTP', 0xdd, 'M', '. FISTTP'),
  ...family('execX87StoreInteger', 'FIST/FISTP', 0xdf, 'M', '. FISTTP FIST FISTP . . . FISTP'),
  ...family('execFbstp', 'FBSTP', 0xdf, 'M', '. . . . . . FBSTP'),

  ...family('execFldenv', 'FLDENV', 0xd9, 'M', '. . . . FLDENV'),
  ...rows({ handler: 'execFldcw', title: 'FLDCW' }, 'D9 /5 : FLDCW Mw'),
  ...family('execFnstenv', 'FSTENV/FNSTENV', 0xd9, 'M', '. . . . . . FNSTENV'),
  ...rows({ handler: 'execFnstcw', title: 'FSTCW/FNSTCW' }, 'D9 /7 : FNSTCW Mw'),
  ...family('execFrstor', 'FRSTOR', 0xdd, 'M', '. . . . FRSTOR'),
  ...family('execFnsave', 'FSAVE/FNSAVE', 0xdd, 'M', '. . . . . . FNSAVE'),
  ...rows({ handler: 'execFnstsw', title: 'FSTSW/FNSTSW' }, 'DD /7 : FNSTSW Mw'),
  ...family('execFfree', 'FFREE', 0xdd, 'Ry', 'FFREE'),
  ...family('execFfreep', 'FFREE', 0xdf, 'Ry', 'FFREEP'),
];
