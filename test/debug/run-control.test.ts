/** The debugger's run control on the embedded engine: breakpoints, steps and watchpoints of small guests. */
import { describe, expect, it } from 'vitest';
import type { Debugger, RunState, StopReason } from '../../src/engine/debugger.js';
import { Guest } from '../../src/engine/host/guest.js';
import { flatGuest } from '../engine/flat-guest.js';

const CODE = 0x100000n;

function guestOf(code: string, options: { vcpus?: number; at?: number } = {}): Guest {
  const { machine } = flatGuest(code, { at: Number(CODE), ...options });
  return new Guest(machine, { paced: false, waitForInput: true });
}

/** Lets the guest run to its next stop. */
async function go(guest: Debugger): Promise<RunState & { stop: StopReason }> {
  await new Promise<void>((resolve) => {
    const off = guest.onEvent((event) => {
      if (event.type !== 'stopped') return;
      off();
      resolve();
    });
    void guest.resume();
  });
  return (await guest.state()) as RunState & { stop: StopReason };
}

const rip = async (guest: Debugger, vcpu = 0): Promise<bigint> => (await guest.readRegisters(vcpu)).rip;

describe('a breakpoint on an instruction that accesses a device', () => {
  // mov edi, 0ff000100h; mov esi, 0ff000200h; mov dx, 0e9h; 1: then the instruction; jmp 1b
  const SETUP = 'bf000100ff be000200ff 66bae900 b9 03000000';
  const AT = CODE + 19n;
  const cases: [string, string][] = [
    ['a store', '8907'],
    ['a read-modify-write', '830f01'],
    ['a load', '8b07'],
    ['a move from device to device', 'a5'],
    ['outsb from device memory', '6e'],
    ['insb to device memory', '6c'],
    ['fxsave', '0fae07'],
    ['push', 'ff37'],
    ['rep movsb', 'f3a4'],
    ['rep outsb', 'f36e'],
    ['rep insb', 'f36c'],
  ];
  it.each(cases)('%s: stops once each time', async (_name, bytes) => {
    const length = bytes.length / 2;
    // the stack, for push, is in RAM; ecx is set anew each time
    const guest = guestOf(`${SETUP} ${bytes} b903000000 eb${(256 - length - 7).toString(16)}`);
    const { id } = await guest.addBreakpoint({ kind: 'execute', gva: AT });
    const seen = new Set<bigint>();
    for (let n = 1; n <= 4; n++) {
      const { stop, icount } = await go(guest);
      expect(stop).toEqual({ kind: 'breakpoint', id, gva: AT });
      expect(seen.has(icount)).toBe(false);
      seen.add(icount);
      expect((await guest.breakpoints())[0].hits).toBe(n);
    }
  });
});

it('steps off such an instruction at once', async () => {
  const guest = guestOf('bf000100ff 8907 8907 ebfa');
  await guest.addBreakpoint({ kind: 'execute', gva: CODE + 5n });
  await go(guest);
  for (const at of [7n, 9n, 5n, 7n]) {
    expect((await guest.step(0)).stop).toEqual({ kind: 'step' });
    expect(await rip(guest)).toBe(CODE + at);
  }
});

/**
 * Both vCPUs run `1: inc eax; jmp 1b` at 70000h: the bytes mean the same in 16 and in 32-bit code.
 * It is the first that starts the second.
 */
const BOTH = `bf00000700 c70740ebfd90 bb0000e0fe c783f0000000ff010000 c7831003000000000001 c7830003000000450000
  c7831003000000000001 c7830003000070460000 ffe7`;

it('a breakpoint that several vCPUs run lets each of them on', async () => {
  const guest = guestOf(BOTH, { vcpus: 2 });
  const gva = 0x70000n;
  const { id } = await guest.addBreakpoint({ kind: 'execute', gva });
  const counts = [0n, 0n];
  const places = new Set<string>();
  let stops = 0;
  // a turn that a stop cuts short goes on: each vCPU has thousands of stops before the next one's turn
  for (; stops < 40 || (stops < 20_000 && counts.some((count) => count < 2n)); stops++) {
    const { stop, vcpu, icount } = await go(guest);
    expect(stop).toEqual({ kind: 'breakpoint', id, gva });
    // the loop's turn is done once between two stops of the same vCPU
    const { rax } = await guest.readRegisters(vcpu);
    if (counts[vcpu] > 0n) expect(rax).toBe(counts[vcpu] + 1n);
    counts[vcpu] = rax;
    places.add(`${vcpu} ${icount}`);
  }
  expect(places.size).toBe(stops);
  expect(counts.every((count) => count > 1n)).toBe(true);
});

it('a vCPU that was put onto a breakpoint stops there', async () => {
  // 1: nop; nop; nop; jmp 1b
  const guest = guestOf('909090ebfb');
  await guest.addBreakpoint({ kind: 'execute', gva: CODE + 1n });
  await go(guest);
  const before = await guest.state();
  await guest.writeRegister(0, 'rip', CODE + 1n);
  expect((await go(guest)).icount).toBe(before.icount);
  expect((await go(guest)).icount).toBe(before.icount + 4n);
  // from elsewhere, and by a field of the VMCS
  await guest.step(0);
  await guest.writeRegister(0, 'rip', CODE + 1n);
  expect((await go(guest)).icount).toBe(before.icount + 5n);
  await guest.step(0);
  await guest.vmcs?.write(0, 0x681e, CODE + 1n);
  expect((await go(guest)).icount).toBe(before.icount + 6n);
});

it('a breakpoint stops before a fetch that finds no page', async () => {
  // page tables: the first 4 MiB are mapped one to one, the rest is not; then jmp 80000000h, or call it
  const paging = `bf00000200 be03000300 8937 bf00000300 b803000000 b900040000 ab 0500100000 e2f8
    b800000200 0f22d8 0f20c0 0d00000080 0f22c0`;
  for (const there of ['b800000080 ffe0', 'b800000080 bc00000800 ffd0', '6800000080 c3']) {
    const guest = guestOf(`bc00000800 ${paging} ${there}`);
    const { id } = await guest.addBreakpoint({ kind: 'execute', gva: 0x80000000n });
    expect((await go(guest)).stop).toEqual({ kind: 'breakpoint', id, gva: 0x80000000n });
    expect(await rip(guest)).toBe(0x80000000n);
  }
});

describe('watchpoints', () => {
  const DATA = 0x200000n;
  // mov edi, 200000h; then the instruction twice; jmp to it
  const around = (bytes: string): string => {
    const length = bytes.length / 2;
    return `bf00002000 b805000000 ${bytes} 90 eb${(256 - length - 3).toString(16)}`;
  };
  const readers: [string, string][] = [
    ['mov', '8b0f'],
    ['add', '0107'],
    ['inc', 'ff07'],
    ['lock xadd', 'f00fc107'],
    ['xchg', '8707'],
    ['lock cmpxchg', 'f00fb107'],
    ['cmpxchg8b', '0fc70f'],
    ['bts', '0fab07'],
    ['shl', 'd127'],
    ['not', 'f717'],
    ['neg', 'f71f'],
  ];
  it.each(readers)('%s reads', async (_name, bytes) => {
    const guest = guestOf(around(bytes));
    const { id } = await guest.addBreakpoint({ kind: 'watch', space: 'gva', address: DATA, length: 4, access: 'read' });
    const { stop } = await go(guest);
    expect(stop).toMatchObject({ kind: 'watchpoint', id, access: 'read', address: DATA });
    expect(await rip(guest)).toBe(CODE + 10n + BigInt(bytes.length / 2));
  });

  it('tell what was there and what is there now', async () => {
    const watch = { kind: 'watch', space: 'gva', address: DATA, length: 8, access: 'access' } as const;
    const hex = (bytes?: Uint8Array) => bytes && Buffer.from(bytes).toString('hex');
    // mov dword [edi], 3; inc; xchg with eax = 5; a load; a word across the range's end; rep stosb of ax = 4
    const guest = guestOf('bf00002000 b805000000 c70703000000 ff07 8707 8b1f 66894707 b902000000 f3aa ebfe');
    await guest.addBreakpoint(watch);
    const seen = [];
    for (let n = 0; n < 7; n++) {
      const { stop } = await go(guest);
      if (stop.kind !== 'watchpoint') throw new Error(stop.kind);
      seen.push([stop.access, stop.address - DATA, stop.length, hex(stop.before), hex(stop.after)]);
    }
    expect(seen).toEqual([
      ['write', 0n, 4, '00000000', '03000000'],
      ['write', 0n, 4, '03000000', '04000000'],
      ['write', 0n, 4, '04000000', '05000000'],
      ['read', 0n, 4, undefined, '05000000'],
      ['write', 7n, 2, '0000', '0400'],
      ['write', 0n, 1, '05', '04'],
      ['write', 1n, 1, '00', '04'],
    ]);
  });

  it('see what a device does by DMA', async () => {
    // the firmware configuration's DMA: a descriptor at 2000h reads 4 bytes of the signature (key 0) to 3000h
    // mov dx, 514h; xor eax, eax; out; mov dx, 518h; mov eax, 2000h as big-endian; out
    const guest = guestOf('66ba1405 31c0 ef 66ba1805 b800002000 ef 90 90 ebfe');
    const descriptor = '0000000a 00000004 0000000000003000'.replace(/ /g, '');
    await guest.writeMemory('gpa', 0x2000n, Buffer.from(descriptor, 'hex'));
    await guest.writeMemory('gpa', 0x3000n, Buffer.from('11223344', 'hex'));
    for (const space of ['gpa', 'gva'] as const) {
      await guest.addBreakpoint({ kind: 'watch', space, address: 0x3002n, length: 1, access: 'write' });
    }
    const { stop } = await go(guest);
    expect(stop).toEqual({
      ...{ kind: 'watchpoint', id: 1, access: 'write', address: 0x3002n, length: 1, by: 'device', device: 'fw-cfg' },
      ...{ before: Uint8Array.of(0x33), after: Uint8Array.of('M'.charCodeAt(0)) },
    });
    // it stands behind the OUT that started it
    expect(await rip(guest)).toBe(CODE + 17n);
    // an observer's own look at memory, and the screen's, are none
    await guest.removeBreakpoint(1);
    await guest.removeBreakpoint(2);
    await guest.addBreakpoint({ kind: 'watch', space: 'gpa', address: 0xb8000n, length: 4000, access: 'read' });
    await guest.console.screen();
    await guest.step(0);
    expect((await guest.state()).stop).toEqual({ kind: 'step' });
  });

  it('a store does not read', async () => {
    const guest = guestOf(around('0f9407'));
    await guest.addBreakpoint({ kind: 'watch', space: 'gva', address: DATA, length: 4, access: 'read' });
    await guest.addBreakpoint({ kind: 'execute', gva: CODE + 13n });
    expect((await go(guest)).stop.kind).toBe('breakpoint');
  });
});

describe('steps', () => {
  /** The PIC and the PIT as a BIOS has them: INT 8 every 55 ms; its handler at 0:500h is `inc bx` and an end of interrupt. */
  const TIMER = 'b011e620 b020e621 b004e621 b001e621 b0fee621 b034e643 b0ffe640 b0ffe640';

  it('one of a halted vCPU waits for an interrupt and does not take it', async () => {
    // cli; the vector of IRQ 0 -> 0:500h; a timer; sti; hlt; inc ax; inc ax; jmp to hlt
    const guest = guestOf(`fa 31c08ed8 c70680000005 c70682000000 ${TIMER} fb f4 40 40 ebfb`, { at: 0x7c00 });
    await guest.writeMemory('gpa', 0x500n, Uint8Array.from(Buffer.from('43b020e620cf', 'hex')));
    const hlt = 0x7c00n + BigInt(1 + 4 + 6 + 6 + 32 + 1);
    await guest.addBreakpoint({ kind: 'execute', gva: hlt });
    await go(guest);
    const before = await guest.readRegisters(0);
    for (const at of [1n, 2n, 3n, 0n]) {
      expect((await guest.step(0)).stop).toEqual({ kind: 'step' });
      expect(await rip(guest)).toBe(hlt + at);
    }
    expect((await guest.readRegisters(0)).rbx).toBe(before.rbx);
    // it is taken as soon as the guest runs
    await guest.removeBreakpoint(1);
    await guest.addBreakpoint({ kind: 'execute', gva: 0x500n });
    expect((await go(guest)).stop.kind).toBe('breakpoint');
  });

  it('one that cannot end hears a pause', async () => {
    // cli; a timer that it does not hear; hlt
    const guest = guestOf(`fa ${TIMER} f4 ebfd`, { at: 0x7c00 });
    let running = false;
    guest.onEvent((event) => {
      running ||= event.type === 'running';
    });
    while ((await rip(guest)) < 0x7c22n) await guest.step(0);
    const step = guest.step(0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(running).toBe(true);
    expect((await guest.pause()).stop).toEqual({ kind: 'paused' });
    expect((await step).stop).toEqual({ kind: 'paused' });
  });

  it('one of a vCPU that nothing wakes ends after a while and says so', async () => {
    const guest = guestOf('fa f4 ebfd', { at: 0x7c00 });
    for (const at of [1n, 2n]) {
      expect((await guest.step(0)).stop).toEqual({ kind: 'step' });
      expect(await rip(guest)).toBe(0x7c00n + at);
    }
    const note = 'vCPU 0 is halted, and nothing has woken it for 4 s';
    expect((await guest.step(0)).stop).toEqual({ kind: 'step', note });
    expect(await rip(guest)).toBe(0x7c02n);
  });

  it('others run beside a step, or stand', async () => {
    const guest = guestOf(BOTH, { vcpus: 2 });
    const { id } = await guest.addBreakpoint({ kind: 'execute', gva: 0x70000n });
    while ((await go(guest)).vcpu !== 1);
    await guest.removeBreakpoint(id);
    const counts = async () => [(await guest.readRegisters(0)).rax, (await guest.readRegisters(1)).rax];
    const [a, b] = await counts();
    for (let n = 0; n < 20; n++) await guest.step(1);
    expect(await counts()).toEqual([a, b + 10n]);
    for (let n = 0; n < 20; n++) await guest.step(1, 1, undefined, [0]);
    const [c, d] = await counts();
    expect(c).toBeGreaterThan(a + 1000n);
    expect(d).toBe(b + 20n);
    // only one of them
    await guest.resume([1]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await guest.pause()).toMatchObject({ vcpu: 1, stop: { kind: 'paused' } });
    const [e, f] = await counts();
    expect(e).toBe(c);
    expect(f).toBeGreaterThan(d);
  });

  it('a range is left when another vCPU does what it waits for', async () => {
    // the first waits at `1: cmp dword [500h], 0; je 1b; nop` for the second, which counts at 500h from 70000h on
    const guest = guestOf(
      `bf00000700 c707ff060005 c74704ebfa9090 bb0000e0fe c783f0000000ff010000 c7831003000000000001
       c7830003000000450000 c7831003000000000001 c7830003000070460000 833d0005000000 74f7 90 ebfe`,
      { vcpus: 2 },
    );
    const loop = CODE + 5n + 6n + 7n + 5n + 50n;
    const { id } = await guest.addBreakpoint({ kind: 'execute', gva: loop });
    await go(guest);
    await guest.removeBreakpoint(id);
    const alone = guest.step(0, 1, { start: loop, end: loop + 9n });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await guest.pause();
    expect((await alone).stop).toEqual({ kind: 'paused' });
    expect(await rip(guest)).toBeLessThan(loop + 9n);
    expect((await guest.step(0, 1, { start: loop, end: loop + 9n }, [1])).stop).toEqual({ kind: 'step' });
    expect(await rip(guest)).toBe(loop + 9n);
  });
});

describe('a condition', () => {
  /** `($rax & 0xff) == value`: reg 0, const8, bit_and, const8, equal, end. */
  const axIs = (value: string) => Uint8Array.from(Buffer.from(`26000022ff0f22${value}1327`, 'hex'));
  const wordIs = (value: string) => Uint8Array.from(Buffer.from(`26000023ffff0f23${value}1327`, 'hex'));
  const condition = (code: Uint8Array) => ({ expressions: [code], registers: ['rax'], space: 'gva' as const });

  it('that is false neither stops nor counts, and the guest goes on as without it', async () => {
    // 1: inc eax; jmp 1b
    const guest = guestOf('40 ebfd');
    await guest.addBreakpoint({ kind: 'execute', gva: CODE, condition: condition(axIs('40')) });
    let stops = 0;
    guest.onEvent((event) => {
      if (event.type === 'stopped') stops++;
    });
    expect((await go(guest)).stop).toMatchObject({ kind: 'breakpoint', gva: CODE });
    expect((await guest.readRegisters(0)).rax & 0xffn).toBe(0x40n);
    expect(stops).toBe(1);
    expect((await guest.breakpoints())[0].hits).toBe(1);
  });

  it('that cannot be evaluated stops and says why', async () => {
    const guest = guestOf('40 ebfd');
    const code = Uint8Array.from([0x26, 0, 1, 0x27]);
    await guest.addBreakpoint({ kind: 'execute', gva: CODE, condition: condition(code) });
    expect((await go(guest)).stop).toMatchObject({ kind: 'breakpoint', failure: 'register 1 is unknown' });
    await expect(
      guest.addBreakpoint({ kind: 'execute', gva: CODE, condition: condition(Uint8Array.from([0x0c])) }),
    ).rejects.toThrow('agent opcode 0xc at offset 0 is not supported');
  });

  it('of one observer does not hide the breakpoint of another', async () => {
    const guest = guestOf('40 ebfd');
    await guest.addBreakpoint({ kind: 'execute', gva: CODE, condition: condition(axIs('7f')) });
    const { id } = await guest.addBreakpoint({ kind: 'execute', gva: CODE });
    for (let n = 0; n < 3; n++) expect((await go(guest)).stop).toMatchObject({ kind: 'breakpoint', id });
    expect((await guest.breakpoints()).map(({ hits }) => hits)).toEqual([0, 3]);
  });

  it('on code of several vCPUs lets each of them on', async () => {
    const guest = guestOf(BOTH, { vcpus: 2 });
    await guest.addBreakpoint({ kind: 'execute', gva: 0x70000n, condition: condition(wordIs('7ffe')) });
    await go(guest);
    await guest.removeBreakpoint(1);
    const { rax: a } = await guest.readRegisters(0);
    const { rax: b } = await guest.readRegisters(1);
    expect([a, b]).toContain(0x7ffen);
    expect(a).toBeGreaterThan(1000n);
    expect(b).toBeGreaterThan(1000n);
  });
});

describe('vCPUs each by itself', () => {
  /** What happens to each, in order. */
  function watchEach(guest: Guest): { vcpu: number; stop: StopReason }[] {
    const seen: { vcpu: number; stop: StopReason }[] = [];
    guest.onEvent((event) => {
      if (event.type === 'vcpu-stopped') seen.push({ vcpu: event.vcpu, stop: event.stop });
    });
    return seen;
  }
  const settled = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
    for (let n = 0; n < 500 && !(await condition()); n++) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await condition()).toBe(true);
  };

  it('a breakpoint stops one, steps move it, the other runs', async () => {
    const guest = guestOf(BOTH, { vcpus: 2 });
    const { each } = guest;
    if (!each) throw new Error('no each');
    const { id } = await guest.addBreakpoint({ kind: 'execute', gva: 0x70000n });
    while ((await go(guest)).vcpu !== 1);
    await each.independent(true);
    const seen = watchEach(guest);
    await guest.removeBreakpoint(id);
    await each.resume([0]);
    const mine = (await guest.readRegisters(1)).rax;
    const others = async () => (await guest.readRegisters(0)).rax;
    const before = await others();
    await settled(async () => (await others()) > before + 1000n);
    expect((await guest.state()).running).toBe(true);
    for (let n = 0; n < 4; n++) {
      await each.step(1);
      await settled(() => seen.length > n);
      expect(seen[n]).toEqual({ vcpu: 1, stop: { kind: 'step' } });
    }
    expect((await guest.readRegisters(1)).rax).toBe(mine + 2n);
    // the other one meets a breakpoint while this one stands
    const second = await guest.addBreakpoint({ kind: 'execute', gva: 0x70000n });
    await settled(() => seen.length === 5);
    expect(seen[4]).toEqual({ vcpu: 0, stop: { kind: 'breakpoint', id: second.id, gva: 0x70000n } });
    expect(await guest.state()).toMatchObject({ running: false, vcpu: 0, stop: { kind: 'breakpoint' } });
    // both go on; one is stopped, then all
    await guest.removeBreakpoint(second.id);
    await each.resume([0, 1]);
    await each.stop([1]);
    expect(seen[5]).toEqual({ vcpu: 1, stop: { kind: 'paused' } });
    expect((await guest.state()).running).toBe(true);
    await each.independent(false);
    expect((await guest.state()).running).toBe(false);
    await expect(each.resume([0])).rejects.toThrow('do not stop each by itself');
  });
});

describe('a run to a place that is never reached', () => {
  const never = { icount: 1_000_000n } as const;
  // no interrupt of a PIC, and the timer's tick is stopped: mov al, 0ffh; out 21h, al; out 0a1h, al; mov al, 30h; out 43h, al
  const STILL = 'b0ff e621 e6a1 b030 e643';

  it.each([
    ['cli; hlt', 'fa f4 ebfd', never, 'the guest is halted with interrupts off'],
    ['cli; hlt, to code', 'fa f4 ebfd', { gva: CODE + 2n }, 'the guest is halted with interrupts off'],
    ['cli; hlt, to an exit', 'fa f4 ebfd', { exit: { reasons: [10] } }, 'the guest is halted with interrupts off'],
    ['sti; hlt', `${STILL} fb f4 ebfd`, never, 'the guest is halted and no device will wake it'],
  ])('%s: it stops where the guest is halted for good, and tells why', async (_name, code, target, note) => {
    const guest = guestOf(code);
    const { stop, running } = await guest.runUntil(target);
    expect({ stop, running }).toEqual({ stop: { kind: 'paused', note }, running: false });
    // the guest has not ended: it may be asked again, and answers the same
    expect((await guest.runUntil(target)).stop).toEqual(stop);
  });

  it('goes on to wait where a key may bring the guest to the code', async () => {
    const guest = guestOf(`${STILL} fb f4 ebfd`);
    const run = guest.runUntil({ gva: CODE + 12n });
    const slept = await Promise.race([run, new Promise((resolve) => setTimeout(resolve, 50, 'waits'))]);
    expect(slept).toBe('waits');
    await guest.pause();
    expect((await run).stop).toEqual({ kind: 'paused' });
  });
});
