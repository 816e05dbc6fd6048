// Programs as compilers make them, of the kinds that emulators are compared by: from START to DONE on the serial port, in 64-bit
// and in 32-bit code, beside QEMU TCG, and in 32-bit code beside v86 where it is installed (npm install --no-save v86).
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ownFolder } from './assembled.js';
import { format, geometricMean, type Measurement, median } from './measurement.js';
import { ROOT } from './paths.js';
import { QEMU } from './processor-time.js';

type Bits = 32 | 64;

/** How often each does its work: about half a second of QEMU TCG's. */
const TIMES: Record<string, number> = {
  'list-sort': 700,
  matrix: 320,
  crc16: 8000,
  sha256: 5500,
  crc32: 13000,
  sieve: 190,
  memcpy: 3500,
  'rep-movs': 14000,
  'pointer-chase': 170,
  fib: 1500,
  interpreter: 1000,
  quicksort: 60,
  nbody: 500,
  mandelbrot: 250,
};
const ROUNDS = 3;
const LIBRARY = `${ROOT}samples/lib/`;
const SOURCES = `${ROOT}bench/programs/`;
const LIMIT_MS = 120_000;

interface Runner {
  name: string;
  command: (elf: string) => string[];
  bits: readonly Bits[];
  /** It takes so long that it runs once. */
  slow?: true;
}

const qemu = (elf: string, ...more: string[]): string[] => [
  ...['qemu-system-x86_64', ...QEMU, '-serial', 'stdio', ...more, '-kernel', elf],
];

/** TCG comes first: the others are told as its multiples. */
function runners(): Runner[] {
  const both: readonly Bits[] = [64, 32];
  const v86 = v86Folder();
  return [
    { name: 'tcg', command: (elf) => qemu(elf), bits: both },
    { name: 'tcg -icount', command: (elf) => qemu(elf, '-icount', 'shift=0,sleep=off'), bits: both, slow: true },
    {
      name: 'vmscope',
      command: (elf) => [process.execPath, `${ROOT}bin/vmscope`, 'run', '--kernel', elf, '--headless'],
      bits: both,
    },
    ...(v86 === undefined
      ? []
      : [
          {
            name: 'v86',
            command: (elf: string) => [process.execPath, `${ROOT}bench/v86-run.mjs`, v86, elf],
            bits: [32] as const,
          },
        ]),
  ];
}

/** The package's folder; undefined where it is not installed. */
function v86Folder(): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve('v86/package.json'));
  } catch {
    return undefined;
  }
}

let folder: string | undefined;

/** Compiles a program. @returns the ELF's path */
function compiled(name: string, bits: Bits): string {
  folder ??= ownFolder();
  const stem = join(folder, `${name}-${bits}`);
  const width = bits === 64 ? ['-m64', '-mno-red-zone'] : ['-m32', '-march=i686'];
  const flags = [
    ...['-O2', '-ffreestanding', '-fno-pic', '-fno-pie', '-fno-stack-protector', '-fno-asynchronous-unwind-tables'],
    ...['-fno-math-errno', '-fno-tree-loop-distribute-patterns', `-DTIMES=${TIMES[name]}`, '-I', SOURCES],
  ];
  const objects = [`${name}.c`, 'runtime.c'].map((file, n) => {
    const object = `${stem}-${n}.o`;
    execFileSync('gcc', [...width, ...flags, '-c', `${SOURCES}${file}`, '-o', object]);
    return object;
  });
  const starts = bits === 64 ? [`${LIBRARY}start64.S`, `${LIBRARY}serial64.S`] : [`${SOURCES}start32.S`];
  for (const [n, file] of starts.entries()) {
    objects.push(`${stem}-start${n}.o`);
    execFileSync('as', [`--${bits}`, '-I', LIBRARY, '-o', `${stem}-start${n}.o`, file]);
  }
  const script = `${stem}.ld`;
  const text = readFileSync(`${LIBRARY}sample.ld`, 'utf8');
  // data on pages of its own, as linkers place it
  const apart = text
    .replace('  .data :', '  . = ALIGN(4096);\n  .data :')
    .replace('  .bss :', '  . = ALIGN(4096);\n  .bss :');
  writeFileSync(script, bits === 64 ? apart : apart.replace('elf64-x86-64', 'elf32-i386'));
  const linker = ['-m', bits === 64 ? 'elf_x86_64' : 'elf_i386', '--build-id=none', '--no-warn-rwx-segments', '-n'];
  execFileSync('ld', [...linker, '-z', 'noexecstack', '-T', script, ...objects, '-o', `${stem}.elf`]);
  return `${stem}.elf`;
}

/** Processor time of a process so far, all its threads', in s. */
function spent(pid: number): number {
  // behind the name, which may hold anything: utime and stime are the 14th and 15th field of proc_pid_stat(5)
  const [, fields] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(/\) (?!.*\) )/);
  const [user, system] = fields.split(' ').slice(11, 13).map(Number);
  return (user + system) / TICKS;
}

const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** From START to DONE. Undefined where there is no such program. @throws Error where a guest says anything else */
function run([program, ...args]: string[]): Promise<{ seconds: number; checksum: string } | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    let text = '';
    let begin: number | undefined;
    let result: { seconds: number; checksum: string } | undefined;
    child.once('error', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
    child.stdout.on('data', (bytes: Buffer) => {
      if (result !== undefined) return;
      text += bytes.toString('latin1');
      if (begin === undefined && text.includes('START')) begin = spent(child.pid!);
      const done = /DONE ([0-9a-f]{8})/.exec(text);
      if (done === null || begin === undefined) return;
      result = { seconds: spent(child.pid!) - begin, checksum: done[1] };
      child.kill('SIGKILL');
    });
    child.once('close', (status) => {
      clearTimeout(timer);
      if (result !== undefined) resolve(result);
      else reject(new Error(`${program} ended with ${status} before DONE: ${text.slice(-80)}`));
    });
  });
}

/** Each runner's multiples of TCG's time, program by program. */
const ratios = new Map<string, number[]>();

async function measure(name: string, bits: Bits): Promise<Measurement[]> {
  const elf = compiled(name, bits);
  const all = runners().filter((runner) => runner.bits.includes(bits));
  const times = all.map(() => [] as number[]);
  const checksums = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [n, { command, slow }] of all.entries()) {
      if (slow && round > 0) continue;
      const result = await run(command(elf));
      if (result === undefined) continue;
      times[n].push(result.seconds);
      checksums.add(result.checksum);
    }
  }
  if (checksums.size > 1) throw new Error(`${name} in ${bits} bits: checksums differ: ${[...checksums].join(' and ')}`);
  const reference = times[0].length > 0 ? median(times[0]) : undefined;
  return all.flatMap((runner, n) => {
    if (times[n].length === 0) return [];
    const seconds = median(times[n]);
    const told = { name: `programs.${name} ${bits}, ${runner.name}`, value: seconds, unit: 's' as const };
    if (reference === undefined) return [told];
    const key = `${bits}, ${runner.name}`;
    ratios.set(key, [...(ratios.get(key) ?? []), seconds / reference]);
    return [{ ...told, note: `${format(seconds / reference)} of TCG's processor time` }];
  });
}

const mean = (): Measurement[] =>
  [...ratios].map(([name, all]) => ({
    name: `programs.mean ${name}`,
    value: geometricMean(all),
    unit: 'ratio',
    note: `of TCG's processor time, geometric mean of ${all.length} programs`,
  }));

export const programs = [
  ...Object.keys(TIMES).flatMap((name) => ([64, 32] as const).map((bits) => () => measure(name, bits))),
  mean,
];
