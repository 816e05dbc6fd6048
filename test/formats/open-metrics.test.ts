/** The text that Prometheus scrapes, by its own tools where they are installed. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { serveMetrics } from '../../src/cli/top-metrics.js';
import type { Fleet, FleetLook } from '../../src/engine/fleet.js';
import { metricsText } from '../../src/formats/open-metrics.js';

const LOOK: FleetLook = {
  hosts: [],
  failures: [],
  guests: [
    {
      ...{ key: 'k', name: 'a "b"\\\nc', uuid: 'u-1', source: 's', ms: 1, state: 'running', vcpus: 2, startedMs: 1500 },
      cpuNs: 9_007_199_254_740_993_001n,
      vcpu: [{ number: 0, timeNs: 1_500_000_000n, waitNs: 7n, exits: { total: 5, byReason: { IO: 3 } } }],
      memory: { currentBytes: 1024 },
      disks: [
        { device: 'vda', readRequests: 3, readNs: 1_000_000n },
        { device: 'vda', readRequests: 4 },
      ],
      nics: [{ device: 'tap0', rxBytes: 9 }],
      exits: { total: 5, byReason: { IO: 3 } },
    },
  ],
};

describe('metrics', () => {
  it('are OpenMetrics: units, _total on samples only, escapes, an end; nothing of what is not known', () => {
    const text = metricsText(LOOK, 'openmetrics');
    const labels = 'domain="a \\"b\\"\\\\\\nc",uuid="u-1"';
    expect(text).toContain(
      '# TYPE libvirt_domain_info_cpu_time_seconds counter\n# UNIT libvirt_domain_info_cpu_time_seconds seconds\n',
    );
    // Nanoseconds to the digit, above 2^53 too.
    expect(text).toContain(`libvirt_domain_info_cpu_time_seconds_total{${labels}} 9007199254.740993001\n`);
    expect(text).toContain(`libvirt_domain_vcpu_delay_seconds_total{${labels},vcpu="0"} 0.000000007\n`);
    expect(text).toContain(`kvm_vcpu_io_exits_total{${labels},vcpu="0"} 3\n`);
    expect(text.match(/block_stats_read_requests_total\{/g)).toHaveLength(1);
    expect(text).not.toContain('write_bytes');
    expect(text.endsWith('# EOF\n')).toBe(true);
  });

  const promtool = spawnSync('promtool', ['--version']).status === 0;
  it.skipIf(!promtool)('are text that promtool takes', () => {
    const { status, stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], {
      input: metricsText(LOOK, 'classic'),
      encoding: 'utf8',
    });
    expect(`${stdout}${stderr}`).not.toMatch(/error|invalid/i);
    // 3: only advice about names, which libvirt's exporters have chosen.
    expect([0, 3]).toContain(status);
  });

  it('are served from the last look by Accept, while the fleet hangs', async () => {
    let looks = 0;
    const fleet: Fleet = {
      look: () => (looks++ ? new Promise<never>(() => {}) : Promise.resolve(LOOK)),
      act: async () => {},
      details: async () => [],
      close: () => {},
    };
    const server = await serveMetrics(fleet, { host: '127.0.0.1', port: 0 }, 10);
    const get = (path: string, accept = '') => fetch(`http://127.0.0.1:${server.port}${path}`, { headers: { accept } });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const open = await get('/metrics', 'application/openmetrics-text;version=1.0.0');
    expect(open.headers.get('content-type')).toMatch(/openmetrics-text/);
    expect(await open.text()).toBe(metricsText(LOOK, 'openmetrics'));
    expect(await (await get('/metrics')).text()).toBe(metricsText(LOOK, 'classic'));
    expect((await get('/other')).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${server.port}/metrics`, { method: 'POST' })).status).toBe(405);
    await server.close();
  });
});
