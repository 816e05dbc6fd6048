/**
 * A process that plays 200 guests of one kind, whose counters move: `own FOLDER`, `libvirt SOCKET` or `qmp FOLDER`. Tells
 * "ready" on its standard output, and ends with its standard input.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Debugger } from '../src/engine/debugger.js';
import { serveDebugger } from '../src/engine/host/rpc.js';
import { SocketChannel } from '../src/engine/host/socket-channel.js';
import { FakeLibvirtd, fakeDomain } from '../test/targets/libvirt/fake-libvirtd.js';

const GUESTS = 200;
const names = Array.from({ length: GUESTS }, (_, n) => `guest-${String(n).padStart(3, '0')}`);
const started = Date.now();
const elapsedMs = (): number => Date.now() - started;

/** Each guest a process of its own, as in life: they are told apart by it, and /proc is read for each. */
async function own(folder: string): Promise<ChildProcess[]> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const machines = names.map(() => spawn('/bin/bash', ['-c', 'read x'], { stdio: ['pipe', 'ignore', 'ignore'] }));
  for (const [n, name] of names.entries()) {
    const target = {
      info: async () => ({ name, engine: 'vtx', image: 'bzImage', vcpus: 2, memoryBytes: 256 << 20, unavailable: {} }),
      state: async () => ({ running: true, vcpu: 0, icount: BigInt(elapsedMs() * 1000 * (n + 1)), clock: 0n }),
      onEvent: () => () => {},
      exits: { counts: async () => ({ IO: elapsedMs() * (n + 1), HLT: elapsedMs(), CPUID: 100 }) },
    } as unknown as Debugger;
    const hello = { name, pid: machines[n]!.pid, image: 'bzImage', startedMs: started };
    const server = createServer((socket) => {
      const channel = new SocketChannel(socket);
      channel.postMessage({ hello });
      socket.once('close', serveDebugger(target, channel));
    });
    await new Promise<void>((resolve) => server.listen(join(folder, `${name}.sock`), resolve));
  }
  return machines;
}

async function libvirt(path: string): Promise<void> {
  const domains = names.map((name, n) => fakeDomain(name, n + 1, BigInt(n) * 1_000_000n));
  await FakeLibvirtd.start(path, domains);
  setInterval(() => {
    for (const [n, { parameters }] of domains.entries()) {
      const ns = BigInt(elapsedMs() * (n + 1)) * 1000n;
      Object.assign(parameters, { 'cpu.time': ns, 'vcpu.0.time': ns, 'vcpu.0.exits.sum': ns / 1000n });
    }
  }, 500);
}

/** Processes of QEMU's name, each with a monitor that this process answers. */
async function qmp(folder: string): Promise<ChildProcess[]> {
  const program = join(folder, 'qemu-system-x86_64');
  copyFileSync('/bin/bash', program);
  const machines: ChildProcess[] = [];
  for (const [n, name] of names.entries()) {
    const path = join(folder, `${name}.qmp`);
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.write('{"QMP":{"version":{"qemu":{"micro":0,"minor":2,"major":7},"package":""},"capabilities":[]}}\r\n');
      let held = '';
      socket.on('data', (bytes) => {
        const lines = (held + bytes.toString('utf8')).split('\n');
        held = lines.pop()!;
        for (const line of lines) {
          const { execute, id } = JSON.parse(line) as { execute: string; id: number };
          socket.write(`${JSON.stringify({ return: answerOf(execute, n, machines[n]?.pid), id })}\r\n`);
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const args = [
      '-c',
      'read x',
      '-name',
      `guest=${name}`,
      '-m',
      '256',
      '-accel',
      'kvm',
      '-qmp',
      `unix:${path},server=on`,
    ];
    machines.push(spawn(program, args, { stdio: ['pipe', 'ignore', 'ignore'] }));
  }
  return machines;
}

/** @param pid of the guest's process, whose first thread is its vCPU */
function answerOf(command: string, n: number, pid: number | undefined): unknown {
  if (command === 'query-status') return { running: true, singlestep: false, status: 'running' };
  if (command === 'query-cpus-fast') return [{ 'cpu-index': 0, 'thread-id': pid, target: 'x86_64' }];
  if (command === 'query-blockstats')
    return [{ device: 'ide0-hd0', stats: { rd_bytes: elapsedMs(), rd_operations: n, wr_bytes: 0, wr_operations: 0 } }];
  if (command === 'query-stats')
    return [
      {
        provider: 'kvm',
        'qom-path': '/machine/unattached/device[0]',
        stats: ['exits', 'io_exits', 'halt_exits', 'mmio_exits', 'irq_exits', 'halt_poll_fail_ns'].map((name) => ({
          ...{ name, value: elapsedMs() * (n + 1) },
        })),
      },
    ];
  return {};
}

const [kind = '', place = ''] = process.argv.slice(2);
let machines: ChildProcess[] = [];
if (kind === 'own') machines = await own(place);
else if (kind === 'libvirt') await libvirt(place);
else machines = await qmp(place);
process.stdout.write('ready\n');
process.stdin.resume();
process.stdin.on('end', () => {
  for (const machine of machines) machine.kill('SIGKILL');
  process.exit(0);
});
