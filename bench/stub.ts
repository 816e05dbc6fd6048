import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { GdbClient } from './gdb-client.js';
import { type Measurement, seconds } from './measurement.js';
import { LOOPS, ROOT } from './paths.js';
import { loadImage } from './product.js';

const STEPS = 2000;
const READ_BYTES = 1024;
const READS = 2000;
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
      return await rates(client);
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
  const reads = await seconds(async () => {
    for (let i = 0; i < READS; i++) {
      const hex = await client.request(`m${BUFFER.toString(16)},${READ_BYTES.toString(16)}`);
      if (hex.length !== READ_BYTES * 2) throw new Error(`memory read was answered by '${hex.slice(0, 40)}'`);
    }
  });
  return [
    { name: 'stub.steps', value: STEPS / steps, unit: 'steps/s' },
    { name: 'stub.breakpoint', value: HITS / hits, unit: 'round trips/s', note: 'z0, s, Z0, c' },
    { name: 'stub.memory-read', value: (READS * READ_BYTES) / reads / 1e6, unit: 'MB/s' },
  ];
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
