import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../core/exec/random-code.js';
import { importTrace } from '../formats/perfetto-import.js';
import { wrongInTrace } from '../formats/reader-rules.js';
import { SAMPLES, vmscope } from './vmscope.js';

let folder: string;
let zoo: string;
let counts: Record<string, number>;
let total: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vmscope-'));
  zoo = join(folder, 'zoo.trace');
  const run = await vmscope(['run', join(SAMPLES, 'exit-zoo'), '--headless', '--trace', zoo, '--stats', 'json']);
  const stats = JSON.parse(run.stderr.trimEnd().split('\n').at(-1)!);
  counts = stats.exits;
  total = stats.exitsTotal;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const trace = (...args: string[]) => vmscope(['trace', zoo, ...args]);

describe('vmscope trace', () => {
  it('counts what --stats counts, and the times make up the clock', async () => {
    const { stdout, stderr, status } = await trace();
    expect([stderr, status]).toEqual(['', 0]);
    const found = Object.fromEntries(
      [...stdout.matchAll(/^ *([A-Z_]+) +(\d+) +[\d.]+% /gm)].map(([, name, samples]) => [name, Number(samples)]),
    );
    expect(Object.keys(found).length).toBeGreaterThan(40);
    for (const [name, samples] of Object.entries(found)) expect([name, samples]).toEqual([name, counts[name]]);
    expect(stdout).toContain(`Total Samples:${total}, Total events handled time:`);
    const records = (await trace('--format', 'json')).stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records).toHaveLength(total);
    const spent = records.reduce((sum, { ns }) => sum + (ns ?? 0), 0);
    const [first, last] = [records[0], records.at(-1)];
    expect(spent).toBe(last.clock - first.clock - (last.icount - first.icount));
  });

  it('gives each exit once in every format, with conditions and names', async () => {
    const where = ['--if', 'CPUID|MSR_READ if rcx != 0x10', '--symbols', join(SAMPLES, 'exit-zoo')];
    const json = (await trace('--format', 'json', ...where)).stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(json.map(({ name }) => name).sort()).toEqual(['CPUID', 'MSR_READ', 'MSR_READ', 'MSR_READ']);
    expect(json[1].symbol).toBe('do_cpuid+0x2');
    const csv = (await trace('--format', 'csv', ...where)).stdout.trimEnd().split('\n');
    expect(csv).toHaveLength(5);
    expect(csv[2]).toContain(',do_cpuid+0x2');
    const text = (await trace('--format', 'text', ...where)).stdout.trimEnd().split('\n');
    expect(text).toHaveLength(4);
    expect(text[2]).toMatch(/MSR_READ +IA32_APIC_BASE +[0-9a-f]{16} do_rdmsr\+0x5 +gave fee00900, then resumed$/);
  });

  it('puts exits together by what they were about, as the records say', async () => {
    const json = (...args: string[]) => trace('--json', ...args).then(({ stdout }) => JSON.parse(stdout));
    const records = (await trace('--format', 'json')).stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const out = records.filter(({ name, subject }) => name === 'IO_INSTRUCTION' && subject.startsWith('out port 3f8'));
    expect(out.length).toBeGreaterThan(500);
    const ports = await json('--by', 'port');
    const row = ports.rows.find(({ name }: { name: string }) => name.startsWith('port 3f8 out'));
    const ns = out.flatMap(({ ns }) => (ns === undefined ? [] : [ns])).sort((a, b) => a - b);
    const sum = ns.reduce((all, one) => all + one, 0);
    expect(row).toMatchObject({ samples: out.length, timed: ns.length, ns: sum, minNs: ns[0], maxNs: ns.at(-1) });
    expect(row.histogram.reduce((all: number, { count }: { count: number }) => all + count, 0)).toBe(ns.length);
    expect(row.p99Ns).toBeGreaterThanOrEqual(ns[Math.ceil(0.99 * ns.length) - 1]);
    expect(ports.samples + ports.others).toBe(total);
    for (const by of ['gpa', 'task', 'subject']) {
      const { samples, others } = await json('--by', by);
      expect([by, samples + others]).toEqual([by, total]);
    }
    expect((await trace('--by', 'msr')).stdout).toMatch(/IA32_APIC_BASE read +2 /);
    expect((await trace('--histogram', '--rows', '2')).stdout).toMatch(/^ +512ns to 1\.02us +\|@+ *\| \d+$/m);
  });

  it('tells of exits that could be avoided, with the figures', async () => {
    const { stdout } = await trace('--format', 'hints');
    expect(stdout).toContain('Data goes to a port byte by byte\n  seen ');
    const found = JSON.parse((await trace('--format', 'hints', '--json')).stdout);
    expect(found.map(({ id }: { id: string }) => id)).toEqual(['bytes-to-port']);
    expect((await trace('--format', 'hints', '--if', 'CPUID')).stdout).toContain('no known avoidable pattern');
  });

  it("gives Perfetto's trace events", async () => {
    const { stdout } = await trace('--format', 'perfetto');
    expect(wrongInTrace(JSON.parse(stdout))).toEqual([]);
    const { threads, errors } = importTrace(stdout);
    expect(errors).toEqual([]);
    expect([...threads.values()].map(({ name }) => name)).toEqual(['vcpu 0']);
    const [{ slices }] = [...threads.values()];
    expect(slices).toHaveLength(total);
    expect(
      Object.fromEntries(Object.keys(counts).map((name) => [name, slices.filter((one) => one.name === name).length])),
    ).toEqual(counts);
    expect(slices.find(({ name }) => name === 'HLT')!.dur).toBeCloseTo(16_000, -2);
  });

  it("gives Perfetto's trace events one behind the other over resets", async () => {
    const file = join(folder, 'resets.trace');
    const resets = ['--reboot-on-triple-fault', '--until-exits', '400', '--trace', file];
    await vmscope(['run', join(SAMPLES, 'triple-fault'), '--headless', ...resets]);
    const { stdout } = await vmscope(['trace', file, '--format', 'perfetto']);
    expect(wrongInTrace(JSON.parse(stdout))).toEqual([]);
    const [{ slices }] = [...importTrace(stdout).threads.values()];
    expect(slices.filter(({ name }) => name === 'TRIPLE_FAULT')).toHaveLength(3);
    expect(slices).toHaveLength(400);
  });

  it('keeps exits beyond what the ring holds', async () => {
    const file = join(folder, 'long.trace');
    // mov al, 0; out 80h, al; jmp
    const image = join(folder, 'writes.bin');
    writeFileSync(image, Buffer.from('b000e680ebfc', 'hex'));
    const until = ['--until-exits', '40000', '--stats', 'json'];
    const run = await vmscope(['run', image, '--at', '0x7c00', '--headless', '--trace', file, ...until], {
      timeoutMs: 60_000,
    });
    const { exitsTotal } = JSON.parse(run.stderr.trimEnd().split('\n').at(-1)!);
    expect(exitsTotal).toBe(40_000);
    const { stdout } = await vmscope(['trace', file]);
    expect(stdout).toContain('Total Samples:40000,');
    // compressed: a record has 128 bytes
    expect(statSync(file).size).toBeLessThan((exitsTotal * 128) / 4);
  }, 90_000);

  it('names what it cannot read', async () => {
    const other = join(folder, 'other');
    writeFileSync(other, 'no trace');
    const old = join(folder, 'old');
    writeFileSync(old, Buffer.concat([Buffer.from('VMSCTRC\0'), Buffer.from(Uint32Array.of(128, 1).buffer)]));
    for (const [args, message] of [
      [[other], `${other}: is not a trace of VM exits`],
      [[old], `${old}: is a trace of version 1; this program reads version 2`],
      [[join(folder, 'none')], 'none: no such file'],
      [[folder], `${folder}: is a folder`],
      [[zoo, '--if', 'NONSENSE'], '--if NONSENSE: no exit reason "NONSENSE"'],
      [[zoo, '--if', 'any if rcx == rbx'], 'an exit has no field "rbx"; it has port,'],
      [[zoo, '--format', 'pdf'], 'Allowed choices are report, hints, text, csv, json, perfetto'],
      [[zoo, '--symbols', other], `${other}: `],
    ] as [string[], string][]) {
      const { stdout, stderr, status } = await vmscope(['trace', ...args]);
      expect(stderr).toContain(message);
      expect(stderr.trimEnd().split('\n')).toHaveLength(1);
      expect([stdout, status]).toEqual(['', 2]);
    }
  });

  it('reads a cut or damaged file up to there, and never hangs', async () => {
    const whole = readFileSync(zoo);
    const random = new Random(0x7ace);
    const file = join(folder, 'damaged.trace');
    for (let n = 0; n < 12; n++) {
      copyFileSync(zoo, file);
      const bytes = Buffer.from(whole);
      if (n % 2) bytes[random.below(bytes.length)] ^= 1 + random.below(255);
      writeFileSync(file, n % 2 ? bytes : bytes.subarray(0, random.below(bytes.length)));
      const { status, stderr, signal } = await vmscope(['trace', file]);
      expect(signal).toBe(null);
      expect([0, 1, 2]).toContain(status);
      if (status !== 0) expect(stderr).toContain(file);
      if (n % 2 === 0) expect(status).not.toBe(0);
    }
  }, 60_000);
});
