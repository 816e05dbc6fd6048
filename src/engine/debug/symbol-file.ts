/** Symbols from a file beside the image: an ELF file, or a list as nm and Linux's System.map print it. */
import { parseElf } from '../boot/elf.js';
import { ImageError } from '../boot/image.js';
import type { TargetSymbol } from '../debugger.js';

const LINE = /^([0-9a-fA-F]{1,16}) ([A-Za-z?]) (\S+)(?:\s.*)?$/;
const ELF_MAGIC = '\x7fELF';

/** Symbols by address. @throws ImageError naming the file when it is neither, or holds none. */
export function parseSymbolFile(file: string, bytes: Uint8Array): TargetSymbol[] {
  const isElf = Buffer.from(bytes.subarray(0, 4)).toString('latin1') === ELF_MAGIC;
  const symbols = isElf ? parseElf(file, bytes).symbols : parseList(file, bytes);
  if (symbols.length === 0) throw new ImageError(file, 'has no symbols');
  return symbols;
}

function parseList(file: string, bytes: Uint8Array): TargetSymbol[] {
  const symbols: TargetSymbol[] = [];
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1').split('\n');
  lines.forEach((line, index) => {
    if (line.trim() === '') return;
    const match = LINE.exec(line);
    if (match === null) throw new ImageError(file, `line ${index + 1} is no symbol: neither ELF nor System.map`);
    const [, address, type, name] = match;
    if (/[AaU]/.test(type)) return;
    const kind = /[tTwW]/.test(type) ? 'function' : 'object';
    symbols.push({ name, address: BigInt(`0x${address}`), size: 0n, kind });
  });
  return sized(symbols);
}

/** By address; a symbol of size 0 reaches to the next address, the last one stays without. */
export function sized(symbols: readonly TargetSymbol[]): TargetSymbol[] {
  const sorted = [...symbols].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  let end: bigint | undefined;
  for (let at = sorted.length - 1; at >= 0; at--) {
    const symbol = sorted[at];
    const next = sorted[at + 1]?.address;
    if (next !== undefined && next !== symbol.address) end = next;
    if (symbol.size === 0n && end !== undefined) sorted[at] = { ...symbol, size: end - symbol.address };
  }
  return sorted;
}

/** Symbols of a kernel's file moved to where the kernel runs: KASLR moves all by the same distance. */
export function relocated(symbols: readonly TargetSymbol[], text: bigint | undefined): readonly TargetSymbol[] {
  const linked = symbols.find(({ name }) => name === '_text')?.address;
  if (text === undefined || linked === undefined || linked === text) return symbols;
  const distance = text - linked;
  // per-CPU offsets and the like do not lie in the image
  return symbols.map((symbol) =>
    symbol.address < linked ? symbol : { ...symbol, address: BigInt.asUintN(64, symbol.address + distance) },
  );
}
