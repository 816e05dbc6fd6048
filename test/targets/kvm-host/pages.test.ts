/** Exit reasons and times from trace pages and perf records of three kernels' formats, and from nonsense. */
import { describe, expect, it } from 'vitest';
import { exitReasonReader, parseEventFormat } from '../../../src/targets/kvm-host/event-format.js';
import { type ExitEvent, ExitEvents } from '../../../src/targets/kvm-host/events.js';
import { ExitTimes, isIdle } from '../../../src/targets/kvm-host/exit-times.js';
import { readPerfRecords } from '../../../src/targets/kvm-host/perf-records.js';
import { findTracing } from '../../../src/targets/kvm-host/place.js';
import { PAGE_HEADER, parsePageHeader, readPage } from '../../../src/targets/kvm-host/ring-page.js';
import {
  accessRecord,
  entryRecord,
  exitRecord,
  KERNELS,
  type Kernel,
  MMIO,
  PIO,
  perfLost,
  perfSample,
  ringPage,
  type Timed,
} from './formats.js';

const TID = 4711;
const eventsOf = (kernel: Kernel) => ExitEvents.from([parseEventFormat(kernel.exit), parseEventFormat(kernel.entry)]);

/** Exits of known reasons and times: [reason, ns until the entry, ns until the next exit]. */
const STORY: [code: number, ns: bigint, between: bigint][] = [
  [30, 2_000n, 500n],
  [10, 700n, 100n],
  [12, 3_000_000_000n, 200n],
  [30, 4_000n, 300n],
  [48, 1n, 0n],
  [30, 6_000n, 5_000_000_000n],
  [77, 100n, 1n],
];

function story(kernel: Kernel, isa = 1): Timed[] {
  const all: Timed[] = [];
  let ns = 1_000_000_000_123n;
  const codes: Record<number, number> = { 30: 0x7b, 10: 0x72, 12: 0x78, 48: 0x400, 77: 0x3ff };
  for (const [code, time, between] of STORY) {
    all.push({ ns, record: exitRecord(kernel, TID, 1, isa === 1 ? code : codes[code]!, isa) });
    ns += time;
    all.push({ ns, record: entryRecord(kernel, TID, 1) });
    ns += between;
  }
  return all;
}

function timesOf(events: Iterable<ExitEvent>): Map<string, ReturnType<ExitTimes['rows']>[number]> {
  const times = new ExitTimes();
  for (const { kind, reason, ns } of events) {
    if (kind === 'exit') times.exit(reason, ns);
    else if (kind === 'entry') times.entry(ns);
  }
  return new Map(times.rows(1).map((row) => [row.reason, row]));
}

function fromPage(kernel: Kernel, page: Buffer): { events: ExitEvent[]; lost: number } {
  const decoder = eventsOf(kernel);
  const events: ExitEvent[] = [];
  const lost = readPage(page, PAGE_HEADER, (ns, record, at, length) => {
    const event = decoder.decode(record.getInt32(at + 4, true), ns, record, at, length);
    if (event) events.push(event);
  });
  return { events, lost };
}

function fromPerf(kernel: Kernel, bytes: Uint8Array): { events: ExitEvent[]; lost: number } {
  const decoder = eventsOf(kernel);
  const events: ExitEvent[] = [];
  let lost = 0;
  readPerfRecords(bytes, {
    sample: (tid, ns, record, at, length) => {
      const event = decoder.decode(tid, ns, record, at, length);
      if (event) events.push(event);
    },
    lost: (count) => {
      lost += count;
    },
  });
  return { events, lost };
}

describe.each(KERNELS)('Linux $release', (kernel) => {
  const expected = {
    IO_INSTRUCTION: { count: 3, timed: 3, totalNs: 12_000, minNs: 2_000, maxNs: 6_000, meanNs: 4_000 },
    CPUID: { count: 1, timed: 1, totalNs: 700, minNs: 700, maxNs: 700, meanNs: 700, deviationNs: 0 },
    HLT: { count: 1, timed: 1, totalNs: 3_000_000_000 },
    EPT_VIOLATION: { count: 1, timed: 1, totalNs: 1 },
    '0x4d': { count: 1, timed: 1, totalNs: 100 },
  };

  it.each([false, true])('tells reasons and times from pages of the ring buffer (long form: %s)', (large) => {
    const { events, lost } = fromPage(kernel, ringPage(story(kernel), 'none', large));
    expect([events.length, lost]).toEqual([2 * STORY.length, 0]);
    expect(events.every(({ tid }) => tid === TID)).toBe(true);
    expect(events[0]!.ns).toBe(1_000_000_000_123n);
    if (kernel.vcpuAt !== undefined) expect(events.every(({ vcpu }) => vcpu === 1)).toBe(true);
    const rows = timesOf(events);
    expect([...rows.keys()].sort()).toEqual(Object.keys(expected).sort());
    for (const [reason, row] of Object.entries(expected)) expect(rows.get(reason), reason).toMatchObject(row);
    // 2, 4 and 6 us: below 4, and twice below 8.
    expect(rows.get('IO_INSTRUCTION')!.histogram.slice(0, 5)).toEqual([0, 0, 1, 2, 0]);
    expect(rows.get('IO_INSTRUCTION')!.deviationNs).toBeCloseTo(Math.sqrt(8e6 / 3), 3);
    expect(rows.get('HLT')!.histogram.at(-1)).toBe(1);
  });

  it('tells the same from records of perf, and what was lost', () => {
    const records = story(kernel).map((one) => perfSample(TID, one));
    const { events, lost } = fromPerf(kernel, Buffer.concat([...records, perfLost(17), perfLost(3)]));
    expect(lost).toBe(20);
    const rows = timesOf(events);
    for (const [reason, row] of Object.entries(expected)) expect(rows.get(reason), reason).toMatchObject(row);
  });

  it("has AMD's names for AMD's codes, and says when an entry failed", () => {
    const rows = timesOf(fromPage(kernel, ringPage(story(kernel, 2))).events);
    expect([...rows.keys()].sort()).toEqual(['0x3ff', 'cpuid', 'hlt', 'io', 'npf']);
    const read = exitReasonReader(parseEventFormat(kernel.exit));
    const record = exitRecord(kernel, TID, 0, 0x8000_0030);
    expect(read(new DataView(record.buffer, record.byteOffset, record.length), 0)).toBe('EPT_VIOLATION (entry failed)');
  });

  it('says how many events the kernel threw away, where it knows', () => {
    expect(fromPage(kernel, ringPage(story(kernel), 'some')).lost).toBe(1);
    expect(fromPage(kernel, ringPage(story(kernel), 12_345)).lost).toBe(12_345);
    expect(fromPage(kernel, ringPage([], 7))).toEqual({ events: [], lost: 7 });
  });

  it('ends where a page or a record is cut, without a word that is not there', () => {
    const page = ringPage(story(kernel));
    const records = Buffer.concat(story(kernel).map((one) => perfSample(TID, one)));
    let seen = 0;
    for (let length = 0; length <= 600; length += 7) {
      const { events } = fromPage(kernel, page.subarray(0, length));
      expect(events.length).toBeGreaterThanOrEqual(seen);
      seen = events.length;
      expect(fromPerf(kernel, records.subarray(0, length)).events.length).toBeLessThanOrEqual(2 * STORY.length);
    }
  });
});

describe('times', () => {
  it('leave out an end without a beginning, a beginning without an end, and what goes back in time', () => {
    const times = new ExitTimes();
    times.entry(5n);
    times.exit('A', 10n);
    times.exit('B', 20n);
    times.entry(30n);
    times.exit('A', 40n);
    times.entry(39n);
    times.exit('A', 50n);
    times.gap();
    times.entry(90n);
    expect(times.rows(0)).toMatchObject([
      { reason: 'A', count: 3, timed: 0 },
      { reason: 'B', count: 1, timed: 1, totalNs: 10 },
    ]);
    expect(times.rows(0)[0]!.meanNs).toBeUndefined();
    expect(['HLT', 'hlt', 'halt', 'IO_INSTRUCTION'].map(isIdle)).toEqual([true, true, true, false]);
  });
});

describe.each(KERNELS)('ports and MMIO of Linux $release', (kernel) => {
  const decoder = ExitEvents.from([kernel.exit, kernel.entry, PIO, MMIO].map(parseEventFormat));
  const pio = (rw: number, port: number): Buffer => accessRecord(PIO, TID, rw, port);
  const mmio = (type: number, gpa: number): Buffer => accessRecord(MMIO, TID, type, gpa);
  const exit = exitRecord(kernel, TID, 1, 30);
  const entry = entryRecord(kernel, TID, 1);

  it('have the times of perf kvm stat --event: to the entry, and of a read from the exit', () => {
    const parts: [number, Buffer][] = [
      ...([[0, exit], [100, pio(1, 0x3f8)], [700, entry]] as [number, Buffer][]), // biome-ignore format: a round each
      ...([[1000, exit], [1050, pio(0, 0x3fd)], [1250, entry]] as [number, Buffer][]), // biome-ignore format: a round each
      ...([[2000, exit], [2300, mmio(2, 0xfee000b0)], [2400, entry]] as [number, Buffer][]), // biome-ignore format: a round each
      // A read: asked for first, answered later, in the run of the vCPU after it.
      ...([[3000, exit], [3100, mmio(0, 0xfec00010)], [3900, mmio(1, 0xfec00010)], [3950, entry]] as [number, Buffer][]), // biome-ignore format: a round each
      ...([[5000, pio(1, 0x80)], [5500, exit], [5600, entry]] as [number, Buffer][]), // biome-ignore format: a round each
    ];
    const page = ringPage(parts.map(([ns, bytes]) => ({ ns: BigInt(ns) + 1_000_000n, record: bytes })));
    const times = new ExitTimes();
    readPage(page, PAGE_HEADER, (ns, view, at, length) => {
      const event = decoder.decode(TID, ns, view, at, length);
      if (event) times.take(event);
    });
    const rows = new Map(times.rows(1).map(({ kind, reason, count, timed, totalNs }) => [`${kind} ${reason}`, [count, timed, totalNs]])); // biome-ignore format: a row
    expect(Object.fromEntries(rows)).toEqual({
      'vmexit IO_INSTRUCTION': [5, 5, 700 + 250 + 400 + 950 + 100],
      'ioport 0x3f8:POUT': [1, 1, 600],
      'ioport 0x3fd:PIN': [1, 1, 200],
      'mmio 0xfee000b0:W': [1, 1, 100],
      'mmio 0xfec00010:R': [1, 1, 900],
      // Its entry was lost: counted, without a time.
      'ioport 0x80:POUT': [1, 0, 0],
    });
  });

  it('are counted among the exits where KVM tells of none', () => {
    const times = new ExitTimes();
    for (const bytes of [pio(1, 0x80), pio(0, 0x80)]) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      times.take(decoder.decode(TID, 1n, view, 0, bytes.length)!, true);
    }
    const counts = times.rows(0).map(({ kind, reason, count }) => [kind, reason, count]);
    expect(counts).toEqual([
      ['vmexit', 'ioport', 2],
      ['ioport', '0x80:POUT', 1],
      ['ioport', '0x80:PIN', 1],
    ]);
  });
});

describe("the kernel's descriptions", () => {
  it('of pages and events are read, and nonsense is one line', () => {
    const text = `	field: u64 timestamp;	offset:0;	size:8;	signed:0;
	field: local_t commit;	offset:8;	size:8;	signed:1;
	field: int overwrite;	offset:8;	size:1;	signed:1;
	field: char data;	offset:16;	size:4080;	signed:0;
`;
    expect(parsePageHeader(text)).toEqual(PAGE_HEADER);
    expect(() => parsePageHeader('nothing')).toThrow(/no commit/);
    expect(() => parseEventFormat('nothing')).toThrow(/no format of an event/);
    expect(() => parseEventFormat('x'.repeat(1 << 19))).toThrow(/format of 524288 bytes/);
  });

  it('are looked for where tracefs is, and what is missing is named with the way to get it', () => {
    expect(findTracing('proc /proc proc rw 0 0\n')).toEqual({
      why: expect.stringMatching(/not mounted.*mount -t tracefs/),
    });
    expect(findTracing('nodev /no/such\\040place tracefs rw 0 0\n')).toEqual({
      why: expect.stringMatching(/no\/such place/),
    });
  });
});

describe('nonsense', () => {
  it('in pages and records ends, and tells nothing that does not fit: 3,000 each', () => {
    let seed = 12345;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return (seed >> 8) % below;
    };
    for (let n = 0; n < 3000; n++) {
      const kernel = KERNELS[n % 3]!;
      const page = ringPage(story(kernel), n % 2 ? 'some' : 'none');
      const records = Buffer.concat(story(kernel).map((one) => perfSample(TID, one)));
      for (let k = 0; k < 1 + random(8); k++) {
        page[random(n % 4 ? 64 : 4096)] = random(256);
        records[random(n % 4 ? 64 : records.length)] = random(256);
      }
      expect(fromPage(kernel, page).events.length).toBeLessThan(1024);
      expect(fromPerf(kernel, records).events.length).toBeLessThan(1024);
    }
  });
});
