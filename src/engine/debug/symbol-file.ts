/** Symbols from a file beside the image: an ELF file, or a list as nm and Linux's System.map print it. */
import { elfSymbols } from '../boot/elf.js';
import { ImageError } from '../boot/image.js';
import type { TargetSymbol } from '../debugger.js';

const LINE = /^([0-9a-fA-F]{1,16}) ([A-Za-z?]) (\S+)(?:\s.*)?$/;
const ELF_MAGIC = '\x7fELF';

/** Symbols by address. @throws ImageError naming the file when it is neither, or holds none. */
export function parseSymbolFile(file: string, bytes: Uint8Array): TargetSymbol[] {
  const isElf = Buffer.from(bytes.subarray(0, 4)).toString('latin1') === ELF_MAGIC;
  const symbols = isElf ? elfSymbols(file, bytes) : parseList(file, bytes);
  if (symbols.length === 0) throw new ImageError(file, 'has no symbols');
  return symbols;
}

function parseList(file: string, bytes: Uint8Array): TargetSymbol[] {
  const symbols: TargetSymbol[] = [];
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1').split('\n');
  lines.forEach((line, index) => {
    if (line.trim() === '') return;
    const match = LINE.exec(line);
    if (match === null) throw new ImageError(file, `line ${index + 1} is not a symbol: neither ELF nor System.map`);
    const [, address, type, name] = match;
    if (/[AaU]/.test(type)) return;
    const kind = /[tTwW]/.test(type) ? 'function' : 'object';
    symbols.push({ name, address: BigInt(`0x${address}`), size: 0n, kind });
  });
  return sized(symbols);
}

/** No function or variable is larger: what lies further away belongs to another one's memory. */
const MAX_SYMBOL_BYTES = 16n << 20n;
/** Names that linker scripts give to ends. */
const END_NAME = /(?:end|stop|limit)$|^_*e(?:text|data|bss)$/i;

/**
 * By address; a symbol of size 0 reaches to the next address, but not past the end of what it lies in. The last one
 * stays without a size; where it names an end, or data, it covers itself only.
 * @param endOf where the image or section ends that an address lies in or that it is the end of; undefined: not known
 */
export function sized(
  symbols: readonly TargetSymbol[],
  endOf: (address: bigint) => bigint | undefined = () => undefined,
): TargetSymbol[] {
  const sorted = [...symbols].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  let next: bigint | undefined;
  for (let at = sorted.length - 1; at >= 0; at--) {
    const symbol = sorted[at];
    const { address } = symbol;
    const above = sorted[at + 1]?.address;
    if (above !== undefined && above !== address) next = above;
    if (symbol.size !== 0n || symbol.reach !== undefined) continue;
    const own = endOf(address);
    const end = own === undefined || (next !== undefined && next < own) ? next : own;
    const isLast = end === undefined || end - address > MAX_SYMBOL_BYTES;
    if (isLast ? symbol.kind !== 'function' || END_NAME.test(symbol.name) : end <= address)
      sorted[at] = { ...symbol, reach: 1n };
    else if (!isLast) sorted[at] = { ...symbol, size: end - address };
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
