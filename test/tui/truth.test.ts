/** What the dashboard shows is so: of the exit that is looked at, of the row under the cursor, of the vCPU that is shown. */
import { describe, expect, it } from 'vitest';
import { exitedAt, exitRip } from '../../src/engine/debug/exit-place.js';
import type { ExitRecord, RegisterFile } from '../../src/engine/debugger.js';
import { createTheme } from '../../src/tui/screen/theme.js';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

describe('an exit', () => {
  /** Its control was other when it took place. */
  class Remembering extends FakeDebugger {
    constructor() {
      super();
      this.exits!.controls = async (sequence) =>
        sequence < 40
          ? [
              { encoding: 0x4002, value: 0x11n },
              { encoding: 0x4000, value: 0x16n },
            ]
          : undefined;
    }
  }

  it('shows the controls as they were, and says so where nobody knows', async () => {
    const cells = await Cells.open(new Remembering(), { columns: 200, rows: 60 });
    expect(cells.text()).toMatch(/ctls +pin 3f +pri 850061f2.*\(as they are\b.*now\)/s);
    await cells.key(',');
    expect(cells.text()).toMatch(/ctls +pin 16 +pri 11/);
    expect(cells.text()).not.toContain('as they are now');
  });

  it('is read in the mode of its code, not in that of now', async () => {
    const debug = new FakeDebugger();
    const records = debug.exits!.records;
    debug.exits!.records = async (after, max) =>
      (await records(after, max)).map((record) =>
        record.sequence === 39 ? { ...record, bits: 16, csBase: 0x400000n, rip: 0x1023n } : record,
      );
    const cells = await Cells.open(debug);
    expect(cells.text()).toContain('64-bit');
    await cells.key(',');
    expect(cells.text()).toMatch(/Disassembly {2}Intel 16-bit/);
    expect(cells.text()).toMatch(/00401023 .*! exit 31/);
    await cells.key('escape');
    expect(cells.text()).toMatch(/Disassembly {2}Intel 64-bit/);
  });
});

describe('the instruction that exited', () => {
  const line = (address: bigint, length: number, mnemonic: string, operands = '') => ({
    address,
    bytes: new Uint8Array(length),
    mnemonic,
    operands,
  });
  const exit = (reason: number, qualification = 0n): ExitRecord =>
    ({ reason, qualification, rip: 0x102n, csBase: 0n, bits: 64 }) as ExitRecord;
  const at = (record: ExitRecord, lines: ReturnType<typeof line>[], kvm = true) =>
    exitedAt(record, exitRip(record, 16), lines, kvm);

  it('is the one before RIP where KVM has moved it on', () => {
    const halts = [line(0x101n, 1, 'hlt'), line(0x102n, 1, 'hlt')];
    expect(at(exit(12), halts)).toBe(0x101n);
    expect(at(exit(12), halts, false)).toBe(0x102n);
    expect(at(exit(30), [line(0x101n, 1, 'out', 'dx, al'), line(0x102n, 2, 'mov', 'eax, 1')])).toBe(0x101n);
    expect(at(exit(30, 8n), [line(0x100n, 2, 'mov', 'eax, 1'), line(0x102n, 1, 'in', 'al, dx')])).toBe(0x102n);
    const moves = [line(0x100n, 2, 'mov', '[rdi], eax'), line(0x102n, 2, 'mov', 'eax, [rdi]')];
    expect(at(exit(48, 2n), moves)).toBe(0x100n);
    expect(at(exit(48, 1n), moves)).toBe(0x102n);
    expect(at(exit(48, 2n), [line(0x100n, 2, 'nop'), moves[1]!])).toBe(0x102n);
  });

  it.each([
    ['kvm', '0040100a'],
    ['vtx', '0040100b'],
  ] as const)('is the one that is marked, on engine %s', async (engine, marked) => {
    const debug = new FakeDebugger();
    const [info, records] = [debug.info.bind(debug), debug.exits!.records];
    debug.info = async () => ({ ...(await info()), engine });
    debug.exits!.records = async (after, max) =>
      (await records(after, max)).map((record) =>
        record.sequence === 39 ? { ...record, reason: 12, rip: 0x40100bn } : record,
      );
    const cells = await Cells.open(debug);
    await cells.key(',');
    expect(/([0-9a-f]{8}) [^\n│]*! exit 12\b/.exec(cells.text())![1]).toBe(marked);
  });

  it('has a linear address by its own mode', () => {
    const record = { ...exit(12), csBase: 0xffff_0000n, rip: 0xfff0n };
    expect(exitRip({ ...record, bits: 16 }, 64)).toBe(0xffff_fff0n);
    expect(exitRip({ ...record, bits: 64 }, 16)).toBe(0xfff0n);
    expect(exitRip({ ...record, bits: undefined }, 16)).toBe(0xffff_fff0n);
  });
});

describe('a row under the cursor', () => {
  it('is the same one when the list sorts itself anew', async () => {
    const debug = new FakeDebugger();
    let counts: Record<string, number> = { CPUID: 30, HLT: 20, IO_INSTRUCTION: 10 };
    debug.exits!.counts = async () => counts;
    const cells = await Cells.open(debug, { view: 'exits' });
    await cells.key('down');
    counts = { CPUID: 30, HLT: 20, IO_INSTRUCTION: 100, MSR_READ: 90 };
    cells.dashboard.model.invalidate();
    await cells.settle();
    expect(cells.text()).toMatch(/IO_INSTRUCTION[\s\S]*MSR_READ[\s\S]*CPUID[\s\S]*HLT/);
    await cells.key('b');
    expect(debug.log).toContain('addBreakpoint exit');
    expect(cells.text()).toMatch(/breakpoint 1 on HLT/);
  });

  it('is the same process when others come before it', async () => {
    const debug = new FakeDebugger();
    const { processes } = debug.os!;
    let more = 0;
    debug.os!.processes = async () => [
      ...Array.from({ length: more }, (_, n) => ({ pid: 1000 + n, ppid: 1, name: `new${n}`, state: 'R' })),
      ...(await processes()),
    ];
    let asked = '';
    debug.monitor = async (line) => {
      asked = line;
      return 'frames';
    };
    let time = 0;
    const cells = await Cells.open(debug, { view: 'system', now: () => (time += 10_000) });
    await cells.key('down');
    more = 3;
    cells.dashboard.model.invalidate();
    await cells.settle();
    await cells.key('enter');
    expect(asked).toBe('info stack 101');
  });

  it('is the same exit when the trace loses its oldest ones', async () => {
    const cells = await Cells.open(new FakeDebugger(), { view: 'exits' });
    await cells.key('tab', 'up', 'up', 'up');
    const { records } = cells.dashboard.model;
    const wanted = records.at(-4)!.sequence;
    (records as ExitRecord[]).splice(0, 7);
    await cells.settle();
    await cells.key('enter');
    expect(cells.dashboard.exit()?.sequence).toBe(wanted);
  });
});

describe('several vCPUs', () => {
  /** Each has registers of its own, which change at every step. */
  class Several extends FakeDebugger {
    steps = 0n;
    constructor() {
      super('full', 4);
    }
    override async readRegisters(vcpu = 0): Promise<RegisterFile> {
      const registers = await super.readRegisters();
      return { ...registers, rip: registers.rip! + BigInt(vcpu), rbx: BigInt(vcpu), r8: vcpu === 2 ? this.steps : 0n };
    }
    override step(vcpu: number, count?: number) {
      this.steps++;
      return super.step(vcpu, count);
    }
  }

  it('have marks of their own: another vCPU is no change', async () => {
    const cells = await Cells.open(new Several());
    await cells.key('s');
    await cells.command('vcpu 2');
    expect(cells.text()).toMatch(/rbx 0000000000000002/);
    expect(cells.text()).not.toMatch(/\*rbx/);
    expect(cells.text()).toMatch(/\*r8 +0000000000000001/);
  });

  it.each([40, 60, 80, 120])('are in the header at %i columns', async (columns) => {
    const cells = await Cells.open(new Several(), { columns });
    await cells.command('vcpu 3');
    await cells.key('s');
    expect(cells.text().split('\n')[0]).toContain('vcpu0/4');
  });

  it('have a column in the trace and a pane where all stand', async () => {
    const debug = new Several();
    const { records } = debug.exits!;
    // two of one vCPU one behind the other
    debug.exits!.records = async (after, max) =>
      (await records(after, max)).map((exit) => (exit.sequence === 39 ? { ...exit, vcpu: 3 } : exit));
    const cells = await Cells.open(debug, { columns: 200, rows: 60 });
    expect(cells.text()).toMatch(/#35 +v2 MSR_READ/);
    expect(cells.text()).toMatch(/#39 +v3 MSR_READ/);
    expect(cells.text()).toMatch(/#40 +v3 EPT_VIOLATION/);
    for (let n = 0; n < 20 && cells.dashboard.focus !== 'vcpus'; n++) await cells.key('tab');
    expect(cells.text()).toMatch(
      /vCPUs[\s\S]*►0 +main\+0x24[\s\S]* 1 +main[\s\S]* 2 .*[\s\S]* 3 +main.*#40 EPT_VIOLATION/,
    );
    // each its own last exit, and its own place
    const row = (vcpu: number) =>
      cells
        .text()
        .split('\n')
        .find((line) => new RegExp(`^.[► ]${vcpu} +main`).test(line))!;
    for (const [vcpu, last] of [37, 38, 35, 40].entries())
      expect(row(vcpu)).toMatch(new RegExp(`main\\+0x${24 + vcpu} .*#${last} `));
    await cells.key('down', 'down', 'enter');
    expect(cells.dashboard.model.vcpu).toBe(2);
  });

  it('have marks of their own in the VMCS', async () => {
    const debug = new Several();
    const { read } = debug.vmcs!;
    debug.vmcs!.read = async (vcpu) =>
      (await read(vcpu)).map((field) => (field.encoding === 0x4000 ? { ...field, value: BigInt(vcpu) } : field));
    const cells = await Cells.open(debug, { view: 'vmcs' });
    await cells.command('vcpu 1');
    expect(cells.text()).toMatch(/4000 PIN_BASED_VM_EXEC_CONTROL +00000001/);
    expect(cells.text()).not.toMatch(/\*4000/);
  });
});

describe('the line at the foot', () => {
  it('shows as a fault what went wrong, and not that nothing is there', async () => {
    const theme = createTheme(256, { LANG: 'C.UTF-8' });
    const cells = await Cells.open(new FakeDebugger(), { theme });
    const shown = (text: string): number => {
      const { x, y } = cells.find(text);
      return cells.lines()[y]![x]![0];
    };
    await cells.key(']');
    expect(shown('no place after this')).toBe(theme.ok);
    await cells.key('.');
    expect(shown('this is the newest exit')).toBe(theme.ok);
    await cells.key('/', ...'nowhere', 'enter');
    expect(shown('"nowhere" is not in the code after ')).toBe(theme.ok);
    await cells.command('print nowhere');
    expect(shown('print: no symbol, register or number "nowhere"')).toBe(theme.crit);
  });
});
