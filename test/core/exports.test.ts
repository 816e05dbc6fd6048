import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CORE_EXPORTS } from '../../src/engine/core/core-exports.js';

it('CoreExports names what the core exports', () => {
  const module = new WebAssembly.Module(readFileSync(new URL('../../build/core.wasm', import.meta.url)));
  const functions = WebAssembly.Module.exports(module).filter(
    ({ kind, name }) => kind === 'function' && name !== '_start',
  );
  expect(functions.map(({ name }) => name).sort()).toEqual([...CORE_EXPORTS].sort());
});
