// Three-byte opcodes 0F 38 and the VEX-encoded general-register instructions (BMI1, BMI2).
import { type OpcodeRow, rows } from './row.js';

const ALL = 'oszapc';
const VMX = { handler: 'execVmxInstruction', writes: ALL, all: 'end f64' };

export const threeByte: readonly OpcodeRow[] = [
  ...rows(VMX, '66 0F 38 80 /r : INVEPT Gy,Mdq\n66 0F 38 81 /r : INVVPID Gy,Mdq'),
  ...rows({ handler: 'execInvpcid' }, '66 0F 38 82 /r : INVPCID Gy,Mdq : f64 cpl0 end'),
  ...rows({ handler: 'execCrc32' }, 'F2 0F 38 F0 /r : CRC32 Gy,Eb\nF2 0F 38 F1 /r : CRC32 Gy,Ev'),
  ...rows({ handler: 'execMovbe' }, 'NFx 0F 38 F0 /r : MOVBE Gv,Mv\nNFx 0F 38 F1 /r : MOVBE Mv,Gv'),
  ...rows({ handler: 'execAdcx', reads: 'c', writes: 'c' }, '66 0F 38 F6 /r : ADCX Gy,Ey'),
  ...rows({ handler: 'execAdox', reads: 'o', writes: 'o' }, 'F3 0F 38 F6 /r : ADOX Gy,Ey'),
];

export const vexGeneral: readonly OpcodeRow[] = [
  ...rows({ handler: 'execAndn', writes: ALL }, 'VEX.NP 0F 38 F2 /r : ANDN Gy,By,Ey'),
  ...rows({ handler: 'execBls', title: 'BLSR', writes: ALL }, 'VEX.NP 0F 38 F3 /1 : BLSR By,Ey'),
  ...rows({ handler: 'execBls', title: 'BLSMSK', writes: ALL }, 'VEX.NP 0F 38 F3 /2 : BLSMSK By,Ey'),
  ...rows({ handler: 'execBls', title: 'BLSI', writes: ALL }, 'VEX.NP 0F 38 F3 /3 : BLSI By,Ey'),
  ...rows({ handler: 'execBzhi', writes: ALL }, 'VEX.NP 0F 38 F5 /r : BZHI Gy,Ey,By'),
  ...rows({ handler: 'execPext' }, 'VEX.F3 0F 38 F5 /r : PEXT Gy,By,Ey'),
  ...rows({ handler: 'execPdep' }, 'VEX.F2 0F 38 F5 /r : PDEP Gy,By,Ey'),
  ...rows({ handler: 'execMulx' }, 'VEX.F2 0F 38 F6 /r : MULX Gy,By,Ey'),
  ...rows({ handler: 'execBextr', writes: ALL }, 'VEX.NP 0F 38 F7 /r : BEXTR Gy,Ey,By'),
  ...rows({ handler: 'execShlx', title: 'SARX/SHLX/SHRX' }, 'VEX.66 0F 38 F7 /r : SHLX Gy,Ey,By'),
  ...rows({ handler: 'execSarx', title: 'SARX/SHLX/SHRX' }, 'VEX.F3 0F 38 F7 /r : SARX Gy,Ey,By'),
  ...rows({ handler: 'execShrx', title: 'SARX/SHLX/SHRX' }, 'VEX.F2 0F 38 F7 /r : SHRX Gy,Ey,By'),
  ...rows({ handler: 'execRorx' }, 'VEX.F2 0F 3A F0 /r : RORX Gy,Ey,Ib'),
];
