// A script of CommonJS beside which lies what V8 made of it when it was built: the engine's three megabytes are not read through
// at each start. V8 itself refuses what another version of it has made, or one with other flags.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

const cacheOf = (file: string): string => `${file}.cache`;

/** ASCII, as the build writes it: to decode it is to copy it. As modules are, it is strict. */
export function scriptOf(file: string, cachedData: Buffer | undefined): Script {
  const source = readFileSync(file, 'latin1');
  const body = `(function (exports, require, module, __filename, __dirname) {'use strict';${source}\n})`;
  return new Script(body, { filename: file, ...(cachedData ? { cachedData } : {}) });
}

export function cachedWith(file: string): Buffer | undefined {
  try {
    return readFileSync(cacheOf(file));
  } catch {
    return undefined;
  }
}

/** For the build: what `runScript` finds, and where. To be made under the flags that it runs with. */
export const makeCache = (file: string): { file: string; bytes: Buffer } => ({
  file: cacheOf(file),
  bytes: scriptOf(file, undefined).createCachedData(),
});

export function runScript(file: string): void {
  const module = { exports: {} };
  scriptOf(file, cachedWith(file)).runInThisContext()(module.exports, createRequire(file), module, file, dirname(file));
}
