/** Pictures by kitty's graphics protocol: parts of a screen, each an image with a number and one place. */
import { deflateSync } from 'node:zlib';
import type { Pixels } from './half-blocks.js';

/** Base64 characters of one sequence. @kitty "Remote client" */
const CHUNK = 4096;
/** The fastest: it has to be done ten times a second. */
const LEVEL = 1;

/** An image that stands at the cursor. Nothing is answered, and the cursor stays. @kitty "Control data reference" */
export function kittyImage(id: number, pixels: Pixels, scaledTo?: { columns: number; rows: number }): string {
  const data = deflateSync(pixels.rgb, { level: LEVEL }).toString('base64');
  const place = scaledTo ? `,c=${scaledTo.columns},r=${scaledTo.rows}` : '';
  const head = `a=T,q=2,f=24,o=z,s=${pixels.width},v=${pixels.height},i=${id},p=1,C=1,z=-1${place}`;
  let out = '';
  for (let at = 0; at < data.length; at += CHUNK) {
    const more = at + CHUNK < data.length ? 1 : 0;
    out += `\x1b_G${at === 0 ? `${head},` : ''}m=${more}${at === 0 ? '' : ',q=2'};${data.slice(at, at + CHUNK)}\x1b\\`;
  }
  return out;
}

/** Takes an image from the screen and out of the terminal's memory. */
export const kittyDelete = (id: number): string => `\x1b_Ga=d,d=I,i=${id},q=2\x1b\\`;

const QUESTION = 31;
/** Asks a terminal whether it would take an image of a pixel. @kitty "Querying support and available transmission mediums" */
export const KITTY_QUESTION = `\x1b_Gi=${QUESTION},s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\`;

/** Whether an answer says that it would; undefined: it is no answer to that. */
export function kittyAnswer(reply: string): boolean | undefined {
  const match = /^\x1b_G([^;]*);(.*)\x1b\\$/.exec(reply);
  if (!match || !match[1]!.split(',').includes(`i=${QUESTION}`)) return undefined;
  return match[2] === 'OK';
}
