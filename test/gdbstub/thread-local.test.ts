/** Thread-local variables: of a guest's own program with stock gdb, and what the stub answers where it cannot know. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { threadLocalSegment } from '../../src/gdbstub/thread-local.js';
import { named, requireTool } from '../tools.js';
import { FakeTarget } from './fake-target.js';
import { RunningGuest, runDebugger } from './running-guest.js';
import { WireClient } from './wire-client.js';

const gdb = requireTool('gdb');
const gcc = requireTool('gcc');
const tools = [gdb, gcc];

/** Storage as a kernel makes it, without the initial values: below a block that points to itself. */
const SOURCE = `
typedef unsigned long word;
__thread int first = 1;
__thread long long second __attribute__((aligned(64))) = 2;
__thread int zero[3];
static struct { _Alignas(64) char values[256]; word self; } block;
extern char __ehdr_start __attribute__((weak));
__attribute__((noinline)) void ready(void) { __asm__ volatile("" ::: "memory"); }
static void set_fs(word to) {
  __asm__ volatile("wrmsr" ::"c"(0xc0000100), "a"((unsigned)to), "d"((unsigned)(to >> 32)));
}
__attribute__((noinline)) void work(void) { first += 100; second += 1000; zero[2] = 7; ready(); }
void _start(void) {
  if (HEADER && !&__ehdr_start) for (;;) ;
  ready();
  block.self = (word)&block.self;
  set_fs(block.self);
  work();
  for (;;) __asm__ volatile("hlt");
}
`;
const FLAGS =
  '-m64 -g -O1 -fno-pic -fno-pie -no-pie -ffreestanding -nostdlib -static -fno-stack-protector -fcf-protection=none ' +
  '-ftls-model=local-exec -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,--no-warn-rwx-segments';
/** With its header in memory, and without. */
const PLACES = { 'in memory': '-Wl,-Ttext-segment=0x100000', 'in the file alone': '-Wl,-N -Wl,-Ttext=0x100000' };

const folder = mkdtempSync(join(tmpdir(), 'vmscope-tls-'));
afterAll(() => rmSync(folder, { recursive: true }));
let guest: RunningGuest | undefined;
afterEach(async () => {
  await guest?.stop();
  guest = undefined;
});

describe.skipIf(tools.some(({ available }) => !available))(named('gdb', ...tools), () => {
  test.each(Object.entries(PLACES))(
    'prints and sets thread-local variables of a program with its header %s',
    {
      timeout: 120_000,
    },
    async (place, flags) => {
      const program = join(folder, `tls-${flags.length}.elf`);
      const source = join(folder, 'tls.c');
      writeFileSync(source, SOURCE);
      const header = `-DHEADER=${place === 'in memory' ? 1 : 0}`;
      execFileSync(gcc.path, [...FLAGS.split(' '), ...flags.split(' '), header, '-o', program, source], {
        stdio: 'pipe',
      });
      guest = await RunningGuest.start(program);
      const connect = `target remote 127.0.0.1:${guest.port}`;
      const commands = ['set pagination off', connect, 'monitor linux-abi on', 'disconnect', connect];
      commands.push('break ready', 'continue', 'print first', 'continue', 'print first', 'print second', 'print zero');
      commands.push('set variable first = 5', 'up', 'print first', 'x/dw &second', 'disconnect');
      const out = await runDebugger(
        gdb.path,
        [...['-nx', '-q', '-batch', program], ...commands.flatMap((line) => ['-ex', line])],
        100_000,
      );
      expect(out).toMatch(/Cannot find thread-local storage.*\n.*failed to process qGetTLSAddr/);
      expect(out).toMatch(/\$1 = 100\n\$2 = 1000\n\$3 = \{0, 0, 7\}/);
      expect(out).toMatch(/ = 5\n/);
      expect(out).toMatch(/:\s+1000\n/);
    },
  );
});

describe('qGetTLSAddr', () => {
  const HEADER = 0x3000n;
  /** A 64-bit header and one PT_TLS of 20 bytes at 8 modulo 16, aligned to 16. */
  function withHeader(target: FakeTarget): void {
    const bytes = Buffer.alloc(64 + 56);
    bytes.write('\x7fELF\x02\x01', 'latin1');
    bytes.writeBigUInt64LE(64n, 32);
    bytes.writeUInt16LE(56, 54);
    bytes.writeUInt16LE(1, 56);
    bytes.writeUInt32LE(7, 64);
    bytes.writeBigUInt64LE(0x4008n, 64 + 16);
    bytes.writeBigUInt64LE(20n, 64 + 40);
    bytes.writeBigUInt64LE(16n, 64 + 48);
    target.memory.set(bytes, Number(HEADER));
  }

  async function ready(): Promise<WireClient> {
    const client = new WireClient(new FakeTarget(2));
    withHeader(client.target);
    await client.ask('qSupported:error-message+');
    await client.ask(`qSymbol:${HEADER.toString(16)}:${Buffer.from('__ehdr_start').toString('hex')}`);
    client.target.cpus[1].values.fs_base = 0x5000n;
    new DataView(client.target.memory.buffer).setBigUint64(0x5000, 0x5000n, true);
    return client;
  }

  test('answers by the thread pointer of that thread and the size of the segment, as linkers place it', async () => {
    const client = await ready();
    // 0x4008 + 20 = 0x401c is 4 below a multiple of 16
    expect(await client.ask('qGetTLSAddr:2,4,0')).toBe((0x5000 - 20 - 4 + 4).toString(16));
  });

  test('says why where it cannot know', async () => {
    const client = await ready();
    expect(await client.ask('qGetTLSAddr:1,4,0')).toMatch(
      /^E\.thread 1 has no thread-local storage now: fs_base is 0x0/,
    );
    expect(await client.ask('qGetTLSAddr:2,4,7f001000')).toMatch(/^E\..*shared library/);
    expect(await client.ask('qGetTLSAddr:3,4,0')).toMatch(/^E\.no such thread/);
    expect(await client.ask('qGetTLSAddr:2,4')).toMatch(/^E\.malformed/);
    await client.ask(`qSymbol::${Buffer.from('__ehdr_start').toString('hex')}`);
    expect(await client.ask('qGetTLSAddr:2,4,0')).toMatch(/^E\..*PT_TLS/);
  });

  test('a table that ends early or never has no such segment', () => {
    const tables = { bits: 64 as const, at: 64, entryBytes: 56, count: 128 };
    expect(threadLocalSegment(tables, new Uint8Array(55))).toBeUndefined();
    expect(threadLocalSegment(tables, new Uint8Array(56 * 128))).toBeUndefined();
  });
});
