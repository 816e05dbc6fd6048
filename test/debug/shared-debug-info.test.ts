/** Debug information that is not in the file itself: shared by dwz, split by -gsplit-dwarf, stripped. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeFile } from '../../src/cli/code-file.js';
import { elfSections } from '../../src/disasm/elf-sections.js';
import { TypeTable } from '../../src/engine/debug/types/type-table.js';
import { typeBody } from '../../src/engine/debug/types/type-text.js';
import type { Debugger } from '../../src/engine/debugger.js';
import { GuestCode } from '../../src/engine/host/guest-code.js';
import { named, requireTool } from '../tools.js';

const tools = ['gcc', 'gdb', 'objcopy', 'dwz'].map(requireTool);
const [gcc, gdb, objcopy, dwz] = tools;
const source = fileURLToPath(new URL('c-kernel/kernel.c', import.meta.url));
const FLAGS = ['-ffreestanding', '-fno-pic', '-no-pie', '-nostdlib', '-static', '-mno-sse', '-mno-80387', '-O2'];
const TYPES = ['struct node', 'struct point', 'enum color', 'enum flags', 'u64'];
const VARIABLES = ['head', 'first', 'table', 'negative', 'ticks'];

describe.skipIf(!tools.every(({ available }) => available))(named('debug information elsewhere', ...tools), () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-shared-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const build = (name: string, ...options: string[]): string => {
    const file = join(folder, name);
    execFileSync(gcc!.path, [...FLAGS, ...options, '-o', file, source], { cwd: folder });
    return file;
  };
  const open = (file: string) => {
    const code = codeFile(file, readFileSync(file));
    const { types } = new GuestCode(code, undefined);
    return { lack: code.lack!(), types, table: new TypeTable({ types } as unknown as Debugger, () => 8) };
  };
  const gdbSays = (file: string, lines: readonly string[]): string[] => {
    const asked = lines.flatMap((line) => ['-ex', `echo <<>>`, '-ex', line]);
    const said = execFileSync(gdb!.path, ['-nx', '-q', '-batch', ...asked, file], { encoding: 'utf8' });
    return said
      .split('<<>>')
      .slice(1)
      .map((text) => text.trim());
  };

  test.each(['4', '5'])('DWARF %s that dwz shares between files reads as gdb reads it', async (version) => {
    const files = ['a', 'b'].map((name, index) =>
      build(`${name}${version}`, '-g', `-gdwarf-${version}`, `-DN=${index}`),
    );
    const common = join(folder, `common${version}`);
    execFileSync(dwz!.path, ['-m', common, '-M', `common${version}`, ...files]);
    const { lack, types, table } = open(files[0]!);
    expect(lack).toBe(undefined);
    const ours: string[] = [];
    for (const name of TYPES) {
      const [, word = 'name', alone = name] = /^(struct|enum) (.*)$/.exec(name) ?? [];
      ours.push(`type = ${await typeBody(table, (await types.named(word as 'struct', alone))!)}`);
    }
    for (const name of VARIABLES) ours.push(`type = ${await typeBody(table, (await types.variable(name))!.type)}`);
    expect(ours).toEqual(
      gdbSays(
        files[0]!,
        [...TYPES, ...VARIABLES].map((name) => `ptype ${name}`),
      ),
    );

    // another build's, or none: its name, and nothing thrown or hung over what it had
    const other = join(folder, `other${version}`);
    execFileSync(dwz!.path, ['-m', other, ...['c', 'd'].map((name) => build(name, '-g', '-O1'))]);
    for (const damage of ['other', 'none', 'cut'] as const) {
      if (damage === 'none') rmSync(common);
      else if (damage === 'other') {
        renameSync(common, `${common}.kept`);
        writeFileSync(common, readFileSync(other));
      } else writeFileSync(common, readFileSync(`${common}.kept`).subarray(0, 1000));
      const without = open(files[0]!);
      expect(without.lack).toMatch(
        new RegExp(`a${version} shares types with other files \\(dwz\\), in ${common}, which is not`),
      );
      for (const name of VARIABLES) await without.types.variable(name);
      for (const name of TYPES) await without.types.named('name', name);
    }
    // the right one by its name, and damaged
    const kept = readFileSync(`${common}.kept`);
    const info = kept.indexOf(elfSections(kept, ['.debug_info']).get('.debug_info')!);
    let rest = 1;
    for (let round = 0; round < 30; round++) {
      const bytes = Uint8Array.from(kept);
      rest = (Math.imul(rest, 1664525) + 1013904223) >>> 0;
      bytes[info + (rest % 300)]! ^= rest >>> 24;
      writeFileSync(common, bytes);
      const damaged = open(files[0]!).types;
      for (const name of VARIABLES) {
        const found = await damaged.variable(name);
        if (found) await damaged.nodes([found.type]);
      }
    }
  });

  test.each(['4', '5'])('of DWARF %s that is split it says which file has it, and how it is had', (version) => {
    const file = build(`split${version}`, '-g', '-gsplit-dwarf', `-gdwarf-${version}`);
    expect(open(file).lack).toMatch(
      new RegExp(
        `split${version} has its types and variables in \\S*\\.dwo and others \\(-gsplit-dwarf\\), which are not read: build`,
      ),
    );
  });

  test('of a stripped file it says which one has it', () => {
    const whole = build('whole', '-g', '-Wl,--build-id=0x0123456789abcdef');
    const link = `--add-gnu-debuglink=${whole}.debug`;
    execFileSync(objcopy!.path, ['--only-keep-debug', whole, `${whole}.debug`]);
    execFileSync(objcopy!.path, ['--strip-debug', link, whole, join(folder, 'stripped')]);
    expect(open(join(folder, 'stripped')).lack).toMatch(
      /stripped was stripped, .* in whole\.debug: --symbols \/usr\/lib\/debug\/\.build-id\/01\/23456789abcdef\.debug, /,
    );
    expect([open(whole).lack, open(`${whole}.debug`).lack]).toEqual([undefined, undefined]);
  });
});
