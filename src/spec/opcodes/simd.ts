// Vector instructions: MMX, SSE to SSE4.2, AES-NI, PCLMULQDQ, AVX, AVX2, F16C, FMA.
import { avx } from './avx.js';
import type { OpcodeRow } from './row.js';
import { simdFloat } from './simd-float.js';
import { simdInteger } from './simd-integer.js';
import { simdMove } from './simd-move.js';

export const simd: readonly OpcodeRow[] = [...simdMove, ...simdInteger, ...simdFloat, ...avx];
