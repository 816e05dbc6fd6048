import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { GdbClient } from './gdb-client.js';
import { type Measurement, seconds } from './measurement.js';
import { LOOPS, ROOT } from './paths.js';
import { loadImage } from './product.js';

const STEPS = 2000;
const READ_BYTES = 1024;
const READS = 2000;
const LARGE_BYTES = 65536;
const LARGE_READS = 200;
const HITS = 1000;
const BUFFER = 0x400000;

/** Rates of the GDB stub, over TCP to the real program in a process of its own, as gdb would see them. */
export async function stubRates(): Promise<Measurement[]> {
  const port = await freePort();
  const args = ['run', LOOPS, '--append', 'crc32 1000', '--headless', '--wait', '--gdb', `127.0.0.1:${port}`];
  const child = spawn(process.execPath, [`${ROOT}bin/vmscope`, ...args], { stdio: 'ignore' });
  try {
    const client = await GdbClient.connect(port);
    try {
      const trips = await roundTrips();
      const measured = await rates(client);
      const steps = measured.find(({ name }) => name === 'stub.steps')!.value;
      return [
        {
          name: 'stub.round-trips',
          value: trips,
          unit: 'round trips/s',
          note: 'a TCP echo between two processes: the ceiling',
        },
        ...measured,
        { name: 'stub.step-share', value: steps / trips, unit: 'ratio', note: 'of the echo' },
      ];
    } finally {
      client.close();
    }
  } finally {
    child.kill('SIGKILL');
  }
}

/** Exported for comparison with another stub: the guest must stand at the start of `loops.elf crc32 N`. */
export async function rates(client: GdbClient): Promise<Measurement[]> {
  const place = `${symbol('crc32_byte').toString(16)},1`;
  await client.request('?');
  await client.must(`Z0,${place}`);
  const stop = await client.request('c');
  if (!stop.startsWith('T05')) throw new Error(`no stop at crc32_byte: ${stop}`);

  const before = await counter(client);
  const hits = await seconds(async () => {
    for (let i = 0; i < HITS; i++) {
      // gdb steps off a breakpoint with it taken out
      await client.must(`z0,${place}`);
      await client.request('s');
      await client.must(`Z0,${place}`);
      await client.request('c');
    }
  });
  const after = await counter(client);
  if (before - after !== BigInt(HITS)) throw new Error(`${HITS} stops, but the loop went on by ${before - after}`);
  await client.must(`z0,${place}`);
  const steps = await seconds(async () => {
    for (let i = 0; i < STEPS; i++) await client.request('s');
  });
  const range = await rangeRate(client);
  const reads = await seconds(async () => {
    for (let i = 0; i < READS; i++) {
      const hex = await client.request(`m${BUFFER.toString(16)},${READ_BYTES.toString(16)}`);
      if (hex.length !== READ_BYTES * 2) throw new Error(`memory read was answered by '${hex.slice(0, 40)}'`);
    }
  });
  return [
    { name: 'stub.steps', value: STEPS / steps, unit: 'steps/s' },
    { name: 'stub.breakpoint', value: HITS / hits, unit: 'round trips/s', note: 'z0, s, Z0, c' },
    { name: 'stub.range-step', value: range, unit: 'steps/s', note: 'vCont;r' },
    { name: 'stub.memory-read', value: (READS * READ_BYTES) / reads / 1e6, unit: 'MB/s', note: 'm of 1 KiB' },
    { name: 'stub.memory-read-large', value: await largeReads(client, 'm'), unit: 'MB/s', note: 'm of 64 KiB' },
    { name: 'stub.memory-read-binary', value: await largeReads(client, 'x'), unit: 'MB/s', note: 'x of 64 KiB' },
  ];
}

async function largeReads(client: GdbClient, packet: 'm' | 'x'): Promise<number> {
  const request = `${packet}${BUFFER.toString(16)},${LARGE_BYTES.toString(16)}`;
  const shortest = packet === 'm' ? 2 * LARGE_BYTES : LARGE_BYTES;
  const time = await seconds(async () => {
    for (let i = 0; i < LARGE_READS; i++) {
      const { length } = await client.request(request);
      if (length < shortest) throw new Error(`${request} was answered by ${length} characters`);
    }
  });
  return (LARGE_READS * LARGE_BYTES) / time / 1e6;
}

/** Steps in a range for a while, then interrupts; the guest's TSC counts its instructions. */
async function rangeRate(client: GdbClient): Promise<number> {
  let variable = await client.request('qTfV');
  const name = Buffer.from('tsc').toString('hex');
  while (variable !== 'l' && !variable.endsWith(`:${name}`)) variable = await client.request('qTsV');
  const number = variable.split(':')[0];
  const tsc = async () => Number(BigInt(`0x${(await client.request(`qTV:${number}`)).slice(1)}`) & 0xffffffffn);
  const before = await tsc();
  const time = await seconds(async () => {
    const stop = client.request('vCont;r0,7fffffffffff:1');
    setTimeout(() => client.socket.write('\x03'), 500);
    await stop;
  });
  return (((await tsc()) - before) >>> 0) / time;
}

/** Round trips a second of a bare TCP server in another process, with a step's bytes each way. */
async function roundTrips(): Promise<number> {
  const reply = `$T05thread:01;core:0;${'06:0000000000000000;'.repeat(3)}#00`;
  const script = `require('net').createServer((s) => { s.setNoDelay(true); s.on('data', () => s.write('${reply}'));
    s.on('close', () => process.exit()); }).listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<number>((resolve) => child.stdout.once('data', (text) => resolve(Number(text))));
  const socket = createConnection(port, '127.0.0.1').setNoDelay(true);
  const time = await seconds(
    () =>
      new Promise<void>((resolve) => {
        let left = STEPS;
        socket.on('data', () => (left-- > 0 ? socket.write('$s#73') : resolve()));
        socket.write('$s#73');
      }),
  );
  socket.destroy();
  return STEPS / time;
}

/** The low half of RCX, the loop's counter: register 2 in gdb's order. */
async function counter(client: GdbClient): Promise<bigint> {
  const bytes = Buffer.from(await client.request('g'), 'hex');
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
