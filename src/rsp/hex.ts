/**
 * Hexadecimal forms of the remote protocol. Payloads are handled as latin1 strings, one char per byte,
 * so binary and text packets share one representation.
 */

const HEX_NUMBER = /^[0-9a-fA-F]+$/;

/** Hex number as the protocol writes addresses, lengths and ids; undefined when it is not one. */
export function parseHexBigInt(text: string): bigint | undefined {
  return text.length <= 32 && HEX_NUMBER.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** As parseHexBigInt for numbers up to 2^53 - 1. */
export function parseHexNumber(text: string): number | undefined {
  if (text.length > 16 || !HEX_NUMBER.test(text)) return undefined;
  const value = Number.parseInt(text, 16);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** `addr,length` as in m, M, x, X, z; undefined when either is malformed or the address has more than 64 bits. */
export function parseAddressLength(text: string): { address: bigint; length: number } | undefined {
  const comma = text.indexOf(',');
  if (comma < 0) return undefined;
  const address = parseHexBigInt(text.slice(0, comma));
  const length = parseHexNumber(text.slice(comma + 1));
  if (address === undefined || length === undefined || address >> 64n !== 0n) return undefined;
  return { address, length };
}

/** Bytes of a hex dump; undefined when the text has an odd length or a digit that is none. */
export function decodeHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0) return undefined;
  if (text.length > 0 && !HEX_NUMBER.test(text)) return undefined;
  return Buffer.from(text, 'hex');
}

export function encodeHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** UTF-8 text as hex, as in qRcmd, O packets and thread names. */
export function encodeHexText(text: string): string {
  return Buffer.from(text, 'utf8').toString('hex');
}

const EIGHT = new DataView(new ArrayBuffer(8));
/** Character codes of the digits. */
const DIGITS = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
const high = (at: number): number => DIGITS[EIGHT.getUint8(at) >> 4];
const low = (at: number): number => DIGITS[EIGHT.getUint8(at) & 15];

/** Little-endian hex of a value: the form of registers in g, p and stop replies. */
export function encodeLittleEndian(value: bigint, bytes: number): string {
  if (bytes <= 8) {
    EIGHT.setBigUint64(0, value, true);
    // written out: a debugger is given some at each of thousands of steps a second
    // biome-ignore format: a line a half
    const text = String.fromCharCode(
      high(0), low(0), high(1), low(1), high(2), low(2), high(3), low(3),
      high(4), low(4), high(5), low(5), high(6), low(6), high(7), low(7),
    );
    return bytes === 8 ? text : text.slice(0, bytes * 2);
  }
  const big = BigInt.asUintN(bytes * 8, value)
    .toString(16)
    .padStart(bytes * 2, '0');
  let out = '';
  for (let at = big.length - 2; at >= 0; at -= 2) out += big[at] + big[at + 1];
  return out;
}

/** The value's low bytes, as encodeLittleEndian writes them. */
export function putLittleEndian(view: DataView, at: number, value: bigint, bytes: number): void {
  let left = value;
  let here = at;
  const end = at + bytes;
  for (; end - here >= 8; here += 8, left >>= 64n) view.setBigUint64(here, left, true);
  if (end - here >= 4) {
    view.setUint32(here, Number(BigInt.asUintN(32, left)), true);
    here += 4;
    left >>= 32n;
  }
  for (; here < end; here++, left >>= 8n) view.setUint8(here, Number(left & 0xffn));
}

/** Inverse of encodeLittleEndian; undefined when the text is not an even number of hex digits. */
export function decodeLittleEndian(text: string): bigint | undefined {
  if (text.length === 0 || text.length % 2 !== 0 || !HEX_NUMBER.test(text)) return undefined;
  let big = '';
  for (let at = text.length - 2; at >= 0; at -= 2) big += text[at] + text[at + 1];
  return BigInt(`0x${big}`);
}

export function latin1ToBytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

export function bytesToLatin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
