/** vCPUs of a QEMU that has no monitor for others, by the names of its threads. */
import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { GuestSample } from '../../../src/engine/fleet.js';
import { ProcessSource } from '../../../src/targets/qemu/source.js';
import { named, requireTool } from '../../tools.js';

const qemu = requireTool('qemu-system-x86_64');

describe.skipIf(!qemu.available)(named('a QEMU without a monitor', qemu), () => {
  it('has the times of its vCPUs and their waits for a CPU, and says what it has not for want of one', async () => {
    const machine = ['-S', '-nodefaults', '-display', 'none', '-m', '16', '-smp', '2'];
    const child = spawn(qemu.path, [...machine, '-name', 'guest=silent,debug-threads=on'], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const source = new ProcessSource();
    const look = async (): Promise<GuestSample | undefined> =>
      (await source.look()).guests.find(({ process }) => process?.pid === child.pid);
    try {
      // Its threads get their names when it is ready; they are looked at again after a while.
      let guest = await look();
      for (let n = 0; n < 200 && (guest?.vcpu?.length ?? 0) < 2; n++) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        guest = await look();
      }
      expect(guest).toMatchObject({ name: 'silent', vcpus: 2, state: 'unknown' });
      expect(guest!.vcpu).toEqual([0, 1].map((number) => ({ number, timeNs: expect.any(BigInt), waitNs: expect.any(BigInt) }))); // biome-ignore format: one row each
      expect(guest!.missing!['run queue']).toBeUndefined();
      expect(guest!.missing!.disks).toMatch(/no QMP socket/);
      child.kill('SIGKILL');
      await ended;
      // One that has gone is no row, although its number was known.
      expect(await look()).toBeUndefined();
    } finally {
      child.kill('SIGKILL');
      source.close();
    }
  }, 60_000);
});
