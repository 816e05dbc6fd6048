// Recorded cases as JSON: what is zero, or as the case had it, is left out.
import { bedState, type Mode } from './bed.js';
import { type Case, type Ending, GPR_NAMES, hexOf, type Outcome } from './case.js';

/** A recorded case with the outcome that the real CPU gave. */
export interface Vector {
  case: Case;
  expected: Outcome;
  /** Where the outcome was recorded. */
  recordedOn: string;
}

interface Bytes {
  address: number;
  bytes: string;
}

interface VectorJson {
  name: string;
  mode: Mode;
  cpl: number;
  seed: number;
  code: string;
  address: number;
  rflags: number;
  /** Registers that are not zero. */
  gpr: Record<string, string>;
  pokes?: Bytes[];
  expected: {
    ending?: Ending;
    vector: number;
    errorCode?: number;
    cr2?: string;
    /** Registers that changed. */
    gpr?: Record<string, string>;
    rip: string;
    rflags: number;
    /** Where they are not the bed's. */
    selectors?: number[];
    changes?: Bytes[];
  };
  recordedOn: string;
}

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
const big = (value: bigint): string => `0x${value.toString(16)}`;
const toJson = ({ address, bytes }: { address: number; bytes: Uint8Array }): Bytes => ({
  address,
  bytes: hexOf(bytes),
});
const fromJson = ({ address, bytes }: Bytes): { address: number; bytes: Uint8Array } => ({
  address,
  bytes: bytesOf(bytes),
});

function registersToJson(gpr: BigUint64Array, from: BigUint64Array): Record<string, string> {
  const json: Record<string, string> = {};
  gpr.forEach((value, i) => {
    if (value !== from[i]) json[GPR_NAMES[i]] = big(value);
  });
  return json;
}

const registersFromJson = (json: Record<string, string>, from: BigUint64Array): BigUint64Array =>
  BigUint64Array.from(GPR_NAMES, (name, i) => BigInt(json[name] ?? from[i]));

function bedSelectors(c: { mode: Mode; cpl: number }): number[] {
  const bed = bedState(c.mode, c.cpl);
  return [bed.es, bed.cs, bed.ss, bed.ds, bed.fs, bed.gs].map((segment) => segment.selector);
}

export function vectorToJson({ case: c, expected, recordedOn }: Vector): VectorJson {
  const gpr = registersToJson(expected.gpr, c.gpr);
  const selectors = Array.from(expected.selectors);
  return {
    name: c.name,
    mode: c.mode,
    cpl: c.cpl,
    seed: c.seed,
    code: hexOf(c.code),
    address: c.address,
    rflags: c.rflags,
    gpr: registersToJson(c.gpr, new BigUint64Array(16)),
    ...(c.pokes.length > 0 && { pokes: c.pokes.map(toJson) }),
    expected: {
      ...(expected.ending !== 'exception' && { ending: expected.ending }),
      vector: expected.vector,
      ...(expected.errorCode !== 0 && { errorCode: expected.errorCode }),
      ...(expected.cr2 !== 0n && { cr2: big(expected.cr2) }),
      ...(Object.keys(gpr).length > 0 && { gpr }),
      rip: big(expected.rip),
      rflags: expected.rflags,
      ...(selectors.join() !== bedSelectors(c).join() && { selectors }),
      ...(expected.changes.length > 0 && { changes: expected.changes.map(toJson) }),
    },
    recordedOn,
  };
}

export function vectorFromJson(json: VectorJson): Vector {
  const { name, mode, cpl, seed, address, rflags, expected, recordedOn } = json;
  const gpr = registersFromJson(json.gpr, new BigUint64Array(16));
  return {
    case: {
      name,
      mode,
      cpl,
      seed,
      address,
      rflags,
      gpr,
      code: bytesOf(json.code),
      pokes: (json.pokes ?? []).map(fromJson),
    },
    expected: {
      ending: expected.ending ?? 'exception',
      vector: expected.vector,
      errorCode: expected.errorCode ?? 0,
      cr2: BigInt(expected.cr2 ?? 0),
      gpr: registersFromJson(expected.gpr ?? {}, gpr),
      rip: BigInt(expected.rip),
      rflags: expected.rflags,
      selectors: Uint16Array.from(expected.selectors ?? bedSelectors(json)),
      changes: (expected.changes ?? []).map(fromJson),
      detail: '',
    },
    recordedOn,
  };
}

/** One vector a line, so that a diff shows which ones changed. */
export const vectorFile = (vectors: readonly Vector[]): string =>
  `[\n${vectors.map((v) => JSON.stringify(vectorToJson(v))).join(',\n')}\n]\n`;
