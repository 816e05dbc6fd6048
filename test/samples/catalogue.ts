import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Sample {
  name: string;
  folder: string;
  /** What `vmscope run samples/NAME` takes: the ELF file, or the flat image where there is none. */
  image: string;
  flat: boolean;
  /** Exact COM1 output under vmscope, under QEMU's TCG, and on /dev/kvm. */
  expected: string;
  expectedQemu: string;
  expectedKvm: string;
  /** Exit status and the exit reasons that must occur. */
  status: number;
  exits: string[];
  /** What to type once the guest has written its first line. */
  input: string;
}

function sample(name: string): Sample {
  const folder = `${ROOT}samples/${name}`;
  const text = (file: string, otherwise?: string) =>
    otherwise !== undefined && !existsSync(`${folder}/${file}`) ? otherwise : readFileSync(`${folder}/${file}`, 'utf8');
  const expected = text('expected.txt');
  const flat = !existsSync(`${folder}/${name}.elf`);
  return {
    name,
    folder,
    image: `${folder}/${name}.${flat ? 'bin' : 'elf'}`,
    flat,
    expected,
    expectedQemu: text('expected-qemu.txt', expected),
    expectedKvm: text('expected-kvm.txt', expected),
    ...(JSON.parse(text('expected.json')) as { status: number; exits: string[] }),
    input: text('input.txt', ''),
  };
}

/** Every folder of samples/ that has a guest in it. */
export const SAMPLES: Sample[] = readdirSync(`${ROOT}samples`, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(`${ROOT}samples/${entry.name}/${entry.name}.S`))
  .map((entry) => sample(entry.name));

export const VMSCOPE = `${ROOT}bin/vmscope`;
export const BUILD_SCRIPT = `${ROOT}samples/build.sh`;

export interface Finished {
  stdout: string;
  stderr: string;
  status: number | null;
}

/** Runs a program to its end; `input` goes in after its first line of output, since a guest empties its UART at start. */
export function run(program: string, args: string[], input: string, timeoutMs: number): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { timeout: timeoutMs, killSignal: 'SIGKILL' });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let waiting = input;
    child.stdout.on('data', (bytes: Buffer) => {
      out.push(bytes);
      if (waiting !== '' && bytes.includes(10)) {
        child.stdin.write(waiting);
        waiting = '';
      }
    });
    child.stderr.on('data', (bytes: Buffer) => err.push(bytes));
    child.stdin.on('error', () => {}); // a guest that has ended reads no more
    child.on('error', reject);
    child.on('close', (status) =>
      resolve({ stdout: Buffer.concat(out).toString('latin1'), stderr: Buffer.concat(err).toString(), status }),
    );
  });
}
