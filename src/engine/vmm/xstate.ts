// The XSAVE feature set as CPUID and XCR0 have it. @sdm 1 13.2 "Enumeration of CPU Support for XSAVE Instructions and XSAVE-Supported Features"
import { XCR0 } from '../../spec/masks.js';
import type { CpuidRegisters } from './cpuid-model.js';

/** State components by their bit in XCR0: the place and size in the standard format beyond the legacy region. */
const EXTENDED = [
  { component: 2, offset: 576, bytes: 256 },
  { component: 9, offset: 2688, bytes: 8 },
];
const LEGACY_AND_HEADER = 576;

/** Leaf 0DH, sub-leaf 1: XSAVEOPT, XSAVEC, XGETBV with ECX = 1. */
const XSAVE_FEATURES = 0b111;

/** May software load this into XCR0? `supported`: the components of the CPU model. */
export function validXcr0(value: bigint, supported: bigint): boolean {
  if ((value & ~supported) !== 0n || (value & XCR0.X87) === 0n) return false;
  return (value & XCR0.AVX) === 0n || (value & XCR0.SSE) !== 0n;
}

function areaBytes(components: bigint): number {
  return EXTENDED.reduce(
    (end, { component, offset, bytes }) => ((components >> BigInt(component)) & 1n ? offset + bytes : end),
    LEGACY_AND_HEADER,
  );
}

/** The compacted format leaves no gaps. */
function compactedBytes(components: bigint): number {
  return EXTENDED.reduce(
    (end, { component, bytes }) => ((components >> BigInt(component)) & 1n ? end + bytes : end),
    LEGACY_AND_HEADER,
  );
}

/** CPUID leaf 0DH. `xcr0`: the components that software has enabled, `supported`: those of the CPU model. */
export function xstateLeaf(subleaf: number, xcr0: bigint, supported: bigint): CpuidRegisters {
  if (subleaf === 0) {
    return { eax: Number(supported), ebx: areaBytes(xcr0), ecx: areaBytes(supported), edx: 0 };
  }
  if (subleaf === 1) return { eax: XSAVE_FEATURES, ebx: compactedBytes(xcr0), ecx: 0, edx: 0 };
  const found = EXTENDED.find(
    ({ component }) => component === subleaf && ((supported >> BigInt(component)) & 1n) === 1n,
  );
  return { eax: found?.bytes ?? 0, ebx: found?.offset ?? 0, ecx: 0, edx: 0 };
}
