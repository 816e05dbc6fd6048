/**
 * How long what a polling guest waits for takes of the host's time, by --clock wall: a count of the PIT, ten seconds of the TSC, and
 * GRUB's timeout. 1 is right; above that the host is too slow, or too busy with other work.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Measurement } from './measurement.js';
import { ROOT } from './paths.js';

const PROGRAM = `${ROOT}bin/vmscope`;
const GRUB = `${ROOT}build/guests/grub/grub.img`;
const PATIENCE_MS = 600_000;
/** GRUB moves the cursor within a word. */
const CURSOR = /\x1b\[[\d;?]*[a-zA-Z]/g;

/** mov dx, 3f8h; mov al, 'A'; out dx, al */
const PRINT_A = 'baf803 b041 ee';
/** mov dx, 3f8h; mov al, 'B'; out dx, al; mov al, 0; out 0f4h, al */
const PRINT_B = 'baf803 b042 ee b000 e6f4';
/**
 * Ten seconds: rdtsc; mov esi, eax; mov edi, edx; add esi, 10^10 mod 2^32; adc edi, 10^10 >> 32; 1: rdtsc; cmp edx, edi; jb 1b; ja 2f;
 * cmp eax, esi; jb 1b; 2:
 */
const TSC_WAIT = '0f31 6689c6 6689d7 6681c600e40b54 6683d702 0f31 6639fa 72f9 7705 6639f0 72f2';
/**
 * The PIT's counter 0, mode 2, 65536, latched and read until it has begun anew 55 times, 3.02 s: mov al, 34h; out 43h, al; mov al, 0;
 * out 40h, al; out 40h, al; mov cx, 55; mov bx, 0ffffh; 1: mov al, 0; out 43h, al; in al, 40h; mov ah, al; in al, 40h;
 * xchg al, ah; cmp ax, bx; mov bx, ax; jbe 1b; loop 1b
 */
const PIT_WAIT = 'b034 e643 b000 e640 e640 b93700 bbffff b000 e643 e440 88c4 e440 86c4 39d8 89c3 76ee e2ec';
const PIT_SECONDS = (55 * 65536) / 1_193_182;

/** Seconds between two texts of a guest's output. */
function between(args: readonly string[], first: RegExp, then: RegExp): Promise<number> {
  const child = spawn(process.execPath, [PROGRAM, 'run', ...args, '--headless', '--clock', 'wall'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let [out, began] = ['', 0];
    const done = (result: () => void): void => {
      clearTimeout(late);
      child.kill('SIGKILL');
      result();
    };
    const late = setTimeout(() => done(() => reject(new Error(`no ${then} in ${out}`))), PATIENCE_MS);
    child.stdout.on('data', (bytes: Buffer) => {
      out = (out + bytes.toString('latin1')).replace(CURSOR, '');
      if (began === 0 && first.test(out)) [out, began] = ['', performance.now()];
      if (began !== 0 && then.test(out)) done(() => resolve((performance.now() - began) / 1000));
    });
    child.once('close', () => done(() => reject(new Error(`the guest ended with ${out}`))));
  });
}

async function flat(name: string, code: string, wanted: number): Promise<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-clock-'));
  try {
    const image = join(folder, 'wait.bin');
    writeFileSync(image, Buffer.from(`${PRINT_A} ${code} ${PRINT_B}`.replaceAll(' ', ''), 'hex'));
    const taken = await between([image, '--at', '0x7c00', '-m', '8', '--isa-debug-exit'], /A/, /B/);
    return { name, value: taken / wanted, unit: 'ratio', note: `${taken.toFixed(2)} s for ${wanted.toFixed(2)}` };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function grubTimeout(): Promise<Measurement[]> {
  if (!existsSync(GRUB)) return [];
  const options = ['--disk', `${GRUB},if=ide,snapshot=on`, '-m', '256M', '--sercon', 'on'];
  const taken = await between(options, /executed automatically in +5s/, /real +16-bit/);
  return [
    {
      name: 'clock.grub',
      value: taken / 5,
      unit: 'ratio',
      note: `${taken.toFixed(2)} s for 5, a kernel loaded with it`,
    },
  ];
}

export const clock = [
  async () => [await flat('clock.pit', PIT_WAIT, PIT_SECONDS)],
  async () => [await flat('clock.tsc', TSC_WAIT, 10)],
  grubTimeout,
];
