import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { GdbClient } from './gdb-client.js';
import { format, type Measurement } from './measurement.js';
import { LOOPS, ROOT } from './paths.js';
import { QEMU } from './processor-time.js';
import { loadImage } from './product.js';

const STEPS = 2000;
const READ_BYTES = 1024;
const READS = 2000;
const LARGE_BYTES = 65536;
const LARGE_READS = 200;
const HITS = 1000;
const REGISTER_READS = 2000;
const BUFFER = 0x400000;
const RANGE_MS = 500;
const ROUNDS = 5;
const COMMAND_LINE = 'crc32 1000';
/** The loop that a stop is made in. */
const PLACE = 'crc32_byte';

/** Something that a stub is asked again and again, and how often a second it answers. */
interface Rate {
  readonly name: string;
  readonly unit: Measurement['unit'];
  readonly note?: string;
  /** @param isOwn QEMU's stub tells a stop twice now and then */
  readonly of: (client: GdbClient, place: string, isOwn: boolean) => number | Promise<number>;
}

/** What every stub can do. */
const COMMON: readonly Rate[] = [
  { name: 'steps', unit: 'steps/s', of: stepRate },
  { name: 'breakpoint', unit: 'round trips/s', note: 'z0, s, Z0, c', of: breakpointRate },
  { name: 'registers', unit: 'round trips/s', note: 'g', of: registerRate },
  { name: 'memory-read', unit: 'MB/s', note: 'm of 1 KiB', of: readRate },
];

/** What this one can do beside. */
const OWN: readonly Rate[] = [
  { name: 'range-step', unit: 'steps/s', note: 'vCont;r', of: rangeRate },
  { name: 'memory-read-large', unit: 'MB/s', note: 'm of 64 KiB', of: (client) => largeReads(client, 'm') },
  { name: 'memory-read-binary', unit: 'MB/s', note: 'x of 64 KiB', of: (client) => largeReads(client, 'x') },
];

/** A program whose stub waits with a guest at its start. */
const PROGRAMS: Record<'vmscope' | 'qemu', (port: number) => [program: string, args: string[]]> = {
  vmscope: (port) => [
    process.execPath,
    [
      ...[`${ROOT}bin/vmscope`, 'run', LOOPS, '--append', COMMAND_LINE, '--headless', '--wait'],
      ...['--gdb', `127.0.0.1:${port}`],
    ],
  ],
  qemu: (port) => [
    'qemu-system-x86_64',
    [...QEMU, '-serial', 'null', '-kernel', LOOPS, '-append', COMMAND_LINE, '-S', '-gdb', `tcp:127.0.0.1:${port}`],
  ],
};

/**
 * Rates of the GDB stub, over TCP to the real program in a process of its own, as gdb would see them, and beside those of
 * QEMU's stub where QEMU is installed: by turns, the best of each.
 */
export async function stubRates(): Promise<Measurement[]> {
  const place = `${symbol(PLACE).toString(16)},1`;
  const own = await opened('vmscope', place);
  if (!own) throw new Error('the stub does not answer');
  const other = await opened('qemu', place);
  try {
    const trips = await roundTrips();
    const best = new Map<Rate, { own: number; other: number }>();
    for (let round = 0; round < ROUNDS; round++) {
      for (const rate of COMMON) {
        const before = best.get(rate) ?? { own: 0, other: 0 };
        best.set(rate, {
          own: Math.max(before.own, await rate.of(own.client, place, true)),
          other: other ? Math.max(before.other, await rate.of(other.client, place, false)) : 0,
        });
      }
    }
    const told: Measurement[] = [
      {
        name: 'stub.round-trips',
        value: trips,
        unit: 'round trips/s',
        note: 'a TCP echo by the event loop of Node',
      },
    ];
    for (const [{ name, unit, note }, { own: mine, other: its }] of best) {
      told.push({ name: `stub.${name}`, value: mine, unit, ...(note ? { note } : {}) });
      if (its > 0) {
        const ratio = { name: `stub.${name}-of-qemu`, value: mine / its, unit: 'ratio' as const };
        told.push({ ...ratio, note: `QEMU's stub: ${format(its)} ${unit}` });
      }
    }
    for (const { name, unit, note, of } of OWN) {
      told.push({ name: `stub.${name}`, value: await of(own.client, place, true), unit, ...(note ? { note } : {}) });
    }
    return told;
  } finally {
    own.close();
    other?.close();
  }
}

/** Starts a program and runs its guest to the loop; undefined where there is no such program. */
async function opened(
  which: keyof typeof PROGRAMS,
  place: string,
): Promise<{ client: GdbClient; close: () => void } | undefined> {
  const port = await freePort();
  const [program, args] = PROGRAMS[which](port);
  const child = spawn(program, args, { stdio: 'ignore' });
  const started = await new Promise<boolean>((resolve) => {
    child.once('spawn', () => resolve(true));
    child.once('error', () => resolve(false));
  });
  if (!started) return undefined;
  try {
    const client = await GdbClient.connect(port, 60_000);
    client.greet();
    client.request('?');
    client.must(`Z0,${place}`);
    const stop = client.request('c');
    if (!stop.startsWith('T05')) throw new Error(`no stop at ${PLACE}: ${stop}`);
    client.must(`z0,${place}`);
    return {
      client,
      close: () => {
        client.close();
        child.kill('SIGKILL');
      },
    };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

function stepRate(client: GdbClient): number {
  return rateOf(STEPS, () => client.request('s'));
}

/** As gdb steps off a breakpoint, with it taken out. */
function breakpointRate(client: GdbClient, place: string, isOwn: boolean): number {
  client.must(`Z0,${place}`);
  client.request('c');
  const before = counter(client);
  const rate = rateOf(HITS, () => {
    client.must(`z0,${place}`);
    client.request('s');
    client.must(`Z0,${place}`);
    client.request('c');
  });
  const gone = (before - counter(client)) & 0xffffffffn;
  client.must(`z0,${place}`);
  // a pass of the loop may have ended and begun anew
  const isWhole = gone === BigInt(HITS) || gone >= 0x80000000n;
  if (!isWhole && (isOwn || gone < HITS * 0.99)) throw new Error(`${HITS} stops, but the loop went on by ${gone}`);
  return rate;
}

function registerRate(client: GdbClient): number {
  return rateOf(REGISTER_READS, () => {
    const { length } = client.request('g');
    if (length < 2 * 8 * 17) throw new Error(`g was answered by ${length} characters`);
  });
}

function readRate(client: GdbClient): number {
  const rate = rateOf(READS, () => {
    const hex = client.request(`m${BUFFER.toString(16)},${READ_BYTES.toString(16)}`);
    if (hex.length !== READ_BYTES * 2) throw new Error(`memory read was answered by '${hex.slice(0, 40)}'`);
  });
  return (rate * READ_BYTES) / 1e6;
}

/** How often a second something is done. */
function rateOf(times: number, work: () => void): number {
  const start = performance.now();
  for (let n = 0; n < times; n++) work();
  return (times * 1000) / (performance.now() - start);
}

function largeReads(client: GdbClient, packet: 'm' | 'x'): number {
  const request = `${packet}${BUFFER.toString(16)},${LARGE_BYTES.toString(16)}`;
  const shortest = packet === 'm' ? 2 * LARGE_BYTES : LARGE_BYTES;
  const rate = rateOf(LARGE_READS, () => {
    const { length } = client.request(request);
    if (length < shortest) throw new Error(`${request} was answered by ${length} characters`);
  });
  return (rate * LARGE_BYTES) / 1e6;
}

/** Steps in a range for a while, then interrupts; the guest's TSC counts its instructions. */
async function rangeRate(client: GdbClient): Promise<number> {
  let variable = client.request('qTfV');
  const name = Buffer.from('tsc').toString('hex');
  while (variable !== 'l' && !variable.endsWith(`:${name}`)) variable = client.request('qTsV');
  const number = variable.split(':')[0];
  const tsc = () => Number(BigInt(`0x${client.request(`qTV:${number}`).slice(1)}`) & 0xffffffffn);
  const before = tsc();
  const start = performance.now();
  client.send('vCont;r0,7fffffffffff:1');
  await new Promise((resolve) => setTimeout(resolve, RANGE_MS));
  client.bytes('\x03');
  client.answer();
  const seconds = (performance.now() - start) / 1000;
  return ((tsc() - before) >>> 0) / seconds;
}

/** Round trips a second of a TCP server of Node's, in another process and by its event loop, with a step's bytes each way. */
async function roundTrips(): Promise<number> {
  const reply = `$T05thread:01;core:0;${'06:0000000000000000;'.repeat(3)}#00`;
  const script = `require('net').createServer((s) => { s.setNoDelay(true); s.on('data', () => s.write('${reply}'));
    s.on('close', () => process.exit()); s.on('error', () => {}); }).listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<number>((resolve) => child.stdout.once('data', (text) => resolve(Number(text))));
  const client = await GdbClient.connect(port);
  const rate = rateOf(STEPS, () => client.request('s'));
  client.close();
  return rate;
}

/** The low half of RCX, the loop's counter: register 2 in gdb's order. */
function counter(client: GdbClient): bigint {
  const bytes = Buffer.from(client.request('g'), 'hex');
  if (bytes.length < 24) throw new Error('the stub gives no registers');
  return BigInt(bytes.readUInt32LE(16));
}

function symbol(name: string): bigint {
  const { symbols } = loadImage(LOOPS, readFileSync(LOOPS), { memoryBytes: 64 << 20, vcpus: 1 });
  const found = symbols.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`loops.elf has no ${name}`);
  return found.address;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
