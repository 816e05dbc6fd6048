// One-byte opcodes. @sdm 2D A.3 "One, Two, and Three-Byte Opcode Maps"
import { CONDITIONS, hex, type OpcodeRow, rows } from './row.js';

const ALL = 'oszapc';

const alu = ['ADD', 'OR', 'ADC', 'SBB', 'AND', 'SUB', 'XOR', 'CMP'].flatMap((name, n): OpcodeRow[] => {
  const lock = name === 'CMP' ? '' : 'lock';
  const family = { handler: 'execAlu', reads: name === 'ADC' || name === 'SBB' ? 'c' : '', writes: ALL };
  const at = (low: number): string => hex(n * 8 + low);
  return rows(
    family,
    `${at(0)} /r : ${name} Eb,Gb : ${lock}
     ${at(1)} /r : ${name} Ev,Gv : ${lock}
     ${at(2)} /r : ${name} Gb,Eb
     ${at(3)} /r : ${name} Gv,Ev
     ${at(4)} : ${name} AL,Ib
     ${at(5)} : ${name} rAX,Iz
     80 /${n} : ${name} Eb,Ib : ${lock}
     81 /${n} : ${name} Ev,Iz : ${lock}
     82 /${n} : ${name} Eb,Ib : i64 ${lock}
     83 /${n} : ${name} Ev,Ibs : ${lock}`,
  );
});

const shifts = ['ROL', 'ROR', 'RCL', 'RCR', 'SHL', 'SHR', 'SAL', 'SAR'].flatMap((name, n): OpcodeRow[] =>
  rows(
    {
      handler: 'execShift',
      title: n < 4 ? 'RCL/RCR/ROL/ROR' : 'SAL/SAR/SHL/SHR',
      reads: n === 2 || n === 3 ? 'c' : '',
      writes: n < 4 ? 'oc' : ALL,
    },
    `C0 /${n} : ${name} Eb,Ib
     C1 /${n} : ${name} Ev,Ib
     D0 /${n} : ${name} Eb,1
     D1 /${n} : ${name} Ev,1
     D2 /${n} : ${name} Eb,CL
     D3 /${n} : ${name} Ev,CL`,
  ),
);

const CONDITION_READS = ['o', 'o', 'c', 'c', 'z', 'z', 'cz', 'cz', 's', 's', 'p', 'p', 'so', 'so', 'zso', 'zso'];

export const conditionReads = (cc: number): string => CONDITION_READS[cc] ?? '';

const jcc = CONDITIONS.flatMap((cc, n) =>
  rows({ handler: 'execJcc', title: 'Jcc', reads: conditionReads(n), all: 'end f64' }, `${hex(0x70 + n)} : J${cc} Jb`),
);

const push = [0x06, 0x0e, 0x16, 0x1e].flatMap((code, n) =>
  rows({ handler: 'execPushSeg' }, `${hex(code)} : PUSH ${['ES', 'CS', 'SS', 'DS'][n]} : i64`),
);
const popSegment = [0x07, 0x17, 0x1f].flatMap((code, n) =>
  rows({ handler: 'execPopSeg' }, `${hex(code)} : POP ${['ES', 'SS', 'DS'][n]} : i64 end`),
);

export const oneByte: readonly OpcodeRow[] = [
  ...alu,
  ...push,
  ...popSegment,
  ...rows({ handler: 'execDaa', reads: 'ac', writes: ALL }, '27 : DAA : i64'),
  ...rows({ handler: 'execDas', reads: 'ac', writes: ALL }, '2F : DAS : i64'),
  ...rows({ handler: 'execAaa', reads: 'a', writes: ALL }, '37 : AAA : i64'),
  ...rows({ handler: 'execAas', reads: 'a', writes: ALL }, '3F : AAS : i64'),
  ...rows(
    { handler: 'execIncDec', writes: 'oszap' },
    `40+r : INC Zv : i64
     48+r : DEC Zv : i64
     FE /0 : INC Eb : lock
     FE /1 : DEC Eb : lock
     FF /0 : INC Ev : lock
     FF /1 : DEC Ev : lock`,
  ),
  ...rows(
    { handler: 'execPush' },
    '50+r : PUSH Zv : d64\n68 : PUSH Iz : d64\n6A : PUSH Ibs : d64\nFF /6 : PUSH Ev : d64',
  ),
  ...rows({ handler: 'execPop' }, '58+r : POP Zv : d64\n8F /0 : POP Ev : d64'),
  ...rows({ handler: 'execPusha', title: 'PUSHA/PUSHAD' }, '60 : PUSHA : i64'),
  ...rows({ handler: 'execPopa', title: 'POPA/POPAD' }, '61 : POPA : i64'),
  ...rows({ handler: 'execBound' }, '62 /r : BOUND Gv,Ma : i64'),
  ...rows({ handler: 'execArpl', writes: 'z' }, '63 /r : ARPL Ew,Gw : i64'),
  ...rows({ handler: 'execMovsxd', title: 'MOVSX/MOVSXD' }, '63 /r : MOVSXD Gv,Ed : o64'),
  ...rows({ handler: 'execImul3', title: 'IMUL', writes: ALL }, '69 /r : IMUL Gv,Ev,Iz\n6B /r : IMUL Gv,Ev,Ibs'),
  ...rows(
    { handler: 'execIns', title: 'INS/INSB/INSW/INSD', reads: 'd', all: 'rep end' },
    '6C : INS Yb,DX\n6D : INS Yz,DX',
  ),
  ...rows(
    { handler: 'execOuts', title: 'OUTS/OUTSB/OUTSW/OUTSD', reads: 'd', all: 'rep end' },
    '6E : OUTS DX,Xb\n6F : OUTS DX,Xz',
  ),
  ...jcc,
  ...rows(
    { handler: 'execTest', writes: ALL },
    '84 /r : TEST Eb,Gb\n85 /r : TEST Ev,Gv\nA8 : TEST AL,Ib\nA9 : TEST rAX,Iz',
  ),
  ...rows(
    { handler: 'execTest', writes: ALL },
    'F6 /0 : TEST Eb,Ib\nF6 /1 : TEST Eb,Ib\nF7 /0 : TEST Ev,Iz\nF7 /1 : TEST Ev,Iz',
  ),
  ...rows({ handler: 'execPause' }, 'F3 90 : PAUSE : end'),
  // XCHG eAX,eAX is NOP: the decoder makes the exception.
  ...rows({ handler: 'execXchg' }, '86 /r : XCHG Eb,Gb : lock\n87 /r : XCHG Ev,Gv : lock\n90+r : XCHG Zv,rAX'),
  ...rows(
    { handler: 'execMov' },
    `88 /r : MOV Eb,Gb
     89 /r : MOV Ev,Gv
     8A /r : MOV Gb,Eb
     8B /r : MOV Gv,Ev
     A0 : MOV AL,Ob
     A1 : MOV rAX,Ov
     A2 : MOV Ob,AL
     A3 : MOV Ov,rAX
     B0+r : MOV Zb,Ib
     B8+r : MOV Zv,Iv
     C6 /0 : MOV Eb,Ib
     C7 /0 : MOV Ev,Iz`,
  ),
  ...rows({ handler: 'execMovRegSeg', title: 'MOV' }, '8C /r : MOV Ev,Sw'),
  ...rows({ handler: 'execMovSegReg', title: 'MOV' }, '8E /r : MOV Sw,Ew : end'),
  ...rows({ handler: 'execLea' }, '8D /r : LEA Gv,M'),
  ...rows({ handler: 'execCbw', title: 'CBW/CWDE/CDQE' }, '98 : CBW'),
  ...rows({ handler: 'execCwd', title: 'CWD/CDQ/CQO' }, '99 : CWD'),
  ...rows({ handler: 'execCallFar', title: 'CALL' }, '9A : CALL Ap : i64 end'),
  ...rows({ handler: 'execCallFarMem', title: 'CALL' }, 'FF /3 : CALL Mp : end'),
  ...rows({ handler: 'execFwait', title: 'WAIT/FWAIT' }, '9B : FWAIT'),
  ...rows({ handler: 'execPushf', title: 'PUSHF/PUSHFD/PUSHFQ', reads: ALL }, '9C : PUSHF : d64'),
  ...rows({ handler: 'execPopf', title: 'POPF/POPFD/POPFQ', writes: `${ALL}di` }, '9D : POPF : d64 end'),
  ...rows({ handler: 'execSahf', writes: 'szapc' }, '9E : SAHF'),
  ...rows({ handler: 'execLahf', reads: 'szapc' }, '9F : LAHF'),
  ...rows(
    { handler: 'execMovs', title: 'MOVS/MOVSB/MOVSW/MOVSD/MOVSQ', reads: 'd', all: 'rep' },
    'A4 : MOVS Yb,Xb\nA5 : MOVS Yv,Xv',
  ),
  ...rows(
    { handler: 'execCmps', title: 'CMPS/CMPSB/CMPSW/CMPSD/CMPSQ', reads: 'd', writes: ALL, all: 'rep' },
    'A6 : CMPS Xb,Yb\nA7 : CMPS Xv,Yv',
  ),
  ...rows(
    { handler: 'execStos', title: 'STOS/STOSB/STOSW/STOSD/STOSQ', reads: 'd', all: 'rep' },
    'AA : STOS Yb,AL\nAB : STOS Yv,rAX',
  ),
  ...rows(
    { handler: 'execLods', title: 'LODS/LODSB/LODSW/LODSD/LODSQ', reads: 'd', all: 'rep' },
    'AC : LODS AL,Xb\nAD : LODS rAX,Xv',
  ),
  ...rows(
    { handler: 'execScas', title: 'SCAS/SCASB/SCASW/SCASD', reads: 'd', writes: ALL, all: 'rep' },
    'AE : SCAS AL,Yb\nAF : SCAS rAX,Yv',
  ),
  ...shifts,
  ...rows({ handler: 'execRet', all: 'end f64' }, 'C2 : RET Iw\nC3 : RET'),
  ...rows(
    { handler: 'execLoadFar', title: 'LDS/LES/LFS/LGS/LSS' },
    'C4 /r : LES Gv,Mp : i64 end\nC5 /r : LDS Gv,Mp : i64 end',
  ),
  ...rows({ handler: 'execEnter' }, 'C8 : ENTER Iw,Ib : d64'),
  ...rows({ handler: 'execLeave' }, 'C9 : LEAVE : d64'),
  ...rows({ handler: 'execRetFar', title: 'RET', all: 'end' }, 'CA : RETF Iw\nCB : RETF'),
  ...rows({ handler: 'execInt3', title: 'INT n/INTO/INT3/INT1' }, 'CC : INT3 : end'),
  ...rows({ handler: 'execInt', title: 'INT n/INTO/INT3/INT1' }, 'CD : INT Ib : end'),
  ...rows({ handler: 'execInto', title: 'INT n/INTO/INT3/INT1', reads: 'o' }, 'CE : INTO : i64 end'),
  ...rows({ handler: 'execIcebp', title: 'INT n/INTO/INT3/INT1' }, 'F1 : INT1 : end'),
  ...rows({ handler: 'execIret', title: 'IRET/IRETD/IRETQ', writes: `${ALL}di` }, 'CF : IRET : end'),
  ...rows({ handler: 'execAam', writes: ALL }, 'D4 : AAM Ib : i64'),
  ...rows({ handler: 'execAad', writes: ALL }, 'D5 : AAD Ib : i64'),
  ...rows({ handler: 'execSalc', reads: 'c', title: 'SALC (undocumented)' }, 'D6 : SALC : i64'),
  ...rows({ handler: 'execXlat', title: 'XLAT/XLATB' }, 'D7 : XLAT'),
  ...rows({ handler: 'execLoop', title: 'LOOP/LOOPcc', all: 'end f64' }, 'E0 : LOOPNE Jb\nE1 : LOOPE Jb\nE2 : LOOP Jb'),
  ...rows({ handler: 'execJcxz', title: 'Jcc', all: 'end f64' }, 'E3 : JRCXZ Jb'),
  ...rows({ handler: 'execIn', all: 'end' }, 'E4 : IN AL,Ib\nE5 : IN eAX,Ib\nEC : IN AL,DX\nED : IN eAX,DX'),
  ...rows(
    { handler: 'execOut' },
    'E6 : OUT Ib,AL : end\nE7 : OUT Ib,eAX : end\nEE : OUT DX,AL : end\nEF : OUT DX,eAX : end',
  ),
  ...rows({ handler: 'execCall', all: 'end f64' }, 'E8 : CALL Jz'),
  ...rows({ handler: 'execJmp', all: 'end f64' }, 'E9 : JMP Jz\nEB : JMP Jb'),
  ...rows({ handler: 'execJmpFar', title: 'JMP' }, 'EA : JMP Ap : i64 end'),
  ...rows({ handler: 'execJmpFarMem', title: 'JMP' }, 'FF /5 : JMP Mp : end'),
  ...rows({ handler: 'execCallNear', title: 'CALL', all: 'end f64' }, 'FF /2 : CALL Ev'),
  ...rows({ handler: 'execJmpNear', title: 'JMP', all: 'end f64' }, 'FF /4 : JMP Ev'),
  ...rows({ handler: 'execHlt' }, 'F4 : HLT : cpl0 end'),
  ...rows({ handler: 'execFlagOp', title: 'CMC', reads: 'c', writes: 'c' }, 'F5 : CMC'),
  ...rows({ handler: 'execNot' }, 'F6 /2 : NOT Eb : lock\nF7 /2 : NOT Ev : lock'),
  ...rows({ handler: 'execNeg', writes: ALL }, 'F6 /3 : NEG Eb : lock\nF7 /3 : NEG Ev : lock'),
  ...rows({ handler: 'execMul', writes: ALL }, 'F6 /4 : MUL Eb\nF7 /4 : MUL Ev'),
  ...rows({ handler: 'execImul1', title: 'IMUL', writes: ALL }, 'F6 /5 : IMUL Eb\nF7 /5 : IMUL Ev'),
  ...rows({ handler: 'execDiv', writes: ALL }, 'F6 /6 : DIV Eb\nF7 /6 : DIV Ev'),
  ...rows({ handler: 'execIdiv', writes: ALL }, 'F6 /7 : IDIV Eb\nF7 /7 : IDIV Ev'),
  ...rows({ handler: 'execFlagOp', writes: 'c' }, 'F8 : CLC\nF9 : STC'),
  ...rows({ handler: 'execCli', writes: 'i' }, 'FA : CLI'),
  ...rows({ handler: 'execSti', writes: 'i' }, 'FB : STI : end'),
  ...rows({ handler: 'execFlagOp', writes: 'd' }, 'FC : CLD\nFD : STD'),
];
