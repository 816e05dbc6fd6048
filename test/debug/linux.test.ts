import { describe, expect, test } from 'vitest';
import { formatLog } from '../../src/engine/debug/linux/log.js';
import { LinuxView } from '../../src/engine/debug/linux/view.js';
import {
  BANNER,
  findKernel,
  finish,
  type KallsymsForm,
  LOG,
  LONG_NAME,
  linuxImage,
  linuxImage32,
  MODULE,
  MODULE_INIT,
  startModule,
  TEXT,
  TEXT_32,
} from './linux-image.js';

describe.each<KallsymsForm>(['before 6.5', 'since 6.5', 'since 7.0', 'absolute', 'all relative'])(
  'kallsyms %s',
  (form) => {
    test('is found, with every name and address', () => {
      const kernel = findKernel(linuxImage(form).memory)!;
      expect(kernel.banner).toBe(BANNER);
      expect(kernel.release).toBe('6.1.0-test-amd64');
      expect(kernel.text).toBe(TEXT);
      expect(kernel.address('start_kernel')).toBe(TEXT + 0x100n);
      expect(kernel.address(LONG_NAME)).toBe(TEXT + 0x200n);
      for (const n of [0, 255, 256, 4599])
        expect(kernel.address(`filler_${n}`)).toBe(TEXT + 0x18_0000n + BigInt(n * 16));
      expect(kernel.symbols.find(({ name }) => name === LONG_NAME)?.type).toBe('t');
      if (form === 'before 6.5' || form === 'since 6.5') expect(kernel.address('current_task')).toBe(0x1fb80n);
    });
  },
);

test('a kernel of 7.0 that has just begun is placed by the page tables in use, as its own are not right yet', () => {
  const image = linuxImage('since 7.0');
  image.bytes.fill(0, 0x60_4000, 0x60_7000);
  const search = (walk?: (gva: bigint) => number | undefined) => {
    const guest = new LinuxView(image.memory, () => 0, walk);
    finish(guest.search());
    return guest.info()?.base;
  };
  expect(search()).toBeUndefined();
  expect(search((gva) => (gva >= TEXT ? 0x60_0000 + Number(gva - TEXT) : undefined))).toBe(TEXT);
});

describe('a 32-bit kernel without data in its symbol table and without types', () => {
  test('gives its symbols, its version and its log, by what it notes for crash dumps', () => {
    const guest = new LinuxView(linuxImage32().memory, () => 0);
    finish(guest.search());
    expect(guest.info()).toMatchObject({ release: '6.1.0-test-686', base: TEXT_32, bits: 32, symbols: 4603 });
    expect(guest.symbols().find(({ name }) => name === 'start_kernel')?.address).toBe(TEXT_32 + 0x100n);
    expect(guest.log()).toEqual([
      { sequence: 7n, ns: 1_000_000n, level: 6, text: LOG[0] },
      { sequence: 8n, ns: 1_000_000n, level: 6, text: LOG[1] },
    ]);
    expect(() => guest.modules()).toThrow('6.1.0-test-686 has no type information (CONFIG_DEBUG_INFO_BTF)');
    expect(guest.current(0)).toBeUndefined();
  });

  test('gives its processes and where they wait, by what tasks have in common', () => {
    const image = linuxImage32();
    const guest = new LinuxView(image.memory, () => 0);
    finish(guest.search());
    finish(guest.searchVmcoreinfo());
    expect(guest.tasks()).toMatchObject([
      { pid: 1, tgid: 1, ppid: 0, name: 'init', state: 'S', cr3: 0x60_4000n },
      { pid: 2, tgid: 2, ppid: 0, name: 'kthreadd', state: 'I' },
    ]);
    expect(guest.tasks().map(({ cr3, threads }) => [cr3, threads])).toEqual([
      [0x60_4000n, undefined],
      [undefined, undefined],
    ]);
    expect(guest.stack(2, 1).frames[0]).toMatchObject({ name: 'filler_2+0x5', found: 'switch' });
    // one whose tasks are none says so
    image.bytes.fill(0, 0x60_e000, 0x61_2000);
    const other = new LinuxView(image.memory, () => 1);
    finish(other.search());
    expect(() => other.tasks()).toThrow(
      /6\.1\.0-test-686 has no type information .* the layout of its tasks cannot be inferred/,
    );
  });

  test('is found before it has noted anything', () => {
    const image = linuxImage32(false);
    const guest = new LinuxView(image.memory, () => 0);
    finish(guest.search());
    expect(guest.info()).toMatchObject({ release: 'unknown', base: TEXT_32, bits: 32 });
    expect(guest.symbols()).toHaveLength(4603);
    expect(() => guest.log()).toThrow(/no symbol log_buf\w*, as it was built without CONFIG_KALLSYMS_ALL/);
    image.bytes.set(linuxImage32().bytes);
    expect(finish(guest.searchVmcoreinfo())).toContain('OSRELEASE=6.1.0-test-686');
    expect(guest.log()).toHaveLength(2);
    // what was not known then is not remembered
    expect(guest.info()?.release).toBe('6.1.0-test-686');
  });

  test('is worth a search where it runs, and firmware below 4 GiB is not', () => {
    const guest = new LinuxView(linuxImage32().memory, () => 0);
    expect([0xc010_0000n, 0x8010_0000n, 0xffff_fff0n, 0x10_0000n].map((rip) => guest.isWorthSearching(rip))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

describe('views', () => {
  const view = (): LinuxView => {
    const guest = new LinuxView(linuxImage('before 6.5').memory, () => 0);
    finish(guest.search());
    return guest;
  };

  test('the log, with a record that wraps and one of two lines', () => {
    const log = view().log();
    expect(log.map(({ text }) => text)).toEqual(LOG);
    expect(log.map(({ sequence, level }) => [sequence, level])).toEqual([
      [100n, 4],
      [101n, 5],
      [102n, 6],
    ]);
    expect(formatLog(log)).toBe(
      [
        '[    0.000000] first line',
        '[    1.500000] second',
        '[    1.500000] in two lines',
        '[    3.000000] third',
      ].join('\n'),
    );
  });

  test('the log of kernels before 5.10, which wraps to the start', () => {
    const image = linuxImage('before 6.5', 'records');
    const guest = new LinuxView(image.memory, () => 0);
    finish(guest.search());
    expect(guest.log()).toEqual([
      { sequence: 100n, ns: 0n, level: 4, text: LOG[0] },
      { sequence: 101n, ns: 1_500_000_000n, level: 5, text: LOG[1] },
      { sequence: 102n, ns: 3_000_000_000n, level: 6, text: LOG[2] },
    ]);
    // lengths of 0 everywhere lead from the start to the start
    const text = 0x60_0000 + 0xd000;
    for (const at of [text + 8, text + 128 - 48 + 8]) new DataView(image.bytes.buffer).setUint16(at, 0, true);
    expect(() => guest.log()).toThrow(/damaged/);
  });

  test('processes and the current task', () => {
    expect(new LinuxView(linuxImage('before 6.5').memory, () => 0).current(0)).toBeUndefined();
    const guest = view();
    expect(guest.tasks()).toMatchObject([
      { pid: 1, ppid: 0, name: 'init', state: 'S', cr3: 0x60_5000n, threads: 3 },
      { pid: 2, ppid: 0, name: 'kworker/0:0', state: 'I', threads: 3 },
    ]);
    expect(guest.tasks()[1].cr3).toBeUndefined();
    expect(guest.current(0)?.name).toBe('init');
    expect(guest.current(7)).toBeUndefined();
  });

  test('modules and their symbols among the others, without per-CPU offsets', () => {
    const guest = view();
    expect(guest.modules()).toEqual([{ name: 'dummy', address: MODULE, bytes: 0x4000 }]);
    const symbols = guest.symbols();
    expect(symbols[0]).toEqual({ name: '_text', address: TEXT, size: 0x100n, kind: 'function' });
    expect(symbols.at(-1)).toMatchObject({ name: 'dummy_xmit [dummy]', address: MODULE + 0x40n, size: 0x20n });
    // it is the end of the image, not a function up to the first module
    expect(symbols.find(({ name }) => name === '_end')).toMatchObject({ size: 0n, reach: 1n });
    expect(symbols.some(({ name }) => name === 'current_task')).toBe(false);
  });

  test('a module that starts has the symbols and the unwind rows of its init part, until that is freed', () => {
    const image = linuxImage('before 6.5');
    let now = 0;
    const guest = new LinuxView(image.memory, () => now++);
    finish(guest.search());
    const named = () => guest.symbols().some(({ name }) => name === 'dummy_init [dummy]');
    const rows = () => [MODULE + 4n, MODULE_INIT + 4n, MODULE + 0x6000n].map((at) => guest.frameRow(at)?.offset);
    expect(named()).toBe(false);
    expect(rows()).toEqual([16, undefined, undefined]);
    const end = startModule(image);
    expect(named()).toBe(true);
    expect(rows()).toEqual([16, 24, undefined]);
    end();
    expect(named()).toBe(false);
    expect(rows()).toEqual([16, undefined, undefined]);
  });

  test('the stack of a task that no CPU runs', () => {
    const guest = view();
    expect(guest.stack(2, 1).frames.map(({ name, found }) => [name, found])).toEqual([
      ['filler_0+0x5', 'switch'],
      ['filler_1+0x5', 'table'],
      ['filler_2+0x5', 'table'],
      ['start_kernel+0x5', 'table'],
    ]);
    expect(guest.stack(1, 1)).toMatchObject({ task: { name: 'init' }, vcpu: 0, frames: [] });
    expect(() => guest.stack(77, 1)).toThrow('there is no process or thread 77');
  });

  test('a kernel that is overwritten is forgotten; a search without a find waits', () => {
    const image = linuxImage('before 6.5');
    let now = 0;
    const guest = new LinuxView(image.memory, () => now);
    const found = (): bigint | undefined => finish(guest.search())?.text;
    expect(guest.info()).toBeUndefined();
    expect(found()).toBe(TEXT);
    expect(guest.info()?.base).toBe(TEXT);
    const copy = image.bytes.slice();
    image.bytes.fill(0);
    expect(guest.info()).toBeUndefined();
    expect(guest.symbols()).toEqual([]);
    expect(() => guest.log()).toThrow('no Linux kernel');
    expect(found()).toBeUndefined();
    image.bytes.set(copy);
    expect(found()).toBeUndefined();
    now = 100_000_000;
    expect(found()).toBe(TEXT);
  });

  test('damaged structures give an error, not a hang', () => {
    const image = linuxImage('before 6.5');
    const guest = new LinuxView(image.memory, () => 0);
    expect(finish(guest.search())).toBeDefined();
    const tasks = 0x60_0000 + 0xe000 + 16;
    // the list of tasks leads to itself, not to its head
    new DataView(image.bytes.buffer).setBigUint64(tasks, TEXT + 0xe000n + 256n + 16n, true);
    new DataView(image.bytes.buffer).setBigUint64(tasks + 256, TEXT + 0xe000n + 256n + 16n, true);
    expect(() => guest.tasks()).toThrow(/does not end/);
    new DataView(image.bytes.buffer).setBigUint64(tasks, 0x1234n, true);
    expect(() => guest.tasks()).toThrow(/is not mapped/);
  });

  test('memory without a kernel, and random memory, have none', () => {
    const bytes = new Uint8Array(1 << 20);
    const memory = { bytes: bytes.length, view: (gpa: number, length: number) => bytes.subarray(gpa, gpa + length) };
    expect(findKernel(memory)).toBeUndefined();
    let seed = 1;
    for (let i = 0; i < bytes.length; i++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      bytes[i] = seed >>> 24;
    }
    expect(findKernel(memory)).toBeUndefined();
    // a token table alone, at the end of memory
    bytes.set(Buffer.from([...'0123456789'].flatMap((digit) => [digit.charCodeAt(0), 0])), bytes.length - 20);
    expect(findKernel(memory)).toBeUndefined();
  });
});
