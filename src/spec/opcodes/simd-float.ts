// Floating-point vector instructions: SSE to SSE4.1, and their VEX forms.
import { type OpcodeRow, rows } from './row.js';
import { binaryRows, type Form, floatRows, unaryRows } from './simd-rows.js';

const ALL: readonly Form[] = ['NP', '66', 'F3', 'F2'];

const arithmetic: readonly OpcodeRow[] = [
  ...floatRows(
    { group: 'float', handler: 'execFloat', three: true },
    ALL,
    '58 ADD\n59 MUL\n5C SUB\n5D MIN\n5E DIV\n5F MAX',
  ),
  ...floatRows({ group: 'float', handler: 'execFloatCompare', three: true, tail: ',Ib' }, ALL, 'C2 CMP'),
  ...floatRows({ group: 'float', handler: 'execFloatUnary', three: false, scalarThree: true }, ALL, '51 SQRT'),
  ...floatRows(
    { group: 'float', handler: 'execFloatEstimate', three: false, scalarThree: true },
    ['NP', 'F3'],
    '52 RSQRT\n53 RCP',
  ),
  ...['66 PD', 'F2 PS'].flatMap((line) => {
    const [prefix, suffix] = line.split(' ');
    return ['D0 ADDSUB', '7C HADD', '7D HSUB'].flatMap((each) => {
      const [code, name = ''] = each.split(' ');
      return rows(
        { group: 'float', operation: name, handler: 'execFloatHorizontal' },
        `${prefix} 0F ${code} /r : ${name}${suffix} Vx,Wx\nVEX.${prefix} 0F ${code} /r : V${name}${suffix} Vx,Hx,Wx : lv`,
      );
    });
  }),
  ...unaryRows({ group: 'float', handler: 'execRound', tail: ',Ib' }, '3A 08 ROUNDPS\n3A 09 ROUNDPD'),
  ...binaryRows({ group: 'float', handler: 'execRound', tail: ',Ib', vex: 'lig' }, '3A 0A ROUNDSS\n3A 0B ROUNDSD'),
  ...binaryRows({ group: 'float', handler: 'execDotProduct', tail: ',Ib' }, '3A 40 DPPS'),
  ...binaryRows({ group: 'float', handler: 'execDotProduct', tail: ',Ib', vex: '' }, '3A 41 DPPD'),
  ...['2E UCOMIS', '2F COMIS'].flatMap((line) => {
    const [code, name] = line.split(' ');
    return rows(
      { group: 'float', operation: 'COMI', handler: 'execFloatCompareFlags', writes: 'oszapc' },
      `NP 0F ${code} /r : ${name}S Vx,Wd
       66 0F ${code} /r : ${name}D Vx,Wq
       VEX.NP 0F ${code} /r : V${name}S Vx,Wd : lig
       VEX.66 0F ${code} /r : V${name}D Vx,Wq : lig`,
    );
  }),
];

const convert: readonly OpcodeRow[] = [
  ...rows(
    { group: 'convert', handler: 'execConvertFromMmx' },
    'NP 0F 2A /r : CVTPI2PS Vx,Qq\n66 0F 2A /r : CVTPI2PD Vx,Qq',
  ),
  ...rows(
    { group: 'convert', handler: 'execConvertToMmx' },
    `NP 0F 2C /r : CVTTPS2PI Pq,Wx
     66 0F 2C /r : CVTTPD2PI Pq,Wx
     NP 0F 2D /r : CVTPS2PI Pq,Wx
     66 0F 2D /r : CVTPD2PI Pq,Wx`,
  ),
  ...['F3 S', 'F2 D'].flatMap((line) => {
    const [prefix, letter] = line.split(' ');
    return [
      ...rows(
        { group: 'convert', handler: 'execConvertFromInteger' },
        `${prefix} 0F 2A /r : CVTSI2S${letter} Vx,Ey\nVEX.${prefix} 0F 2A /r : VCVTSI2S${letter} Vx,Hx,Ey : lig`,
      ),
      ...rows(
        { group: 'convert', handler: 'execConvertToInteger' },
        `${prefix} 0F 2C /r : CVTTS${letter}2SI Gy,Wx
         ${prefix} 0F 2D /r : CVTS${letter}2SI Gy,Wx
         VEX.${prefix} 0F 2C /r : VCVTTS${letter}2SI Gy,Wx : lig
         VEX.${prefix} 0F 2D /r : VCVTS${letter}2SI Gy,Wx : lig`,
      ),
    ];
  }),
  ...rows(
    { group: 'convert', handler: 'execConvertScalar' },
    `F3 0F 5A /r : CVTSS2SD Vx,Wd
     F2 0F 5A /r : CVTSD2SS Vx,Wq
     VEX.F3 0F 5A /r : VCVTSS2SD Vx,Hx,Wd : lig
     VEX.F2 0F 5A /r : VCVTSD2SS Vx,Hx,Wq : lig`,
  ),
  ...rows(
    { group: 'convert', handler: 'execConvertPacked' },
    `NP 0F 5A /r : CVTPS2PD Vx,Wq
     66 0F 5A /r : CVTPD2PS Vx,Wx
     NP 0F 5B /r : CVTDQ2PS Vx,Wx
     66 0F 5B /r : CVTPS2DQ Vx,Wx
     F3 0F 5B /r : CVTTPS2DQ Vx,Wx
     66 0F E6 /r : CVTTPD2DQ Vx,Wx
     F3 0F E6 /r : CVTDQ2PD Vx,Wq
     F2 0F E6 /r : CVTPD2DQ Vx,Wx
     VEX.NP 0F 5A /r : VCVTPS2PD Vx,Wx : lv
     VEX.66 0F 5A /r : VCVTPD2PS Vx,Wx : lv
     VEX.NP 0F 5B /r : VCVTDQ2PS Vx,Wx : lv
     VEX.66 0F 5B /r : VCVTPS2DQ Vx,Wx : lv
     VEX.F3 0F 5B /r : VCVTTPS2DQ Vx,Wx : lv
     VEX.66 0F E6 /r : VCVTTPD2DQ Vx,Wx : lv
     VEX.F3 0F E6 /r : VCVTDQ2PD Vx,Wx : lv
     VEX.F2 0F E6 /r : VCVTPD2DQ Vx,Wx : lv`,
  ),
  ...rows({ group: 'convert', handler: 'execConvertPacked' }, 'VEX.66 0F 38 13 /r : VCVTPH2PS Vx,Wx : lv w0'),
  ...rows({ group: 'convert', handler: 'execStoreHalf' }, 'VEX.66 0F 3A 1D /r : VCVTPS2PH Wx,Vx,Ib : lv w0'),
];

/** FMA3: opcode's low nibble is the operation, its high nibble the operand order; W1 double. */
const fma: readonly OpcodeRow[] = [0x90, 0xa0, 0xb0].flatMap((order) =>
  [
    ['FMADDSUB', 6, 'lv'],
    ['FMSUBADD', 7, 'lv'],
    ['FMADD', 8, 'lv'],
    ['FMADD', 9, 'lig'],
    ['FMSUB', 10, 'lv'],
    ['FMSUB', 11, 'lig'],
    ['FNMADD', 12, 'lv'],
    ['FNMADD', 13, 'lig'],
    ['FNMSUB', 14, 'lv'],
    ['FNMSUB', 15, 'lig'],
  ].flatMap(([name, nibble, length]) => {
    const digits = order === 0x90 ? '132' : order === 0xa0 ? '213' : '231';
    const code = (order + Number(nibble)).toString(16).toUpperCase();
    const kind = length === 'lv' ? 'P' : 'S';
    return rows(
      { group: 'fma', handler: 'execFma' },
      `VEX.66 0F 38 ${code} /r : V${name}${digits}${kind}S Vx,Hx,Wx : ${length} w0
       VEX.66 0F 38 ${code} /r : V${name}${digits}${kind}D Vx,Hx,Wx : ${length} w1`,
    ).map((row) => ({ ...row, operation: String(name) }));
  }),
);

export const simdFloat: readonly OpcodeRow[] = [...arithmetic, ...convert, ...fma];
