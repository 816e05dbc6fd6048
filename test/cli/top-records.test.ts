/** virt-top's CSV and stream of two recorded looks, to the letter, and the times that --end-time takes. */
import { describe, expect, it } from 'vitest';
import { endTime } from '../../src/cli/top.js';
import { csvHeader, csvRow, jsonLine, ocamlFloat, streamLines } from '../../src/cli/top-records.js';
import type { FleetLook, GuestSample } from '../../src/engine/fleet.js';
import { nextInterval } from '../../src/tui/top/rows.js';

const ALL = { cpu: true, mem: true, block: true, net: true };
const TIME = new Date(2026, 10, 29, 9, 5, 7);
const HOST = { hostname: 'h', arch: 'x86_64', cpus: 2, mhz: 2600, memoryBytes: 8_000_000 * 1024 };

function guest(name: string, id: number | undefined, part: Partial<GuestSample>): GuestSample {
  return {
    key: name,
    name,
    id,
    source: 's',
    ms: 0,
    state: 'running',
    vcpus: 1,
    memory: { currentBytes: 2 ** 27 },
    ...part,
  };
}
const look = (guests: GuestSample[]): FleetLook => ({ guests, hosts: [HOST], failures: [] });
const FIRST = look([
  guest('web', 3, { cpuNs: 1000n, disks: [{ device: 'vda', readRequests: 1, writeRequests: 5, readBytes: 512 }] }),
  guest('a,"b"', 1, { state: 'paused', cpuNs: 0n, nics: [{ device: 'n', rxBytes: 0, txBytes: 0 }] }),
  guest('off', undefined, { state: 'shut off' }),
]);
const SECOND = look([
  guest('web', 3, {
    ms: 2000,
    cpuNs: 240_001_000n,
    disks: [{ device: 'vda', readRequests: 4, writeRequests: 5, readBytes: 2048 }],
  }),
  guest('a,"b"', 1, {
    ms: 2000,
    state: 'suspended',
    cpuNs: 67_924_757n,
    nics: [{ device: 'n', rxBytes: 20_000, txBytes: 7 }],
  }),
  guest('off', undefined, { state: 'shut off', ms: 2000 }),
]);

describe('records of vmscope top', () => {
  const first = nextInterval(undefined, FIRST);
  const second = nextInterval(first, SECOND);

  it("have virt-top's CSV header, with the columns that are wanted", () => {
    expect(csvHeader(ALL, true)).toMatch(
      /,Domain ID,Domain name,CPU \(ns\),%CPU,Mem \(bytes\),%Mem,Block RDBY,Block WRBY,Net RXBY,Net TXBY$/,
    );
    expect(csvHeader({ cpu: false, mem: false, block: true, net: false }, false)).toMatch(
      /,Domain name,Block RDRQ,Block WRRQ$/,
    );
  });

  it("have virt-top's CSV rows", () => {
    expect(csvRow(first, 0, ALL, false, TIME)).toBe(
      'h,09:05:07,x86_64,2,3,1,0,1,0,0,0,2,1,0.0,8000000,262144,262144,0,1,"a,""b""",0.,0.,0,0,,,,,3,web,0.,0.,0,0,,,,',
    );
    expect(csvRow(second, 2, ALL, false, TIME)).toBe(
      'h,09:05:07,x86_64,2,3,1,0,1,0,0,0,2,1,7.7,8000000,262144,262144,307924757,' +
        '1,"a,""b""",67924757.,1.698118925,131072,1,,,20000,7,3,web,240000000.,6.,131072,1,3,0,,',
    );
    expect(csvRow(second, 2, { cpu: false, mem: false, block: true, net: false }, true, TIME)).toMatch(/,3,web,1536,$/);
  });

  it("have virt-top's stream", () => {
    expect(streamLines(second, false, TIME)).toEqual([
      'virt-top time  09:05:07 Host h x86_64 2/2CPU 2600MHz 7812MB ',
      '   ID S RDRQ WRRQ RXBY TXBY %CPU %MEM   TIME    NAME',
      '    1 P    0    0  19K    7  1.6  1.0   0:00.06 a,"b"',
      '    3 R    3    0    0    0  6.0  1.0   0:00.24 web',
    ]);
    const hostile = nextInterval(undefined, look([guest('a\x1b[2Jb', 1, {})]));
    expect(streamLines(hostile, false, TIME)[2]).toMatch(/ a\\x1b\[2Jb$/);
  });

  it('are JSON with numbers, above 2^53 as text', () => {
    const line = jsonLine(nextInterval(undefined, look([guest('x', 1, { cpuNs: 2n ** 60n })])), 0, TIME);
    expect(JSON.parse(line).guests[0]).toMatchObject({ name: 'x', cpuNs: '1152921504606846976' });
  });

  it('print doubles as OCaml does', () => {
    const cases: [number, string][] = [
      ...([
        [0, '0.'],
        [240_000_000, '240000000.'],
        [1.69811918119, '1.69811918119'],
        [100, '100.'],
      ] as [number, string][]),
      ...([
        [1e12, '1e+12'],
        [0.00001, '1e-05'],
        [1 / 3, '0.333333333333'],
        [123456789012.4, '123456789012.'],
      ] as [number, string][]),
    ];
    for (const [value, text] of cases) expect(ocamlFloat(value)).toBe(text);
  });
});

describe('--end-time', () => {
  it('takes the four forms, and refuses others in one line', () => {
    const now = new Date(2026, 10, 29, 12, 0, 0);
    expect(endTime('+90', now)).toBe(now.getTime() + 90_000);
    expect(endTime('+01:00:05', now)).toBe(now.getTime() + 3_605_000);
    expect(endTime('13:00:00', now)).toBe(new Date(2026, 10, 29, 13).getTime());
    expect(endTime('2026-12-01 00:00:01', now)).toBe(new Date(2026, 11, 1, 0, 0, 1).getTime());
    for (const bad of ['', '13', '25:00:00', '2026-02-30 00:00:00', '+1:2', '12:60:00'])
      expect(() => endTime(bad, now), bad).toThrow(/--end-time/);
  });
});
