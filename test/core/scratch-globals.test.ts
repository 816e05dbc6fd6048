import { expect, test } from 'vitest';
import { SAMPLES } from '../samples/catalogue.js';
import { type BuildOptions, build, digest, run } from '../state/machine-run.js';
import { forgetfulCore } from './scratch-globals.js';

const MOST_INSTRUCTIONS = 1_000_000;

test.each(SAMPLES)('$name runs the same with rubbish in all globals of the core between calls', (sample) => {
  const { name, image, flat, input } = sample;
  const options: BuildOptions = {
    file: image,
    memoryMib: name === 'memory' ? 128 : 16,
    ...(flat ? { at: 0x7c00 } : {}),
  };
  const plain = build(options);
  const forgetful = forgetfulCore((options.memoryMib ?? 16) << 20);
  const spoilt = build({ ...options, core: forgetful });
  for (const machine of [plain, spoilt]) {
    if (input !== '') {
      run(machine, 2000);
      machine.machine.serialInput(Buffer.from(input));
    }
    run(machine, MOST_INSTRUCTIONS);
  }
  expect(spoilt.output).toBe(plain.output);
  expect(digest(spoilt)).toBe(digest(plain));
  expect(forgetful.globals).toBeGreaterThan(50);
  expect(forgetful.left()).toBeGreaterThan(10);
  expect(forgetful.fills()).toBeGreaterThan(20);
});
