/** Mappings, searches, pointer chains, steps over loops and profiles of a kernel in C, beside what gdb computes of the same guest. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { vmscope } from '../cli/vmscope.js';
import { RunningGuest, runDebugger } from '../gdbstub/running-guest.js';
import { named, requireTool } from '../tools.js';

const gcc = requireTool('gcc');
const gdb = requireTool('gdb');
const FLAGS = [
  ...['-g', '-ffreestanding', '-fno-pic', '-no-pie', '-nostdlib', '-static', '-mno-red-zone', '-mno-sse', '-mno-80387'],
  ...['-fno-stack-protector', '-fcf-protection=none', '-Wl,-Ttext=0x200000', '-Wl,--build-id=none', '-gdwarf-5'],
];
const MEMORY = 8 << 20;
const SLOW = { timeoutMs: 100_000 };

/** What all scripts begin with. */
const HEAD = `
import json, struct
gdb.execute('set pagination off')
gdb.execute('set remotetimeout 100')
def ask(line): return gdb.execute(line, to_string=True).strip()
def ours(line): return ask('monitor ' + line)
def number(text): return int(text, 16)
def register(name): return int(gdb.parse_and_eval('$' + name)) & (1 << 64) - 1
memory = gdb.selected_inferior
def read(at, size): return bytes(memory().read_memory(at, size))
def word(at): return struct.unpack('<Q', read(at, 8))[0]
answers = {}
`;
const TAIL = `
print('ANSWERS' + json.dumps(answers))
`;

/** gdb looks for itself in what it reads of memory; page tables are changed, and walked by the SDM's rules. */
const MEMORY_SCRIPT = `${HEAD}
ask('break sum')
ask('continue')

# ---- search
ram = read(0, ${MEMORY})
def occurrences(needle, low=0, high=len(ram)):
  found, at = [], ram.find(needle, low, high)
  while at >= 0:
    found.append(at)
    at = ram.find(needle, at + 1, high)
  return found
def pointers(first, length):
  words = struct.unpack('<%dQ' % (len(ram) // 8), ram)
  return [8 * n for n, it in enumerate(words) if first <= it < first + length]
def hits(line): return [number(row.split()[1]) for row in ours('search ' + line).splitlines()[:-1]]
second, first = (int(gdb.parse_and_eval('(long)&' + name)) for name in ('second', 'first'))
size = int(gdb.parse_and_eval('sizeof(struct node)'))
low, length = int(gdb.parse_and_eval('(long)&main')) - 8, 0x10000
answers['search'] = {
  'text': [hits('"init"'), occurrences(b'init')],
  'quoted': [hits('"first\\\\n\\\\"quoted\\\\""'), occurrences(b'first\\n"quoted"')],
  'bytes': [hits('48 89 e5'), occurrences(bytes.fromhex('4889e5'))],
  'u64': [hits('u64 0x1122334455667788'), occurrences(struct.pack('<Q', 0x1122334455667788))],
  'u32': [hits('u32 0xfffffffb'), occurrences(struct.pack('<i', -5))],
  'u16': [hits('u16 0xfbff in gpa 0x%x 0x%x' % (low, length)), occurrences(b'\\xff\\xfb', low, low + length)],
  'part': [hits('48 89 in gva 0x%x 0x%x' % (low, length)), occurrences(b'\\x48\\x89', low, low + length)],
  'pointer': [hits('pointer &second'), pointers(second, 1)],
  'pointers': [hits('pointer &first sizeof(struct node)'), pointers(first, size)],
}

# ---- telescope
def symbol(at):
  text = ask('info symbol 0x%x' % at)
  return None if text.startswith('No symbol') else text.split(' in section')[0].replace(' + ', '+')
rows, theirs = [], []
for at in (register('rsp'), first, int(gdb.parse_and_eval('(long)&head'))):
  for line in ours('telescope 0x%x 24' % at).splitlines():
    address, value, *rest = line.split()
    value = number(value)
    rows.append([address, value, rest])
    theirs.append([word(number(address)), symbol(value)])
answers['telescope'] = [rows, theirs]
answers['chain'] = [ours('telescope &head 1'), symbol(word(int(gdb.parse_and_eval('(long)&head'))))]
name = int(gdb.parse_and_eval('(long)first.name'))
answers['string'] = [ours('telescope &first.name 1'), read(name, 5).decode()]

# ---- mappings
def put(at, value): memory().write_memory(at, struct.pack('<Q', value))
def below(entry): return entry & 0x000ffffffffff000
cr3 = register('cr3')
pdpt = below(word(cr3))
pd = below(word(pdpt))
table = 0x600000
for n in range(512):
  entry = 0x400000 + 4096 * (n ^ (n // 40))
  put(table + 8 * n, 0 if n % 29 == 3 else entry | 1 | (2 if n % 61 < 50 else 0) | (4 if n % 97 > 20 else 0))
put(cr3, word(cr3) | 4)
put(pdpt, word(pdpt) | 4)
put(pd + 8 * 20, table | 7)
put(pd + 8 * 9, 0)
put(pd + 8 * 11, word(pd + 8 * 11) & ~2)
put(pd + 8 * 13, word(pd + 8 * 13) | 4)
put(pd + 8 * 15, (word(pd + 8 * 15) & ~0xffe00000) | 0x400000)
put(cr3 + 8 * 300, word(cr3) & ~2)
put(pdpt + 8 * 2, 0)
def leaves():
  for a in range(512):
    one = word(cr3 + 8 * a)
    if not one & 1: continue
    for b in range(512):
      two = word(below(one) + 8 * b)
      if not two & 1: continue
      if two & 0x80: raise Exception('a page of 1 GiB')
      three = struct.unpack('<512Q', read(below(two), 4096))
      for c, mid in enumerate(three):
        if not mid & 1: continue
        base = (a << 39) | (b << 30) | (c << 21)
        if a >= 256: base |= 0xffff << 48
        above = one & two & mid
        if mid & 0x80:
          yield base, 1 << 21, mid & 0x000fffffffe00000, above & 6
          continue
        for d, last in enumerate(struct.unpack('<512Q', read(below(mid), 4096))):
          if last & 1: yield base | d << 12, 4096, below(last), above & last & 6
def merge(list):
  out = []
  for at, size, gpa, rights in list:
    if out and out[-1][0] + out[-1][1] == at and out[-1][3] == rights: out[-1][1] += size
    else: out.append([at, size, gpa, rights])
  return [[hex(at), hex(size), hex(gpa), rights] for at, size, gpa, rights in out]
def told():
  for line in ours('vmmap').splitlines()[1:]:
    span, _, _, rights, gpa = line.split()[:5]
    low, high = (number(it) for it in span.split('-'))
    yield low, high - low + 1, number(gpa.rstrip('…')), (2 if 'w' in rights else 0) | (4 if 'u' in rights else 0)
answers['mappings'] = [merge(told()), merge(leaves())]
${TAIL}`;

/** Steps over loops, each from a place: where they end is the same for gdb and us. */
const PLACES: readonly (readonly [place: string, steps: number])[] = [
  ['main', 3],
  ['heavy', 3],
  ['light', 3],
];

/** By line into functions and over them, out of them, and a recursion; named as gdb does. */
const STEPS: Readonly<Record<string, readonly string[]>> = {
  0: [
    ...['next', 'next', 'step', 'next', 'finish', 'next', 'step', 'next', 'next', 'step', 'step', 'finish', 'next'],
    // from a function's last line into the middle of its callers' lines; that of main has blocks of its loop
    ...['tbreak loops.c:20', 'continue', 'next', 'next', 'next', 'next', 'next'],
    ...['tbreak loops.c:25 if n == 12', 'continue', 'next', 'next', 'next'],
  ],
  2: ['next', 'next', 'step', 'finish', 'next', 'next'],
};
const OURS: Readonly<Record<string, string>> = { step: 'step-line', continue: 'run' };

const loopsScript = (samples: number, every: number, steps: readonly string[]): string => `${HEAD}
ask('set backtrace past-main on')
# the guest moves without gdb's doing
ask('set stack-cache off')
stacks = {}
for n in range(1, ${samples} + 1):
  ours('until icount %d' % (n * ${every}))
  ask('maintenance flush register-cache')
  frames, frame = [], gdb.newest_frame()
  while frame is not None:
    frames.append(frame.name() or '[%s]' % hex(frame.pc()))
    frame = frame.older()
  line = ';'.join(reversed(frames))
  stacks[line] = stacks.get(line, 0) + 1
answers['stacks'] = stacks
answers['late'] = ours('until icount 100000000')
ours('system_reset')
ask('maintenance flush register-cache')
answers['until'] = []
for place, steps in ${JSON.stringify(PLACES)}:
  ask('tbreak ' + place)
  ask('continue')
  for n in range(steps):
    ask('until')
    answers['until'].append(hex(register('pc')))
ours('system_reset')
ask('maintenance flush register-cache')
ask('tbreak main')
ask('continue')
answers['steps'] = []
for line in ${JSON.stringify(steps)}:
  ask(line)
  answers['steps'].append(line + ' ' + hex(register('pc')))
${TAIL}`;

async function asked(image: string, script: string, ...options: string[]): Promise<Record<string, unknown>> {
  const guest = await RunningGuest.start(image, ...options);
  const file = `${image}.py`;
  writeFileSync(file, script);
  try {
    const target = `target remote 127.0.0.1:${guest.port}`;
    const out = await runDebugger(
      gdb.path,
      ['-nx', '-q', '-batch', '-ex', `file ${image}`, '-ex', target, '-x', file],
      150_000,
    );
    const text = /^ANSWERS(.*)$/m.exec(out)?.[1];
    if (text === undefined) throw new Error(`gdb said ${out.slice(-2000)}`);
    return JSON.parse(text) as Record<string, unknown>;
  } finally {
    await guest.stop();
  }
}

describe.skipIf(!gcc.available || !gdb.available)(named('memory of a kernel of C', gcc, gdb), () => {
  let folder: string;
  const compiled = (name: string, level: string): string => {
    const image = join(folder, `${name}-${level}`);
    const source = fileURLToPath(new URL(`c-kernel/${name}.c`, import.meta.url));
    execFileSync(gcc.path, [...FLAGS, `-O${level}`, '-o', image, source]);
    return image;
  };
  let answers: Record<string, unknown>;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-memory-'));
    answers = await asked(compiled('kernel', '0'), MEMORY_SCRIPT, '-m', '8M');
  }, 180_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  test('searches find what gdb finds in what it reads', () => {
    const all = answers.search as Record<string, [number[], number[]]>;
    for (const [what, [ours, theirs]] of Object.entries(all)) {
      expect(theirs.length, what).toBeGreaterThan(0);
      expect({ what, found: ours }).toEqual({ what, found: theirs });
    }
  });

  test('telescope: words, names and strings', () => {
    const [rows, theirs] = answers.telescope as [[string, number, string[]][], [number, string | null][]];
    expect(rows.length).toBe(72);
    let known = 0;
    for (const [index, [address, value, rest]] of rows.entries()) {
      const [word, symbol] = theirs[index]!;
      expect(`${address} ${value}`).toBe(`${address} ${word}`);
      if (symbol === null) continue;
      known++;
      expect(
        rest.map((text) => text.replace(/\+0x([0-9a-f]+)$/, (_, hex) => `+${Number.parseInt(hex, 16)}`)),
      ).toContain(symbol);
    }
    expect(known).toBeGreaterThan(5);
    const [chain, name] = answers.chain as [string, string];
    expect(chain).toContain(` ${name}`);
    const [string, text] = answers.string as [string, string];
    expect(string).toContain(`"${text}"`);
  });

  test('mappings: ranges, rights and where they lie, by a walk of the tables in gdb', () => {
    const [ours, theirs] = answers.mappings as [unknown[], unknown[]];
    expect(theirs.length).toBeGreaterThan(40);
    expect(ours).toEqual(theirs);
  });

  test.each([
    ['.eh_frame', '-fasynchronous-unwind-tables'],
    ['.debug_frame', '-fno-asynchronous-unwind-tables', '-g'],
  ])("an image's %s tells of callers, with types or without", async (section, ...flags) => {
    const image = join(folder, `no-return${section}`);
    const source = fileURLToPath(new URL('c-kernel/no-return.c', import.meta.url));
    execFileSync(gcc.path, [...FLAGS, '-g0', '-O2', ...flags, '-o', image, source]);
    const lines = ['break end', 'run', 'step', 'bt'];
    const { stdout } = await vmscope(['run', image, '--headless', ...lines.flatMap((line) => ['--ex', line])]);
    expect([...stdout.matchAll(/^ *#\d+ +0x[0-9a-f]+ in (\w+)/gm)].map(([, name]) => name)).toEqual([
      'end',
      'inner',
      'outer',
      'main',
      '_start',
    ]);
    expect(stdout).not.toContain('found by a search');
  });

  describe.each(['0', '2'])('loops at -O%s', (level) => {
    const EVERY = 4000;
    let image: string;
    let theirs: { until: string[]; steps: string[]; stacks: Record<string, number>; late: string };
    const folded: Record<string, number> = {};
    beforeAll(async () => {
      image = compiled('loops', level);
      const file = `${image}.folded`;
      const profile = ['profile', image, '--every', String(EVERY), '--format', 'folded', '-o', file];
      expect(await vmscope(profile, SLOW)).toMatchObject({ status: 1, stderr: expect.stringContaining('halted') });
      for (const line of readFileSync(file, 'latin1').trimEnd().split('\n')) {
        const [, stack = '', count] = /^(\S+) (\d+)$/.exec(line) ?? [];
        folded[stack] = Number(count);
      }
      const samples = Object.values(folded).reduce((sum, count) => sum + count, 0);
      theirs = (await asked(image, loopsScript(samples, EVERY, STEPS[level]!))) as typeof theirs;
    }, 180_000);

    test("a profile's stacks are those that gdb finds at the same instructions", () => {
      expect(Object.keys(theirs.stacks).length).toBeGreaterThan(3);
      expect(folded).toEqual(theirs.stacks);
    });

    test("until alone goes where gdb's goes", async () => {
      const lines = PLACES.flatMap(([place, steps]) => [
        ...[`tbreak ${place}`, 'run'],
        ...Array.from({ length: steps }, () => ['until', 'print /x pc']).flat(),
      ]);
      const { stdout } = await vmscope(['run', image, '--headless', ...lines.flatMap((line) => ['--ex', line])], SLOW);
      expect(stdout.match(/^0x[0-9a-f]+$/gm)).toEqual(theirs.until);
    }, 120_000);

    test("next, step-line and finish go where gdb's next, step and finish go", async () => {
      const lines = STEPS[level]!.flatMap((line) => [OURS[line] ?? line, 'print /x pc']);
      const given = ['tbreak main', 'run', ...lines].flatMap((line) => ['--ex', line]);
      const { stdout } = await vmscope(['run', image, '--headless', ...given], SLOW);
      const places = stdout.match(/^0x[0-9a-f]+$/gm) ?? [];
      expect(places.map((place, n) => `${STEPS[level]![n]} ${place}`)).toEqual(theirs.steps);
    }, 120_000);

    test('a run to an instruction that the halted guest never comes to ends, and says so', () => {
      expect(theirs.late).toMatch(/^STOPPED: the guest is halted with interrupts off at 0x/);
    });
  });
});
