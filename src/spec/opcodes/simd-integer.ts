// Integer, logic and rearranging vector instructions: MMX, SSE2 to SSE4.2, AES-NI, PCLMULQDQ, and their VEX forms.
// @sdm 2D A.3 "One, Two, and Three-Byte Opcode Maps"
import { type OpcodeRow, rows } from './row.js';
import { binaryRows, unaryRows } from './simd-rows.js';

const handler = 'execVector';
const mmx = 'execVectorMmx';

const arithmetic: readonly OpcodeRow[] = [
  ...binaryRows(
    { group: 'arithmetic', handler, mmx },
    `FC PADDB
     FD PADDW
     FE PADDD
     D4 PADDQ
     F8 PSUBB
     F9 PSUBW
     FA PSUBD
     FB PSUBQ
     EC PADDSB
     ED PADDSW
     DC PADDUSB
     DD PADDUSW
     E8 PSUBSB
     E9 PSUBSW
     D8 PSUBUSB
     D9 PSUBUSW
     E0 PAVGB
     E3 PAVGW
     DA PMINUB
     DE PMAXUB
     EA PMINSW
     EE PMAXSW
     F6 PSADBW
     38 01 PHADDW
     38 02 PHADDD
     38 03 PHADDSW
     38 05 PHSUBW
     38 06 PHSUBD
     38 07 PHSUBSW
     38 08 PSIGNB
     38 09 PSIGNW
     38 0A PSIGND`,
  ),
  ...binaryRows(
    { group: 'arithmetic', handler },
    `38 38 PMINSB
     38 39 PMINSD
     38 3A PMINUW
     38 3B PMINUD
     38 3C PMAXSB
     38 3D PMAXSD
     38 3E PMAXUW
     38 3F PMAXUD`,
  ),
];

const multiply: readonly OpcodeRow[] = [
  ...binaryRows(
    { group: 'multiply', handler, mmx },
    `D5 PMULLW
     E5 PMULHW
     E4 PMULHUW
     F4 PMULUDQ
     F5 PMADDWD
     38 04 PMADDUBSW
     38 0B PMULHRSW`,
  ),
  ...binaryRows({ group: 'multiply', handler }, '38 28 PMULDQ\n38 40 PMULLD'),
  ...binaryRows({ group: 'multiply', handler, tail: ',Ib' }, '3A 42 MPSADBW'),
];

const compare: readonly OpcodeRow[] = [
  ...binaryRows(
    { group: 'compare', handler, mmx },
    `64 PCMPGTB
     65 PCMPGTW
     66 PCMPGTD
     74 PCMPEQB
     75 PCMPEQW
     76 PCMPEQD
     DB PAND
     DF PANDN
     EB POR
     EF PXOR`,
  ),
  ...binaryRows({ group: 'compare', handler }, '38 29 PCMPEQQ\n38 37 PCMPGTQ'),
  ...['AND 54 PAND', 'ANDN 55 PANDN', 'OR 56 POR', 'XOR 57 PXOR'].flatMap((line) => {
    const [name, code, operation = ''] = line.split(' ');
    return rows(
      { group: 'compare', operation, handler },
      `NP 0F ${code} /r : ${name}PS Vx,Wx
       66 0F ${code} /r : ${name}PD Vx,Wx
       VEX.NP 0F ${code} /r : V${name}PS Vx,Hx,Wx : lv
       VEX.66 0F ${code} /r : V${name}PD Vx,Hx,Wx : lv`,
    );
  }),
  ...rows(
    { group: 'compare', handler, title: 'VPSLLVW/VPSLLVD/VPSLLVQ' },
    `VEX.66 0F 38 45 /r : VPSRLVD Vx,Hx,Wx : lv w0
     VEX.66 0F 38 45 /r : VPSRLVQ Vx,Hx,Wx : lv w1
     VEX.66 0F 38 46 /r : VPSRAVD Vx,Hx,Wx : lv w0
     VEX.66 0F 38 47 /r : VPSLLVD Vx,Hx,Wx : lv w0
     VEX.66 0F 38 47 /r : VPSLLVQ Vx,Hx,Wx : lv w1`,
  ),
];

const arrange: readonly OpcodeRow[] = [
  ...binaryRows(
    { group: 'arrange', handler, mmx },
    `60 PUNPCKLBW
     61 PUNPCKLWD
     62 PUNPCKLDQ
     68 PUNPCKHBW
     69 PUNPCKHWD
     6A PUNPCKHDQ
     63 PACKSSWB
     67 PACKUSWB
     6B PACKSSDW
     38 00 PSHUFB`,
  ),
  ...binaryRows({ group: 'arrange', handler }, '6C PUNPCKLQDQ\n6D PUNPCKHQDQ\n38 2B PACKUSDW'),
  ...binaryRows({ group: 'arrange', handler, mmx, tail: ',Ib' }, '3A 0F PALIGNR'),
  ...binaryRows({ group: 'arrange', handler, tail: ',Ib' }, '3A 0C BLENDPS\n3A 0D BLENDPD\n3A 0E PBLENDW\nC6 SHUFPD'),
  ...['14 UNPCKLPS PUNPCKLDQ', '15 UNPCKHPS PUNPCKHDQ'].flatMap((line) => {
    const [code, name = '', operation = ''] = line.split(' ');
    return [
      ...rows({ group: 'arrange', operation, handler }, `NP 0F ${code} /r : ${name} Vx,Wx`),
      ...rows({ group: 'arrange', operation, handler }, `VEX.NP 0F ${code} /r : V${name} Vx,Hx,Wx : lv`),
    ];
  }),
  ...binaryRows({ group: 'arrange', handler }, '14 UNPCKLPD PUNPCKLQDQ\n15 UNPCKHPD PUNPCKHQDQ'),
  ...rows(
    { group: 'arrange', handler },
    'NP 0F C6 /r : SHUFPS Vx,Wx,Ib\nVEX.NP 0F C6 /r : VSHUFPS Vx,Hx,Wx,Ib : lv\nVEX.66 0F 3A 02 /r : VPBLENDD Vx,Hx,Wx,Ib : lv w0',
  ),
  ...rows(
    { group: 'arrange', handler, title: 'VPERMILPS' },
    'VEX.66 0F 38 0C /r : VPERMILPSV Vx,Hx,Wx : lv w0\nVEX.66 0F 38 0D /r : VPERMILPDV Vx,Hx,Wx : lv w0',
  ).map((row) => ({ ...row, mnemonic: row.mnemonic.replace(/V$/, '') })),
  ...['10 PBLENDVB 4C', '14 BLENDVPS 4A', '15 BLENDVPD 4B'].flatMap((line) => {
    const [code, name, vex] = line.split(' ');
    return rows(
      { group: 'arrange', handler: 'execBlendVariable' },
      `66 0F 38 ${code} /r : ${name} Vx,Wx\nVEX.66 0F 3A ${vex} /r : V${name} Vx,Hx,Wx,Lx : lv w0`,
    );
  }),
];

const crypto: readonly OpcodeRow[] = [
  ...binaryRows(
    { group: 'crypto', handler, vex: '' },
    '38 DC AESENC\n38 DD AESENCLAST\n38 DE AESDEC\n38 DF AESDECLAST',
  ),
  ...binaryRows({ group: 'crypto', handler, vex: '', tail: ',Ib' }, '3A 44 PCLMULQDQ'),
];

const unaryHandler = 'execVectorUnary';
const unary: readonly OpcodeRow[] = [
  ...unaryRows(
    { group: 'unary', handler: unaryHandler, mmx: 'execVectorUnaryMmx' },
    '38 1C PABSB\n38 1D PABSW\n38 1E PABSD',
  ),
  ...rows({ group: 'unary', handler: 'execVectorUnaryMmx' }, 'NP 0F 70 /r : PSHUFW Pq,Qq,Ib'),
  ...rows(
    { group: 'unary', handler: unaryHandler },
    `66 0F 70 /r : PSHUFD Vx,Wx,Ib
     F3 0F 70 /r : PSHUFHW Vx,Wx,Ib
     F2 0F 70 /r : PSHUFLW Vx,Wx,Ib
     VEX.66 0F 70 /r : VPSHUFD Vx,Wx,Ib : lv
     VEX.F3 0F 70 /r : VPSHUFHW Vx,Wx,Ib : lv
     VEX.F2 0F 70 /r : VPSHUFLW Vx,Wx,Ib : lv
     F3 0F 12 /r : MOVSLDUP Vx,Wx
     F3 0F 16 /r : MOVSHDUP Vx,Wx
     F2 0F 12 /r : MOVDDUP Vx,Wx
     VEX.F3 0F 12 /r : VMOVSLDUP Vx,Wx : lv
     VEX.F3 0F 16 /r : VMOVSHDUP Vx,Wx : lv
     VEX.F2 0F 12 /r : VMOVDDUP Vx,Wx : lv
     VEX.66 0F 3A 04 /r : VPERMILPS Vx,Wx,Ib : lv w0
     VEX.66 0F 3A 05 /r : VPERMILPD Vx,Wx,Ib : lv w0`,
  ),
  ...unaryRows({ group: 'unary', handler: unaryHandler, vex: '' }, '38 41 PHMINPOSUW\n38 DB AESIMC'),
  ...unaryRows({ group: 'unary', handler: unaryHandler, vex: '', tail: ',Ib' }, '3A DF AESKEYGENASSIST'),
  ...unaryRows(
    { group: 'unary', handler: 'execExtend' },
    `38 20 PMOVSXBW
     38 21 PMOVSXBD
     38 22 PMOVSXBQ
     38 23 PMOVSXWD
     38 24 PMOVSXWQ
     38 25 PMOVSXDQ
     38 30 PMOVZXBW
     38 31 PMOVZXBD
     38 32 PMOVZXBQ
     38 33 PMOVZXWD
     38 34 PMOVZXWQ
     38 35 PMOVZXDQ`,
  ),
];

const shift: readonly OpcodeRow[] = [
  ...binaryRows(
    { group: 'shift', handler: 'execVectorShift', mmx: 'execVectorShiftMmx' },
    `D1 PSRLW
     D2 PSRLD
     D3 PSRLQ
     E1 PSRAW
     E2 PSRAD
     F1 PSLLW
     F2 PSLLD
     F3 PSLLQ`,
  ),
  ...[
    '71 /2 PSRLW',
    '71 /4 PSRAW',
    '71 /6 PSLLW',
    '72 /2 PSRLD',
    '72 /4 PSRAD',
    '72 /6 PSLLD',
    '73 /2 PSRLQ',
    '73 /6 PSLLQ',
  ].flatMap((line) => {
    const [code, reg, name] = line.split(' ');
    return [
      ...rows({ group: 'shift', handler: 'execVectorShiftImmediateMmx' }, `NP 0F ${code} ${reg} : ${name} Nq,Ib`),
      ...rows(
        { group: 'shift', handler: 'execVectorShiftImmediate' },
        `66 0F ${code} ${reg} : ${name} Ux,Ib\nVEX.66 0F ${code} ${reg} : V${name} Hx,Ux,Ib : lv`,
      ),
    ];
  }),
  ...['3 PSRLDQ', '7 PSLLDQ'].flatMap((line) => {
    const [reg, name] = line.split(' ');
    return rows(
      { group: 'shift', handler: 'execVectorShiftImmediate' },
      `66 0F 73 /${reg} : ${name} Ux,Ib\nVEX.66 0F 73 /${reg} : V${name} Hx,Ux,Ib : lv`,
    );
  }),
];

const test: readonly OpcodeRow[] = [
  ...rows(
    { group: 'none', handler: 'execPtest', writes: 'oszapc' },
    '66 0F 38 17 /r : PTEST Vx,Wx\nVEX.66 0F 38 17 /r : VPTEST Vx,Wx : lv',
  ),
  ...rows(
    { group: 'none', handler: 'execVtestps', title: 'VTESTPD/VTESTPS', writes: 'oszapc' },
    'VEX.66 0F 38 0E /r : VTESTPS Vx,Wx : lv w0\nVEX.66 0F 38 0F /r : VTESTPD Vx,Wx : lv w0',
  ),
  ...['60 PCMPESTRM', '61 PCMPESTRI', '62 PCMPISTRM', '63 PCMPISTRI'].flatMap((line) => {
    const [code, name] = line.split(' ');
    return rows(
      { group: 'none', handler: 'execStringCompare', writes: 'oszapc' },
      `66 0F 3A ${code} /r : ${name} Vx,Wx,Ib\nVEX.66 0F 3A ${code} /r : V${name} Vx,Wx,Ib`,
    );
  }),
];

export const simdInteger: readonly OpcodeRow[] = [
  ...arithmetic,
  ...multiply,
  ...compare,
  ...arrange,
  ...crypto,
  ...unary,
  ...shift,
  ...test,
];
