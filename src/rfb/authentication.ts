/** VNC Authentication: a random challenge, which the client encrypts with the password. @rfb 7.2.2 */
import { createCipheriv, randomBytes, timingSafeEqual } from 'node:crypto';

export const CHALLENGE_BYTES = 16;
/** The protocol knows no more of a password. */
export const PASSWORD_BYTES = 8;

export const newChallenge = (): Buffer => randomBytes(CHALLENGE_BYTES);

const mirrored = (byte: number): number => {
  let out = 0;
  for (let bit = 0; bit < 8; bit++) out |= ((byte >> bit) & 1) << (7 - bit);
  return out;
};

/** What a client with that password answers. Its bits are taken as DES's key from the lowest of each byte on. */
export function responseTo(challenge: Uint8Array, password: string): Buffer {
  const key = Buffer.alloc(PASSWORD_BYTES);
  key.set(Buffer.from(password, 'utf8').subarray(0, PASSWORD_BYTES).map(mirrored));
  // three times DES with one key is DES, which alone is not to be had from OpenSSL 3
  const cipher = createCipheriv('des-ede3', Buffer.concat([key, key, key]), null);
  cipher.setAutoPadding(false);
  return Buffer.concat([cipher.update(challenge), cipher.final()]);
}

export function isRight(response: Uint8Array, challenge: Uint8Array, password: string): boolean {
  return response.length === CHALLENGE_BYTES && timingSafeEqual(response, responseTo(challenge, password));
}
