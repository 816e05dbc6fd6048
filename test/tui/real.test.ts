/** The dashboard over real guests in the embedded engine, as a user starts it: one program a size, used step by step. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tui } from '../pty.js';

const vmscope = fileURLToPath(new URL('../../bin/vmscope', import.meta.url));
const sample = (name: string) => fileURLToPath(new URL(`../../samples/${name}`, import.meta.url));
const PATIENCE_MS = 20_000;
let tui: Tui;

/** Starts it for the tests of a describe block, which go on from each other's state. */
function program(args: string[], cols: number, rows: number, ready: RegExp): void {
  beforeAll(async () => {
    tui = new Tui(vmscope, args, cols, rows);
    await tui.until(ready, PATIENCE_MS);
  });
  afterAll(() => tui.kill());
}

async function press(keys: string, shown: RegExp): Promise<void> {
  tui.send(keys);
  await tui.until(shown, PATIENCE_MS);
}

/** Every row is as wide as the screen at most, and the borders of panes stand in one column. */
function bordersStand(): void {
  const rows = tui.text().split('\n');
  const frame = rows.filter((row) => /^[│├┌└]/.test(row));
  expect(frame.length).toBeGreaterThan(10);
  for (const row of frame) expect(row.length, row).toBe(tui.term.cols);
  for (const row of frame) expect(row.at(-1), row).toMatch(/[│┤┐┘]/);
}

describe('exit-zoo at 120x40', () => {
  program(['run', sample('exit-zoo'), '--wait'], 120, 40, /STOPPED: start/);

  it('sets a breakpoint by key, runs, hits and steps', async () => {
    await press(':goto putc\r', /<putc>/);
    await press('b', /breakpoint 1 at [0-9a-f]+[\s\S]*●|●[\s\S]*breakpoint 1 at/);
    await press('c', /STOPPED: breakpoint 1 putc/);
    await press('s', /STOPPED: step[\s\S]*►[0-9a-f]{8} \+0x1 /);
    await press('n', /►[0-9a-f]{8} \+0x2 /);
    bordersStand();
  });

  it('shows who called, without debug information, and runs out to it', async () => {
    await tui.until(/ 1 {2}[0-9a-f]{8} puts\+0x[0-9a-f]+ {2}@/);
    await tui.until(/ 2 {2}[0-9a-f]{8} print_line\+/);
    await press(':disable 1\r', /○ 1/);
    await press('f', /STOPPED: target reached[\s\S]*►[0-9a-f]{8} \+0xc/);
  });

  it('edits a register by key and sees it marked after the next step', async () => {
    // Disassembly, registers, then up and down from RAX.
    await press('\t\r', /^:set rax 0x/m);
    await press('\x15set rbx 0x1234567\r', /rbx 0000000001234567/);
    await press('s', /STOPPED: step/);
    await press(':set rbx 0x7654321\r', /\*rbx 0000000007654321/);
  });

  it('predicts the exit at which it then stands, and explains it', async () => {
    await press(':next-exit EPT_VIOLATION if gpa < 0xfee00000 or\r', /next-exit: a value is missing/);
    await press(':until vmexit EPT_VIOLATION\r', /STOPPED: EPT_VIOLATION/);
    await tui.until(/reason 48 EPT_VIOLATION[\s\S]*why +(?:no EPT entry maps|the EPT entries do not permit)/);
    await tui.until(/Walk {2}g[vp]a [0-9a-f]+ of exit #\d+[\s\S]*✗ \w+\[\d+\] not present/);
    const [, rip] = /rip +([0-9a-f]+)/.exec(tui.text())!;
    await press(':reset\r', /STOPPED: start/);
    await press(`:until 0x${rip}\r`, /STOPPED: target reached[\s\S]*►[0-9a-f]+ .*! will exit/);
    await press(':next-exit CR_ACCESS\r', /STOPPED: CR_ACCESS[\s\S]*! exit 28[\s\S]*qual +[0-9a-f]+: register cr\d/);
  });

  it('shows the VMCS, and a control bit turned over takes effect', async () => {
    await press('gv', /VM_EXIT_REASON +0000001c +CR_ACCESS/);
    await press('/CPU_BASED\r', /filter: CPU_BASED/);
    await press('jo', /\[ ] 12 RDTSC exiting/);
    await press(':vmcs CPU_BASED_VM_EXEC_CONTROL +RDTSC exiting\r', /\[x] 12 RDTSC exiting/);
    await press(':vmcs CPU_BASED_VM_EXEC_CONTROL -RDTSC exiting\r', /\[ ] 12 RDTSC exiting/);
    await press(':vmcs VM_EXIT_REASON 1\r', /VM_EXIT_REASON is read-only/);
    bordersStand();
  });

  it('edits memory byte by byte in place, and finds it', async () => {
    await press(':memory rsp-0x100\r', /\[Mem\/EPT][\s\S]*Memory {2}gva stack\+0x1ee8/);
    await press('\r', /type hex digits/);
    await press('c0ffee', /c0 ff ee/);
    await press('\x1b', /^(?![\s\S]*type hex digits)/);
    await press(':memory rsp-0x180\r', /Memory {2}gva stack\+0x1e68/);
    await press('/c0 ff ee\r', /found at gva/);
    await tui.until(/by 4-level page tables[\s\S]*PML4 +\[ {2}0] @[\s\S]*= hpa [0-9a-f]+/);
    bordersStand();
  });

  it('filters the trace, looks back, counts by reason, exports', async () => {
    await press('gx', /Exits by reason[\s\S]*IO_INSTRUCTION +\d+/);
    await press(':delete all\r', /1 removed/);
    await press('c', /ENDED: guest powered off/);
    await press('\t/WBINVD\r', /1 match \/ WBINVD[\s\S]*#\d+ +WBINVD/);
    await press('\r', /VM exit #\d+ \d+ before the newest[\s\S]*reason 54 WBINVD[\s\S]*did +resumed/);
    const file = join(mkdtempSync(join(tmpdir(), 'vmscope-')), 'trace.csv');
    await press(`:export csv ${file}\r`, /exits written/);
    expect(readFileSync(file, 'utf8')).toMatch(/^\d+,WBINVD,/m);
    await press('gc', /serial COM1[\s\S]*│61 RDSEED[\s\S]*│the end/);
  });

  it('says that the guest has ended, starts it anew, and follows every resize', async () => {
    await press('gdc', /guest powered off; :reset starts it again/);
    await press(':reset\r', /STOPPED: start/);
    for (const [cols, rows] of [
      [80, 24],
      [200, 60],
      [100, 30],
      [120, 40],
    ] as const) {
      tui.resize(cols, rows);
      await tui.until(new RegExp(`^[└│].{${cols - 2}}[┘│]$`, 'm'), PATIENCE_MS);
      await tui.settle();
      bordersStand();
    }
    await press('\x1b', /c run/);
    tui.resize(50, 8);
    await tui.until(/needs 80x24/, PATIENCE_MS);
    tui.resize(120, 40);
    await tui.until(/Exit trace/, PATIENCE_MS);
  });

  it('quits and leaves the terminal as it was', async () => {
    tui.send('qy');
    expect(await tui.exit).toBe(0);
    expect(tui.raw).toContain('\x1b[?1049l');
    expect(tui.raw).toContain('\x1b[?2004l');
  });
});

describe('a guest that halts with interrupts off', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-halt-'));
  const image = join(folder, 'halt.bin');
  writeFileSync(image, Buffer.from('faf4ebfd', 'hex'));
  program(['run', image, '--at', '0x100000'], 80, 24, /vcpu0/);

  it('is not shown as running', async () => {
    await tui.until(/HALTED, INTERRUPTS OFF/, PATIENCE_MS);
    expect(tui.text()).not.toContain('RUNNING');
    await press('c', /STOPPED: paused/);
  });
});

describe('keyboard at 80x24', () => {
  program(['run', sample('keyboard')], 80, 24, /RUNNING/);

  it('types into the serial port and the PS/2 keyboard of the running guest', async () => {
    await press('gc', /type, q ends/);
    await press('i', /keys go to COM1/);
    await press('x', /serial x/);
    // Keys of the dashboard are the guest's now.
    await press('c', /serial c/);
    await press('\x1d', /i types into the guest/);
    await press('v', /Console VGA text/);
    await press('i', /keys and mouse go to the guest/);
    tui.send('y');
    await press('\x01', /i types into the guest/);
    await press('v', /ps\/2 y/);
    bordersStand();
  });

  it('shows rates while it runs, pauses, and resizes while it runs', async () => {
    await tui.until(/exits\/s/, PATIENCE_MS);
    await press('gx', /sort: rate/);
    tui.resize(120, 40);
    await tui.until(/LAST 60 s/, PATIENCE_MS);
    tui.resize(80, 24);
    await tui.until(/^ {2}Debug \[Exits]/m, PATIENCE_MS);
    await press('c', /STOPPED: paused/);
    await press('gd', /wait_key/);
    bordersStand();
  });

  it('asks before it ends a running guest', async () => {
    await press('c', /RUNNING/);
    await press('q', /End it and quit/);
    await press('n', /c pause/);
    tui.send('q');
    await tui.until(/End it and quit/);
    tui.send('y');
    expect(await tui.exit).toBe(0);
  });
});

describe('ring3 at 200x60', () => {
  program(['run', sample('ring3'), '--wait'], 200, 60, /STOPPED: start/);

  it('has every pane, filled from the guest', async () => {
    await press(':break on_syscall\r', /breakpoint 1/);
    await press('c', /STOPPED: breakpoint 1 on_syscall/);
    for (const title of ['Console', 'Stack', 'Breakpoints', 'Devices', 'Disassembly', 'Memory', 'Walk', 'Registers'])
      expect(tui.text()).toContain(`─ ${title}`);
    await tui.until(/Exits by reason[\s\S]*MSR_WRITE +\d/);
    await tui.until(/lstar +[0-9a-f]+|serial0[\s\S]*115200 8N1/);
    await tui.until(/gva [0-9a-f]+ → gpa[\s\S]*P W? ?U/);
    bordersStand();
  });

  it('goes from exit to exit and back through the trace', async () => {
    await press('e', /STOPPED: IO_INSTRUCTION .*exit #13\b/);
    await press('E', /STOPPED: IO_INSTRUCTION .*exit #14\b/);
    await press(',', /VM exit #13 1 before the newest/);
    await press('.', /VM exit #14 stopped here/);
    await press('\x1b', /c run/);
  });

  it('writes nothing while the guest stands', async () => {
    // a terminal that is slow, or whose machine is, gets a frame a second
    await tui.settle(1500);
    const before = tui.bytes;
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(tui.bytes).toBe(before);
  });

  it('ends with 143 on SIGTERM and restores the screen', async () => {
    tui.proc.kill('SIGTERM');
    expect(await tui.exit).toBe(143);
    expect(tui.raw).toContain('\x1b[?1049l');
    expect(tui.raw).toContain('\x1b[?1000l');
  });
});

describe('a guest that fails, with COM1 in a file too', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'vmscope-')), 'serial');
  program(['run', sample('triple-fault'), '--serial', `file:${file}`], 80, 24, /STOPPED: start/);

  it('starts stopped, as short samples do, and says on the terminal how it ended, with status 1', async () => {
    await press('c', /ENDED: triple fault/);
    tui.send('qy');
    expect(await tui.exit).toBe(1);
    expect(tui.raw.slice(tui.raw.lastIndexOf('\x1b[?1049l'))).toMatch(/vmscope: triple-fault: triple fault/);
    expect(readFileSync(file, 'latin1')).toBe(readFileSync(join(sample('triple-fault'), 'expected.txt'), 'latin1'));
  });
});

describe('interrupted from outside', () => {
  program(['run', sample('ring3'), '--wait', '--timeout', '3600'], 80, 24, /STOPPED: start/);

  it('ends with 130 on SIGINT and restores the screen', async () => {
    tui.proc.kill('SIGINT');
    expect(await tui.exit).toBe(130);
    expect(tui.raw).toContain('\x1b[?1049l');
  });
});

describe('the tour', () => {
  program(['demo'], 120, 40, /Tour 1 of \d+/);

  it('begins at 64-bit code, sees what is done, and opens a port for gdb', async () => {
    await tui.until(/►[0-9a-f]+ <long>/);
    await press('s', /STOPPED: step[\s\S]*✓ Done/);
    await press('T', /Tour 2 of \d+/);
    await press('e', /STOPPED: IO_INSTRUCTION [\s\S]*why +\S[\s\S]*✓ Done/);
    await press('S', /STOPPED: step/);
    await press(':gdb 0\r', /GDB stub on 127\.0\.0\.1:\d+/);
    tui.send('qy');
    expect(await tui.exit).toBe(0);
  });
});

describe('a guest that has not run', () => {
  program(['run', sample('exit-zoo'), '--wait'], 100, 40, /STOPPED: start/);

  it('asks its own engine for nothing that is refused, before the first exit and at the ends of memory', async () => {
    const refused = /is not of its type|cannot be called/;
    expect(tui.text()).not.toMatch(refused);
    const file = join(mkdtempSync(join(tmpdir(), 'vmscope-')), 'none.csv');
    await press(`:export csv ${file}\r`, /none\.csv/);
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(2);
    for (const place of ['0', '0xffffffffffffffff', '0xffffffff']) {
      for (const command of ['mem', 'goto']) {
        tui.send(`:${command} ${place}\r`);
        await tui.settle();
        tui.send('\x1b[5~\x1b[5~\x1b[6~\x1b[6~');
        await tui.settle();
        expect(tui.text(), `:${command} ${place}`).not.toMatch(refused);
      }
    }
  });
});

describe('what is kept of a session', () => {
  it.each([
    ['is settings and typed commands', [], ['config/vmscope/dashboard', 'state/vmscope/commands']],
    ['is nothing with --no-config', ['--no-config'], []],
  ])('%s', async (_how, options, kept) => {
    const folder = mkdtempSync(join(tmpdir(), 'vmscope-kept-'));
    const env = { XDG_CONFIG_HOME: join(folder, 'config'), XDG_STATE_HOME: join(folder, 'state') };
    const kin = new Tui(vmscope, ['run', sample('exit-zoo'), '--wait', ...options], 80, 24, env);
    try {
      await kin.until(/STOPPED: start/, PATIENCE_MS);
      kin.send(':syntax att\r');
      await kin.until(/AT&T/, PATIENCE_MS);
      kin.send('qy');
      expect(await kin.exit).toBe(0);
      expect([...Object.values(env)].some(existsSync)).toBe(kept.length > 0);
      for (const file of kept) expect(readFileSync(join(folder, file), 'utf8')).toContain('syntax att\n');
    } finally {
      kin.kill();
      rmSync(folder, { recursive: true });
    }
  });
});
