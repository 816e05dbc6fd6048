/** A stub's registers by its target description: number, size and place in the `g` packet of each. */
export interface FeatureRegister {
  name: string;
  number: number;
  bits: number;
  /** In the `g` packet. */
  offset: number;
}

const MAX_REGISTERS = 4096;

/**
 * Registers of a description, in order. Comments are dropped first: QEMU keeps whole registers in them, and who counts
 * those has everything behind at the wrong place.
 * @gdb "Target Descriptions"
 */
export function parseFeatures(xml: string): FeatureRegister[] {
  const text = xml.replace(/<!--[\s\S]*?-->/g, '');
  const registers: FeatureRegister[] = [];
  let number = 0;
  let offset = 0;
  for (const [, attributes] of text.matchAll(/<reg\s([^<>]*?)\/?>/g)) {
    const of = (name: string): string | undefined =>
      new RegExp(`\\b${name}=(?:"([^"]*)"|'([^']*)')`).exec(attributes!)?.slice(1).find(Boolean);
    const name = of('name');
    const bits = Number(of('bitsize'));
    if (!name || !(bits > 0 && bits <= 4096) || registers.length >= MAX_REGISTERS) continue;
    number = Number(of('regnum') ?? number);
    registers.push({ name, number, bits, offset });
    offset += Math.ceil(bits / 8);
    number++;
  }
  return registers;
}

/** Annexes that a description includes. */
export const includedAnnexes = (xml: string): string[] =>
  [...xml.replace(/<!--[\s\S]*?-->/g, '').matchAll(/<xi:include\s+href="([\w.-]+)"/g)]
    .map(([, href]) => href!)
    .slice(0, 16);

const NAMES_64 = 'rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip'.split(' ');
const NAMES_32 = 'eax ecx edx ebx esp ebp esi edi eip'.split(' ');

/**
 * Registers of a stub without a description, such as Linux's own (kgdb), by the length of its `g` packet in bytes.
 * @gdb "Packets", `g`: the order of the architecture's registers
 */
export function undescribed(bytes: number): FeatureRegister[] {
  // With nothing, x87, or SSE behind the general ones: 164, 276 or 536 bytes; i386's are 64, 176 or 308.
  const wide = bytes === 164 || bytes === 276 || bytes >= 536;
  const rows: [string, number][] = [
    ...(wide ? NAMES_64 : NAMES_32).map((name): [string, number] => [name, wide ? 64 : 32]),
    ...['eflags', 'cs', 'ss', 'ds', 'es', 'fs', 'gs'].map((name): [string, number] => [name, 32]),
    ...Array.from({ length: 8 }, (_, n): [string, number] => [`st${n}`, 80]),
    ...['fctrl', 'fstat', 'ftag', 'fiseg', 'fioff', 'foseg', 'fooff', 'fop'].map((name): [string, number] => [
      name,
      32,
    ]),
    ...Array.from({ length: wide ? 16 : 8 }, (_, n): [string, number] => [`xmm${n}`, 128]),
    ['mxcsr', 32],
  ];
  const registers: FeatureRegister[] = [];
  let offset = 0;
  for (const [number, [name, bits]] of rows.entries()) {
    if (offset + bits / 8 > bytes) break;
    registers.push({ name, number, bits, offset });
    offset += bits / 8;
  }
  return registers;
}
