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
