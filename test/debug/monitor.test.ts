/** Monitor commands on a guest that runs in this process, against what QEMU 7.2 prints for the same state. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sourceReader } from '../../src/cli/source-files.js';
import { monitorLine } from '../../src/commands/monitor-door.js';
import { LineTable } from '../../src/disasm/dwarf-line.js';
import { viewOfVm } from '../../src/engine/debug/vtx-view.js';
import { createCore } from '../../src/engine/host/core-instance.js';
import { Guest, type GuestOptions } from '../../src/engine/host/guest.js';
import { romFrameBytes } from '../../src/engine/vmm/firmware-rom.js';
import { Machine, type MachineOptions } from '../../src/engine/vmm/machine.js';
import { Vm } from '../../src/engine/vmm/vm.js';
import { compiled } from '../jit/mode.js';
import { named, requireTool } from '../tools.js';

const IMAGE = new URL('../../samples/interrupts/interrupts.elf', import.meta.url);
const MEMORY = 64 << 20;

function startGuest(
  image: string | URL = IMAGE,
  options: Partial<GuestOptions> = {},
  more: Partial<MachineOptions> = {},
): Guest {
  const rom = more.firmware && more.image ? romFrameBytes(more.image.bytes.length) : 0;
  const { core, host } = createCore(MEMORY, rom);
  const vm = compiled(new Vm(core, host, MEMORY, 1, viewOfVm));
  const machine = new Machine(vm, {
    name: 'interrupts',
    image: { name: 'interrupts.elf', bytes: readFileSync(image) },
    isaDebugExit: false,
    noReboot: true,
    wallSeconds: 0,
    drives: [],
    ...more,
  });
  return new Guest(machine, { paced: false, waitForInput: true, ...options });
}

test('info mem and info tlb end on tables that lead to each other, and say so', async () => {
  const guest = startGuest();
  await guest.runUntil({ gva: (await guest.symbols()).find(({ name }) => name === 'main')?.address ?? 0n });
  const [pml4, pdpt, pd, pt] = [0x200000n, 0x201000n, 0x202000n, 0x203000n];
  const all = (to: bigint): Uint8Array => {
    const table = Buffer.alloc(4096);
    for (let entry = 0; entry < 512; entry++) table.writeBigUInt64LE(to, entry * 8);
    return table;
  };
  await guest.writeMemory('gpa', pml4, all(pdpt | 3n));
  await guest.writeMemory('gpa', pdpt, all(pd | 3n));
  await guest.writeMemory('gpa', pd, all(pt | 3n));
  await guest.writeMemory('gpa', pt, Buffer.alloc(4096));
  await guest.writeRegister(0, 'cr3', pml4);
  // 2^36 entries that map nothing
  expect(await guest.monitor('info mem')).toBe('(the rest is left out)');
  expect(await guest.monitor('info tlb')).toBe('(the rest is left out)');
  await guest.writeMemory('gpa', pt, all(0x1003n));
  expect(await guest.monitor('info mem')).toMatch(
    /^0+-0000000010000000 0000000010000000 -rw\n\(the rest is left out\)$/,
  );
});

describe('monitor', () => {
  let guest: Guest;
  const ask = async (line: string): Promise<string> => (await guest.monitor(line)) ?? 'unknown';
  const runTo = async (symbol: string): Promise<void> => {
    const found = (await guest.symbols()).find(({ name }) => name === symbol);
    await guest.runUntil({ gva: found!.address });
  };

  beforeAll(() => {
    guest = startGuest();
  });

  test('expressions, as QEMU has them', async () => {
    const { rip } = await guest.readRegisters(0);
    expect(await ask('p $rip + 2 * (0x10 - 1)')).toBe(`0x${(rip + 30n).toString(16)}`);
    expect(await ask("print ~0 & 0xff00 | 'a'")).toBe('0xff61');
    expect(await ask('p -1')).toBe('0xffffffffffffffff');
    expect(await ask('p 7 / 0')).toBe('p 7 / 0: division by zero');
    expect(await ask('p 1 +')).toBe('p 1 +: a value is missing at column 4 of "1 +"');
    expect(await ask('p (1')).toBe('p (1: a ) for the sign at column 1 is missing at column 3 of "(1"');
    expect(await ask('p 1 2')).toBe('p 1 2: unexpected "2" at column 3 of "1 2"');
    // an answer does not repeat a line of any length
    expect(await ask(`p ${'('.repeat(20_000)}1`)).toMatch(/^p \({198}\.\.\.: .{1,100}$/);
    expect(await ask(`memsave 0 0x4000001 ${tmpdir()}/vmscope-none`)).toMatch(/the guest has 67108864 bytes of memory/);
    // and what all commands have
    const main = (await guest.symbols()).find(({ name }) => name === 'main')!;
    expect(await ask('p main + 0b10')).toBe(`0x${(main.address + 2n).toString(16)}`);
    expect(await ask('p [main]:u8 == [rip]:u8 or rip != 0')).toBe('0x1');
    expect(await ask('x /1xb main')).toMatch(/^[0-9a-f]{16}: 0x[0-9a-f]{2}$/);
    expect(await ask('p $nothing')).toBe('p $nothing: no register $nothing');
    expect(await ask(`p ${'('.repeat(5000)}`)).toContain('too many parentheses');
    expect(await ask('x /1xw $rip + 0')).toBe(await ask(`x /1xw 0x${rip.toString(16)}`));
  });

  test('code, the way to memory, and memory into a file', async () => {
    await runTo('main');
    const { rip } = await guest.readRegisters(0);
    expect(await ask('x/2i $rip')).toMatch(
      /^0x0000000000100020: {2}0f 01 15 .*lgdtq? +.*\n0x0000000000100027: {2}e8 .*callq? /,
    );
    const walk = await ask('walk $rip');
    expect(walk).toMatch(
      /^linear 0000000000100020, 4-level\n {2}PML4 \[ {2}0\][\s\S]*-> 0000000000100020\nguest-physical/,
    );
    const folder = mkdtempSync(join(tmpdir(), 'vmscope-save-'));
    const file = join(folder, 'memory');
    expect(await ask(`pmemsave 0x100000 0x2000 "${file}"`)).toBe('');
    const bytes = await guest.readMemory('gva', 0x100000n, 0x2000);
    expect(readFileSync(file).equals(bytes)).toBe(true);
    expect(await ask(`memsave ${rip} 4 ${file}`)).toMatch(/vmscope-save-\w+\/memory: .*exist/i);
    expect(await ask(`pmemsave 0x3fff000 0x2000 ${file}2`)).toMatch(/no memory at 0x4000000/);
    expect(await ask('memsave 0x1000')).toMatch(/usage: memsave ADDR SIZE FILE/);
    rmSync(folder, { recursive: true });
  });

  test('ports, keys, the NMI, and what devices there are', async () => {
    expect(await ask('i /b 0x61')).toMatch(/^portb\[0x0061\] = 0x[0-9a-f]{2}$/);
    expect(await ask('o /b 0x80 0x12')).toBe('');
    expect(await ask('i /b 0x10000')).toMatch(/port 0x10000 is above 0xffff/);
    expect(await ask('i /q 1')).toMatch(/format \/q is not b, h or w/);
    expect(await ask('sendkey ctrl-alt-delete')).toBe('');
    expect(await ask('sendkey ret')).toBe('');
    expect(await ask('sendkey nokey')).toBe('sendkey nokey: nokey is not a key');
    expect(await ask('mouse_move 10 -4')).toBe('');
    expect(await ask('mouse_button 5')).toBe('');
    expect(await ask('mouse_move 10')).toBe('mouse_move 10: usage: mouse_move DX DY [DZ]');
    expect(await ask('mouse_button 8')).toMatch(/8: not a whole number from 0 to 7/);
    expect(await ask('info mice')).toBe('* Mouse #0: PS/2 Mouse (no driver listens)');
    expect(await ask('nmi')).toBe('');
    expect(await ask('info pci')).toMatch(/Bus {2}0, device {3}0, function 0:\n {4}Host bridge: PCI device 8086:/);
    expect(await ask('info qtree')).toMatch(/^bus: main-system-bus\n {2}type System\n {2}dev: /);
    const help = await ask('help');
    for (const word of ['sendkey', 'nmi', 'memsave', 'walk', 'info pci']) expect(help).toContain(word);
  });

  test('doctor tells which checks of a VM entry would fail, and enters nothing', async () => {
    const { icount } = await guest.state();
    const vmcs = guest.vmcs!;
    expect(await ask('doctor now')).toBe('doctor now: doctor takes no words behind it');
    expect(await ask('doctor')).toMatch(/^CPU#0: all \d+ checks of a VM entry hold$/);
    const pin = (await vmcs.read(0)).find(({ name }) => name === 'PIN_BASED_VM_EXEC_CONTROL')!;
    await vmcs.write(0, pin.encoding, 0n);
    expect(await ask('doctor')).toMatch(
      /^CPU#0: a VM entry would fail; these do not hold:\n- reserved bits of the pin-based controls are set as IA32_VMX_PINBASED_CTLS allows \(SDM 3C 26\.2\.1\.1 .*\): PIN_BASED_VM_EXEC_CONTROL = 0x0/,
    );
    await vmcs.write(0, pin.encoding, pin.value);
    expect(await ask('doctor')).toContain('hold');
    expect((await guest.state()).icount).toBe(icount);
  });

  test('why an exit took place is told by the controls as they were, not as the handlers have left them', async () => {
    const own = startGuest(new URL('../../samples/long-mode/long-mode.elf', import.meta.url));
    const { stop } = await own.stepToExit({ reasons: [28] });
    if (stop?.kind !== 'exit') throw new Error('no CR_ACCESS');
    const { sequence } = stop.exit;
    const read = async () => (await own.vmcs!.read(0)).filter(({ area }) => area === 'control');
    const then = new Map((await read()).map(({ encoding, value }) => [encoding, value]));
    const shadow = 0x6004;
    expect(then.get(shadow)).toBe(0x11n);
    for (let n = 0; n < 40; n++) await own.step(0);
    await own.stepToExit();
    await own.stepToExit({ reasons: [28] });
    const now = new Map((await read()).map(({ encoding, value }) => [encoding, value]));
    expect(now.get(shadow)).toBe(0x10n);
    const kept = new Map((await own.exits.controls(sequence))!.map(({ encoding, value }) => [encoding, value]));
    // What the VMM injects is set for the entry behind an exit.
    for (const event of [0x4016, 0x4018, 0x401a]) for (const map of [kept, then]) map.delete(event);
    expect(kept).toEqual(then);
    expect(await own.monitor(`why ${sequence}`)).toMatch(/^why: .*CR0.*shadow 11$/m);
    const [record] = await own.exits.records(sequence - 1, 1_000_000);
    expect(record).toMatchObject({ sequence, bits: 16 });
    // A reset begins with exit 1 again, and of what is not there nothing is known.
    expect(await own.exits.controls(1_000_000)).toBeUndefined();
    await own.reset();
    expect(await own.exits.controls(sequence)).toBeUndefined();
    await own.stepToExit({ reasons: [28] });
    expect(
      new Map((await own.exits.controls(sequence))!.map(({ encoding, value }) => [encoding, value])).get(shadow),
    ).toBe(0x11n);
    await own.quit();
  });

  test('info irq counts what the guest took, and why explains its last exit', async () => {
    const own = startGuest();
    const say = async (line: string): Promise<string> => (await own.monitor(line)) ?? 'unknown';
    expect(await say('why')).toBe('CPU#0 has made no VM exit so far');
    expect(await say('why not')).toBe('why not: usage: why, or why and the number of a VM exit');
    await own.stepToExit();
    expect(await say('why')).toMatch(
      /^VM exit #1, where the guest is stopped: 31 MSR_READ at rip 0x[0-9a-f]+, instruction \d+, CPU#0\nwhat: IA32_EFER\nwhy: {2}bit 0x80 of the read bitmap for high MSRs is 1 \(MSR_BITMAP at hpa [0-9a-f]+\)\ndid: {2}nothing yet/,
    );
    const ended = new Promise<void>((done) => {
      own.onEvent((event) => event.type === 'stopped' && done());
    });
    await own.resume();
    await ended;
    expect(await say('info irq')).toBe(`IRQ statistics for isa-i8259:
 0: 11
 4: 1
IRQ statistics for ioapic:
 2: 11
 4: 1
IRQ statistics for apic0, by vector:
64: 1
65: 1
66: 1
(since the last reset, or since a state was loaded)`);
    expect(await say('why')).toMatch(
      /^guest powered off\nVM exit #\d+, the last one: 30 IO_INSTRUCTION at .*\nwhat: out port 604 word\nwhy: {2}"Unconditional I\/O exiting" is 1 .*\ndid: {2}port got 2000, and stopped the guest$/,
    );
    await own.reset();
    expect(await say('info irq')).not.toMatch(/^ 4:|^6\d:/m);
    await own.quit();
  });

  test('info mtree says who answers where: memory, ROM as the chipset shows it, devices, ports', async () => {
    const plain = await ask('info mtree');
    expect(plain).toContain(`FlatView #0
 AS "memory", root: system
 Root memory region: system
  0000000000000000-0000000003ffffff (prio 0, ram): pc.ram
  00000000fcfff000-00000000fcffffff (prio 0, i/o): std-vga-bar2
  00000000fd000000-00000000fdffffff (prio 0, i/o): std-vga-bar0
  00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
  00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
  00000000fee00000-00000000fee00fff (prio 0, i/o): apic-msi

FlatView #1
 AS "I/O", root: io
 Root memory region: io
`);
    expect(plain).toContain('\n  00000000000003f8-00000000000003ff (prio 0, i/o): serial0\n');
    expect(await ask('info mtree -f')).toBe(plain);
    expect(await ask('info mtree -o')).toMatch(/^info mtree -o: usage: info mtree/);
    const rom = new Uint8Array(0x20000).fill(0xf4);
    const bios = startGuest(IMAGE, {}, { image: { name: 'rom', bytes: rom }, firmware: { serialConsole: false } });
    const { hostBridge } = bios.machine.pc.pc;
    const memory = async (): Promise<string[]> =>
      ((await bios.monitor('info mtree')) ?? '').split('\n').filter((line) => /pc\.(ram|bios)/.test(line));
    const high = '  00000000fffe0000-00000000ffffffff (prio 0, rom): pc.bios';
    expect(await memory()).toEqual([
      '  0000000000000000-00000000000bffff (prio 0, ram): pc.ram',
      '  00000000000e0000-00000000000fffff (prio 0, rom): pc.bios',
      '  0000000000100000-0000000003ffffff (prio 0, ram): pc.ram @0000000000100000',
      high,
    ]);
    // RAM in the place of F0000h to FFFFFh, that cannot be written
    hostBridge.configWrite(0x59, 1, 0x10);
    expect(await memory()).toEqual([
      '  0000000000000000-00000000000bffff (prio 0, ram): pc.ram',
      '  00000000000e0000-00000000000effff (prio 0, rom): pc.bios',
      '  00000000000f0000-00000000000fffff (prio 0, rom): pc.ram @00000000000f0000',
      '  0000000000100000-0000000003ffffff (prio 0, ram): pc.ram @0000000000100000',
      high,
    ]);
    await bios.quit();
  });

  test('info lapic as after power-on, before firmware sets it up', async () => {
    guest.machine.pc.pc.lapic[0].reset();
    expect(await ask('info lapic')).toBe(`dumping local APIC state for CPU 0

LVT0\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)
LVT1\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)
LVTPC\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)
LVTERR\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)
LVTTHMR\t 0x00010000 active-hi edge  masked                      Fixed  (vec 0)
LVTT\t 0x00010000 active-hi edge  masked         one-shot     Fixed  (vec 0)
Timer\t DCR=0x0 (divide by 2) initial_count = 0 current_count = 0
SPIV\t 0x000000ff APIC disabled, focus=off, spurious vec 255
ICR\t 0x00000000 physical edge de-assert no-shorthand
ICR2\t 0x00000000 cpu 0 (APIC ID)
ESR\t 0x00000000
ISR\t (none)
IRR\t (none)

APR 0x00 TPR 0x00 DFR 0x0f LDR 0x00 PPR 0x00`);
    expect(await ask('info lapic 3')).toContain('no CPU 3');
    await guest.reset();
  });

  test('info pic while the 8254 ticks, info lapic while an IPI is served', async () => {
    await runTo('on_tick');
    const pic = await ask('info pic');
    expect(pic).toMatch(
      /^ioapic0: ver=0x20 id=0x00 sel=0x00\n {2}pin 0 {2}0x0000000000010000 dest=0 vec=0 {3}active-hi edge {2}masked fixed {2}physical\n/,
    );
    expect(pic.split('\n')).toHaveLength(1 + 24 + 2 + 2);
    expect(pic).toMatch(/\npic0: irr=\w\w imr=fe isr=01 hprio=0 irq_base=20 rr_sel=0 elcr=00 fnm=0$/);
    await runTo('on_ipi');
    const lapic = await ask('info lapic');
    expect(lapic).toContain('ISR\t 65\n');
    expect(lapic).toMatch(/ICR\t 0x0000\w041 physical edge assert no-shorthand/);
    expect(lapic).toMatch(/APR 0x00 TPR 0x00 DFR 0x0f LDR 0x00 PPR 0x40/);
  });

  test('info line and list say why there are none; unknown commands are undefined', async () => {
    expect(await monitorLine(guest, 'info line')).toContain('no line numbers');
    expect(await monitorLine(guest, 'list')).toContain('.debug_line');
    expect(await guest.monitor('info nonsense')).toBeUndefined();
    expect(await ask('info ps')).toMatch(
      /^no operating system is found: in \d+ MiB .*no symbol table \(kallsyms\) of an unpacked Linux kernel/,
    );
  });

  test('run_to_kernel ends with a guest that has none', async () => {
    expect(await ask('run_to_kernel')).toBe('stopped before a kernel was found: ended');
    await guest.reset();
  });

  test('every command of help is one', async () => {
    const help = await ask('help');
    const names = [...help.matchAll(/^(info \w+|[\w-]+)/gm)].map((match) => match[1]);
    expect(names.length).toBeGreaterThan(15);
    for (const name of new Set(names)) {
      if (/^(system_reset|stop|cont|run_to_kernel|x|xp|gva2gpa|gpa2hva|p|print|gdbserver)$/.test(name)) continue;
      expect(await guest.monitor(name), name).toBeDefined();
    }
  });
});

const tools = ['as', 'ld'].map(requireTool);
const SOURCE = `.globl _start
_start:
  mov $1, %eax
  call done
done:
  cli
  hlt
`;

describe.skipIf(tools.some((tool) => !tool.available))(named('source of the code', ...tools), () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-source-'));
    writeFileSync(join(folder, 'tiny.S'), SOURCE);
    execFileSync(tools[0].path, ['--gdwarf-5', '-o', 'tiny.o', 'tiny.S'], { cwd: folder });
    execFileSync(tools[1].path, ['-Ttext=0x200000', '-o', 'tiny.elf', 'tiny.o'], { cwd: folder });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('info line and list follow the program counter', async () => {
    const image = join(folder, 'tiny.elf');
    const lines = LineTable.read(readFileSync(image))!;
    const guest = startGuest(image, { lines: () => lines, readSource: sourceReader(image) });
    expect((await guest.info()).unavailable.source).toBeUndefined();
    // the monitor's is the one of the dashboard and scripts: FILE:LINE, spans, and to go on where it ended
    const ask = (line: string) => monitorLine(guest, line);
    const shown = (from: number, to: number, current?: number) =>
      SOURCE.trimEnd()
        .split('\n')
        .map((line, at) => `${at + 1 === current ? '>' : ' '}${String(at + 1).padStart(5)}  ${line}`)
        .slice(from - 1, to)
        .join('\n');
    expect(await ask('info line')).toMatch(/^0x200000 is at .*tiny\.S:3, whose code goes from 0x200000 to 0x200005$/);
    await guest.step(0, 2);
    expect(await ask('info line')).toMatch(/^0x20000a is at .*tiny\.S:6, /);
    expect(await ask('list')).toBe(shown(1, 7, 6));
    expect(await ask('list')).toMatch(/^list: line \d+ is past the end/);
    expect(await ask('list 2,4')).toBe(shown(2, 4));
    expect(await ask('list tiny.S:7')).toBe(shown(2, 7, 6));
    expect(await ask('info line tiny.S:4')).toMatch(/^0x200005 is at .*tiny\.S:4, /);
    expect(await ask('info line 0x100')).toBe('no line for 0x100');
    expect(await ask('help info line')).toMatch(/^info line \[FILE:LINE /);
    expect(await ask('info')).toMatch(/^info registers[\s\S]*\ninfo locals/);
    expect(await guest.source!.text('/no/such/file')).toBeUndefined();
  });
});
