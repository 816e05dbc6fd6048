/** The kernel's own address space, by its reference page table. */
import type { LinuxKernel } from './kernel.js';
import { dataView } from './physical.js';

const PRESENT = 1n;
const LARGE = 1n << 7n;
const FRAME = 0x000f_ffff_ffff_f000n;
/** What a 32-bit kernel maps one to one, at most. */
const LOW_MEMORY = 0x3800_0000n;

interface Levels {
  /** Index bits of each level, from the top. */
  bits: number[];
  entryBytes: 4 | 8;
}

const LONG_4: Levels = { bits: [9, 9, 9, 9], entryBytes: 8 };
const LONG_5: Levels = { bits: [9, 9, 9, 9, 9], entryBytes: 8 };
const PAE: Levels = { bits: [2, 9, 9], entryBytes: 8 };
const TWO: Levels = { bits: [10, 10], entryBytes: 4 };

export class KernelPaging {
  #root: number | undefined;

  constructor(readonly kernel: LinuxKernel) {}

  /** Guest-physical address; undefined where nothing is mapped. */
  translate(address: bigint): number | undefined {
    const { kernel } = this;
    const root = (this.#root ??= this.#findRoot());
    if (root === undefined) {
      // the part of memory that is mapped one to one, in which the image lies
      const offset = address - (kernel.text - BigInt(kernel.textGpa));
      return kernel.bits === 32 && offset >= 0n && offset < LOW_MEMORY ? Number(offset) : undefined;
    }
    return walk(kernel.memory, root, address, this.#levels());
  }

  /** By another page table at a guest-physical address. */
  translateBy(root: number, address: bigint): number | undefined {
    return walk(this.kernel.memory, root, address, this.#levels());
  }

  #findRoot(): number | undefined {
    const { kernel } = this;
    const name = kernel.bits === 64 ? 'init_top_pgt' : 'swapper_pg_dir';
    return kernel.has(name) ? kernel.textGpa + Number(kernel.address(name) - kernel.text) : undefined;
  }

  #levels(): Levels {
    const { kernel } = this;
    if (kernel.bits === 32) return kernel.has('swapper_pg_pmd') || kernel.vmcoreinfo?.hasPae ? PAE : TWO;
    // the kernel's flag for LA57
    if (!kernel.has('__pgtable_l5_enabled')) return LONG_4;
    return dataView(kernel.image(kernel.address('__pgtable_l5_enabled'), 4)).getUint32(0, true) === 0 ? LONG_4 : LONG_5;
  }
}

function walk(
  memory: LinuxKernel['memory'],
  root: number,
  address: bigint,
  { bits, entryBytes }: Levels,
): number | undefined {
  let table = root;
  let shift = 12n + BigInt(bits.reduce((sum, own) => sum + own, 0));
  for (const [level, own] of bits.entries()) {
    shift -= BigInt(own);
    const at = table + Number((address >> shift) & ((1n << BigInt(own)) - 1n)) * entryBytes;
    if (!(at >= 0 && at + entryBytes <= memory.bytes)) return undefined;
    const data = dataView(memory.view(at, entryBytes));
    const entry = entryBytes === 8 ? data.getBigUint64(0, true) : BigInt(data.getUint32(0, true));
    if ((entry & PRESENT) === 0n) return undefined;
    const last = level === bits.length - 1;
    if (last || ((entry & LARGE) !== 0n && shift <= 30n && own !== 2)) {
      const offset = (1n << shift) - 1n;
      return Number((entry & FRAME & ~offset) | (address & offset));
    }
    table = Number(entry & FRAME);
  }
  return undefined;
}
