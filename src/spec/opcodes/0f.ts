// Two-byte opcodes 0F xx that are not vector instructions. @sdm 2D A.3 "One, Two, and Three-Byte Opcode Maps"
import { conditionReads } from './one-byte.js';
import { CONDITIONS, hex, type OpcodeRow, rows } from './row.js';

const ALL = 'oszapc';
const VMX = { handler: 'execVmxInstruction', writes: ALL, all: 'end' };

const byCondition = CONDITIONS.flatMap((cc, n): OpcodeRow[] => {
  const reads = conditionReads(n);
  return [
    ...rows({ handler: 'execCmov', title: 'CMOVcc', reads }, `0F ${hex(0x40 + n)} /r : CMOV${cc} Gv,Ev`),
    ...rows({ handler: 'execJcc', title: 'Jcc', reads, all: 'end f64' }, `0F ${hex(0x80 + n)} : J${cc} Jz`),
    ...rows({ handler: 'execSetcc', title: 'SETcc', reads }, `0F ${hex(0x90 + n)} /r : SET${cc} Eb`),
  ];
});

const bitTest = ['BT', 'BTS', 'BTR', 'BTC'].flatMap((name, n): OpcodeRow[] => {
  const lock = n === 0 ? '' : 'lock';
  return rows(
    { handler: 'execBt', writes: 'c' },
    `0F ${hex(0xa3 + n * 8)} /r : ${name} Ev,Gv : ${lock}\n0F BA /${n + 4} : ${name} Ev,Ib : ${lock}`,
  );
});

/** Memory hints and hintable no-operations: 0F 18 to 0F 1F and PREFETCHW. @sdm 2B "NOP" */
const hints = [0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f].flatMap((code) =>
  rows({ handler: 'execNop', title: 'NOP' }, `0F ${hex(code)} /r : NOP Ev`),
);

export const twoByte: readonly OpcodeRow[] = [
  ...rows({ handler: 'execSldt' }, '0F 00 /0 : SLDT Ev'),
  ...rows({ handler: 'execStr' }, '0F 00 /1 : STR Ev'),
  ...rows({ handler: 'execLldt' }, '0F 00 /2 : LLDT Ew : cpl0'),
  ...rows({ handler: 'execLtr' }, '0F 00 /3 : LTR Ew : cpl0'),
  ...rows({ handler: 'execVerr', title: 'VERR/VERW', writes: 'z' }, '0F 00 /4 : VERR Ew'),
  ...rows({ handler: 'execVerw', title: 'VERR/VERW', writes: 'z' }, '0F 00 /5 : VERW Ew'),
  ...rows({ handler: 'execVmcall', writes: ALL }, 'NP 0F 01 C1 : VMCALL : end'),
  ...rows(VMX, 'NP 0F 01 C2 : VMLAUNCH\nNP 0F 01 C3 : VMRESUME\nNP 0F 01 C4 : VMXOFF'),
  ...rows({ handler: 'execMonitor' }, 'NP 0F 01 C8 : MONITOR : cpl0 end'),
  ...rows({ handler: 'execMwait' }, 'NP 0F 01 C9 : MWAIT : cpl0 end'),
  ...rows({ handler: 'execClac' }, 'NP 0F 01 CA : CLAC : cpl0 end'),
  ...rows({ handler: 'execStac' }, 'NP 0F 01 CB : STAC : cpl0 end'),
  ...rows({ handler: 'execVmmcall', title: 'VMCALL', writes: ALL }, '0F 01 D9 : VMMCALL : end'),
  ...rows({ handler: 'execXgetbv' }, 'NP 0F 01 D0 : XGETBV'),
  ...rows({ handler: 'execXsetbv' }, 'NP 0F 01 D1 : XSETBV : cpl0 end'),
  ...rows({ handler: 'execVmfunc' }, 'NP 0F 01 D4 : VMFUNC : end'),
  ...rows({ handler: 'execRdpkru' }, 'NP 0F 01 EE : RDPKRU'),
  ...rows({ handler: 'execWrpkru' }, 'NP 0F 01 EF : WRPKRU : end'),
  ...rows({ handler: 'execSwapgs' }, '0F 01 F8 : SWAPGS : o64 cpl0 end'),
  ...rows({ handler: 'execRdtscp' }, '0F 01 F9 : RDTSCP'),
  ...rows({ handler: 'execSgdt' }, '0F 01 /0 : SGDT Ms : f64'),
  ...rows({ handler: 'execSidt' }, '0F 01 /1 : SIDT Ms : f64'),
  ...rows({ handler: 'execLgdt', title: 'LGDT/LIDT' }, '0F 01 /2 : LGDT Ms : f64 cpl0'),
  ...rows({ handler: 'execLidt', title: 'LGDT/LIDT' }, '0F 01 /3 : LIDT Ms : f64 cpl0'),
  ...rows({ handler: 'execSmsw' }, '0F 01 /4 : SMSW Ev'),
  ...rows({ handler: 'execLmsw' }, '0F 01 /6 : LMSW Ew : cpl0 end'),
  ...rows({ handler: 'execInvlpg' }, '0F 01 /7 : INVLPG M : cpl0 end'),
  ...rows({ handler: 'execLar', writes: 'z' }, '0F 02 /r : LAR Gv,Ew'),
  ...rows({ handler: 'execLsl', writes: 'z' }, '0F 03 /r : LSL Gv,Ew'),
  ...rows({ handler: 'execSyscall', writes: ALL }, '0F 05 : SYSCALL : end'),
  ...rows({ handler: 'execClts' }, '0F 06 : CLTS : cpl0 end'),
  ...rows({ handler: 'execSysret', writes: ALL }, '0F 07 : SYSRET : cpl0 end'),
  ...rows({ handler: 'execInvd' }, '0F 08 : INVD : cpl0'),
  ...rows({ handler: 'execWbinvd' }, '0F 09 : WBINVD : cpl0'),
  ...rows({ handler: 'execUd', title: 'UD' }, '0F 0B : UD2\n0F B9 /r : UD1 Gv,Ev\n0F FF /r : UD0 Gv,Ev'),
  ...rows({ handler: 'execNop', title: 'PREFETCHW' }, '0F 0D /r : PREFETCHW M'),
  ...hints,
  ...rows(
    { handler: 'execMovFromCr', title: 'MOV - Move to/from Control Registers' },
    '0F 20 /r : MOV Ry,Cd : f64 cpl0',
  ),
  ...rows({ handler: 'execMovFromDr', title: 'MOV - Move to/from Debug Registers' }, '0F 21 /r : MOV Ry,Dd : f64 cpl0'),
  ...rows(
    { handler: 'execMovToCr', title: 'MOV - Move to/from Control Registers' },
    '0F 22 /r : MOV Cd,Ry : f64 cpl0 end',
  ),
  ...rows(
    { handler: 'execMovToDr', title: 'MOV - Move to/from Debug Registers' },
    '0F 23 /r : MOV Dd,Ry : f64 cpl0 end',
  ),
  ...rows({ handler: 'execWrmsr' }, '0F 30 : WRMSR : cpl0 end'),
  ...rows({ handler: 'execRdtsc' }, '0F 31 : RDTSC'),
  ...rows({ handler: 'execRdmsr' }, '0F 32 : RDMSR : cpl0 end'),
  ...rows({ handler: 'execRdpmc' }, '0F 33 : RDPMC'),
  ...rows({ handler: 'execSysenter' }, '0F 34 : SYSENTER : end'),
  ...rows({ handler: 'execSysexit' }, '0F 35 : SYSEXIT : cpl0 end'),
  ...rows({ handler: 'execGetsec' }, 'NP 0F 37 : GETSEC : end'),
  ...byCondition,
  ...rows(VMX, 'NP 0F 78 /r : VMREAD Ey,Gy : f64\nNP 0F 79 /r : VMWRITE Gy,Ey : f64'),
  ...rows({ handler: 'execPushSeg' }, '0F A0 : PUSH FS : d64\n0F A8 : PUSH GS : d64'),
  ...rows({ handler: 'execPopSeg' }, '0F A1 : POP FS : d64 end\n0F A9 : POP GS : d64 end'),
  ...rows({ handler: 'execCpuid' }, '0F A2 : CPUID : end'),
  ...bitTest,
  ...rows({ handler: 'execShld', writes: ALL }, '0F A4 /r : SHLD Ev,Gv,Ib\n0F A5 /r : SHLD Ev,Gv,CL'),
  ...rows({ handler: 'execShrd', writes: ALL }, '0F AC /r : SHRD Ev,Gv,Ib\n0F AD /r : SHRD Ev,Gv,CL'),
  ...rows({ handler: 'execRsm', writes: ALL }, '0F AA : RSM : end'),
  ...rows(
    { handler: 'execFsGsBase', title: 'RDFSBASE/RDGSBASE' },
    'F3 0F AE /0 : RDFSBASE Ry : o64\nF3 0F AE /1 : RDGSBASE Ry : o64',
  ),
  ...rows(
    { handler: 'execFsGsBase', title: 'WRFSBASE/WRGSBASE' },
    'F3 0F AE /2 : WRFSBASE Ry : o64\nF3 0F AE /3 : WRGSBASE Ry : o64',
  ),
  ...rows({ handler: 'execLdmxcsr' }, 'NP 0F AE /2 : LDMXCSR Md'),
  ...rows({ handler: 'execStmxcsr' }, 'NP 0F AE /3 : STMXCSR Md'),
  ...rows({ handler: 'execFence', title: 'LFENCE' }, 'NP 0F AE /5 : LFENCE Ry'),
  ...rows({ handler: 'execFence', title: 'MFENCE' }, 'NP 0F AE /6 : MFENCE Ry'),
  ...rows({ handler: 'execFence', title: 'SFENCE' }, 'NP 0F AE /7 : SFENCE Ry'),
  ...rows({ handler: 'execClflush', title: 'CLFLUSH' }, 'NP 0F AE /7 : CLFLUSH Mb'),
  ...rows({ handler: 'execClflush', title: 'CLFLUSHOPT' }, '66 0F AE /7 : CLFLUSHOPT Mb'),
  ...rows({ handler: 'execClflush', title: 'CLWB' }, '66 0F AE /6 : CLWB Mb'),
  ...rows({ handler: 'execImul2', title: 'IMUL', writes: ALL }, '0F AF /r : IMUL Gv,Ev'),
  ...rows({ handler: 'execCmpxchg', writes: ALL }, '0F B0 /r : CMPXCHG Eb,Gb : lock\n0F B1 /r : CMPXCHG Ev,Gv : lock'),
  ...rows(
    { handler: 'execLoadFar', title: 'LDS/LES/LFS/LGS/LSS', all: 'end' },
    '0F B2 /r : LSS Gv,Mp\n0F B4 /r : LFS Gv,Mp\n0F B5 /r : LGS Gv,Mp',
  ),
  ...rows({ handler: 'execMovzx' }, '0F B6 /r : MOVZX Gv,Eb\n0F B7 /r : MOVZX Gv,Ew'),
  ...rows({ handler: 'execMovsx', title: 'MOVSX/MOVSXD' }, '0F BE /r : MOVSX Gv,Eb\n0F BF /r : MOVSX Gv,Ew'),
  ...rows({ handler: 'execPopcnt', writes: ALL }, 'F3 0F B8 /r : POPCNT Gv,Ev'),
  ...rows({ handler: 'execTzcnt', writes: ALL }, 'F3 0F BC /r : TZCNT Gv,Ev'),
  ...rows({ handler: 'execLzcnt', writes: ALL }, 'F3 0F BD /r : LZCNT Gv,Ev'),
  ...rows({ handler: 'execBsf', writes: ALL }, '0F BC /r : BSF Gv,Ev'),
  ...rows({ handler: 'execBsr', writes: ALL }, '0F BD /r : BSR Gv,Ev'),
  ...rows({ handler: 'execXadd', writes: ALL }, '0F C0 /r : XADD Eb,Gb : lock\n0F C1 /r : XADD Ev,Gv : lock'),
  ...rows({ handler: 'execMovnti' }, 'NP 0F C3 /r : MOVNTI My,Gy'),
  ...rows({ handler: 'execCmpxchg8b', title: 'CMPXCHG8B/CMPXCHG16B', writes: 'z' }, '0F C7 /1 : CMPXCHG8B My : lock'),
  ...rows(VMX, 'NP 0F C7 /6 : VMPTRLD Mq\n66 0F C7 /6 : VMCLEAR Mq\nF3 0F C7 /6 : VMXON Mq\nNP 0F C7 /7 : VMPTRST Mq'),
  ...rows({ handler: 'execRdrand', writes: ALL }, 'NFx 0F C7 /6 : RDRAND Rv'),
  ...rows({ handler: 'execRdseed', writes: ALL }, 'NFx 0F C7 /7 : RDSEED Rv'),
  ...rows({ handler: 'execRdpid' }, 'F3 0F C7 /7 : RDPID Ry : f64'),
  ...rows({ handler: 'execBswap' }, '0F C8+r : BSWAP Zv'),
];
