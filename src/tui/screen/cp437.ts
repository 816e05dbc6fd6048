/** Code page 437, the character set of VGA text memory. */

const LOW = ' ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼';
const HIGH =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ';

/** The 256 characters, each one UTF-16 unit and one cell wide. */
export const CP437 = `${LOW}${Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('')}⌂${HIGH}`;

/** ANSI colour number of a VGA colour: both order red and blue the other way round. */
export function ansiColour(vga: number): number {
  return (vga & 0b1010) | ((vga & 1) << 2) | ((vga >> 2) & 1);
}

/** One of the 16 colours for one of the palette's other 240: its cube of 6, and 24 greys. */
export function basicColour(colour: number): number {
  if (colour < 16) return colour;
  if (colour >= 232) return colour < 238 ? 0 : colour < 246 ? 8 : colour < 252 ? 7 : 15;
  const cube = colour - 16;
  const parts = [Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6];
  const bits = parts.reduce((sum, part, bit) => sum | (part > 2 ? 1 << bit : 0), 0);
  if (bits === 0) return parts.some((part) => part > 0) ? 8 : 0;
  return bits | (parts.some((part) => part > 4) ? 8 : 0);
}
