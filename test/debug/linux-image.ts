/** A guest memory with as much of a Linux kernel in it as the Linux views read, written from the formats' definitions. */
import { LinuxKernel } from '../../src/engine/debug/linux/kernel.js';
import type { PhysicalMemory, Search } from '../../src/engine/debug/linux/physical.js';

/** Order and form of kallsyms: up to 6.4, since 6.5, and without relative addresses. */
export type KallsymsForm = 'before 6.5' | 'since 6.5' | 'absolute' | 'all relative';

export const TEXT = 0xffff_ffff_8b00_0000n;
const TEXT_GPA = 0x60_0000;
const MEMORY_BYTES = 16 << 20;
/** Where the parts stand in the image. */
const AT = {
  banner: 0x1000n,
  pageTables: 0x4000n,
  perCpuOffsets: 0x8000n,
  perCpuArea: 0x9000n,
  ring: 0xa000n,
  descriptors: 0xb000n,
  infos: 0xc000n,
  text: 0xd000n,
  tasks: 0xe000n,
  modules: 0x1_2000n,
  btf: 0x2_0000n,
  kallsyms: 0x10_0000n,
};
const CURRENT_TASK = 0x1fb80n;
const FILLER = 4600;

type Source = { name: string; type: string; address: bigint };

const align8 = (bytes: number): number => Math.ceil(bytes / 8) * 8;

class Writer {
  readonly bytes = new Uint8Array(MEMORY_BYTES);
  readonly data = new DataView(this.bytes.buffer);

  gpa(address: bigint): number {
    return TEXT_GPA + Number(address - TEXT);
  }

  u8(address: bigint, value: number): void {
    this.bytes[this.gpa(address)] = value;
  }

  u16(address: bigint, value: number): void {
    this.data.setUint16(this.gpa(address), value, true);
  }

  u32(address: bigint, value: number): void {
    this.data.setUint32(this.gpa(address), value, true);
  }

  u64(address: bigint, value: bigint): void {
    this.data.setBigUint64(this.gpa(address), BigInt.asUintN(64, value), true);
  }

  text(address: bigint, text: string): void {
    this.bytes.set(Buffer.from(`${text}\0`, 'latin1'), this.gpa(address));
  }
}

/** Byte values that no name uses stand for longer strings. */
const LONG_TOKENS: [number, string][] = [
  [0x01, 'start_'],
  [0x02, 'kernel'],
  [0xf0, 'filler_'],
];

function compress(text: string): number[] {
  const out: number[] = [];
  for (let at = 0; at < text.length; ) {
    const token = LONG_TOKENS.find(([, string]) => text.startsWith(string, at));
    out.push(token?.[0] ?? text.charCodeAt(at));
    at += token?.[1].length ?? 1;
  }
  return out;
}

function writeKallsyms(to: Writer, symbols: Source[], form: KallsymsForm): void {
  const names: number[] = [];
  const markers: number[] = [];
  symbols.forEach(({ name, type }, index) => {
    if (index % 256 === 0) markers.push(names.length);
    const text = compress(type + name);
    if (text.length < 128) names.push(text.length);
    else names.push((text.length & 0x7f) | 0x80, text.length >> 7);
    names.push(...text);
  });
  const tokens = Array.from({ length: 256 }, (_, byte) => {
    const long = LONG_TOKENS.find(([value]) => value === byte);
    return long?.[1] ?? (byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '');
  });
  let at = to.gpa(TEXT + AT.kallsyms);
  const put = (length: number, write: (start: number) => void): void => {
    write(at);
    at = align8(at + length);
  };
  const addresses = (): void => {
    if (form === 'absolute') {
      put(symbols.length * 8, (start) => {
        symbols.forEach(({ address }, index) => {
          to.data.setBigUint64(start + index * 8, address, true);
        });
      });
      return;
    }
    put(symbols.length * 4, (start) => {
      symbols.forEach(({ address }, index) => {
        const relative = form === 'all relative' ? address - TEXT : address < 1n << 32n ? address : TEXT - 1n - address;
        to.data.setInt32(start + index * 4, Number(BigInt.asIntN(32, relative)), true);
      });
    });
    put(8, (start) => to.data.setBigUint64(start, TEXT, true));
  };
  if (form !== 'since 6.5') addresses();
  put(4, (start) => to.data.setUint32(start, symbols.length, true));
  put(names.length, (start) => to.bytes.set(names, start));
  put(markers.length * 4, (start) => {
    markers.forEach((marker, index) => {
      to.data.setUint32(start + index * 4, marker, true);
    });
  });
  put(tokens.join('\0').length + 1, (start) => to.bytes.set(Buffer.from(`${tokens.join('\0')}\0`, 'latin1'), start));
  put(512, (start) => {
    let offset = 0;
    tokens.forEach((token, index) => {
      to.data.setUint16(start + index * 2, offset, true);
      offset += token.length + 1;
    });
  });
  if (form === 'since 6.5') addresses();
}

/** A member: name, byte offset, and its type: bytes of an integer, or the name of a structure. */
type MemberSource = [name: string, offset: number, type: number | string];

const STRUCTURES: Record<string, { bytes: number; members: MemberSource[] }> = {
  atomic: { bytes: 8, members: [['counter', 0, 8]] },
  prb_desc_ring: {
    bytes: 48,
    members: [
      ['count_bits', 0, 4],
      ['descs', 8, 8],
      ['infos', 16, 8],
      ['head_id', 24, 'atomic'],
      ['tail_id', 32, 'atomic'],
    ],
  },
  prb_data_ring: {
    bytes: 32,
    members: [
      ['size_bits', 0, 4],
      ['data', 8, 8],
    ],
  },
  printk_ringbuffer: {
    bytes: 96,
    members: [
      ['desc_ring', 0, 'prb_desc_ring'],
      ['text_data_ring', 48, 'prb_data_ring'],
    ],
  },
  prb_data_blk_lpos: {
    bytes: 16,
    members: [
      ['begin', 0, 8],
      ['next', 8, 8],
    ],
  },
  prb_desc: {
    bytes: 24,
    members: [
      ['state_var', 0, 'atomic'],
      ['text_blk_lpos', 8, 'prb_data_blk_lpos'],
    ],
  },
  printk_info: {
    bytes: 24,
    members: [
      ['seq', 0, 8],
      ['ts_nsec', 8, 8],
      ['text_len', 16, 2],
      ['facility', 18, 1],
    ],
  },
  list_head: { bytes: 16, members: [['next', 0, 8]] },
  // the middle of task_struct is an unnamed structure under CONFIG_RANDSTRUCT
  inner_task: {
    bytes: 96,
    members: [
      ['tasks', 0, 'list_head'],
      ['mm', 16, 8],
      ['real_parent', 24, 8],
      ['signal', 32, 8],
      ['flags', 40, 4],
      ['pid', 44, 4],
      ['tgid', 48, 4],
      ['exit_state', 52, 4],
      ['comm', 56, -16],
    ],
  },
  task_struct: {
    bytes: 128,
    members: [
      ['__state', 0, 4],
      ['', 16, 'inner_task'],
    ],
  },
  signal_struct: { bytes: 16, members: [['nr_threads', 8, 4]] },
  mm_struct: { bytes: 16, members: [['pgd', 8, 8]] },
  module_memory: {
    bytes: 16,
    members: [
      ['base', 0, 8],
      ['size', 8, 4],
    ],
  },
  module: {
    bytes: 256,
    members: [
      ['list', 8, 'list_head'],
      ['name', 24, -56],
      ['mem', 96, 'module_memory[7]'],
      ['kallsyms', 216, 8],
    ],
  },
  mod_kallsyms: {
    bytes: 24,
    members: [
      ['symtab', 0, 8],
      ['num_symtab', 8, 4],
      ['strtab', 16, 8],
    ],
  },
};

/** Types 1 to 4 are integers of 1, 2, 4 and 8 bytes. */
function btfBytes(): Uint8Array {
  const strings: string[] = [''];
  let stringBytes = 1;
  const string = (text: string): number => {
    if (text === '') return 0;
    strings.push(text);
    stringBytes += text.length + 1;
    return stringBytes - text.length - 1;
  };
  const types: number[][] = [];
  const add = (...words: number[]): number => types.push(words);
  const integers = [1, 2, 4, 8];
  for (const bytes of integers) add(string(`u${bytes * 8}`), 1 << 24, bytes, bytes * 8);
  const integer = (bytes: number): number => integers.indexOf(bytes) + 1;
  const named = new Map<string, number>();
  for (const [name, { bytes, members }] of Object.entries(STRUCTURES)) {
    const typed = members.map(([member, offset, type]): number[] => {
      if (typeof type === 'number') {
        const own = type > 0 ? integer(type) : add(0, 3 << 24, 0, integer(1), integer(4), -type);
        return [string(member), own, offset * 8];
      }
      const [structure, count] = type.split(/[[\]]/);
      let own = named.get(structure) as number;
      // a typedef stands before each structure, as in the kernel
      own = add(string(`${structure}_t`), 8 << 24, own);
      if (count !== undefined) own = add(0, 3 << 24, 0, own, integer(4), Number(count));
      return [string(member), own, offset * 8];
    });
    named.set(name, add(string(name === 'inner_task' ? '' : name), (4 << 24) | typed.length, bytes, ...typed.flat()));
  }
  const words = types.flat();
  const result = new Uint8Array(24 + words.length * 4 + stringBytes);
  const data = new DataView(result.buffer);
  data.setUint16(0, 0xeb9f, true);
  result[2] = 1;
  [24, 0, words.length * 4, words.length * 4, stringBytes].forEach((word, index) => {
    data.setUint32(4 + index * 4, word, true);
  });
  words.forEach((word, index) => {
    data.setUint32(24 + index * 4, word >>> 0, true);
  });
  result.set(Buffer.from(`${strings.join('\0')}\0`, 'latin1'), 24 + words.length * 4);
  return result;
}

function writeLog(to: Writer, texts: string[]): void {
  const at = (offset: number): bigint => TEXT + AT.ring + BigInt(offset);
  const ring = at(16);
  to.u64(at(0), ring); // *prb
  to.u32(ring, 2); // four descriptors
  to.u64(ring + 8n, TEXT + AT.descriptors);
  to.u64(ring + 16n, TEXT + AT.infos);
  to.u32(ring + 48n, 7); // 128 bytes of text
  to.u64(ring + 56n, TEXT + AT.text);
  const first = 5; // the ids have gone round once
  to.u64(ring + 32n, BigInt(first) | (3n << 62n));
  to.u64(ring + 24n, BigInt(first + texts.length - 1) | (1n << 62n));
  let position = 64;
  texts.forEach((text, index) => {
    const id = first + index;
    const slot = BigInt(id % 4);
    const needed = align8(8 + text.length);
    let block = position % 128;
    let next = position + needed;
    if (block + needed > 128) {
      next = Math.ceil(position / 128) * 128 + needed;
      block = 0;
    }
    to.u64(TEXT + AT.descriptors + slot * 24n, BigInt(id) | (2n << 62n));
    to.u64(TEXT + AT.descriptors + slot * 24n + 8n, BigInt(position));
    to.u64(TEXT + AT.descriptors + slot * 24n + 16n, BigInt(next));
    to.u64(TEXT + AT.infos + slot * 24n, BigInt(100 + index));
    to.u64(TEXT + AT.infos + slot * 24n + 8n, BigInt(index) * 1_500_000_000n);
    to.u16(TEXT + AT.infos + slot * 24n + 16n, text.length);
    to.u8(TEXT + AT.infos + slot * 24n + 19n, (4 + index) << 5);
    to.text(TEXT + AT.text + BigInt(block) + 8n, text);
    position = next;
  });
}

/** `struct printk_log` before 5.10: time, length, text_len, dict_len, facility, flags (5 bits) and level (3 bits). */
function writeRecords(to: Writer, texts: string[]): void {
  const [pointer, length, firstIndex, nextIndex, firstSequence] = RECORD_SYMBOLS.map(
    (_, at) => TEXT + AT.ring + BigInt(at * 8),
  );
  const buffer = TEXT + AT.text;
  to.u64(pointer, buffer);
  to.u32(length, RECORD_BYTES);
  // the first record stands near the end; no other fits behind it, so that the next is at the start
  let at = RECORD_BYTES - 48;
  to.u32(firstIndex, at);
  to.u64(firstSequence, 100n);
  texts.forEach((text, index) => {
    const bytes = Math.ceil((16 + text.length) / 4) * 4;
    if (at + bytes + 16 > RECORD_BYTES) {
      to.u16(buffer + BigInt(at + 8), 0);
      at = 0;
    }
    const record = buffer + BigInt(at);
    to.u64(record, BigInt(index) * 1_500_000_000n);
    to.u16(record + 8n, bytes);
    to.u16(record + 10n, text.length);
    to.u8(record + 15n, ((4 + index) << 5) | 0x06);
    // text has no NUL at its end
    to.text(record + 16n, text);
    at += bytes;
  });
  to.u32(nextIndex, at);
}

function writeTask(to: Writer, index: number, task: { pid: number; name: string; state: number; user: boolean }): void {
  const base = TEXT + AT.tasks + BigInt(index * 256);
  const inner = base + 16n;
  to.u32(base, task.state);
  to.u64(inner + 24n, TEXT + AT.tasks); // real_parent: init_task
  to.u64(inner + 32n, base + 160n);
  to.u32(base + 168n, 3); // signal->nr_threads
  to.u32(inner + 40n, task.user ? 0 : 0x20_0000);
  to.u32(inner + 44n, task.pid);
  to.u32(inner + 48n, task.pid);
  to.text(inner + 56n, task.name);
  if (task.user) {
    to.u64(inner + 16n, base + 192n);
    to.u64(base + 200n, TEXT + 0x5000n);
  }
}

function writeTasks(to: Writer): void {
  const tasks = [
    { pid: 0, name: 'swapper/0', state: 0, user: false },
    { pid: 1, name: 'init', state: 1, user: true },
    { pid: 2, name: 'kworker/0:0', state: 0x402, user: false },
  ];
  tasks.forEach((task, index) => {
    writeTask(to, index, task);
    const next = (index + 1) % tasks.length;
    to.u64(TEXT + AT.tasks + BigInt(index * 256) + 16n, TEXT + AT.tasks + BigInt(next * 256) + 16n);
  });
  to.u64(TEXT + AT.perCpuOffsets, TEXT + AT.perCpuArea - CURRENT_TASK);
  to.u64(TEXT + AT.perCpuArea, TEXT + AT.tasks + 256n);
}

function writeModules(to: Writer): void {
  const head = TEXT + AT.modules;
  const module = head + 64n;
  to.u64(head, module + 8n);
  to.u64(module + 8n, head);
  to.text(module + 24n, 'dummy');
  to.u64(module + 96n, 0xffff_ffff_c030_0000n);
  to.u32(module + 104n, 0x3000);
  to.u32(module + 104n + 16n, 0x1000);
  const table = head + 0x400n;
  to.u64(module + 216n, table);
  to.u64(table, table + 64n);
  to.u32(table + 8n, 2);
  to.u64(table + 16n, table + 0x200n);
  to.text(table + 0x201n, 'dummy_xmit');
  to.u32(table + 64n + 24n, 1);
  to.u8(table + 64n + 28n, 2); // STT_FUNC
  to.u16(table + 64n + 30n, 1);
  to.u64(table + 64n + 32n, 0xffff_ffff_c030_0040n);
}

/** Maps the first 2 MiB of the image, by one large page. */
function writePageTables(to: Writer): void {
  const table = TEXT + AT.pageTables;
  const index = (shift: bigint): bigint => ((TEXT >> shift) & 511n) * 8n;
  const gpa = BigInt(to.gpa(table));
  to.u64(table + index(39n), (gpa + 0x1000n) | 0x63n);
  to.u64(table + 0x1000n + index(30n), (gpa + 0x2000n) | 0x63n);
  to.u64(table + 0x2000n + index(21n), BigInt(TEXT_GPA) | 0xe3n);
}

const RECORD_SYMBOLS = ['log_buf', 'log_buf_len', 'log_first_idx', 'log_next_idx', 'log_first_seq'];
const RECORD_BYTES = 128;

export const BANNER = 'Linux version 6.1.0-test-amd64 (somebody@somewhere) #1 SMP';
export const LOG = ['first line', 'second\nin two lines', 'third'];
export const LONG_NAME = `long_${'x'.repeat(300)}`;

/** Makes the memory; symbols besides FILLER functions of 16 bytes each are those that the views need. */
export function linuxImage(
  form: KallsymsForm,
  log: 'ring' | 'records' = 'ring',
): { memory: PhysicalMemory; bytes: Uint8Array } {
  const to = new Writer();
  const btf = btfBytes();
  const place = (name: string, offset: bigint, type = 'D'): Source => ({ name, type, address: TEXT + offset });
  const symbols: Source[] = [
    { name: 'current_task', type: 'A', address: CURRENT_TASK },
    place('_text', 0n, 'T'),
    place('start_kernel', 0x100n, 'T'),
    place(LONG_NAME, 0x200n, 't'),
    place('linux_banner', AT.banner, 'R'),
    place('init_top_pgt', AT.pageTables),
    place('__per_cpu_offset', AT.perCpuOffsets, 'R'),
    ...(log === 'ring' ? ['prb'] : RECORD_SYMBOLS).map((name, at) => place(name, AT.ring + BigInt(at * 8))),
    place('init_task', AT.tasks),
    place('modules', AT.modules, 'd'),
    place('__start_BTF', AT.btf, 'R'),
    place('__stop_BTF', AT.btf + BigInt(btf.length), 'R'),
    ...Array.from({ length: FILLER }, (_, n) => place(`filler_${n}`, 0x18_0000n + BigInt(n * 16), 't')),
  ];
  // kernels without per-CPU symbols apart have addresses only
  const listed = form === 'absolute' || form === 'all relative' ? symbols.slice(1) : symbols;
  writeKallsyms(to, listed, form);
  // /proc/version's copy and the log's come first in memory
  to.bytes.set(Buffer.from(`${BANNER} (a copy)\0`), 0x12_3456);
  to.text(TEXT + AT.banner, `${BANNER}\n`);
  to.bytes.set(btf, to.gpa(TEXT + AT.btf));
  writePageTables(to);
  if (log === 'ring') writeLog(to, LOG);
  else writeRecords(to, LOG);
  writeTasks(to);
  writeModules(to);
  const { bytes } = to;
  return { bytes, memory: { bytes: bytes.length, view: (gpa, length) => bytes.subarray(gpa, gpa + length) } };
}

/** All of a search at once. */
export function finish<T>(search: Search<T>): T {
  for (;;) {
    const { done, value } = search.next();
    if (done) return value;
  }
}

export const findKernel = (memory: PhysicalMemory): LinuxKernel | undefined => finish(LinuxKernel.search(memory));
