/** Memory of the client's own in the guest: in each paging mode, undone to the byte; and LLDB that calls functions with it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { ScratchMemory } from '../../src/gdbstub/scratch-memory.js';
import type { Target } from '../../src/gdbstub/target.js';
import { named, requireTool } from '../tools.js';
import { buildKernel32 } from './kernel32/build.js';
import { RunningGuest, runDebugger } from './running-guest.js';

const lldb = requireTool('lldb');
const gcc = requireTool('gcc');

const PG = 1n << 31n;
const PAE = 1n << 5n;
const LA57 = 1n << 12n;
const LMA = 1n << 10n;
const ROOT = 0x1000n;
const GPA = 0x10000n;

/** Physical memory and one vCPU's registers; what is written to CR3 is counted. */
class Machine {
  readonly memory = new Uint8Array(0x20000).map((_, at) => (at >= Number(GPA) ? at % 251 : 0));
  readonly registers: Record<string, bigint>;
  architecture: 'i386' | 'x86-64' = 'i386';
  flushes = 0;

  constructor(registers: Record<string, bigint>) {
    this.registers = { cr0: 0n, cr3: ROOT, cr4: 0n, efer: 0n, cs: 8n, rip: 0n, ...registers };
    if ((this.registers.efer & LMA) !== 0n) this.architecture = 'x86-64';
  }

  get target(): Target {
    return {
      threads: 1,
      scratch: { gpa: GPA, bytes: 0x10000 },
      readRegisters: async () => ({ architecture: this.architecture, csBase: 0n, values: { ...this.registers } }),
      extraRegisters: {
        list: [],
        read: async (_thread: number, name: string) => this.registers[name],
        write: async (_thread: number, name: string) => {
          if (name === 'cr3') this.flushes++;
        },
      },
      readMemory: async (_space: string, at: bigint, length: number) =>
        this.memory.slice(Number(at), Number(at) + length),
      writeMemory: async (_space: string, at: bigint, bytes: Uint8Array) => {
        this.memory.set(bytes, Number(at));
        return bytes.length;
      },
    } as unknown as Target;
  }

  put(at: bigint, entry: bigint, bytes: 4 | 8): void {
    const view = new DataView(this.memory.buffer);
    if (bytes === 8) view.setBigUint64(Number(at), entry, true);
    else view.setUint32(Number(at), Number(entry), true);
  }

  /** As the processor finds it; undefined: not mapped. `bits` of the linear address a level has. */
  walk(linear: bigint, levels: readonly number[], entryBytes: 4 | 8): { gpa: bigint; user: boolean } | undefined {
    const view = new DataView(this.memory.buffer);
    let table = this.registers.cr3;
    let user = true;
    let shift = 12n + levels.reduce((sum, bits) => sum + BigInt(bits), 0n);
    for (const bits of levels) {
      shift -= BigInt(bits);
      const index = (linear >> shift) & ((1n << BigInt(bits)) - 1n);
      const at = Number(table + index * BigInt(entryBytes));
      const entry = entryBytes === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true));
      if ((entry & 1n) === 0n || (entry & 2n) === 0n) return undefined;
      user &&= (entry & 4n) !== 0n;
      table = entry & 0xf_ffff_ffff_f000n;
    }
    return { gpa: table | (linear & 0xfffn), user };
  }
}

const MODES = {
  '32-bit': { registers: { cr0: PG }, levels: [10, 10], entryBytes: 4 },
  '4-level': { registers: { cr0: PG, cr4: PAE, efer: LMA }, levels: [9, 9, 9, 9], entryBytes: 8 },
  '5-level': { registers: { cr0: PG, cr4: PAE | LA57, efer: LMA }, levels: [9, 9, 9, 9, 9], entryBytes: 8 },
} as const;

describe('memory of a client', () => {
  test.each(Object.entries(MODES))(
    '%s paging: mapped for ring 0 and ring 3, and undone to the byte',
    async (_name, mode) => {
      for (const cs of [8n, 0x33n]) {
        const machine = new Machine({ ...mode.registers, cs });
        const before = machine.memory.slice();
        const scratch = new ScratchMemory(machine.target);
        const first = await scratch.allocate(4096, true, 0);
        const second = await scratch.allocate(5000, false, 0);
        expect(second).toBe(first + 4096n);
        for (const at of [first, second + 4097n]) {
          const found = machine.walk(at, mode.levels, mode.entryBytes);
          expect(found).toEqual({ gpa: scratch.physical(at), user: cs === 0x33n });
        }
        // more than there is, and not to be run, are addresses that nothing is behind
        const bare = await scratch.allocate(0x80000, false, 0);
        expect(scratch.isBare(bare + 0x7ffffn)).toBe(true);
        expect(machine.walk(bare, mode.levels, mode.entryBytes)).toBeUndefined();
        await expect(scratch.allocate(0x80000, true, 0)).rejects.toThrow(/no room for 524288 bytes: \d+ pages/);
        for (const at of [second, bare, first]) await scratch.free(at);
        expect(Buffer.compare(machine.memory, before)).toBe(0);
        expect(machine.flushes).toBe(1);
        expect(scratch.physical(first)).toBeUndefined();
        await expect(scratch.free(first)).rejects.toThrow(/no memory was allocated at 0x/);
      }
    },
  );

  test('PAE paging: under a directory that is there', async () => {
    const machine = new Machine({ cr0: PG, cr4: PAE, cr3: 0x1020n });
    machine.put(0x1020n + 8n, 0x2001n, 8);
    const before = machine.memory.slice();
    const scratch = new ScratchMemory(machine.target);
    const at = await scratch.allocate(1, true, 0);
    expect(at >> 30n).toBe(1n);
    const leaf = new DataView(machine.memory.buffer).getBigUint64(0x2000 + Number((at >> 21n) & 511n) * 8, true);
    expect(leaf & 3n).toBe(3n);
    await scratch.release();
    expect(Buffer.compare(machine.memory, before)).toBe(0);
  });

  test('without paging it is at its physical address; where no entry is empty there is none', async () => {
    const bare = new Machine({});
    expect(await new ScratchMemory(bare.target).allocate(10, true, 0)).toBe(GPA);
    const full = new Machine({ cr0: PG, cr4: PAE, efer: LMA });
    for (let index = 0n; index < 512n; index++) full.put(ROOT + index * 8n, 0x6000n, 8);
    const before = full.memory.slice();
    const scratch = new ScratchMemory(full.target);
    await expect(scratch.allocate(10, true, 0)).rejects.toThrow(/have no empty entry/);
    expect(Buffer.compare(full.memory, before)).toBe(0);
  });

  test('a thread that is to run there in other tables has it in those; what the guest put into the entry stays', async () => {
    const machine = new Machine({ ...MODES['4-level'].registers });
    const scratch = new ScratchMemory(machine.target);
    const at = await scratch.allocate(10, true, 0);
    machine.registers.cr3 = 0x3000n;
    await scratch.prepare();
    expect(machine.walk(at, [9, 9, 9, 9], 8)).toBeUndefined();
    machine.registers.rip = at + 5n;
    await scratch.prepare();
    expect(machine.walk(at, [9, 9, 9, 9], 8)?.gpa).toBe(scratch.physical(at));
    const slot = (at >> 39n) * 8n;
    expect(new DataView(machine.memory.buffer).getBigUint64(Number(ROOT + slot), true)).toBe(0n);
    machine.put(0x3000n + slot, 0x7007n, 8);
    await scratch.release();
    expect(new DataView(machine.memory.buffer).getBigUint64(Number(0x3000n + slot), true)).toBe(0x7007n);
  });
});

const SOURCE = `
volatile int counter;
__attribute__((noinline)) int add(int a, int b) { counter += a + b; return a + b; }
__attribute__((noinline)) int twice(int a) { return add(a, a); }
void _start(void) { twice(1); for (;;) __asm__ volatile("pause"); }
`;
const FLAGS =
  '-m64 -g -O1 -fno-pic -fno-pie -no-pie -ffreestanding -nostdlib -static -fno-stack-protector -fcf-protection=none ' +
  '-Wl,--build-id=none -Wl,-Ttext=0x100000 -Wl,-N -Wl,--no-warn-rwx-segments';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-scratch-'));
afterAll(() => rmSync(folder, { recursive: true }));
let guest: RunningGuest | undefined;
afterEach(async () => {
  await guest?.stop();
  guest = undefined;
});

const tools = [lldb, gcc];
describe.skipIf(tools.some(({ available }) => !available))(named('lldb', ...tools), () => {
  const kernels = {
    'of 32 bits without paging': (file: string) => buildKernel32(gcc.path, file),
    'of 64 bits': (file: string) => {
      writeFileSync(`${file}.c`, SOURCE);
      execFileSync(gcc.path, [...FLAGS.split(' '), '-o', file, `${file}.c`], { stdio: 'pipe' });
    },
  };
  test.each(Object.entries(kernels))(
    'calls functions of a kernel %s in expressions',
    { timeout: 120_000 },
    async (name, build) => {
      const file = join(folder, `kernel-${name.slice(3, 5)}.elf`);
      build(file);
      guest = await RunningGuest.start(file);
      const connect = `gdb-remote 127.0.0.1:${guest.port}`;
      const lines = [`target create ${file}`, connect, 'process plugin packet monitor lldb-calls on', 'process detach'];
      lines.push(connect, 'memory read -s 8 -f x -c 2 0xd0000', 'expression int before = counter; (int)twice(20)');
      lines.push(
        'expression (int)counter > 0',
        'expression int s = 0; for (int j = 0; j < 5; j++) s += (int)twice(j); s',
      );
      lines.push('bt', 'process detach', connect, 'memory read -s 8 -f x -c 2 0xd0000');
      const out = await runDebugger(
        lldb.path,
        ['--no-lldbinit', '--batch', ...lines.flatMap((line) => ['-o', line])],
        100_000,
      );
      expect(out).toMatch(/\(int\) \$0 = 40\n/);
      expect(out).toMatch(/\(bool\) \$1 = true\n/);
      expect(out).toMatch(/\(int\) \$2 = 20\n/);
      expect(out).toMatch(/\* frame #0: .*(?:kmain|_start)/);
      // nothing of it stays
      const pieces = out.match(/0x000d0000: .*/g);
      expect(pieces).toHaveLength(2);
      expect(pieces?.[1]).toBe(pieces?.[0]);
    },
  );
});
