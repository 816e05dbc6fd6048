// `node tools/soak.mjs [--minutes 120]`: Linux with two vCPUs, disk and network under load, in a dashboard that is resized;
// gdb comes, is killed and comes again; `top` and `attach` look on. Resident memory and descriptors of the guest's process
// are sampled, and must be flat after the first ten minutes. Needs a build, gdb, mke2fs and samples/linux/fetch.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as pty from '@lydell/node-pty';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '120' } } });
const minutes = Number(values.minutes);
const root = fileURLToPath(new URL('../', import.meta.url));
const program = join(root, 'bin/vmscope');
const guest = join(root, 'build/guests/linux');
const SAMPLE_MS = 15_000;
/** Memory and descriptors may grow until then: caches fill, code is compiled. */
const SETTLED_MIN = Math.min(10, minutes / 3);
const MAX_KIB_A_MINUTE = 512;
/** A guest that fetches nothing for so long hangs. */
const SILENT_MS = 120_000;

const work = mkdtempSync(join(tmpdir(), 'vmscope-soak-'));
const environment = { ...process.env, XDG_RUNTIME_DIR: work, TERM: 'xterm-256color' };
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const random = (below) => Math.floor(Math.random() * below);
const started = Date.now();
const elapsedMin = () => (Date.now() - started) / 60_000;
const goesOn = () => elapsedMin() < minutes && !over;
let over = false;

/** Whatever happens here, nothing stays behind. */
const children = new Set();
function tracked(child) {
  children.add(child);
  return child;
}
process.on('exit', () => {
  for (const child of children) {
    try {
      child.kill('SIGKILL');
    } catch {
      // it has ended
    }
  }
  rmSync(work, { recursive: true, force: true });
});

/** Counts of what was done, for the report. */
const done = { downloads: 0, gdbKilled: 0, gdbLeft: 0, gdbFailed: 0, resizes: 0, top: 0, attach: 0 };
const faults = [];

const body = randomBytes(300 * 1024);
let lastDownload = Date.now();
const server = createServer((_, response) => {
  done.downloads++;
  lastDownload = Date.now();
  response.end(body);
});

async function freePort() {
  const probe = createSocketServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

function makeDisk() {
  const disk = join(work, 'disk.img');
  writeFileSync(disk, '');
  truncateSync(disk, 64 << 20);
  execFileSync('mke2fs', ['-q', '-t', 'ext4', disk]);
  return disk;
}

function startDashboard(gdbPort, httpPort, disk) {
  const load =
    'ifconfig lo 127.0.0.1; ifconfig eth0 10.0.2.15; route add default gw 10.0.2.2; mkdir -p /mnt; mount -t ext4 /dev/vda /mnt; ' +
    '(while true; do dd if=/dev/urandom of=/mnt/f bs=64k count=16 2>/dev/null; sync; sha256sum /mnt/f >/dev/null; done) & ' +
    `while true; do wget -q -O /tmp/x http://10.0.2.2:${httpPort}/x && sha256sum /tmp/x; done`;
  const args = ['run', '--kernel', `${guest}/vmlinuz`, '--initrd', `${guest}/initrd.gz`, '-m', '256M', '--vcpus', '2'];
  args.push('--append', `console=ttyS0 quiet RUN="${load}"`, '--disk', `${disk},format=raw`, '--net', 'user');
  args.push('--name', 'soak', '--gdb', String(gdbPort));
  const options = { cols: 140, rows: 45, env: environment, cwd: work };
  return tracked(pty.spawn(process.execPath, [program, ...args], options));
}

/** Each client stops, steps and breaks with a condition that never holds, and then is killed or leaves. */
async function debug(port) {
  for (let round = 0; goesOn(); round++) {
    const commands = [
      'set pagination off',
      'set confirm off',
      'set tcp connect-timeout 20',
      `target remote 127.0.0.1:${port}`,
    ];
    const leave = round % 3 === 2;
    commands.push('stepi', 'info registers rip', 'break *$pc if $rax == 0x7654321', 'thread apply all x/2i $pc');
    commands.push(...(leave ? ['delete', 'detach', 'quit'] : ['continue']));
    const gdb = tracked(
      spawn('gdb', ['-nx', '-q', '-batch', ...commands.flatMap((line) => ['-ex', line])], { cwd: work }),
    );
    let text = '';
    for (const stream of [gdb.stdout, gdb.stderr]) stream.on('data', (piece) => (text = (text + piece).slice(-4000)));
    const ended = new Promise((resolve) => gdb.once('close', resolve));
    const timer = setTimeout(() => gdb.kill('SIGKILL'), leave ? 60_000 : 12_000 + random(10_000));
    await ended;
    clearTimeout(timer);
    children.delete(gdb);
    if (/could not connect|timed out|Connection refused/i.test(text)) done.gdbFailed++;
    else if (leave) done.gdbLeft++;
    else done.gdbKilled++;
    await pause(1000 + random(5000));
  }
}

async function disturb(dashboard) {
  while (goesOn()) {
    dashboard.resize(60 + random(160), 15 + random(60));
    done.resizes++;
    if (random(4) === 0) dashboard.write('\t');
    await pause(2000 + random(4000));
  }
}

async function watch() {
  while (goesOn()) {
    const top = spawn(process.execPath, [program, 'top', '-b', '-n', '2', '-d', '1'], { env: environment });
    let text = '';
    top.stdout.on('data', (piece) => (text += piece));
    const status = await new Promise((resolve) => top.once('close', resolve));
    if (status !== 0 || !text.includes('soak')) faults.push(`top ended with ${status}: ${text.trim()}`);
    done.top++;
    const attached = pty.spawn(process.execPath, [program, 'attach', 'soak'], {
      cols: 100,
      rows: 30,
      env: environment,
    });
    tracked(attached).onData(() => {});
    const gone = new Promise((resolve) => attached.onExit(({ exitCode }) => resolve(exitCode)));
    await Promise.race([gone, pause(8000)]);
    try {
      attached.resize(120, 40);
      await pause(2000);
      if (random(2) === 0) attached.write('q');
      else attached.kill('SIGKILL');
      await Promise.race([gone, pause(10_000).then(() => attached.kill('SIGKILL'))]);
    } catch (error) {
      if (goesOn()) faults.push(`attach has ended early: ${error.message}`);
    }
    children.delete(attached);
    done.attach++;
    await pause(5000 + random(10_000));
  }
}

function sample(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return {
    minute: elapsedMin(),
    kib: Number(/VmRSS:\s+(\d+)/.exec(status)[1]),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    downloads: done.downloads,
  };
}

/** Least squares: KiB a minute. */
function slope(samples) {
  const mean = (key) => samples.reduce((sum, s) => sum + s[key], 0) / samples.length;
  const [x, y] = [mean('minute'), mean('kib')];
  const top = samples.reduce((sum, s) => sum + (s.minute - x) * (s.kib - y), 0);
  return top / samples.reduce((sum, s) => sum + (s.minute - x) ** 2, 0);
}

async function main() {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const gdbPort = await freePort();
  const dashboard = startDashboard(gdbPort, server.address().port, makeDisk());
  let screen = '';
  dashboard.onData((text) => (screen = (screen + text).slice(-2000)));
  dashboard.onExit(({ exitCode, signal }) => {
    if (!over) faults.push(`the guest's process ended with ${exitCode}, signal ${signal}: ${screen.slice(-300)}`);
    over = true;
  });
  while (goesOn() && done.downloads === 0) await pause(500);
  const samples = [];
  const others = [debug(gdbPort), disturb(dashboard), watch()];
  while (goesOn()) {
    samples.push(sample(dashboard.pid));
    const { minute, kib, descriptors } = samples.at(-1);
    console.log(
      `${minute.toFixed(1)} min  ${(kib / 1024).toFixed(1)} MiB  ${descriptors} descriptors  ${JSON.stringify(done)}`,
    );
    if (Date.now() - lastDownload > SILENT_MS) {
      faults.push(`no download for ${SILENT_MS / 1000} s`);
      break;
    }
    await pause(SAMPLE_MS);
  }
  over = true;
  dashboard.kill('SIGTERM');
  await Promise.all(others);
  const settled = samples.filter(({ minute }) => minute > SETTLED_MIN);
  if (settled.length > 4) {
    const perMinute = slope(settled);
    // while clients are connected there are more: the least of the first and of the last third are compared
    const third = Math.floor(settled.length / 3);
    const least = (part) => Math.min(...part.map(({ descriptors }) => descriptors));
    const [first, last] = [least(settled.slice(0, third)), least(settled.slice(-third))];
    console.log(
      `after ${SETTLED_MIN.toFixed(1)} min: ${perMinute.toFixed(0)} KiB a minute, descriptors ${first} at first, ${last} at last`,
    );
    if (perMinute > MAX_KIB_A_MINUTE) faults.push(`resident memory grows by ${perMinute.toFixed(0)} KiB a minute`);
    if (last > first) faults.push(`descriptors grow from ${first} to ${last}`);
  }
  for (const fault of faults) console.log(`FAULT ${fault}`);
  console.log(faults.length === 0 ? 'soak: flat, no hang' : `soak: ${faults.length} faults`);
  process.exit(faults.length === 0 ? 0 : 1);
}

if (spawnSync('gdb', ['--version']).status !== 0) throw new Error('soak: gdb is not installed');
await main();
