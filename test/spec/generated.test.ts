import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { vmcsTables } from '../../tools/gen-vmcs-tables.js';

it.each(Object.entries(vmcsTables()))('generated/%s is what the tables of src/spec/vmx give', (name, text) => {
  const path = new URL(`../../src/engine/core/generated/${name}`, import.meta.url);
  expect(readFileSync(path, 'utf8')).toBe(text);
});
