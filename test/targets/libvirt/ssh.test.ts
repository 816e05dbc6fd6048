/** Another host's libvirt by ssh: a real sshd on loopback, in front of a libvirtd of the test's own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LibvirtSource } from '../../../src/targets/libvirt/source.js';
import { named, requireTool } from '../../tools.js';
import { FakeLibvirtd, fakeDomain } from './fake-libvirtd.js';

const tools = ['sshd', 'ssh', 'ssh-keygen', 'nc'].map(requireTool);
const usable = process.getuid?.() === 0 && tools.every(({ available }) => available);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe.skipIf(!usable)(named("another host's libvirt by ssh", ...tools), () => {
  const folder = mkdtempSync(join(tmpdir(), 'ssh-'));
  const file = (name: string): string => join(folder, name);
  let sshd: ChildProcess;
  let daemon: FakeLibvirtd;
  let port: number;
  let uri: string;

  beforeAll(async () => {
    port = await freePort();
    for (const key of ['host', 'user', 'bare'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file(key)]);
    // The second user of this key file has no shell there.
    writeFileSync(
      file('authorized'),
      `${readFileSync(file('user.pub'), 'latin1')}command="echo no shell here >&2; exit 127" ${readFileSync(file('bare.pub'), 'latin1')}`,
    );
    if (!existsSync('/run/sshd')) mkdirSync('/run/sshd', { mode: 0o755 });
    const lines = [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${file('host')}`,
      `AuthorizedKeysFile ${file('authorized')}`,
    ];
    writeFileSync(
      file('sshd_config'),
      [...lines, 'UsePAM no', 'StrictModes no', 'PermitRootLogin yes', `PidFile ${file('pid')}`, ''].join('\n'),
    );
    sshd = spawn(tools[0]!.path, ['-D', '-f', file('sshd_config'), '-E', file('log')], { stdio: 'ignore' });
    writeFileSync(file('known'), '');
    const options = (key: string): string =>
      `-F none -o UserKnownHostsFile=${file('known')} -o StrictHostKeyChecking=no -o LogLevel=ERROR -i ${file(key)}`;
    for (const key of ['user', 'bare']) {
      const wrapper = file(`ssh-${key}`);
      writeFileSync(wrapper, `#!/bin/sh\nexec ssh ${options(key)} "$@"\n`);
      chmodSync(wrapper, 0o755);
    }
    daemon = await FakeLibvirtd.start(file('libvirt'), [fakeDomain('far', 4, 5n)]);
    uri = `qemu+ssh://127.0.0.1:${port}/system?socket=${file('libvirt')}&command=${file('ssh-user')}`;
    for (let n = 0; n < 100; n++) {
      const up = await new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1', () => resolve(true));
        socket.on('error', () => resolve(false));
        socket.on('connect', () => socket.destroy());
      });
      if (up) break;
      await sleep(100);
    }
  }, 60_000);
  afterAll(async () => {
    sshd.kill();
    await daemon.stop();
  });

  it('shows its guests, tells a lost connection in one line, and connects again', async () => {
    let now = 0;
    const source = new LibvirtSource(uri, () => now);
    const first = await source.look();
    expect(first.failures).toEqual([]);
    expect(first.guests).toMatchObject([{ name: 'far', cpuNs: 5n, attach: `libvirt:${uri}#far` }]);
    for (const socket of daemon.sockets) socket.destroy();
    await sleep(500);
    daemon.domains[0]!.parameters['cpu.time'] = 9n;
    now += 10_000;
    let again = await source.look();
    for (let n = 0; n < 10 && again.guests.length === 0; n++) {
      expect(again.failures[0]).toMatch(/^qemu\+ssh:/);
      now += 10_000;
      await sleep(300);
      again = await source.look();
    }
    expect(again.guests).toMatchObject([{ name: 'far', cpuNs: 9n }]);
    source.close();
  }, 90_000);

  it('forwards the socket where the other side has no program for it, or no shell', async () => {
    const bare = uri.replace('ssh-user', 'ssh-bare');
    const source = new LibvirtSource(bare);
    const look = await source.look();
    expect(look.failures).toEqual([]);
    expect(look.guests).toMatchObject([{ name: 'far', attach: `libvirt:${bare}#far` }]);
    source.close();
    const nowhere = new LibvirtSource(bare.replace(file('libvirt'), file('nothing')));
    expect((await nowhere.look()).failures[0]).toMatch(/no shell here; by a forwarded socket: /);
    nowhere.close();
  }, 60_000);

  it("shows ssh's own words when it fails", async () => {
    const wrong = new LibvirtSource(uri.replace(`:${port}/`, ':1/'));
    const { failures, guests } = await wrong.look();
    expect(guests).toEqual([]);
    expect(failures).toEqual([expect.stringMatching(/ssh: connect to host 127\.0\.0\.1 port 1: Connection refused/)]);
    wrong.close();
    const absent = new LibvirtSource(uri.replace(file('libvirt'), file('nothing')));
    const told = (await absent.look()).failures[0]!;
    expect(told).toMatch(/nothing|No such file|closed/);
    absent.close();
  }, 60_000);
});
