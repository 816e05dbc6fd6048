import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { requireScript, requireTool, type Tool } from '../tools.js';
import { Prompt } from './running-guest.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const COLOURS = /\x1b(?:\[[0-9;]*[A-Za-z])?|[\x01\x02]/g;

/** A program that takes gdb's commands. */
export interface GdbClient {
  name: string;
  tools: Tool[];
  program: string;
  args: string[];
}

const gdb = requireTool('gdb');
const multiarch = requireTool('gdb-multiarch');
const apt = requireTool('apt-get');
/** gdb 16 or later, which speaks the debug adapter protocol. */
export const newGdb: Tool = apt.available ? requireScript(`${root}test/gdbstub/fetch-gdb`) : apt;
export const newGdbProgram = `${root}build/gdb/gdb`;

/** What somebody has to bring: it is never fetched. */
function brought(variable: string, what: string): Tool {
  const path = process.env[variable] ?? '';
  return { available: path !== '', reason: path === '' ? `${variable} names no ${what}` : '', path };
}
const gef = brought('VMSCOPE_GEF', 'gef.py');
const pwndbg = brought('VMSCOPE_PWNDBG', 'gdb that has loaded pwndbg');

/** Stock gdbs as Debian has them, and gdb with hugsy's GEF or pwndbg where those are named. */
export const gdbClients: readonly GdbClient[] = [
  { name: 'gdb', tools: [gdb], program: gdb.path, args: ['-nx'] },
  { name: 'gdb-multiarch', tools: [multiarch], program: multiarch.path, args: ['-nx'] },
  { name: 'gdb 16', tools: [newGdb], program: newGdbProgram, args: ['-nx'] },
  { name: 'gdb with GEF', tools: [gdb, gef], program: gdb.path, args: ['-nx', '-ex', `source ${gef.path}`] },
  { name: 'gdb with pwndbg', tools: [pwndbg], program: pwndbg.path, args: [] },
];

/** One of them at its prompt. Each command's whole output is what its answer holds, whatever prompt it has. */
export class GdbShell {
  private readonly prompt: Prompt;
  private commands = 0;

  constructor({ program, args }: GdbClient, options: string[], patienceMs: number) {
    const plain = ['set pagination off', 'set confirm off'].flatMap((line) => ['-ex', line]);
    const child = spawn(program, [...args, '-q', ...plain, ...options], {
      stdio: 'pipe',
      env: { ...process.env, TERM: 'dumb', PWNLIB_NOTERM: '1' },
    });
    this.prompt = new Prompt(child, patienceMs);
  }

  /** Types a line and waits for its end; a line that resumes the guest ends when the guest stands. */
  async ask(line: string): Promise<string> {
    return this.begin(line)();
  }

  /** Types a line; the function that it answers waits for its end. */
  begin(line: string): () => Promise<string> {
    const mark = `<<${++this.commands}>>`;
    const from = this.prompt.out.length;
    this.prompt.send(`${line}\necho ${mark}\\n\n`);
    return async () => (await this.prompt.expect(new RegExp(`${mark}\n`), from)).replace(COLOURS, '');
  }

  /** What `print` says the expression is. */
  async value(expression: string): Promise<bigint> {
    const out = await this.ask(`print ${expression}`);
    const value = /\$\d+ = (?:\(.*\) )?(0x[0-9a-f]+|-?\d+)/.exec(out)?.[1];
    if (value === undefined) throw new Error(`no value of ${expression}: ${out}`);
    return BigInt(value);
  }

  interrupt(): void {
    this.prompt.signal('SIGINT');
  }

  close(): Promise<void> {
    return this.prompt.close();
  }
}
