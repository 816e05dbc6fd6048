/** One table of commands behind every door. */
import { describe, expect, it } from 'vitest';
import { candidates, completed } from '../../src/commands/candidates.js';
import type { ArgumentKind } from '../../src/commands/command.js';
import { toJson } from '../../src/commands/json.js';
import { lineEffect, monitorLine } from '../../src/commands/monitor-door.js';
import { runScript, scriptLines } from '../../src/commands/script.js';
import { openSession } from '../../src/commands/session.js';
import { COMMANDS, OWN_COMMANDS } from '../../src/commands/table.js';
import { SymbolTable } from '../../src/disasm/index.js';
import { MONITOR_ROWS } from '../../src/engine/debug/monitor-rows.js';
import { COMMANDS as DASHBOARD } from '../../src/tui/commands.js';
import { filesFrom } from '../../src/tui/file-names.js';
import { FakeDebugger } from '../tui/fake-debugger.js';

/** A guest whose monitor has two commands. */
class Known extends FakeDebugger {
  override async monitor(line: string) {
    return (
      { help: 'engine', 'help next': 'help next: no monitor command "next"', 'info exits': 'CPUID 3' } as Record<
        string,
        string
      >
    )[line];
  }
}

/** Runs a script over the made-up guest. */
async function script(text: string, json = false) {
  const debug = new Known();
  const session = openSession(debug, { waits: true });
  let out = '';
  const failure = await runScript(session, scriptLines(text, 's'), { json, write: (said) => void (out += said) });
  session.close();
  return { failure, out };
}

describe('the table', () => {
  it('has each name once, with help', () => {
    const names = COMMANDS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, help } of COMMANDS) expect(help, name).not.toBe('');
  });

  it('is in the dashboard and in the monitor of gdb and QMP', async () => {
    const shown = new Set(DASHBOARD.map(({ name }) => name));
    for (const { name } of COMMANDS) expect(shown, name).toContain(name);
    const help = await monitorLine(new Known(), 'help');
    const words = new Set(MONITOR_ROWS.map(({ name }) => name));
    for (const { name, help: told } of OWN_COMMANDS)
      if (!words.has(name) && name !== 'monitor')
        expect(help).toMatch(new RegExp(`^${name}\\b.*${told.slice(0, 12)}`, 'm'));
    expect(await monitorLine(new Known(), 'help next')).toMatch(/^next-exit .*run to the next VM exit$/m);
    expect(await monitorLine(new Known(), 'break main')).toBe('breakpoint 1 at 40101d');
    expect(await monitorLine(new Known(), 'delete 9')).toBe('delete: no breakpoint 9');
    expect(await monitorLine(new Known(), 'frobnicate')).toBeUndefined();
  });

  it('tells what a line does to the guest', () => {
    for (const line of ['info ps', 'print 1', 'x/4wx 0', ' where', 'state', 'why'])
      expect(lineEffect(line), line).toBe('looks');
    for (const line of ['cont', 'next-exit', 'break main', 'goto 5']) expect(lineEffect(line), line).toBe('runs');
    for (const line of ['set rax 1', 'o /b 0x80 1', 'unheard of', 'i/b 0x60'])
      expect(lineEffect(line), line).toBe('changes');
  });
});

describe('completion', () => {
  const symbols = new SymbolTable([{ name: 'expire', address: 1n, size: 1n }]);

  it('gives words of the command, names of its kinds, and symbols', () => {
    expect(candidates({ kinds: ['exit-reason', 'address'] }, 'ex', symbols)).toEqual([
      'EXCEPTION_NMI',
      'EXTERNAL_INTERRUPT',
      'expire',
    ]);
    expect(candidates({ words: ['intel', 'att'] }, '', symbols)).toEqual(['intel', 'att']);
    expect(candidates({ kinds: ['vmcs-field'] }, 'guest_rip', symbols)).toEqual(['GUEST_RIP']);
    expect(candidates({ kinds: ['file'] }, 'ex', symbols)).toEqual([]);
  });

  it('gives what the guest and the host have now: breakpoints, bookmarks, files', () => {
    const offers = {
      breakpoints: [{ id: 1 }, { id: 12 }, { id: 20 }],
      bookmarks: [{ name: 'boot' }],
      files: () => ['exits.csv'],
    };
    const of = (kind: ArgumentKind, typed: string) => candidates({ kinds: [kind] }, typed, symbols, offers);
    expect(of('breakpoint', '1')).toEqual(['1', '12']);
    expect(of('bookmark', 'b')).toEqual(['boot']);
    expect(of('place', '@')).toEqual(['@boot']);
    expect(of('file', 'ex')).toEqual(['exits.csv']);
    expect(filesFrom('test/comm')).toEqual(['test/commands/']);
    expect(filesFrom('/nonexistent/x')).toEqual([]);
  });

  it('types what all of them have in common, else the first', () => {
    expect(completed(['EPT_VIOLATION', 'EPT_MISCONFIG'], 'ep')).toBe('EPT_');
    expect(completed(['rsp', 'rsi'], 'rs')).toBe('rsp');
    expect(completed([], 'x')).toBeUndefined();
  });
});

describe('a script', () => {
  it('says one line for each command and ends well', async () => {
    const { failure, out } = await script('# comment\n\nbreak main\nuntil main\nprint main + 0x10\n');
    expect(failure).toBeUndefined();
    expect(out).toBe(
      'breakpoint 1 at 40101d\nSTOPPED: target reached at 0x40101d main, instruction 123456\n0x40102d = 4198445 main+0x10\n',
    );
  });

  it('fails with 1 at an assertion that does not hold, and names the line and the values', async () => {
    const { failure } = await script('assert reason == EPT_VIOLATION or icount == 123456\nassert rax == 5\nprint 1\n');
    expect(failure).toEqual({
      status: 1,
      message: expect.stringMatching(/^s:2: assert: rax == 5 does not hold: rax is 0x[0-9a-f]+, 5 is 0x5$/),
    });
  });

  it('reads memory in assertions', async () => {
    const ok = 'assert [0x402004]:u32 == 0x07060504 and [0x402000]:u8 == 0 and [0x402001]:u16 != 0';
    expect((await script(ok)).failure).toBeUndefined();
    expect((await script('assert [0x402004]:u8 > 4')).failure?.status).toBe(1);
    expect((await script(`assert ${'['.repeat(40)}0x402004${']'.repeat(40)} == 1`)).failure?.status).toBe(2);
  });

  it('fails with 2 at what is no command or has wrong arguments', async () => {
    expect((await script('print 1\nnonsense\n')).failure).toEqual({
      status: 2,
      message: 's:2: no command "nonsense"; : lists them',
    });
    expect((await script('run 5')).failure).toEqual({
      status: 2,
      message: 's:1: run: unexpected "5": the command takes no argument',
    });
    expect((await script('break nowhere')).failure?.message).toBe(
      's:1: break: no symbol, register or number "nowhere"',
    );
    expect((await script('assert')).failure?.status).toBe(2);
    // what is to be changed is looked at first, not the value
    for (const [line, message] of [
      ['set banana split', 'set: no register banana; info registers lists them'],
      ['set rax split', 'set: no symbol, register or number "split"'],
      ['set vmcs BANANA 5', 'set: the VMCS has no field "BANANA"; info vmcs lists them'],
      ['vmcs BANANA 5', 'vmcs: the VMCS has no field "BANANA"; info vmcs lists them'],
    ])
      expect((await script(line!)).failure).toEqual({ status: 2, message: `s:1: ${message}` });
  });

  it('gives JSON: a line each, 64-bit numbers as strings', async () => {
    const { out } = await script('print main\ninfo exits\nwrite 0x7ff00 aa\n', true);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toEqual({ command: 'print main', result: { value: '0x40101d', place: 'main' } });
    expect(lines[1].result.value).toMatchObject({ CPUID: expect.any(Number) });
    expect(lines[2].result).toEqual({ space: 'gva', address: '0x7ff00', bytes: 1 });
    expect(toJson({ a: 1n, b: new Uint8Array([1, 255]), c: undefined })).toBe('{"a":"0x1","b":"01ff"}');
  });
});
