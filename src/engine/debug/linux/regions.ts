/** What Linux calls the parts of its address space. @see Linux Documentation/arch/x86/x86_64/mm.rst */

export interface Region {
  readonly first: bigint;
  /** Behind its last byte. */
  readonly end: bigint;
  readonly name: string;
}

/** What is known of a running kernel of 64 bits. */
export interface KernelPlaces {
  /** Address of a symbol. */
  symbol(name: string): bigint | undefined;
  /** The number that lies at a variable. */
  variable(name: string): Promise<bigint | undefined>;
  modules: readonly { name: string; address: bigint; bytes: number }[];
}

const TIB = 1n << 40n;
const SECTIONS: readonly (readonly [string, string, string])[] = [
  ['_text', '_etext', 'kernel text'],
  ['__start_rodata', '__end_rodata', 'kernel rodata'],
  ['_sdata', '_edata', 'kernel data'],
  ['__init_begin', '__init_end', 'kernel init'],
  ['__bss_start', '__bss_stop', 'kernel bss'],
  ['_text', '_end', 'kernel image'],
];
/** Those that lie at the same place in each kernel. */
const FIXED: readonly Region[] = [
  { first: 0n, end: 1n << 47n, name: 'user' },
  { first: 0xffff_8800_0000_0000n, end: 0xffff_8880_0000_0000n, name: 'LDT' },
  { first: 0xffff_fe00_0000_0000n, end: 0xffff_fe80_0000_0000n, name: 'CPU entry area' },
  { first: 0xffff_ff00_0000_0000n, end: 0xffff_ff80_0000_0000n, name: 'espfix stacks' },
  { first: 0xffff_ffef_0000_0000n, end: 0xffff_ffff_0000_0000n, name: 'EFI' },
  { first: 0xffff_ffff_8000_0000n, end: 0xffff_ffff_c000_0000n, name: 'kernel mapping' },
  { first: 0xffff_ffff_c000_0000n, end: 0xffff_ffff_ff00_0000n, name: 'modules' },
  { first: 0xffff_ffff_ff60_0000n, end: 0xffff_ffff_ff60_1000n, name: 'vsyscall' },
  { first: 0xffff_ffff_ff00_0000n, end: 0xffff_ffff_ffe0_0000n, name: 'fixmap' },
];

/** The closer ones first: of several that an address lies in the first is meant. */
export async function kernelRegions(places: KernelPlaces): Promise<Region[]> {
  const regions: Region[] = places.modules.map(({ name, address, bytes }) => ({
    ...{ first: address, end: address + BigInt(bytes), name: `module ${name}` },
  }));
  for (const [from, to, name] of SECTIONS) {
    const [first, end] = [places.symbol(from), places.symbol(to)];
    if (first !== undefined && end !== undefined && end > first) regions.push({ first, end, name });
  }
  // KASLR moves these; a kernel without it has no such variables
  const base = async (name: string, plain: bigint): Promise<bigint> => (await places.variable(name)) ?? plain;
  const direct = await base('page_offset_base', 0xffff_8880_0000_0000n);
  const vmalloc = await base('vmalloc_base', 0xffff_c900_0000_0000n);
  const vmemmap = await base('vmemmap_base', 0xffff_ea00_0000_0000n);
  regions.push(
    { first: direct, end: vmalloc > direct ? vmalloc : direct + 64n * TIB, name: 'direct map' },
    { first: vmalloc, end: vmemmap > vmalloc ? vmemmap : vmalloc + 32n * TIB, name: 'vmalloc' },
    { first: vmemmap, end: vmemmap + TIB, name: 'vmemmap' },
    ...FIXED,
  );
  return regions;
}

export const regionOf = (regions: readonly Region[], gva: bigint): string | undefined =>
  regions.find(({ first, end }) => gva >= first && gva < end)?.name;
