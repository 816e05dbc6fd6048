/** Debian's Linux goes from process to process while it counts on its console and writes the count to its disk. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { connectGuest } from '../../src/cli/guest-socket.js';
import { PROGRAM } from '../cli/vmscope.js';
import { named, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const apt = requireTool('apt-get');
const guest = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const [mke2fs, e2fsck, debugfs] = ['mke2fs', 'e2fsck', 'debugfs'].map(requireTool);
const folder = `${root}build/guests/linux`;
/** Times in a row. */
const MOVES = process.env.VMSCOPE_LONG_TESTS === '1' ? 20 : 3;
const SLOW = 3_600_000;

interface Side {
  child: ChildProcess;
  name: string;
  out: string;
  err: string;
  ended: Promise<number | null>;
}

/** Waits for what a process prints. @throws Error with its output when it ends before */
async function until(side: Side, what: () => boolean): Promise<void> {
  while (!what()) {
    if (side.child.exitCode !== null || side.child.signalCode !== null)
      throw new Error(`it has ended: ${side.err} ${side.out.slice(-2000)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const tools = [guest, mke2fs, e2fsck, debugfs];
test.skipIf(tools.some(({ available }) => !available)).each([1, 2])(
  named(`a Linux guest with %d vCPUs that moves ${MOVES} times loses no line and no byte of its disk`, ...tools),
  async (vcpus) => {
    const work = mkdtempSync(join(tmpdir(), 'vmscope-moves-'));
    const sides: Side[] = [];
    try {
      const disk = join(work, 'disk.img');
      writeFileSync(disk, '');
      truncateSync(disk, 16 << 20);
      execFileSync(mke2fs.path, ['-q', '-t', 'ext4', disk]);
      // it counts until a line comes
      const commands =
        'mount -t ext4 /dev/vda /mnt; (read line </dev/ttyS0; touch /tmp/stop) & i=0; while [ ! -e /tmp/stop ]; do ' +
        'i=$((i+1)); echo COUNT=$i; echo $i >>/mnt/log; [ $((i%40)) = 0 ] && sync; done; umount /mnt; echo ALL-DONE';
      const append = `console=ttyS0 quiet RUN="${commands}"`;
      const files = ['--kernel', `${folder}/vmlinuz`, '--initrd', `${folder}/initrd.gz`, '-m', '256M', '--headless'];
      const start = (...more: string[]): Side => {
        const name = `moves-${process.pid}-${vcpus}-${sides.length}`;
        const options = ['--append', append, '--disk', `${disk},format=raw`, '--vcpus', String(vcpus), '--name', name];
        const child = spawn(process.execPath, [PROGRAM, 'run', ...files, ...options, ...more], {
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        const ended = once(child, 'close').then(([status]) => status as number | null);
        const side: Side = { child, name, out: '', err: '', ended };
        child.stdout!.on('data', (bytes) => (side.out += bytes));
        child.stderr!.on('data', (bytes) => (side.err += bytes));
        sides.push(side);
        return side;
      };
      let source = start();
      const downtimes: number[] = [];
      for (let move = 0; move < MOVES; move++) {
        await until(source, () => (source.out.match(/COUNT=/g)?.length ?? 0) > 5);
        const target = start('--incoming', `unix:${work}/move-${move}`);
        await until(target, () => target.err.includes('waiting for a guest'));
        const connection = await connectGuest(source.name);
        await connection.target.migration!.start(`unix:${work}/move-${move}`);
        connection.close();
        expect(await source.ended, source.err).toBe(0);
        downtimes.push(Number(/downtime (\d+) ms/.exec(source.err)?.[1]));
        source = target;
      }
      // an empty line: its echo comes between two lines of output at worst
      const last = await connectGuest(source.name);
      await last.target.console!.serialInput(Buffer.from('\n'));
      last.close();
      expect(await source.ended, source.err).toBe(0);
      process.stdout.write(`downtimes of ${vcpus} vCPUs in ms: ${downtimes.join(' ')}\n`);
      const whole = sides.map(({ out }) => out).join('');
      const numbers = [...whole.matchAll(/COUNT=(\d+)\r\n/g)].map(([, number]) => Number(number));
      expect(numbers.length).toBeGreaterThan(MOVES);
      const counted = numbers.map((_, n) => n + 1);
      expect(numbers).toEqual(counted);
      expect(whole).toMatch(/ALL-DONE/);
      execFileSync(e2fsck.path, ['-fn', disk], { stdio: 'ignore' });
      const log = execFileSync(debugfs.path, ['-R', 'cat log', disk], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      expect(log.trim().split('\n').map(Number)).toEqual(counted);
    } finally {
      for (const { child } of sides) child.kill('SIGKILL');
      rmSync(work, { recursive: true, force: true });
    }
  },
  SLOW,
);
