// AVX and AVX2 instructions without a legacy form.
import { type OpcodeRow, rows } from './row.js';

const group = 'permute';

export const avx: readonly OpcodeRow[] = [
  ...rows({ group: 'none', handler: 'execVzeroupper' }, 'VEX.NP 0F 77 : VZEROUPPER'),
  ...rows({ group: 'none', handler: 'execVzeroall' }, 'VEX.NP 0F 77 : VZEROALL : l1'),
  ...rows(
    { group, handler: 'execBroadcast', title: 'VBROADCAST' },
    `VEX.66 0F 38 18 /r : VBROADCASTSS Vx,Wd : lv w0
     VEX.66 0F 38 19 /r : VBROADCASTSD Vx,Wq : l1 w0
     VEX.66 0F 38 1A /r : VBROADCASTF128 Vx,Mdq : l1 w0
     VEX.66 0F 38 5A /r : VBROADCASTI128 Vx,Mdq : l1 w0`,
  ),
  ...rows(
    { group, handler: 'execBroadcast', title: 'VPBROADCAST' },
    `VEX.66 0F 38 58 /r : VPBROADCASTD Vx,Wd : lv w0
     VEX.66 0F 38 59 /r : VPBROADCASTQ Vx,Wq : lv w0
     VEX.66 0F 38 78 /r : VPBROADCASTB Vx,Wb : lv w0
     VEX.66 0F 38 79 /r : VPBROADCASTW Vx,Ww : lv w0`,
  ),
  ...rows(
    { group, handler: 'execPermute' },
    `VEX.66 0F 3A 06 /r : VPERM2F128 Vx,Hx,Wx,Ib : l1 w0
     VEX.66 0F 3A 46 /r : VPERM2I128 Vx,Hx,Wx,Ib : l1 w0
     VEX.66 0F 38 16 /r : VPERMPS Vx,Hx,Wx : l1 w0
     VEX.66 0F 38 36 /r : VPERMD Vx,Hx,Wx : l1 w0
     VEX.66 0F 3A 00 /r : VPERMQ Vx,Wx,Ib : l1 w1
     VEX.66 0F 3A 01 /r : VPERMPD Vx,Wx,Ib : l1 w1`,
  ),
  ...rows(
    { group, handler: 'execInsert128' },
    'VEX.66 0F 3A 18 /r : VINSERTF128 Vx,Hx,Wdq,Ib : l1 w0\nVEX.66 0F 3A 38 /r : VINSERTI128 Vx,Hx,Wdq,Ib : l1 w0',
  ),
  ...rows(
    { group, handler: 'execExtract128' },
    'VEX.66 0F 3A 19 /r : VEXTRACTF128 Wdq,Vx,Ib : l1 w0\nVEX.66 0F 3A 39 /r : VEXTRACTI128 Wdq,Vx,Ib : l1 w0',
  ),
  ...rows(
    { group, handler: 'execMaskedLoad', title: 'VMASKMOV' },
    `VEX.66 0F 38 2C /r : VMASKMOVPS Vx,Hx,Mx : lv w0
     VEX.66 0F 38 2D /r : VMASKMOVPD Vx,Hx,Mx : lv w0
     VEX.66 0F 38 8C /r : VPMASKMOVD Vx,Hx,Mx : lv w0
     VEX.66 0F 38 8C /r : VPMASKMOVQ Vx,Hx,Mx : lv w1`,
  ),
  ...rows(
    { group, handler: 'execMaskedStore', title: 'VMASKMOV' },
    `VEX.66 0F 38 2E /r : VMASKMOVPS Mx,Hx,Vx : lv w0
     VEX.66 0F 38 2F /r : VMASKMOVPD Mx,Hx,Vx : lv w0
     VEX.66 0F 38 8E /r : VPMASKMOVD Mx,Hx,Vx : lv w0
     VEX.66 0F 38 8E /r : VPMASKMOVQ Mx,Hx,Vx : lv w1`,
  ),
  ...rows(
    { group, handler: 'execGather' },
    `VEX.66 0F 38 90 /r : VPGATHERDD Vx,Mx,Hx : lv w0 vsib
     VEX.66 0F 38 90 /r : VPGATHERDQ Vx,Mx,Hx : lv w1 vsib
     VEX.66 0F 38 91 /r : VPGATHERQD Vx,Mx,Hx : lv w0 vsib
     VEX.66 0F 38 91 /r : VPGATHERQQ Vx,Mx,Hx : lv w1 vsib
     VEX.66 0F 38 92 /r : VGATHERDPS Vx,Mx,Hx : lv w0 vsib
     VEX.66 0F 38 92 /r : VGATHERDPD Vx,Mx,Hx : lv w1 vsib
     VEX.66 0F 38 93 /r : VGATHERQPS Vx,Mx,Hx : lv w0 vsib
     VEX.66 0F 38 93 /r : VGATHERQPD Vx,Mx,Hx : lv w1 vsib`,
  ),
  ...rows({ group: 'none', handler: 'execLdmxcsr' }, 'VEX.NP 0F AE /2 : VLDMXCSR Md'),
  ...rows({ group: 'none', handler: 'execStmxcsr' }, 'VEX.NP 0F AE /3 : VSTMXCSR Md'),
];
