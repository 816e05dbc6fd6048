/** Loaded modules and their symbols. */
import type { KernelSymbol } from './kallsyms.js';
import type { LinuxKernel } from './kernel.js';
import { cString } from './physical.js';

export interface LinuxModule {
  name: string;
  /** Start of its code, and the bytes of all that stays of it. */
  address: bigint;
  bytes: number;
  /** Address of its struct module. */
  module: bigint;
}

const SYMBOL_BYTES = 24;

/** Newest first, as /proc/modules lists them. */
export function readModules(kernel: LinuxKernel): LinuxModule[] {
  const list = kernel.btf.offsetOf('module', 'list');
  return [...kernel.list(kernel.address('modules'), list)].map((module) => readModule(kernel, module));
}

function readModule(kernel: LinuxKernel, module: bigint): LinuxModule {
  const { btf } = kernel;
  const name = btf.member('module', 'name');
  const text = kernel.text8(module + BigInt(name.offset), name.bytes);
  const at = (path: string): bigint => module + BigInt(btf.offsetOf('module', path));
  if (btf.find('module', 'core_layout') !== undefined) {
    return {
      name: text,
      address: kernel.u64(at('core_layout.base')),
      bytes: kernel.u32(at('core_layout.size')),
      module,
    };
  }
  // Since 6.4 an array of kinds of memory: code first, then data; those of the init part come last.
  const memory = btf.member('module', 'mem');
  const entry = btf.sizeOf('module_memory');
  const size = BigInt(btf.offsetOf('module_memory', 'size'));
  const base = BigInt(btf.offsetOf('module_memory', 'base'));
  const first = module + BigInt(memory.offset);
  let bytes = 0;
  for (let kind = 0; kind < Math.min(4, memory.bytes / entry); kind++) {
    bytes += kernel.u32(first + BigInt(kind * entry) + size);
  }
  return { name: text, address: kernel.u64(first + base), bytes, module };
}

/** Symbols of a module's functions and data, with their module: `name [module]`. */
export function moduleSymbols(kernel: LinuxKernel, { module, name }: LinuxModule): KernelSymbol[] {
  const { btf } = kernel;
  const pointer = btf.find('module', 'kallsyms');
  if (pointer === undefined) return [];
  const table = kernel.u64(module + BigInt(pointer.offset));
  const at = (path: string): bigint => table + BigInt(btf.offsetOf('mod_kallsyms', path));
  const count = kernel.u32(at('num_symtab'));
  const strings = kernel.u64(at('strtab'));
  const bytes = kernel.read(kernel.u64(at('symtab')), count * SYMBOL_BYTES);
  const data = new DataView(bytes.buffer);
  const symbols: KernelSymbol[] = [];
  for (let symbol = 0; symbol < count; symbol++) {
    const own = symbol * SYMBOL_BYTES;
    const address = data.getBigUint64(own + 8, true);
    const kind = bytes[own + 4] & 0xf;
    if (address === 0n || data.getUint16(own + 6, true) === 0 || kind > 2) continue;
    const text = symbolName(kernel, strings + BigInt(data.getUint32(own, true)));
    if (text !== '') symbols.push({ name: `${text} [${name}]`, type: kind === 2 ? 't' : 'd', address });
  }
  return symbols;
}

/** A name may end at the end of what is mapped. */
function symbolName(kernel: LinuxKernel, address: bigint): string {
  const inPage = 4096 - Number(address & 0xfffn);
  const head = kernel.read(address, Math.min(inPage, 256));
  return head.includes(0) || inPage >= 256
    ? cString(head)
    : cString(head) + kernel.text8(address + BigInt(inPage), 256);
}
