/** Breakpoints and watched expressions of an image are there again in the next session. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { UserMemory } from '../../src/tui/user-memory.js';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'vmscope-marks-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const folder = () => join(home, '.config', 'vmscope', 'images');
const files = () => (existsSync(folder()) ? readdirSync(folder()) : []);
const open = (debug = new FakeDebugger(), environment: Record<string, string> = {}) =>
  Cells.open(debug, { memory: new UserMemory({ HOME: home, ...environment }) });
const specs = async (debug: FakeDebugger) =>
  (await debug.breakpoints()).map(({ id: _id, hits: _hits, label: _label, ...spec }) => spec);

const GIVEN = [
  'break main if rax == 5',
  'ignore 1 3',
  'commands 1 print rax; display rbx',
  'tbreak 0x401041',
  'break vmexit CPUID if leaf == 7 and rax != 1',
  'disable 3',
  'watch 0x402000 8 rw if [rsp]:u32 > 2',
  'watch gpa 0x7ff00 4',
  'dprintf uart_putc+2 if rdi > 2,"putc %lx\\n",rdi',
  'dprintf vmexit CPUID if leaf == 1,"leaf %d\\n",leaf',
  'display rax',
  'display [rsp]:u64',
];
const KEPT = [
  'break main+0x0 if rax == 5',
  ' ignore 3',
  ' commands print rax; display rbx',
  'tbreak main+0x24',
  'break vmexit CPUID if leaf == 0x7 and rax != 0x1',
  ' disable',
  'watch 0x402000 8 rw if [rsp]:u32 > 2',
  'watch gpa 0x7ff00 4 w',
  'dprintf uart_putc+0x2 if rdi > 2,"putc %lx\\n",rdi',
  'dprintf vmexit CPUID if leaf == 0x1,"leaf %d\\n",leaf',
  'display rax',
  'display [rsp]:u64',
];

async function first(): Promise<FakeDebugger> {
  const debug = new FakeDebugger();
  const cells = await open(debug);
  for (const line of GIVEN) await cells.command(line);
  cells.dashboard.close();
  return debug;
}

it('keeps them as the commands that make them, and makes them anew', async () => {
  const before = await first();
  expect(files()).toHaveLength(1);
  const text = readFileSync(join(folder(), files()[0]!), 'utf8');
  expect(text.split('\n').slice(1, -1)).toEqual(KEPT);
  const debug = new FakeDebugger();
  const cells = await open(debug);
  expect(await specs(debug)).toEqual(await specs(before));
  expect(cells.dashboard.watches.expressions).toEqual(['rax', '[rsp]:u64']);
  expect(cells.text()).toContain('from last time: 7 breakpoints, 2 watched expressions');
  cells.dashboard.close();
  expect(readFileSync(join(folder(), files()[0]!), 'utf8')).toBe(text);
});

it('is of that image alone, and nothing is left where all are deleted', async () => {
  await first();
  const other = new FakeDebugger();
  const info = other.info.bind(other);
  other.info = async () => ({ ...(await info()), image: 'other.elf' });
  (await open(other)).dashboard.close();
  expect(await specs(other)).toEqual([]);
  const cells = await open();
  await cells.command('delete all');
  await cells.command('undisplay all');
  cells.dashboard.close();
  expect(files()).toEqual([]);
});

it('neither reads nor writes with --no-config, nor for a guest that others have', async () => {
  await first();
  const kept = readFileSync(join(folder(), files()[0]!), 'utf8');
  const off = new FakeDebugger();
  const cells = await open(off, { VMSCOPE_NO_CONFIG: '1' });
  await cells.command('break main');
  cells.dashboard.close();
  expect(await specs(off)).toHaveLength(1);
  const lived = new FakeDebugger();
  await lived.addBreakpoint({ kind: 'execute', gva: 0x401000n });
  await open(lived);
  expect(await specs(lived)).toHaveLength(1);
  expect(readFileSync(join(folder(), files()[0]!), 'utf8')).toBe(kept);
});

it('keeps what could not be set, says so, and carries out nothing else', async () => {
  (await first()).quit();
  const file = join(folder(), files()[0]!);
  mkdirSync(folder(), { recursive: true });
  writeFileSync(file, '# x\nbreak gone\n ignore 2\nset rax 5\nquit\nbreak main\n');
  const debug = new FakeDebugger();
  const cells = await open(debug);
  expect(await specs(debug)).toMatchObject([{ kind: 'execute', gva: 0x40101dn }]);
  expect(cells.text()).toContain('from last time: 1 breakpoint, 2 could not be set, :messages');
  expect(debug.log.join()).not.toContain('writeRegister');
  cells.dashboard.close();
  expect(readFileSync(file, 'utf8').split('\n').slice(1, -1)).toEqual(['break main+0x0', 'break gone', ' ignore 2']);
});
