/** The font of 8 x 16 dots in a video BIOS. */

const GLYPHS = 256;
const GLYPH_BYTES = 16;
/** Code page 437's character 1, a face, as IBM drew it: no other font has it, and nothing else looks like it. */
const FACE = [0x00, 0x00, 0x7e, 0x81, 0xa5, 0x81, 0x81, 0xbd, 0x99, 0x81, 0x81, 0x7e, 0, 0, 0, 0];

/** 256 glyphs of 16 lines; undefined where the ROM has no such font. */
export function romFont(rom: Uint8Array): Uint8Array | undefined {
  for (let face = GLYPH_BYTES; face + (GLYPHS - 1) * GLYPH_BYTES <= rom.length; face++) {
    if (FACE.every((line, i) => rom[face + i] === line))
      return rom.slice(face - GLYPH_BYTES, face + (GLYPHS - 1) * GLYPH_BYTES);
  }
  return undefined;
}
