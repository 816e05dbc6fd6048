/**
 * Debian's Xen with Debian's kernel as its first domain, as multiboot modules with their command lines; beside QEMU. Under
 * VMSCOPE_LONG_TESTS=1: minutes.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { vmscope } from '../cli/vmscope.js';
import { named, requireScript, requireTool, type Tool } from '../tools.js';
import { speaksByCom1 } from './qemu-pc.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const asked: Tool = { available: false, reason: 'VMSCOPE_LONG_TESTS=1 is not set', path: '' };
const long = process.env.VMSCOPE_LONG_TESTS === '1';
const xen = long ? requireScript(`${root}samples/xen/fetch`) : asked;
const linux = long ? requireScript(`${root}samples/linux/fetch-hardware`) : asked;
const qemu = requireTool('qemu-system-x86_64');
const SLOW = 3_600_000;
const folder = `${root}build/guests`;

const FACTS = [
  ...['/proc/cmdline', '/sys/hypervisor/type', '/sys/hypervisor/version/major', '/sys/hypervisor/version/minor'],
  '/sys/hypervisor/version/extra',
];
const RUN = `cat ${FACTS.join(' ')}; uname -r; grep -c Xen /proc/interrupts; echo THE-END`;
const XEN_LINE = 'console=com1 com1=115200,8n1 dom0_mem=512M loglvl=all';
const MODULES = `linux-hardware/vmlinuz console=hvc0 "RUN=${RUN}",linux-hardware/initrd.gz`;

/** What the first process of the first domain printed. */
function factsOf(log: string): string[] {
  const lines = log.replaceAll('\r', '').split('\n');
  // the kernel's own messages come between
  const printed = lines.filter((line) => !/^(\(XEN\)|\[ *\d+\.\d+\])/.test(line));
  return printed.slice(printed.indexOf('GUEST-UP'), printed.indexOf('THE-END') + 1);
}

/** Lines of the log without what is each machine's and each run's: addresses, times, sizes. */
function linesOf(log: string): Set<string> {
  const lines = log.replaceAll('\r', '').split('\n');
  return new Set(
    lines.map((line) => line.replace(/^\[ *[\d.]+\] /, '').replace(/0x[\da-f]+|[\da-f]{8,}|\d+(\.\d+)?/g, 'N')),
  );
}

describe('Xen', () => {
  it.skipIf(!xen.available || !linux.available || !qemu.available)(
    named('boots its first domain to its first process and off again, as on QEMU', xen, linux, qemu),
    async () => {
      const guest = ['-m', '1G', '--headless', '--no-reboot', '--append', XEN_LINE, '--initrd', MODULES];
      const here = await vmscope(['run', 'xen/xen', ...guest], { cwd: folder, timeoutMs: SLOW });
      expect(here.status, here.stderr).toBe(0);
      const facts = factsOf(here.stdout);
      expect(facts).toContain('xen');
      expect(facts.at(-1)).toBe('THE-END');
      expect(here.stdout).toMatch(/Building a PV Dom0[\s\S]*reboot: Power down[\s\S]*Entering ACPI S5 state/);

      const machine = [...speaksByCom1(), '-m', '1024', '-no-reboot'];
      const words = [...machine, '-kernel', 'xen/xen', '-append', XEN_LINE, '-initrd', MODULES];
      const there = spawnSync(qemu.path, words, { cwd: folder, encoding: 'latin1', timeout: SLOW, maxBuffer: 2 ** 26 });
      expect(factsOf(there.stdout)).toEqual(facts);
      // what differs tells of processor, tables and cards
      const [ours, theirs] = [linesOf(here.stdout), linesOf(there.stdout)];
      const common = [...ours].filter((line) => theirs.has(line)).length;
      expect(common / ours.size).toBeGreaterThan(0.8);
    },
    SLOW,
  );
});
