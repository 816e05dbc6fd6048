/**
 * Functions of the C library, through koffi: the one place that loads it. A host without koffi's binary runs all that needs no
 * such call, so each caller has a way without it, or an error of its own.
 */
import { createRequire } from 'node:module';

interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: readonly string[]): unknown };
  errno(): number;
  view(address: bigint, bytes: number): ArrayBuffer;
  address(value: Uint8Array): bigint;
}

export interface CLibrary {
  /**
   * A function, with its types as C writes them. Variadic ones are declared as they are used: integers and pointers travel
   * the same way on the 64-bit ABIs of Linux. @throws Error where the library has none of that name
   */
  func<T>(name: string, result: string, ...parameters: string[]): T;
  /** Of the last call. */
  errno(): number;
  /** Bytes at an address, not copied. Valid as long as the mapping is. */
  view(address: number, bytes: number): ArrayBuffer;
  /** Address of a buffer's first byte; stable for WebAssembly memories and memory outside the JavaScript heap. */
  addressOf(bytes: Uint8Array): number;
}

let opened: CLibrary | undefined;

/** @throws Error where koffi cannot be loaded */
export function cLibrary(): CLibrary {
  opened ??= open();
  return opened;
}

function open(): CLibrary {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const library = koffi.load(null);
  return {
    func: <T>(name: string, result: string, ...parameters: string[]) => library.func(name, result, parameters) as T,
    errno: () => koffi.errno(),
    view: (address, bytes) => koffi.view(BigInt(address), bytes),
    addressOf: (bytes) => Number(koffi.address(bytes)),
  };
}
