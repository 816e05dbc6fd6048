// Which feature of CPUID an instruction comes with, by the names of src/spec/cpuid.ts.
import type { OpcodeRow } from './row.js';

/**
 * Instructions of each feature in their legacy encoding. What is in every x86-64 CPU is not listed, nor what a bit of
 * CR4, XCR0 or a VMCS control turns off besides.
 * @sdm 1 5 "Instruction Set Summary"
 */
const LEGACY: Record<string, string> = {
  sse3: 'ADDSUBPS ADDSUBPD FISTTP HADDPS HADDPD HSUBPS HSUBPD LDDQU MOVDDUP MOVSHDUP MOVSLDUP',
  ssse3: `PABSB PABSD PABSW PALIGNR PHADDD PHADDSW PHADDW PHSUBD PHSUBSW PHSUBW PMADDUBSW PMULHRSW PSHUFB PSIGNB PSIGND
    PSIGNW`,
  sse4_1: `BLENDPD BLENDPS BLENDVPD BLENDVPS DPPD DPPS EXTRACTPS INSERTPS MOVNTDQA MPSADBW PACKUSDW PBLENDVB PBLENDW
    PCMPEQQ PEXTRB PEXTRD PHMINPOSUW PINSRB PINSRD PMAXSB PMAXSD PMAXUD PMAXUW PMINSB PMINSD PMINUD PMINUW PMOVSXBD
    PMOVSXBQ PMOVSXBW PMOVSXDQ PMOVSXWD PMOVSXWQ PMOVZXBD PMOVZXBQ PMOVZXBW PMOVZXDQ PMOVZXWD PMOVZXWQ PMULDQ PMULLD
    PTEST ROUNDPD ROUNDPS ROUNDSD ROUNDSS`,
  sse4_2: 'CRC32 PCMPESTRI PCMPESTRM PCMPGTQ PCMPISTRI PCMPISTRM',
  aes: 'AESDEC AESDECLAST AESENC AESENCLAST AESIMC AESKEYGENASSIST',
  pclmulqdq: 'PCLMULQDQ',
  popcnt: 'POPCNT',
  movbe: 'MOVBE',
  abm: 'LZCNT',
  adx: 'ADCX ADOX',
  bmi1: 'ANDN BEXTR BLSI BLSMSK BLSR TZCNT',
  bmi2: 'BZHI MULX PDEP PEXT RORX SARX SHLX SHRX',
  rdrand: 'RDRAND',
  rdseed: 'RDSEED',
  rdpid: 'RDPID',
  smap: 'CLAC STAC',
  clflushopt: 'CLFLUSHOPT',
  clwb: 'CLWB',
  pku: 'RDPKRU WRPKRU',
};

/** VEX instructions of features other than AVX and those of the legacy forms. */
const VEX: Record<string, string> = {
  f16c: 'VCVTPH2PS VCVTPS2PH',
  avx2: `VBROADCASTI128 VEXTRACTI128 VGATHERDPD VGATHERDPS VGATHERQPD VGATHERQPS VINSERTI128 VPBLENDD VPBROADCASTB
    VPBROADCASTD VPBROADCASTQ VPBROADCASTW VPERM2I128 VPERMD VPERMPD VPERMPS VPERMQ VPGATHERDD VPGATHERDQ VPGATHERQD
    VPGATHERQQ VPMASKMOVD VPMASKMOVQ VPSLLVD VPSLLVQ VPSRAVD VPSRLVD VPSRLVQ`,
};

const byMnemonic = (table: Record<string, string>): Map<string, string> =>
  new Map(
    Object.entries(table).flatMap(([feature, names]) =>
      names.split(/\s+/).map((name): [string, string] => [name, feature]),
    ),
  );

const legacy = byMnemonic(LEGACY);
const vex = byMnemonic(VEX);

/** The features that rows name, in the order of their numbers, which begin with 1. */
export const OPCODE_FEATURES: readonly string[] = [...Object.keys(LEGACY), ...Object.keys(VEX), 'fma', 'avx'];

/** The feature that a CPU needs to have this row; undefined: every CPU has it. */
export function featureOf({ bytes, mnemonic, group }: OpcodeRow): string | undefined {
  // PEXTRW to memory came with SSE4.1, to a register with SSE
  if (mnemonic === 'PEXTRW' && bytes.startsWith('66 0F 3A')) return 'sse4_1';
  if (!bytes.startsWith('VEX') || group === undefined) return legacy.get(mnemonic);
  if (group === 'fma') return 'fma';
  const crypto = legacy.get(mnemonic.slice(1));
  return vex.get(mnemonic) ?? (crypto === 'aes' || crypto === 'pclmulqdq' ? crypto : 'avx');
}

/** Integer instructions on 256 bits came with AVX2, those on 128 bits with AVX. */
export function wideFeatureOf(row: OpcodeRow): string | undefined {
  const { bytes, mnemonic, attributes } = row;
  const integer = /^V(P(?!ERMIL|ERM2F|TEST)|MPSADBW|MOVNTDQA)/.test(mnemonic);
  return bytes.startsWith('VEX') && attributes.includes('lv') && integer ? 'avx2' : undefined;
}
