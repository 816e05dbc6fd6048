import { fileURLToPath } from 'node:url';

/** Top of the checkout; this file runs from build/bench/bench. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const LOOPS = `${ROOT}bench/loops/loops.elf`;
