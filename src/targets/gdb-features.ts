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
