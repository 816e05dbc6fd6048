/** Names for addresses. */

export interface Symbol {
  name: string;
  address: bigint;
  /** 0n when the image does not say. */
  size: bigint;
}

export interface SymbolMatch {
  symbol: Symbol;
  offset: bigint;
}

/** A symbol without a size covers at most this much. */
const UNSIZED_BYTES = 0x10000n;

/** `start_kernel+0x1c`, as gdb, objdump and Linux print it; the name alone at offset 0. */
export function formatPlace(name: string, offset: bigint): string {
  return offset === 0n ? name : `${name}+0x${offset.toString(16)}`;
}

export class SymbolTable {
  private readonly sorted: Symbol[];
  private readonly names = new Map<string, Symbol>();

  constructor(symbols: readonly Symbol[] = []) {
    // Of symbols at one address the one with a size stands last, so that the search finds it.
    this.sorted = [...symbols].sort((a, b) =>
      a.address < b.address ? -1 : a.address > b.address ? 1 : a.size < b.size ? -1 : a.size > b.size ? 1 : 0,
    );
    for (const symbol of this.sorted) if (!this.names.has(symbol.name)) this.names.set(symbol.name, symbol);
  }

  get size(): number {
    return this.sorted.length;
  }

  /** The nearest symbol at or below `address` that covers it, or undefined. */
  lookup(address: bigint): SymbolMatch | undefined {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    const symbol = this.sorted[low - 1];
    if (!symbol) return undefined;
    const offset = address - symbol.address;
    return offset < (symbol.size || UNSIZED_BYTES) ? { symbol, offset } : undefined;
  }

  byName(name: string): Symbol | undefined {
    return this.names.get(name);
  }

  /** Symbols whose name contains `part`, at most `max`, in address order. */
  find(part: string, max = 20): Symbol[] {
    const result: Symbol[] = [];
    for (const symbol of this.sorted) {
      if (symbol.name.includes(part) && result.push(symbol) >= max) break;
    }
    return result;
  }

  /** `name`, `name+0x1f`, or undefined. */
  label(address: bigint): string | undefined {
    const match = this.lookup(address);
    if (!match) return undefined;
    return formatPlace(match.symbol.name, match.offset);
  }
}
