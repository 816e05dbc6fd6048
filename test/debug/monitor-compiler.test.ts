import { expect, it } from 'vitest';
import { compilerText } from '../../src/engine/debug/monitor-compiler.js';

it('tells each cause by which regions were left, and as a share of all', () => {
  const text = compilerText({
    ...{ mode: 'on' as const, regions: 12, instructions: 340, codeBytes: 20000, compileMs: 30.5, declined: 1 },
    entered: 1000,
    left: { out: 250, anywhere: 500, late: 125, missed: 100, handled: 25 },
    refused: { noPage: 3, breakpoint: 1, limit: 0 },
    samples: 77,
    share: 0.797,
  });
  expect(text).toContain("79.7 % of the guest's instructions ran in them; 1 hot block was not worth a region");
  expect(text).toMatch(/500 +50 % {2}by a return, jump or call/);
  expect(text).toMatch(/25 +2\.5 % {2}by a fault, a VM exit/);
  expect(text).toMatch(/not entered 4 times\n +3 +75 % {2}a further page/);
});

it('divides by nothing where nothing was compiled', () => {
  const none = { out: 0, anywhere: 0, late: 0, missed: 0, handled: 0 };
  const text = compilerText({
    ...{
      mode: 'on' as const,
      regions: 0,
      instructions: 0,
      codeBytes: 0,
      compileMs: 0,
      declined: 0,
      samples: 0,
      share: 0,
    },
    ...{ entered: 0, left: none, refused: { noPage: 0, breakpoint: 0, limit: 0 } },
  });
  expect(text).not.toMatch(/NaN|Infinity/);
});
