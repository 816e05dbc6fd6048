/** Profiles for speedscope by the schema that it publishes with its program. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { profileText } from '../../src/formats/profile.js';
import { named, requireScript, requireTool } from '../tools.js';
import { wrongBySchema } from './json-schema.js';

const npm = requireTool('npm');
const schema = npm.available ? requireScript(fileURLToPath(new URL('fetch-speedscope', import.meta.url))) : npm;
const SCHEMA = new URL('../../build/readers/speedscope-1.25.0.json', import.meta.url);

const profile = (samples: readonly string[][]): Record<string, never> =>
  JSON.parse(
    profileText(
      'speedscope',
      { name: 'crc32', every: 1000, unit: 'instruction', samples: samples.map((stack) => ({ stack })) },
      'function',
      1,
    ),
  );

describe('profiles for speedscope', () => {
  test.skipIf(!schema.available)(named('are what its schema allows, and changes are not', schema), () => {
    const rules = JSON.parse(readFileSync(SCHEMA, 'utf8'));
    const wrong = (file: unknown) => wrongBySchema(file, rules);
    for (const samples of [[], [[]], [['main', 'crc_bit'], ['main'], ['a;b', 'ü "quoted"', '']]])
      expect(wrong(profile(samples))).toEqual([]);
    const file = profile([['main']]);
    const [own] = file.profiles as unknown as object[];
    expect(wrong({ ...file, $schema: 'x' })).toEqual([
      '/$schema: not "https://www.speedscope.app/file-format-schema.json"',
    ]);
    expect(wrong({ ...file, shared: {} })).toEqual(['/shared: no frames']);
    expect(wrong({ ...file, shared: { frames: [{ name: 5 }] } })).toEqual([
      '/shared/frames/0/name: number, not string',
    ]);
    expect(wrong({ ...file, profiles: [{ ...own, unit: 'instructions' }] })).toEqual([
      '/profiles/0/unit: not in the list',
    ]);
    expect(wrong({ ...file, profiles: [{ ...own, weights: undefined }] })).toEqual([
      '/profiles/0/weights: undefined, not array',
    ]);
    expect(wrong({ ...file, profiles: [{ ...own, samples: [['main']] }] })).toEqual([
      '/profiles/0/samples/0/0: string, not number',
    ]);
  });

  test('a keyword that the check does not know is an error, so that no rule is passed over', () => {
    expect(() => wrongBySchema({}, { oneOf: [] })).toThrow('keyword oneOf');
    expect(() => wrongBySchema({}, { $ref: '#/definitions/None' })).toThrow('no #/definitions/None');
  });
});
