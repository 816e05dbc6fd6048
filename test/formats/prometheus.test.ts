/** `vmscope top --metrics` as Debian's Prometheus scrapes it: up, and rates that are those of the table. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROGRAM, vmscope } from '../cli/vmscope.js';
import { FakeLibvirtd, fakeDomain } from '../targets/libvirt/fake-libvirtd.js';
import { named, requireTool } from '../tools.js';

const prometheus = requireTool('prometheus');
const promtool = requireTool('promtool');

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Exits a second of each guest. */
const RATES = { web: 1000, db: 25_000 };

describe.skipIf(!prometheus.available || !promtool.available)(named('Prometheus', prometheus, promtool), () => {
  it('scrapes the fleet: up is 1, and rate() of exits equals what top shows', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'prom-'));
    const start = Date.now();
    const domains = Object.keys(RATES).map((name, n) => fakeDomain(name, n + 1, 0n));
    const daemon = await FakeLibvirtd.start(join(folder, 'libvirt'), domains);
    // Counters are what they have to be at the moment of the question, however slow this host is.
    for (const domain of domains)
      for (const [field, of] of [
        ['vcpu.0.exits.sum', () => BigInt((Date.now() - start) * RATES[domain.name as keyof typeof RATES]) / 1000n],
        ['cpu.time', () => BigInt(Date.now() - start) * 500_000n],
      ] as const)
        Object.defineProperty(domain.parameters, field, { enumerable: true, get: of });
    const uri = `qemu+unix:///system?socket=${join(folder, 'libvirt')}`;
    const [port, web] = [await freePort(), await freePort()];
    const top = ['top', '-c', uri, '--no-init-file'];
    const exporter = spawn(process.execPath, [PROGRAM, ...top, '-d', '0.25', '--metrics', `127.0.0.1:${port}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const config = join(folder, 'prometheus.yml');
    const targets = `    static_configs: [{ targets: ['127.0.0.1:${port}'] }]`;
    writeFileSync(
      config,
      `global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs:\n  - job_name: vmscope\n${targets}\n`,
    );
    const data = [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, 'data')}`];
    const scraper = spawn(prometheus.path, [...data, `--web.listen-address=127.0.0.1:${web}`, '--log.level=error'], {
      stdio: 'ignore',
    });
    const ends = [exporter, scraper].map((child) => new Promise((resolve) => child.once('exit', resolve)));
    const ask = async (query: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]> => {
      const url = `http://127.0.0.1:${web}/api/v1/query?query=${encodeURIComponent(query)}`;
      const answer = await fetch(url)
        .then((response) => response.json())
        .catch(() => undefined);
      return (answer as { data?: { result?: [] } } | undefined)?.data?.result ?? [];
    };
    const settled = async (query: string, holds: (value: number) => boolean): Promise<void> => {
      for (let n = 0; n < 900; n++) {
        const [sample] = await ask(query);
        if (sample && holds(Number(sample.value[1]))) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      throw new Error(`${query} does not hold`);
    };
    try {
      await new Promise((resolve) => exporter.stderr.once('data', resolve));
      await settled('min(count_over_time(vmscope_guest_exits_total[20s]))', (count) => count >= 12);
      expect((await ask('up'))[0]!.value[1]).toBe('1');
      expect((await ask('libvirt_up'))[0]!.value[1]).toBe('1');
      // A scrape has the figures of a look that is a moment old, on a host without time longer ago: until one fits.
      const near = (value: number, rate: number): boolean => Math.abs(value / rate - 1) < 0.1;
      for (const [name, rate] of Object.entries(RATES)) {
        await settled(`rate(vmscope_guest_exits_total{domain="${name}"}[10s])`, (value) => near(value, rate));
        let shown = 0;
        for (let n = 0; n < 5 && !near(shown, rate); n++) {
          // This process is the libvirtd that it asks.
          const { stdout } = await vmscope([...top, '--json', '-n', '2', '-d', '2']);
          const { guests } = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
            guests: { name: string; interval: { exitsPerSecond: number } }[];
          };
          shown = guests.find((guest) => guest.name === name)!.interval.exitsPerSecond;
        }
        expect(Math.abs(shown / rate - 1), `top of ${name}: ${shown}`).toBeLessThan(0.1);
      }
      const classic = await fetch(`http://127.0.0.1:${port}/metrics`).then((response) => response.text());
      execFileSync(promtool.path, ['check', 'metrics'], { input: classic });
    } finally {
      exporter.kill();
      scraper.kill();
      await Promise.all(ends);
      await daemon.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }, 240_000);
});
