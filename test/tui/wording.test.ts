/** Plain English on the screen: turns of phrase that readers stumbled over do not come back. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { specText } from '../../src/commands/breakpoint-text.js';
import { stopText } from '../../src/commands/stop-text.js';
import { SymbolTable } from '../../src/disasm/index.js';
import { counted } from '../../src/engine/counted.js';
import { exitSubject } from '../../src/engine/debug/explain-exit.js';
import type { ExitRecord, PageWalk, RegisterFile } from '../../src/engine/debugger.js';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

const SOURCE = fileURLToPath(new URL('../../src', import.meta.url));

/** Each odd one as a kind, and what is said instead. */
const ODD: readonly (readonly [RegExp, string])[] = [
  [/turns it over/, '"Enter flips it"'],
  [/by paging off/, '"paging is off"'],
  [/stands before its handler/, '"its handler has not run"'],
  [/STOPPED: reached/, '"STOPPED: target reached"'],
  [/what is wanted|\bis wanted\b/, 'what is missing, by its name'],
  [/(?<!here )\b(?:is|are) no [a-z]+(?! of its)/i, '"is not a ..."'],
  [/\bit is (?:\$\{|[a-z_-]+(?: -\w)? ?[[A-Z/])/, '"usage: ..."'],
  [/ is too much\b/, '"unexpected ..."'],
  [/ is none of /, '"is not one of"'],
  [/ (?:does|do) not go$| a number [\w ]* goes$/, '"is not supported"'],
  [/ (?:is|are) not told\b|\bis told (?:of|by)\b/, '"is not known", "is not recorded"'],
  [/ (?:does|do) not tell\b| tells? of\b| tells no\b/, '"does not report"'],
  [/ guest stands\b| while it stands\b/, '"the guest is stopped"'],
  [/\bthe guest runs(?:$|:)/, '"the guest is running"'],
  [/\bis another one$/, 'what differs'],
];

/** Texts between quotes, of lines that are no comments. */
function* texts(): Generator<{ place: string; text: string }> {
  for (const entry of readdirSync(SOURCE, { recursive: true, withFileTypes: true })) {
    // what the core's own language throws reaches nobody
    if (!entry.name.endsWith('.ts') || /engine\/core/.test(entry.parentPath)) continue;
    const file = join(entry.parentPath, entry.name);
    for (const [n, line] of readFileSync(file, 'utf8').split('\n').entries()) {
      if (/^\s*(?:\/?\*|\/\/)/.test(line)) continue;
      for (const [, , text] of line.matchAll(/(['"`])((?:\\.|(?!\1).)*)\1/g))
        yield { place: `${file.slice(SOURCE.length + 1)}:${n + 1}`, text: text! };
    }
  }
}

/** A number that may be 1, and a plural behind it; counted() chooses. What is written in capitals is a bound. */
const PLURAL =
  /\$\{(?!counted|size|rate|grouped|bits)[a-z][\w.?()]*\} (?:guests|exits|instructions|processes|threads|keys|commands|vCPUs|frames|hits|samples|snapshots|looks|characters|functions|packets|differences)\b/;

it('has none of the turns of phrase that were found odd', () => {
  const found: string[] = [];
  let read = 0;
  for (const { place, text } of texts()) {
    read++;
    for (const [odd, instead] of ODD) if (odd.test(text)) found.push(`${place}: ${text} -> ${instead}`);
  }
  expect(read).toBeGreaterThan(10_000);
  expect(found).toEqual([]);
});

it('has no number before a plural that may be 1', () => {
  // the stub knows no engine, where counted() is, and the testers of engines are not for users
  const found = [...texts()].filter(({ place, text }) => PLURAL.test(text) && !/^gdbstub|difftest/.test(place));
  expect(found.map(({ place, text }) => `${place}: ${text}`)).toEqual([]);
});

describe('what is said instead', () => {
  const symbols = new SymbolTable([{ name: 'counter', address: 0x2000n, size: 4n }]);

  it('a stop by name: what was reached, and what was written', () => {
    expect(stopText({ kind: 'until' }, symbols)).toBe('STOPPED: target reached');
    const watch = { kind: 'watchpoint', id: 1, access: 'write', address: 0x2000n, length: 4 } as const;
    const [before, after] = [Uint8Array.of(5, 0, 0, 0), Uint8Array.of(6, 0, 0, 0)];
    expect(stopText({ ...watch, gva: 0n, before, after } as never, symbols)).toBe(
      'STOPPED: write of counter+4: 0x00000005 -> 0x00000006 (watchpoint 1)',
    );
    expect(specText({ kind: 'watch', space: 'gva', access: 'write', address: 0x2000n, length: 4 })).toBe(
      'on write of gva 2000+4',
    );
  });

  it('an access to a port with its width', () => {
    const exit = (qualification: bigint) => exitSubject({ reason: 30, qualification } as ExitRecord);
    expect(exit(0x03fd_0008n)).toBe('in port 3fd byte');
    expect(exit(0x0cf8_0003n)).toBe('out port cf8 dword');
  });

  it('one guest, two guests', () => {
    expect([0, 1, 2, '1', 1n].map((count) => counted(count, 'guest'))).toEqual([
      ...['0 guests', '1 guest', '2 guests', '1 guest', '1 guest'],
    ]);
  });

  it('paging that is off, a bit that Enter flips, an exit whose handler has not run', async () => {
    class Unpaged extends FakeDebugger {
      override async walk(gva: bigint): Promise<PageWalk> {
        return { mode: 'none', input: gva, levels: [], output: gva };
      }
      override async readRegisters(): Promise<RegisterFile> {
        return { ...(await super.readRegisters()), cr0: 1n };
      }
    }
    const cells = await Cells.open(new Unpaged(), { view: 'memory', columns: 160, rows: 50 });
    expect(cells.text()).toContain('unchanged, paging is off');
    const vmcs = await Cells.open(new FakeDebugger(), { view: 'vmcs', columns: 120, rows: 40 });
    await vmcs.command('filter PIN_BASED');
    await vmcs.key('down', 'o', 'down');
    expect(vmcs.text()).toMatch(/bit 0 External-interrupt exiting: .*Enter flips it\./s);
  });

  it('a command that is not complete: what is missing, or how it is written', async () => {
    const cells = await Cells.open(new FakeDebugger(), { columns: 160, rows: 40 });
    for (const [line, said] of [
      ['export', 'export: usage: export FORMAT FILE [if CONDITION]; FORMAT is text, csv, json, perfetto'],
      ['export csv', 'export: the FILE of export csv FILE is missing'],
      ['break', 'break: an address, a symbol, FILE:LINE or "vmexit REASON" is missing'],
      ['dprintf', 'dprintf: usage: dprintf PLACE,"FORMAT",VALUE,...'],
      ['set rax', 'set: usage: set REGISTER VALUE'],
      ['until icount', 'until: usage: until icount N'],
    ] as const) {
      await cells.command(line);
      expect(cells.text().split('\n').at(-1), line).toContain(said);
    }
  });
});
