// Vector moves: loads, stores, halves, elements, masks, and the MMX and x87-to-SSE bridges.
import { type OpcodeRow, rows } from './row.js';

const group = 'move';

/** Whole vectors. Operation ALIGNED: an unaligned memory operand is #GP(0), whatever the encoding. */
const whole: readonly OpcodeRow[] = [
  ['NP', '10', '11', 'MOVUPS', 'UNALIGNED'],
  ['66', '10', '11', 'MOVUPD', 'UNALIGNED'],
  ['NP', '28', '29', 'MOVAPS', 'ALIGNED'],
  ['66', '28', '29', 'MOVAPD', 'ALIGNED'],
  ['66', '6F', '7F', 'MOVDQA', 'ALIGNED'],
  ['F3', '6F', '7F', 'MOVDQU', 'UNALIGNED'],
].flatMap(([prefix, load, store, name = '', operation = '']) => [
  ...rows({ group, operation, handler: 'execVectorLoad' }, `${prefix} 0F ${load} /r : ${name} Vx,Wx`),
  ...rows(
    { group, operation, handler: 'execVectorLoad', title: name },
    `VEX.${prefix} 0F ${load} /r : V${name} Vx,Wx : lv`,
  ),
  ...rows({ group, operation, handler: 'execVectorStore' }, `${prefix} 0F ${store} /r : ${name} Wx,Vx`),
  ...rows(
    { group, operation, handler: 'execVectorStore', title: name },
    `VEX.${prefix} 0F ${store} /r : V${name} Wx,Vx : lv`,
  ),
]);

const nonTemporal: readonly OpcodeRow[] = [
  ...rows(
    { group, operation: 'ALIGNED', handler: 'execVectorStore' },
    `NP 0F 2B /r : MOVNTPS Mx,Vx
     66 0F 2B /r : MOVNTPD Mx,Vx
     66 0F E7 /r : MOVNTDQ Mx,Vx
     VEX.NP 0F 2B /r : VMOVNTPS Mx,Vx : lv
     VEX.66 0F 2B /r : VMOVNTPD Mx,Vx : lv
     VEX.66 0F E7 /r : VMOVNTDQ Mx,Vx : lv`,
  ),
  ...rows(
    { group, operation: 'ALIGNED', handler: 'execVectorLoad' },
    '66 0F 38 2A /r : MOVNTDQA Vx,Mx\nVEX.66 0F 38 2A /r : VMOVNTDQA Vx,Mx : lv',
  ),
  ...rows(
    { group, operation: 'UNALIGNED', handler: 'execVectorLoad' },
    'F2 0F F0 /r : LDDQU Vx,Mx\nVEX.F2 0F F0 /r : VLDDQU Vx,Mx : lv',
  ),
];

/** Scalars: a load clears the rest of the register, a move between registers keeps or (VEX) merges it. */
const scalar: readonly OpcodeRow[] = [
  ['F3', 'MOVSS', 'Md'],
  ['F2', 'MOVSD', 'Mq'],
].flatMap(([prefix, name, memory]) => [
  ...rows(
    { group, handler: 'execScalarLoad' },
    `${prefix} 0F 10 /r : ${name} Vx,Wx
     VEX.${prefix} 0F 10 /r : V${name} Vx,${memory} : lig
     VEX.${prefix} 0F 10 /r : V${name} Vx,Hx,Ux : lig`,
  ),
  ...rows(
    { group, handler: 'execScalarStore' },
    `${prefix} 0F 11 /r : ${name} Wx,Vx
     VEX.${prefix} 0F 11 /r : V${name} ${memory},Vx : lig
     VEX.${prefix} 0F 11 /r : V${name} Ux,Hx,Vx : lig`,
  ),
]);

/** Halves. Operation: which half of the destination, from which of the source. */
const halves: readonly OpcodeRow[] = [
  ...rows(
    { group, operation: 'HIGH_TO_LOW', handler: 'execHalfLoad' },
    'NP 0F 12 /r : MOVHLPS Vx,Ux\nVEX.NP 0F 12 /r : VMOVHLPS Vx,Hx,Ux',
  ),
  ...rows(
    { group, operation: 'LOW_TO_HIGH', handler: 'execHalfLoad' },
    'NP 0F 16 /r : MOVLHPS Vx,Ux\nVEX.NP 0F 16 /r : VMOVLHPS Vx,Hx,Ux',
  ),
  ...['NP PS', '66 PD'].flatMap((line) => {
    const [prefix, suffix] = line.split(' ');
    return [
      ...rows(
        { group, operation: 'LOW_HALF', handler: 'execHalfLoad' },
        `${prefix} 0F 12 /r : MOVL${suffix} Vx,Mq\nVEX.${prefix} 0F 12 /r : VMOVL${suffix} Vx,Hx,Mq`,
      ),
      ...rows(
        { group, operation: 'HIGH_HALF', handler: 'execHalfLoad' },
        `${prefix} 0F 16 /r : MOVH${suffix} Vx,Mq\nVEX.${prefix} 0F 16 /r : VMOVH${suffix} Vx,Hx,Mq`,
      ),
      ...rows(
        { group, operation: 'LOW_HALF', handler: 'execHalfStore' },
        `${prefix} 0F 13 /r : MOVL${suffix} Mq,Vx\nVEX.${prefix} 0F 13 /r : VMOVL${suffix} Mq,Vx`,
      ),
      ...rows(
        { group, operation: 'HIGH_HALF', handler: 'execHalfStore' },
        `${prefix} 0F 17 /r : MOVH${suffix} Mq,Vx\nVEX.${prefix} 0F 17 /r : VMOVH${suffix} Mq,Vx`,
      ),
    ];
  }),
];

/** Between general registers or memory and the lowest element. */
const lowest: readonly OpcodeRow[] = [
  ...rows({ group: 'none', handler: 'execMovdLoad' }, '66 0F 6E /r : MOVD Vx,Ey\nVEX.66 0F 6E /r : VMOVD Vx,Ey'),
  ...rows({ group: 'none', handler: 'execMovdStore' }, '66 0F 7E /r : MOVD Ey,Vx\nVEX.66 0F 7E /r : VMOVD Ey,Vx'),
  ...rows({ group: 'none', handler: 'execMovqLoad' }, 'F3 0F 7E /r : MOVQ Vx,Wq\nVEX.F3 0F 7E /r : VMOVQ Vx,Wq'),
  ...rows({ group: 'none', handler: 'execMovqStore' }, '66 0F D6 /r : MOVQ Wq,Vx\nVEX.66 0F D6 /r : VMOVQ Wq,Vx'),
];

const elements: readonly OpcodeRow[] = [
  ...rows(
    { group: 'none', handler: 'execInsert' },
    `66 0F 3A 20 /r : PINSRB Vx,Ed,Ib
     66 0F C4 /r : PINSRW Vx,Ed,Ib
     66 0F 3A 22 /r : PINSRD Vx,Ey,Ib
     VEX.66 0F 3A 20 /r : VPINSRB Vx,Hx,Ed,Ib
     VEX.66 0F C4 /r : VPINSRW Vx,Hx,Ed,Ib
     VEX.66 0F 3A 22 /r : VPINSRD Vx,Hx,Ey,Ib`,
  ),
  ...rows(
    { group: 'none', handler: 'execExtract' },
    `66 0F 3A 14 /r : PEXTRB Ed,Vx,Ib
     66 0F 3A 15 /r : PEXTRW Ed,Vx,Ib
     66 0F 3A 16 /r : PEXTRD Ey,Vx,Ib
     66 0F 3A 17 /r : EXTRACTPS Ed,Vx,Ib
     VEX.66 0F 3A 14 /r : VPEXTRB Ed,Vx,Ib
     VEX.66 0F 3A 15 /r : VPEXTRW Ed,Vx,Ib
     VEX.66 0F 3A 16 /r : VPEXTRD Ey,Vx,Ib
     VEX.66 0F 3A 17 /r : VEXTRACTPS Ed,Vx,Ib`,
  ),
  ...rows(
    { group: 'none', handler: 'execExtractWord', title: 'PEXTRW' },
    '66 0F C5 /r : PEXTRW Gd,Ux,Ib\nVEX.66 0F C5 /r : VPEXTRW Gd,Ux,Ib',
  ),
  ...rows(
    { group: 'none', handler: 'execInsertps' },
    '66 0F 3A 21 /r : INSERTPS Vx,Wd,Ib\nVEX.66 0F 3A 21 /r : VINSERTPS Vx,Hx,Wd,Ib',
  ),
];

const masks: readonly OpcodeRow[] = [
  ...rows(
    { group, handler: 'execMoveMask', title: 'PMOVMSKB' },
    '66 0F D7 /r : PMOVMSKB Gd,Ux\nVEX.66 0F D7 /r : VPMOVMSKB Gd,Ux : lv',
  ),
  ...rows(
    { group, handler: 'execMoveMask' },
    `NP 0F 50 /r : MOVMSKPS Gd,Ux
     66 0F 50 /r : MOVMSKPD Gd,Ux
     VEX.NP 0F 50 /r : VMOVMSKPS Gd,Ux : lv
     VEX.66 0F 50 /r : VMOVMSKPD Gd,Ux : lv`,
  ),
  ...rows(
    { group: 'none', handler: 'execMaskmovdqu' },
    '66 0F F7 /r : MASKMOVDQU Vx,Ux\nVEX.66 0F F7 /r : VMASKMOVDQU Vx,Ux',
  ),
];

const mmx: readonly OpcodeRow[] = [
  ...rows({ group: 'none', handler: 'execMmxLoad' }, 'NP 0F 6E /r : MOVD Pq,Ey'),
  ...rows({ group: 'none', handler: 'execMmxStore' }, 'NP 0F 7E /r : MOVD Ey,Pq'),
  ...rows({ group: 'none', handler: 'execMmxMove' }, 'NP 0F 6F /r : MOVQ Pq,Qq'),
  ...rows({ group: 'none', handler: 'execMmxMoveStore' }, 'NP 0F 7F /r : MOVQ Qq,Pq\nNP 0F E7 /r : MOVNTQ Mq,Pq'),
  ...rows({ group: 'none', handler: 'execMmxInsert' }, 'NP 0F C4 /r : PINSRW Pq,Ed,Ib'),
  ...rows({ group: 'none', handler: 'execMmxExtract' }, 'NP 0F C5 /r : PEXTRW Gd,Nq,Ib'),
  ...rows({ group: 'none', handler: 'execMmxMask' }, 'NP 0F D7 /r : PMOVMSKB Gd,Nq'),
  ...rows({ group: 'none', handler: 'execMaskmovq' }, 'NP 0F F7 /r : MASKMOVQ Pq,Nq'),
  ...rows({ group: 'none', handler: 'execMovq2dq' }, 'F3 0F D6 /r : MOVQ2DQ Vx,Nq'),
  ...rows({ group: 'none', handler: 'execMovdq2q' }, 'F2 0F D6 /r : MOVDQ2Q Pq,Ux'),
  ...rows({ group: 'none', handler: 'execEmms' }, 'NP 0F 77 : EMMS'),
];

export const simdMove: readonly OpcodeRow[] = [
  ...whole,
  ...nonTemporal,
  ...scalar,
  ...halves,
  ...lowest,
  ...elements,
  ...masks,
  ...mmx,
];
