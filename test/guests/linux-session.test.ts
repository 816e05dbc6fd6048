/** A debugger's everyday questions to Debian's stock kernel, which has no DWARF, beside what gdb finds in the same guest. */
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunningGuest, runDebugger } from '../gdbstub/running-guest.js';
import { named, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const gdb = requireTool('gdb');
const apt = requireTool('apt-get');
const kernel = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const folder = `${root}build/guests/linux`;

/** Asks in gdb's Python; what it prints last is the answer to all, as JSON. */
const SCRIPT = `
import json
def ask(line): return gdb.execute(line, to_string=True).strip()
def ours(line): return ask('monitor ' + line)
def read(address, size): return bytes(gdb.selected_inferior().read_memory(address, size))
def number(text): return int(text, 16)
def mapped(address):
  try: return len(read(address, 1)) == 1
  except gdb.MemoryError: return False
def at_stop():
  here = number(ours('print /x current'))
  pid = number(ours('print /x &current->pid'))
  comm = number(ours('print /x &current->comm'))
  rdi, rsp = (int(gdb.parse_and_eval('$' + name)) & (1 << 64) - 1 for name in ('rdi', 'rsp'))
  spots = ours('telescope').splitlines()
  return {
    'current': [here, here <= pid < here + int(ours('print sizeof(struct task_struct)'))],
    'pid': [int(ours('print current->pid')), int.from_bytes(read(pid, 4), 'little')],
    'comm': [ours('print current->comm'), read(comm, 16).split(b'\\0')[0].decode()],
    'path': [ours('print /x *(struct path *)$rdi'), ['0x%x' % int.from_bytes(read(rdi + 8 * n, 8), 'little') for n in (0, 1)]],
    'frames': [ours('bt'), ask('bt')],
    'stack': [[number(line.split()[1]) for line in spots], [int.from_bytes(read(rsp + 8 * n, 8), 'little') for n in range(len(spots))]],
  }
def mappings():
  # a device may refuse to be read
  lines = [line for line in ours('vmmap').splitlines()[1:] if 'device' not in line]
  rows = [tuple(number(word) for word in line.split()[0].split('-')) for line in lines]
  every = [tuple(number(word) for word in line.split()[0].split('-')) for line in ours('vmmap').splitlines()[1:]]
  gaps = [low[1] + 1 for low, high in zip(every, every[1:]) if high[0] > low[1] + 1]
  return {
    'count': len(rows),
    'gaps': len(gaps),
    'inside': all(mapped(low) and mapped(high) for low, high in rows),
    'between': [hex(at) for at in gaps if mapped(at)],
  }
def found(text):
  base = number(next(line for line in ours('vmmap').splitlines() if 'direct map' in line).split('-')[0])
  where, size, list = base, 256 << 20, []
  while True:
    hit = gdb.selected_inferior().search_memory(where, base + size - where, text.encode())
    if hit is None: break
    list.append(hit - base)
    where = hit + 1
  return {'ours': [number(line.split()[1]) for line in ours('search "%s"' % text).splitlines()[:-1]], 'theirs': list}
ask('hbreak vfs_open')
ask('continue')
ask('delete')
answers = {'early': at_stop()}
ours('break vfs_open if current->pid == 1 && current->mm')
ask('continue')
answers['init'] = at_stop()
answers['maps'] = mappings()
ours('delete')
ours('break vfs_open if current->pid > 50 && current->mm')
ask('continue')
stack = ours('info stack 1')
words = stack.split('entered the kernel:')[1].split()
program = dict(zip(words[::2], words[1::2]))
answers['waits'] = {
  'stack': stack,
  'program': program,
  'code': ours('vmmap pid 1 0x' + program['rip']),
  'data': ours('vmmap pid 1 0x' + program['rsp']),
  'here': ours('vmmap 0x' + program['rsp']),
  'thread': ours('vmmap pid 2'),
  'none': ours('vmmap pid 123456'),
}
ours('delete')
answers['set'] = ours('break 0x%s process 1' % program['rip'])
ask('continue')
names = ['rip', 'rsp', 'rbp', 'rbx', 'r12', 'r13', 'r14', 'r15']
answers['back'] = [int(ours('print current->pid')), {name: '%016x' % (int(gdb.parse_and_eval('$' + name)) & (1 << 64) - 1) for name in names}]
answers['found'] = found('Linux version 6')
print('ANSWERS' + json.dumps(answers))
`;

interface AtStop {
  current: [number, boolean];
  pid: [number, number];
  comm: [string, string];
  path: [string, string[]];
  frames: [string, string];
  stack: [number[], number[]];
}

interface Answers {
  early: AtStop;
  init: AtStop;
  maps: { count: number; gaps: number; inside: boolean; between: string[] };
  waits: Record<'stack' | 'code' | 'data' | 'here' | 'thread' | 'none', string> & { program: Record<string, string> };
  set: string;
  back: [number, Record<string, string>];
  found: { ours: number[]; theirs: number[] };
}

const framesOf = (text: string): string[] =>
  [...text.matchAll(/^ *#\d+ +(0x[0-9a-f]+) in (\w+)/gm)].map(([, address, name]) => `${address} ${name}`);

describe.skipIf(!gdb.available || !kernel.available)(named("Debian's kernel without DWARF", gdb, kernel), () => {
  let work: string;
  let answers: Answers;

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'vmscope-session-'));
    const script = join(work, 'ask.py');
    writeFileSync(script, SCRIPT);
    const guest = await RunningGuest.start(
      ...[`${folder}/vmlinuz`, '--initrd', `${folder}/initrd.gz`, '-m', '256M', '--append', 'console=ttyS0'],
    );
    try {
      const target = `target remote 127.0.0.1:${guest.port}`;
      const out = await runDebugger(
        gdb.path,
        [
          '-nx',
          '-q',
          '-batch',
          '-ex',
          'set pagination off',
          '-ex',
          'set remotetimeout 100',
          '-ex',
          target,
          '-x',
          script,
        ],
        200_000,
      );
      const text = /^ANSWERS(.*)$/m.exec(out)?.[1];
      if (text === undefined) throw new Error(`gdb said ${out.slice(-2000)}`);
      answers = JSON.parse(text) as Answers;
    } finally {
      await guest.stop();
    }
  }, 240_000);
  afterAll(() => rm(work, { recursive: true }));

  test.each(['early', 'init'] as const)('structs by BTF, frames and the stack: %s', (which) => {
    const { current, pid, comm, path, frames, stack } = answers[which];
    expect(current[1]).toBe(true);
    expect(pid[0]).toBe(pid[1]);
    expect(comm[0]).toContain(`"${comm[1]}`);
    expect(comm[1]).not.toBe('');
    expect(path[0]).toBe(`{mnt = ${path[1][0]}, dentry = ${path[1][1]}}`);
    const [ours, theirs] = frames.map(framesOf);
    expect(theirs.length).toBeGreaterThan(3);
    // gdb ends at the system call's entry
    expect(ours.slice(0, theirs.length)).toEqual(theirs);
    expect(stack[0].length).toBeGreaterThan(7);
    expect(stack[0]).toEqual(stack[1]);
  });

  test('a condition on the running task', () => {
    expect(answers.init.pid[0]).toBe(1);
    expect(answers.early.pid[0]).not.toBe(1);
  });

  test('mappings are what can be read, and nothing beside them', () => {
    expect(answers.maps).toMatchObject({ inside: true, between: [] });
    expect(answers.maps.count).toBeGreaterThan(30);
    expect(answers.maps.gaps).toBeGreaterThan(20);
  });

  test('a process that waits has registers and mappings of its own', () => {
    const { stack, program, code, data, here, thread, none } = answers.waits;
    expect(stack).toMatch(/^\s*init|^\s*sh|pid 1\)/m);
    expect(program.cs).toMatch(/0033$/);
    expect(code).toMatch(/ r-xu /);
    expect(data).toMatch(/ rw[-x]u /);
    expect(data).not.toBe(here);
    expect(thread).toBe('vmmap: kthreadd (pid 2) is a thread of the kernel: it has no mappings of its own');
    expect(none).toBe('vmmap: there is no process 123456');
  });

  test('a breakpoint at an address of one process: there it goes on with what it waited with', () => {
    const [pid, registers] = answers.back;
    expect(answers.set).toMatch(/^breakpoint \d+ at [0-9a-f]+/);
    expect(pid).toBe(1);
    for (const [name, value] of Object.entries(registers))
      expect(`${name} ${answers.waits.program[name]}`).toBe(`${name} ${value}`);
  });

  test('a search of all memory', () => {
    expect(answers.found.ours).toEqual(answers.found.theirs);
    expect(answers.found.ours.length).toBeGreaterThan(1);
  });
});
