/** A guest that says it is Linux and never is: connecting must not wait for what does not come. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { named, requireTool } from '../tools.js';
import { RunningGuest, runDebugger, until } from './running-guest.js';

const tools = ['gdb', 'as', 'ld'].map(requireTool);
const [gdb, as, ld] = tools;
const absent = tools.some((tool) => !tool.available);

/** Paging on, and on in the kernel's half. */
const SOURCE = `.globl _start
_start:
  mov %cr3, %rax
  mov (%rax), %rbx
  mov %rbx, 0xff8(%rax)
  mov (%rbx), %rcx
  and $-4096, %rbx
  mov (%rbx), %rcx
  mov %rcx, 0xff0(%rbx)
  lea high(%rip), %rdx
  mov $0xffffffff80000000, %rax
  add %rax, %rdx
  jmp *%rdx
high: incl %ecx
  jmp high
.asciz "Linux version 9.9.9-unknown (nobody)"
`;

let folder: string;
let guest: RunningGuest | undefined;

beforeAll(() => {
  if (absent) return;
  folder = mkdtempSync(join(tmpdir(), 'vmscope-unknown-'));
  writeFileSync(join(folder, 'k.S'), SOURCE);
  execFileSync(as.path, ['-o', 'k.o', 'k.S'], { cwd: folder });
  execFileSync(ld.path, ['-Ttext=0x200000', '-o', 'k.elf', 'k.o'], { cwd: folder });
});
afterEach(() => guest?.stop());
afterAll(() => {
  if (!absent) rmSync(folder, { recursive: true });
});

const run = (...commands: string[]): Promise<string> => {
  const all = [`target remote 127.0.0.1:${guest?.port}`, ...commands, 'disconnect'];
  return runDebugger(gdb.path, ['-nx', '-q', '-batch', ...all.flatMap((line) => ['-ex', line])]);
};

test.skipIf(absent)(named('a kernel that is not recognised keeps no gdb waiting', ...tools), async () => {
  guest = await RunningGuest.start(join(folder, 'k.elf'));
  // at the reset: the run aside is given up
  const early = await run('stepi 50', 'p/x (unsigned long)$pc >> 32');
  expect(early).toMatch(/target:\/linux-9\.9\.9-unknown': can't open/);
  expect(early).toContain('$1 = 0xffffffff');
  expect(guest.stderr).toMatch(/no symbols of the kernel: the kernel that runs is not recognised/);
  // in the kernel: nothing is run aside
  const late = await run('p/x (unsigned long)$pc >> 32');
  expect(late).toContain('$1 = 0xffffffff');
});

test.skipIf(absent)(named('the program is named at once, before anything is searched', ...tools), async () => {
  guest = await RunningGuest.start(join(folder, 'k.elf'));
  let answers = '';
  const socket: Socket = connect(guest.port, '127.0.0.1');
  socket.on('data', (bytes) => {
    answers += bytes.toString('latin1');
  });
  const send = (payload: string): void => {
    const sum = [...payload].reduce((all, char) => all + char.charCodeAt(0), 0) & 0xff;
    socket.write(`$${payload}#${sum.toString(16).padStart(2, '0')}`);
  };
  const hex = Buffer.from('/linux-9.9.9-unknown').toString('hex');
  for (const payload of ['?', 'qXfer:exec-file:read:1:0,fff', `vFile:open:${hex},0,0`, 'qTStatus']) send(payload);
  await until('the answers', () => answers.split('#').length > 4);
  socket.destroy();
  expect(answers).toContain('l/linux-9.9.9-unknown');
  expect(answers).toContain('$F3#');
  expect(guest.stderr).not.toMatch(/symbols of the kernel/);
});
