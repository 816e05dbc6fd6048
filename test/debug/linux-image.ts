/** A guest memory with as much of a Linux kernel in it as the Linux views read, written from the formats' definitions. */
import { LinuxKernel } from '../../src/engine/debug/linux/kernel.js';
import type { PhysicalMemory, Search } from '../../src/engine/debug/linux/physical.js';

/** Order and form of kallsyms: up to 6.4, since 6.5, without a base since 7.0, without relative addresses, in 32 bits. */
export type KallsymsForm = 'before 6.5' | 'since 6.5' | 'since 7.0' | 'absolute' | 'all relative' | '32-bit';

export const TEXT = 0xffff_ffff_8b00_0000n;
/** The same place in a 32-bit kernel, whose memory starts at C0000000h. */
export const TEXT_32 = 0xc060_0000n;
export const MODULE = 0xffff_ffff_c030_0000n;
export const MODULE_INIT = 0xffff_ffff_c030_8000n;
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
  unwindPlaces: 0x1_4000n,
  unwindEntries: 0x1_5000n,
  moduleUnwind: 0x1_6000n,
  stack: 0x1_7000n,
  note: 0x1_8000n,
  pages: 0x1_9000n,
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

/** Answers where the token table stands. */
function writeKallsyms(to: Writer, symbols: Source[], form: KallsymsForm): number {
  const narrow = form === '32-bit' || form === 'since 7.0';
  const align = (value: number): number => (narrow ? Math.ceil(value / 4) * 4 : align8(value));
  const base = form === '32-bit' ? TEXT_32 : TEXT;
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
    at = align(at + length);
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
    const whole = form === 'all relative' || form === '32-bit';
    put(symbols.length * 4, (start) => {
      symbols.forEach(({ address }, index) => {
        const at = start + index * 4;
        const relative = whole ? address - base : address < 1n << 32n ? address : base - 1n - address;
        const offset = form === 'since 7.0' ? BigInt(to.gpa(address) - at) : relative;
        to.data.setInt32(at, Number(BigInt.asIntN(32, offset)), true);
      });
    });
    if (form === '32-bit') put(4, (start) => to.data.setUint32(start, Number(base), true));
    else if (form !== 'since 7.0') put(8, (start) => to.data.setBigUint64(start, base, true));
  };
  const last = form === 'since 6.5' || form === 'since 7.0';
  if (!last) addresses();
  put(4, (start) => to.data.setUint32(start, symbols.length, true));
  put(names.length, (start) => to.bytes.set(names, start));
  put(markers.length * 4, (start) => {
    markers.forEach((marker, index) => {
      to.data.setUint32(start + index * 4, marker, true);
    });
  });
  const tokenTable = at;
  put(tokens.join('\0').length + 1, (start) => to.bytes.set(Buffer.from(`${tokens.join('\0')}\0`, 'latin1'), start));
  put(512, (start) => {
    let offset = 0;
    tokens.forEach((token, index) => {
      to.data.setUint16(start + index * 2, offset, true);
      offset += token.length + 1;
    });
  });
  if (last) addresses();
  return tokenTable;
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
  thread_struct: { bytes: 8, members: [['sp', 0, 8]] },
  task_struct: {
    bytes: 144,
    members: [
      ['__state', 0, 4],
      ['', 16, 'inner_task'],
      ['thread', 112, 'thread_struct'],
      ['thread_node', 120, 'list_head'],
    ],
  },
  signal_struct: {
    bytes: 32,
    members: [
      ['nr_threads', 8, 4],
      ['thread_head', 16, 'list_head'],
    ],
  },
  mm_struct: { bytes: 16, members: [['pgd', 8, 8]] },
  module_memory: {
    bytes: 16,
    members: [
      ['base', 0, 8],
      ['size', 8, 4],
    ],
  },
  mod_arch_specific: {
    bytes: 24,
    members: [
      ['num_orcs', 0, 4],
      ['orc_unwind_ip', 8, 8],
      ['orc_unwind', 16, 8],
    ],
  },
  module: {
    bytes: 256,
    members: [
      ['list', 8, 'list_head'],
      ['name', 24, -56],
      ['mem', 96, 'module_memory[7]'],
      ['kallsyms', 216, 8],
      ['arch', 224, 'mod_arch_specific'],
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
  // the only thread of its list
  to.u64(base + 160n + 16n, base + 120n);
  to.u64(base + 120n, base + 160n + 16n);
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
  to.u64(module + 96n, MODULE);
  to.u32(module + 104n, 0x3000);
  to.u64(module + 96n + 16n, MODULE + 0x3000n);
  to.u32(module + 104n + 16n, 0x1000);
  const table = head + 0x400n;
  to.u64(module + 216n, table);
  to.u64(table, table + 64n);
  to.u32(table + 8n, 3);
  to.u64(table + 16n, table + 0x200n);
  to.text(table + 0x201n, 'dummy_xmit');
  to.u32(table + 64n + 24n, 1);
  to.u8(table + 64n + 28n, 2); // STT_FUNC
  to.u16(table + 64n + 30n, 1);
  to.u64(table + 64n + 32n, MODULE + 0x40n);
  to.u64(table + 64n + 40n, 0x20n);
  // of its init part, which is not there
  to.text(table + 0x220n, 'dummy_init');
  to.u32(table + 112n, 0x20);
  to.u8(table + 116n, 2);
  to.u16(table + 118n, 1);
  to.u64(table + 120n, MODULE_INIT + 0x10n);
  const unwind = TEXT + AT.moduleUnwind;
  writeRows(to, unwind, unwind + 0x100n, [
    [MODULE, 16, CALL],
    [MODULE_INIT, 24, CALL],
  ]);
  to.u32(module + 224n, 2);
  to.u64(module + 232n, unwind);
  to.u64(module + 240n, unwind + 0x100n);
}

const INIT_KIND = 4n;
const MODULE_AT = TEXT + AT.modules + 64n;

/** The module starts: its init part is there. Answers what ends the start. */
export function startModule(image: { bytes: Uint8Array }): () => void {
  const data = new DataView(image.bytes.buffer);
  const at = TEXT_GPA + Number(MODULE_AT - TEXT + 96n + INIT_KIND * 16n);
  data.setBigUint64(at, MODULE_INIT, true);
  data.setUint32(at + 8, 0x1000, true);
  return () => {
    data.setBigUint64(at, 0n, true);
    data.setUint32(at + 8, 0, true);
  };
}

/** Kinds of unwind rows since 6.4. */
const END = 1;
const CALL = 2;

/** Unwind rows of [address, offset from RSP, kind]. */
function writeRows(to: Writer, places: bigint, entries: bigint, rows: [bigint, number, number][]): void {
  rows.forEach(([address, offset, kind], row) => {
    const place = places + BigInt(row * 4);
    to.u32(place, Number(BigInt.asUintN(32, address - place)));
    const entry = entries + BigInt(row * 6);
    to.u16(entry, offset);
    to.u16(entry + 4n, (kind === END ? 0 : 5) | (kind << 8));
  });
}

const UNWIND_ROWS: [bigint, number, number][] = [
  [TEXT, 0, END],
  [TEXT + 0x18_0000n, 8, CALL],
  [TEXT + 0x18_0010n, 24, CALL],
  [TEXT + 0x18_0020n, 8, CALL],
  [TEXT + 0x19_ffffn, 8, CALL],
];

/** The stack of pid 2: from filler_0 to filler_1, which keeps two words, to filler_2 and start_kernel, the outermost. */
function writeStack(to: Writer): void {
  const stack = TEXT + AT.stack;
  to.u64(TEXT + AT.tasks + 512n + 112n, stack);
  const filler = (n: number): bigint => TEXT + 0x18_0000n + BigInt(n * 16) + 5n;
  [filler(0), filler(1), 0x1111n, 0x2222n, filler(2), TEXT + 0x105n].forEach((word, n) => {
    to.u64(stack + 0x30n + BigInt(n * 8), word);
  });
}

/** VMCOREINFO of a 32-bit kernel without type information, and its log. */
function writeNote(to: Writer, tokenTable: number): void {
  const lines = [
    'OSRELEASE=6.1.0-test-686',
    'PAGESIZE=4096',
    `SYMBOL(_stext)=${TEXT_32.toString(16)}`,
    `SYMBOL(prb)=${(TEXT_32 + AT.ring).toString(16)}`,
    'OFFSET(printk_ringbuffer.desc_ring)=0',
    'OFFSET(printk_ringbuffer.text_data_ring)=24',
    'OFFSET(prb_desc_ring.count_bits)=0',
    'OFFSET(prb_desc_ring.descs)=4',
    'OFFSET(prb_desc_ring.infos)=8',
    'OFFSET(prb_desc_ring.head_id)=12',
    'OFFSET(prb_desc_ring.tail_id)=16',
    'SIZE(prb_desc)=12',
    'OFFSET(prb_desc.state_var)=0',
    'OFFSET(prb_desc.text_blk_lpos)=4',
    'OFFSET(prb_data_blk_lpos.begin)=0',
    'OFFSET(prb_data_blk_lpos.next)=4',
    'SIZE(printk_info)=24',
    'OFFSET(printk_info.seq)=0',
    'OFFSET(printk_info.ts_nsec)=8',
    'OFFSET(printk_info.text_len)=16',
    'OFFSET(prb_data_ring.size_bits)=0',
    'OFFSET(prb_data_ring.data)=4',
    `SYMBOL(kallsyms_token_table)=${(BigInt(tokenTable) - BigInt(TEXT_GPA) + TEXT_32).toString(16)}`,
  ];
  to.text(TEXT + AT.note, `${lines.join('\n')}\n`);
  const at = (offset: bigint): number => Number(TEXT_32 + offset);
  const ring = TEXT + AT.ring + 16n;
  to.u32(TEXT + AT.ring, at(AT.ring + 16n));
  to.u32(ring, 1);
  to.u32(ring + 4n, at(AT.descriptors));
  to.u32(ring + 8n, at(AT.infos));
  to.u32(ring + 12n, 3);
  to.u32(ring + 16n, 2);
  to.u32(ring + 24n, 6);
  to.u32(ring + 28n, at(AT.text));
  LOG.slice(0, 2).forEach((text, index) => {
    const id = 2 + index;
    const descriptor = TEXT + AT.descriptors + BigInt(index * 12);
    to.u32(descriptor, (id | (2 << 30)) >>> 0);
    to.u32(descriptor + 4n, index * 32);
    to.u32(descriptor + 8n, index * 32 + 28);
    const info = TEXT + AT.infos + BigInt(index * 24);
    to.u64(info, BigInt(7 + index));
    to.u64(info + 8n, 1_000_000n);
    to.u16(info + 16n, text.length);
    to.u8(info + 19n, 6 << 5);
    to.text(TEXT + AT.text + BigInt(index * 32) + 4n, text);
  });
}

/** Tasks of a 32-bit kernel, as `struct task_struct` lies in memory; nothing in the image tells where. */
const TASK_32 = { state: 16, stack: 20, tasks: 0x100, mm: 0x11c, pid: 0x200, parents: 0x20c, comm: 0x300, sp0: 0x400 };

function writeTasks32(to: Writer): void {
  const names = ['swapper/0', 'init', 'kthreadd'];
  const base = (n: number): bigint => TEXT + AT.tasks + BigInt(n * 0x800);
  const at = (n: number, offset: number): number => Number(TEXT_32 + AT.tasks) + n * 0x800 + offset;
  const put = (n: number, offset: number, value: number): void => to.u32(base(n) + BigInt(offset), value);
  const { state, stack, tasks, mm, pid, parents, comm, sp0 } = TASK_32;
  const [children, sibling, leader] = [parents + 8, parents + 16, parents + 24];
  names.forEach((name, n) => {
    const own = Number(TEXT_32) + 0x1a_0000 + n * 8192;
    const ownStack = TEXT + 0x1a_0000n + BigInt(n * 8192);
    put(n, state, n === 0 ? 0 : n === 1 ? 1 : 0x402);
    put(n, stack, own);
    put(n, tasks, at((n + 1) % 3, tasks));
    put(n, tasks + 4, at((n + 2) % 3, tasks));
    put(n, pid, n);
    put(n, pid + 4, n);
    put(n, pid + 8, 0x5eed_0000 + n);
    for (const parent of [parents, parents + 4]) put(n, parent, at(0, 0));
    put(n, leader, at(n, 0));
    put(n, children, n === 0 ? at(1, sibling) : at(n, children));
    put(n, sibling, n === 0 ? at(0, sibling) : n === 1 ? at(2, sibling) : at(0, children));
    to.text(base(n) + BigInt(comm), name);
    // the top of the stack, which is no place to go on from, and where it was switched away
    put(n, sp0, own + 8000);
    put(n, sp0 + 4, own + 4096);
    to.u32(ownStack + 4096n + 0x10n, own + 4200);
    to.u32(ownStack + 4096n + 0x14n, Number(TEXT_32) + 0x18_0005 + n * 16);
  });
  // a process's memory and its page table, which maps the kernel by a page of 4 MiB
  const memory = TEXT + AT.modules;
  put(1, mm, Number(TEXT_32 + AT.modules));
  put(1, mm + 4, Number(TEXT_32 + AT.modules));
  to.u32(memory + 0x40n, Number(TEXT_32 + AT.pageTables));
  to.u32(TEXT + AT.pageTables + (TEXT_32 >> 22n) * 4n, (TEXT_GPA & ~0x3f_ffff) | 0xe3);
}

/** A 32-bit kernel that was built without CONFIG_KALLSYMS_ALL and without type information, as Debian's are. */
export function linuxImage32(note = true): { memory: PhysicalMemory; bytes: Uint8Array } {
  const to = new Writer();
  const place = (name: string, offset: bigint): Source => ({ name, type: 'T', address: TEXT_32 + offset });
  const symbols = [
    place('_text', 0n),
    place('_stext', 0n),
    place('start_kernel', 0x100n),
    ...Array.from({ length: FILLER }, (_, n) => place(`filler_${n}`, 0x18_0000n + BigInt(n * 16))),
  ];
  const tokenTable = writeKallsyms(to, symbols, '32-bit');
  if (note) {
    writeNote(to, tokenTable);
    writeTasks32(to);
  }
  const { bytes } = to;
  return { bytes, memory: { bytes: bytes.length, view: (gpa, length) => bytes.subarray(gpa, gpa + length) } };
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

/** What /proc/meminfo is made of, each 100h after the one before. */
export const PAGE_COUNTERS = [
  '_totalram_pages',
  'vm_zone_stat',
  'vm_node_stat',
  'totalreserve_pages',
  'min_free_kbytes',
];
export const PAGE_COUNTERS_GPA = TEXT_GPA + Number(AT.pages);

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
    place('__start_orc_unwind_ip', AT.unwindPlaces, 'R'),
    place('__stop_orc_unwind_ip', AT.unwindPlaces + BigInt(UNWIND_ROWS.length * 4), 'R'),
    place('__start_orc_unwind', AT.unwindEntries, 'R'),
    place('__start_BTF', AT.btf, 'R'),
    place('__stop_BTF', AT.btf + BigInt(btf.length), 'R'),
    ...Array.from({ length: FILLER }, (_, n) => place(`filler_${n}`, 0x18_0000n + BigInt(n * 16), 't')),
    ...PAGE_COUNTERS.map((name, n) => place(name, AT.pages + BigInt(n * 0x100))),
    place('_end', 0x1a_0000n, 'B'),
  ];
  // kernels without per-CPU symbols apart have addresses only
  const listed = form === 'before 6.5' || form === 'since 6.5' ? symbols : symbols.slice(1);
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
  writeRows(to, TEXT + AT.unwindPlaces, TEXT + AT.unwindEntries, UNWIND_ROWS);
  writeStack(to);
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
