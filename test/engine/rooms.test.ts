// Inside the engine imports run one way, types' too: a room's files know the rooms before it in this list and no other.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ENGINE = fileURLToPath(new URL('../../src/engine', import.meta.url));

/** As ARCHITECTURE.md names them. Rooms of one row do not know each other. A file beside them that has no place here is of state's row. */
const ROWS = [
  ['counted.ts'],
  ['state', 'language'],
  ['debugger.ts', 'fleet.ts'],
  ['machine-view.ts', 'core', 'difftest'],
  ['memory', 'time', 'jit'],
  ['devices'],
  ['disk', 'net', 'boot'],
  ['vmm'],
  ['debug'],
  ['history'],
  ['host'],
];
const ROOMS = ROWS.flatMap((rooms, row) => rooms.map((room) => [room, row] as const));
const ROW_OF = new Map<string, number>(ROOMS);

const sources = readdirSync(ENGINE, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
/** The language of values lies in debug, and knows nothing. */
const LANGUAGE = /^debug\/expression\/(?:syntax|type-name)\.ts$/;
const roomOf = (file: string): string => (LANGUAGE.test(file) ? 'language' : file.split('/')[0]);
const rowOf = (room: string): number => ROW_OF.get(room) ?? (room.endsWith('.ts') ? ROW_OF.get('state')! : Number.NaN);

/** Files of the engine that a file of it names, in whatever form. */
function* importsOf(file: string): Generator<string> {
  const text = readFileSync(join(ENGINE, file), 'utf8');
  for (const [, name] of text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"](\.[^'"]+)['"]/g)) {
    const target = relative(ENGINE, resolve(ENGINE, dirname(file), name)).replace(/\.js$/, '.ts');
    if (!target.startsWith('..')) yield target;
  }
}

test('each room of the engine has its place', () => {
  expect([...new Set(sources.map(roomOf))].filter((room) => Number.isNaN(rowOf(room)))).toEqual([]);
  expect(sources.length).toBeGreaterThan(400);
});

test('no room of the engine knows one after it', () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const file of sources)
    for (const target of importsOf(file)) {
      const [from, to] = [roomOf(file), roomOf(target)];
      if (from === to) continue;
      seen++;
      if (!(rowOf(to) < rowOf(from))) wrong.push(`${file} imports ${target}`);
    }
  expect(wrong).toEqual([]);
  expect(seen).toBeGreaterThan(500);
});
