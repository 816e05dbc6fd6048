/** The view of the host's CPUs with the guests that ran there. */
import { describe, expect, it } from 'vitest';
import type { FleetLook, GuestSample } from '../../src/engine/fleet.js';
import { CPU_COLUMNS, cpuRows } from '../../src/tui/top/cpus.js';
import { guestRows } from '../../src/tui/top/rows.js';

const S = 1_000_000_000n;
const look = (ms: number, guests: Record<string, [bigint, bigint | undefined][]>): FleetLook => ({
  guests: Object.entries(guests).map(
    ([name, pcpu]): GuestSample => ({
      ...{ key: name, name, source: 'x', ms, state: 'running', vcpus: 1, memory: {} },
      pcpu: pcpu.map(([cpuNs, guestNs]) => ({ cpuNs, guestNs })),
    }),
  ),
  hosts: [
    {
      ...{ hostname: 'h', arch: 'x86_64', cpus: 2, mhz: 1, memoryBytes: 1 },
      cpu: [
        { busyNs: BigInt(ms) * 500_000n, allNs: BigInt(ms) * 1_000_000n },
        { busyNs: 0n, allNs: BigInt(ms) * 1_000_000n },
      ],
    },
  ],
  failures: [],
});
const OPTIONS = { blockInBytes: false, oneCpu: false };
const text = (row: ReturnType<typeof cpuRows>[number]) => CPU_COLUMNS.map((column) => column.text(row, OPTIONS));

describe('a CPU of the host', () => {
  it('names the guests that ran there, those that ran most first, with what their vCPUs had of it', () => {
    const before = look(1000, { web: [[S, S], [0n, 0n]], db: [[0n, 0n], [0n, undefined]] }); // biome-ignore format: a CPU each
    const now = look(3000, { web: [[2n * S, S + S / 2n], [S / 1000n, 0n]], db: [[S / 5n, S / 10n], [S, undefined]] }); // biome-ignore format: a CPU each
    const rows = cpuRows(before, now, guestRows(before.guests, now.guests, now.hosts[0]));
    expect(rows.map(({ busy }) => busy)).toEqual([50, 0]);
    expect(text(rows[0]!).at(-1)).toBe('web 50.0=25.0  db 10.0=5.0');
    expect(text(rows[1]!).at(-1)).toBe('db 50.0  web 0.0=0.0');
    expect(cpuRows(undefined, now, guestRows([], now.guests, now.hosts[0]))[0]!.guests).toEqual([]);
  });

  it("has its steal where the host's own host took it away", () => {
    const [before, now] = [look(1000, {}), look(3000, {})];
    for (const [n, { hosts }] of [before, now].entries()) hosts[0]!.cpu![0]!.stealNs = BigInt(n) * 200_000_000n;
    expect(cpuRows(before, now, []).map((row) => row.steal)).toEqual([10, undefined]);
  });

  it('says why no guest is told of', () => {
    const now = look(3000, { web: [] });
    now.guests[0]!.missing = { 'host CPUs': 'cgroup CPUACCT controller is not mounted' };
    const rows = cpuRows(now, now, guestRows([], now.guests, now.hosts[0]));
    expect(text(rows[0]!).at(-1)).toMatch(/not mounted/);
  });
});
