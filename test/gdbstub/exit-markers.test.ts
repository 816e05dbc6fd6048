import { describe, expect, test } from 'vitest';
import { exitMarkers } from '../../src/gdbstub/exit-markers.js';
import type { TargetExit } from '../../src/gdbstub/target.js';

const exit = (sequence: number, reason: number, rip: bigint, csBase = 0n): TargetExit => ({
  ...{ sequence, vcpu: 0, reason, rip, linearRip: csBase + rip, qualification: 0n, gla: 0n, gpa: 0n },
  ...{ interruptionInfo: 0, interruptionError: 0, instructionInfo: 0, instructionLength: 0 },
  ...{ icount: 0n, stoppedHere: false },
});

describe('markers of VM exits', () => {
  test('all, each reason, and the places from which the guest has exited, the most frequent first', () => {
    const markers = exitMarkers([
      exit(1, 10, 0x40n, 0xf0000n),
      exit(2, 30, 0x1000n),
      exit(3, 30, 0x1000n),
      exit(4, 10, 0x2000n),
      exit(5, 1, 0x2000n),
      exit(6, 1, 0x2000n),
    ]);
    expect(markers[0]).toMatchObject({ id: 'exits', address: 0x8000_0000_0000_ffffn });
    expect(markers.find(({ id }) => id === 'CPUID')).toEqual({
      ...{ id: 'CPUID', address: 0x8000_0000_0000_000an, reason: 10, extra: 'CPUID; 2 exits of the last 6' },
    });
    expect(markers.slice(-3)).toEqual([
      { id: 'exits@0x2000', address: 0x2000n, extra: '3 exits here', place: { rip: 0x2000n, csBase: 0n } },
      { id: 'IO_INSTRUCTION@0x1000', address: 0x1000n, extra: '2 exits here', place: { rip: 0x1000n, csBase: 0n } },
      { id: 'CPUID@0xf0040', address: 0xf0040n, extra: '1 exit here', place: { rip: 0x40n, csBase: 0xf0000n } },
    ]);
  });

  test('no two have the same name or address, and there are not too many', () => {
    const many = Array.from({ length: 4096 }, (_, at) => exit(at + 1, at % 70, BigInt(at)));
    const markers = exitMarkers([...many, ...many]);
    expect(markers.length).toBeLessThan(400);
    expect(new Set(markers.map(({ id }) => id)).size).toBe(markers.length);
    expect(new Set(markers.map(({ address }) => address)).size).toBe(markers.length);
  });
});
