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

  it('have jobs, halt polls, the process and the host as the table has them', () => {
    const [guest] = LOOK.guests;
    const look: FleetLook = {
      ...LOOK,
      guests: [
        {
          ...guest!,
          process: { pid: 1, minorFaults: 8, readBytes: 9, writeBytes: 10 },
          vcpu: [{ number: 0, haltPolls: { attempted: 7, successful: 6, wastedNs: 1_500_000_000n } }],
          jobs: [
            { kind: 'migration', doneBytes: 1, totalBytes: 4, dirtyBytesPerSecond: 2, downtimeMs: 300 },
            { kind: 'migration', doneBytes: 5 },
          ],
        },
      ],
      hosts: [
        {
          ...{ hostname: 'h', arch: 'x86_64', cpus: 1, mhz: 1, memoryBytes: 1 },
          cpu: [{ busyNs: 2_500_000_000n, allNs: 9n, stealNs: 500_000_000n }],
          pressure: { cpuSome: 12.5, memorySome: 0, ioSome: 1 },
        },
      ],
    };
    const labels = 'domain="a \\"b\\"\\\\\\nc",uuid="u-1"';
    const text = metricsText(look, 'openmetrics');
    for (const line of [
      `vmscope_job_done_bytes{${labels},kind="migration",target_device=""} 1`,
      `vmscope_job_downtime_seconds{${labels},kind="migration",target_device=""} 0.3`,
      `vmscope_vcpu_halt_poll_wasted_seconds_total{${labels},vcpu="0"} 1.5`,
      `vmscope_guest_process_written_bytes_total{${labels}} 10`,
      'vmscope_host_pressure_ratio{host="h",resource="cpu"} 0.125',
      'vmscope_host_cpu_steal_seconds_total{host="h",cpu="0"} 0.5',
    ])
      expect(text).toContain(`${line}\n`);
    expect(text.match(/vmscope_job_done_bytes\{/g)).toHaveLength(1);
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
