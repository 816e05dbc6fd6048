import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/tui/commands.js';
import { BINDINGS, showKey } from '../../src/tui/keys.js';
import { type Demo, killAll, startDemo } from './demo.js';

afterEach(async () => {
  if (!shared) await killAll();
});

/** Sends keys and waits for what they must show. */
async function press(tui: Demo, keys: string, shown: RegExp): Promise<void> {
  tui.send(keys);
  await tui.until(shown);
}

describe('keys', () => {
  it.each([
    ['s', /STOPPED: step/],
    ['\x1b[18~', /STOPPED: step/],
    ['n', /STOPPED: step/],
    ['\x1b[19~', /STOPPED: step/],
    ['f', /STOPPED: step/],
    ['e', /STOPPED: CPUID.*exit #41/],
    ['E', /STOPPED: EPT_VIOLATION.*exit #44/],
    ['u', /STOPPED: target reached/],
    ['b', /breakpoint 1 at 401041/],
    ['\x1bOQ', /breakpoint 1 at 401041/],
    ['w', /^:watch 0x7ff00 4 w/m],
    [',', /VM exit #39/],
    [',,.', /VM exit #39/],
    ['.', /this is the newest exit/],
    ['[', /no place before this/],
    [']', /no place after this/],
    ['gx', /\[Exits\]/],
    ['gm', /\[Mem\/EPT\]/],
    ['gv', /\[VMCS\]/],
    ['gc', /\[Console\]/],
    ['gxgd', /\[Debug\]/],
    ['g', /g then d Debug/],
    ['z', /│ ►00401041[^│]*│\n/],
    [' ', /FROZEN/],
    ['+', /refresh every 200 ms/],
    ['++-', /refresh every 200 ms/],
    ['/', /^find *$/m],
    ['gx/', /^\/ *$/m],
    ['y', /copied 31 characters/],
    ['\x14', /mouse off/],
    ['\x14\x14', /mouse on/],
    [':', /^ break .*\n tbreak /m],
    ['?', /Keys and commands/],
    ['\x1bOP', /Keys and commands/],
    ['i', /keys go to COM1; ctrl-\] or ctrl-a leaves/],
  ] as const)('%j', async (keys, shown) => {
    const tui = await startDemo();
    await press(tui, keys, shown);
  });

  it('steps a guest whose engine counts no instructions', async () => {
    const tui = await startDemo({ kind: 'uncounted' });
    await press(tui, 's', /STOPPED: step/);
    await press(tui, 's', /STOPPED: step/);
    await tui.settle();
    expect(tui.text()).not.toMatch(/no instruction ran|icount/);
  });

  it('q asks before a guest is lost that stands, too', async () => {
    const tui = await startDemo();
    await press(tui, 'q', /The guest has not ended\. End it and quit\? y\/n/);
    await press(tui, 'n', /c run/);
    await press(tui, ':reset\r', /STOPPED: start/);
    tui.send('q');
    expect(await tui.exit).toBe(0);
  });

  it('detach says where a guest cannot go on by itself', async () => {
    const tui = await startDemo();
    await press(tui, ':detach\r', /detach: this guest exists only in this dashboard/);
  });

  it('c runs and pauses; q asks while the guest runs', async () => {
    const tui = await startDemo();
    await press(tui, 'c', /RUNNING/);
    await press(tui, 'q', /guest is running\. End it and quit\? y\/n/);
    await press(tui, 'n', /c pause/);
    await press(tui, '\x1b[20~', /STOPPED: paused/);
    await press(tui, '\x1b[20~', /RUNNING/);
    tui.send('q');
    await tui.until(/quit\?/);
    tui.send('y');
    expect(await tui.exit).toBe(0);
    expect(tui.raw).toContain('\x1b[?1049l');
    expect(tui.raw).toContain('\x1b[?2004l');
  });

  it('Tab goes round all panes of the view and back', async () => {
    const tui = await startDemo({ cols: 80, rows: 24 });
    const titles = ['Registers', 'VM exit', 'Stack', 'Memory', 'Walk', 'Exit trace', 'Exits by reason', 'Breakpoints'];
    for (const title of [...titles, 'Console', 'Devices']) {
      await press(tui, '\t', new RegExp(`├─ ${title}`));
    }
    await press(tui, '\t', /├─ Registers/);
    await press(tui, '\x1b[Z', /├─ Devices/);
  });

  it('an arrow key cut in two is one key, a lone Escape is Escape', async () => {
    const tui = await startDemo({ view: 'exits' });
    await press(tui, '\r', /40 match|10 match/);
    tui.send('\x1b');
    await new Promise((resolve) => setTimeout(resolve, 3));
    tui.send('[B');
    await tui.settle();
    await press(tui, 'b', /breakpoint 1 on EPT_VIOLATION/);
  });

  it('marks changed registers, and lets the mark fade', async () => {
    const tui = await startDemo();
    await press(tui, 's', /\*rax 0000000000000001/);
    await press(tui, ':set rbx 0x77\r', /rbx = 77/);
    await press(tui, 's', /\*rbx 0000000000000077|\*rax 0000000000000002/);
  });

  it('the mouse changes view, focus and breakpoints, and the wheel scrolls', async () => {
    const tui = await startDemo();
    const header = tui.line(0).translateToString(true);
    const click = (x: number, y: number) => tui.send(`\x1b[<0;${x + 1};${y + 1}M\x1b[<0;${x + 1};${y + 1}m`);
    click(header.indexOf('Exits') + 1, 0);
    await tui.until(/\[Exits\]/);
    click(header.indexOf('Debug') + 1, 0);
    await tui.until(/\[Debug\]/);
    const row = tui
      .text()
      .split('\n')
      .findIndex((line) => line.includes('00401043'));
    click(1, row);
    await tui.until(/breakpoint 1 at 401043/);
    const first = tui.line(2).translateToString(true).slice(0, 30);
    tui.send('\x1b[<65;10;10M');
    await tui.settle();
    expect(tui.line(2).translateToString(true).slice(0, 30)).not.toBe(first);
  });

  it('Enter follows a call, [ and ] go back and forth', async () => {
    const tui = await startDemo();
    await press(tui, ':goto main\r', /<main>/);
    await press(tui, 'jjjj\r', /│ .0040100d <uart_putc>/);
    await press(tui, '[', /│ .00401021/);
    await press(tui, ']', /│ .0040100d/);
  });
});

describe('panes', () => {
  it('moves borders by key and by mouse, within limits, and puts them back', async () => {
    const tui = await startDemo();
    await tui.settle();
    const before = tui.text();
    const memoryRow = () =>
      tui
        .text()
        .split('\n')
        .findIndex((line) => line.includes('─ Memory'));
    const row = memoryRow();
    tui.send('\x1b[1;5B)');
    await tui.settle();
    expect(memoryRow()).toBe(row + 2);
    tui.send('}');
    await tui.settle();
    expect(tui.line(1).translateToString().indexOf('┐┌')).toBe(before.split('\n')[1]!.indexOf('┐┌') + 2);
    tui.send(`\x1b[<0;10;${memoryRow() + 1}M\x1b[<32;10;${memoryRow() - 3}M\x1b[<0;10;${memoryRow() - 3}m`);
    await tui.settle();
    expect(memoryRow()).toBe(row - 2);
    tui.send('('.repeat(100));
    await tui.settle();
    expect(memoryRow()).toBeGreaterThan(2);
    tui.send('=');
    await tui.settle();
    expect(memoryRow()).toBe(row);
    await press(tui, 'z(', /no border to move here/);
  });

  it('edits a register, memory and a control bit in place', async () => {
    const tui = await startDemo();
    await press(tui, '\t\x1b[B\r', /^:set rcx 0x/m);
    await press(tui, '\x15set rcx 7\r', /rcx 0000000000000007/);
    await press(tui, ':memory 0x402000\r', /Memory {2}gva/);
    await press(tui, '\r', /type hex digits/);
    await press(tui, 'fF', /1 byte at gva 402000/);
    await press(tui, '\x1b[Cab', /00402000 {2}ff 01 ab/);
    await press(tui, '\x1b', /c run/);
    expect(tui.debug.log.filter((line) => line.startsWith('write '))).toHaveLength(2);
    await press(tui, 'gv/CPU_BASED\rjo', /\[ ] {2}7 HLT exiting|\[x] {2}7 HLT exiting/);
    await press(tui, ':vmcs CPU_BASED_VM_EXEC_CONTROL -HLT\r', /\[ ] {2}7 HLT exiting/);
    await press(tui, ':vmcs CPU_BASED_VM_EXEC_CONTROL +HLT exiting\r', /\[x] {2}7 HLT exiting/);
    await press(tui, ':vmcs CPU_BASED_VM_EXEC_CONTROL +banana\r', /has no bit "banana"/);
    await press(tui, ':vmcs CPU_BASED_VM_EXEC_CONTROL -7\r', /\[ ] {2}7 HLT exiting/);
    await press(tui, ':vmcs CPU_BASED_VM_EXEC_CONTROL +0x7\r', /\[x] {2}7 HLT exiting/);
    await press(tui, ':vmcs CPU_BASED_VM_EXEC_CONTROL +32\r', /has bits 0 to 31, none of number 32/);
    await press(tui, ':vmcs GUEST_RIP +14\r', /GUEST_RIP is not made of bits: give its value/);
    await press(tui, 'jjj\r', /\[ ] {2}7 HLT exiting/);
  });

  it('finds text in code, memory and panes that only scroll', async () => {
    const tui = await startDemo({ cols: 80, rows: 24 });
    await press(tui, ':goto _start\r', /<_start>/);
    await press(tui, '/rdmsr\r', /found at 401039/);
    await press(tui, '/nonsense\r', /"nonsense" is not in the code/);
    await press(tui, '\t/efer\r', /1 line; /);
    await press(tui, '/banana\r', /"banana" is not here/);
    await press(tui, ':memory 0x402000\r', /Memory {2}gva/);
    await press(tui, '/10 11 12\r', /found at gva 402010/);
    await press(tui, '/"ABC"\r', /found at gva 402041/);
    await press(tui, '/ff ee dd cc bb\r', /not in the 16 MiB/);
  });

  it('shows frames, words of the stack, and the way to them', async () => {
    const tui = await startDemo({ cols: 80, rows: 24 });
    await press(tui, ':write 0x7ff08 2d 10 40 00 00 00 00 00\r', /8 bytes/);
    await press(tui, '\t\t\t', /Stack {2}frames[\s\S]*│ 0 {2}00401041 main\+0x24/);
    await press(tui, 'v', /words {2}v frames[\s\S]*0007ff08 000000000040102d return to main\+0x10 \(frame 1\)/);
    await press(tui, 'j\r', /├─ Memory[\s\S]*│ 0007ff08 /);
  });
});

describe('help', () => {
  it('shows every key and every command', async () => {
    const tui = await startDemo({ cols: 120, rows: 300 });
    await press(tui, '?', /Keys and commands/);
    await tui.settle();
    const text = tui.text();
    for (const { bindings } of BINDINGS) {
      for (const { keys, help } of bindings) {
        expect(text).toContain(help);
        for (const key of keys) expect(text).toContain(showKey(key));
      }
    }
    // longer ones go on in the next line of the box
    const lines = text.split('\n');
    const title = lines.find((line) => line.includes('Keys and commands'))!;
    const [left, right] = [title.lastIndexOf('┌', title.indexOf('Keys')), title.indexOf('┐', title.indexOf('Keys'))];
    const rows = lines.map((line) => line.slice(left + 1, right).trim());
    const inside = rows.join(' ').replace(/\s+/g, ' ');
    for (const { name, help } of COMMANDS) {
      expect(rows.some((row) => `${row} `.startsWith(`${name} `))).toBe(true);
      expect(inside).toContain(help.replace(/\s+/g, ' '));
    }
    tui.send('\x1b');
    await tui.until(/^(?![\s\S]*Keys and commands)/);
  });

  it('has no key twice', () => {
    const keys = BINDINGS.flatMap((group) => group.bindings).flatMap((binding) => binding.keys);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

let shared: Demo | undefined;

describe('command lines that are wrong', () => {
  afterAll(() => {
    shared = undefined;
    return killAll();
  });

  it.each([
    ['nonsense', 'no command "nonsense"; : lists them'],
    ['s', '"s" may be step, s'],
    ['break', 'break: an address, a symbol, FILE:LINE or "vmexit REASON" is missing'],
    ['break nowhere', 'break: no symbol, register or number "nowhere"'],
    ['break vmexit BANANA', 'break: no exit reason "BANANA"'],
    ['break vmexit CPUID if banana == 1', 'break: an exit has no field "banana"'],
    ['break vmexit CPUID if rax ==', 'break: a value is missing at column 7 of "rax =="'],
    ['watch 0x1000 0', 'watch: a length of 0 is not 1 to 4096'],
    ['watch hpa 0x1000', 'watch: a watchpoint is on gva or gpa'],
    ['step banana', 'step: "banana" is not a number of instructions'],
    ['set rax', 'set: usage: set REGISTER VALUE'],
    ['set nothing 1', 'set: no register nothing'],
    ['vmcs BANANA 1', 'vmcs: the VMCS has no field "BANANA"'],
    ['vmcs VM_EXIT_REASON 1', 'vmcs: VM_EXIT_REASON is read-only'],
    ['write 0x1000 xyz', 'write: "xyz" is not a list of bytes'],
    ['goto main+', 'goto: a value is missing at column 6 of "main+"'],
    ['delete 9', 'delete: no breakpoint 9'],
    ['syntax arm', 'syntax: "arm" is not one of intel, att'],
    ['view fleet', 'view: "fleet" is not one of'],
    ['vcpu 3', 'vcpu: vCPUs are 0 to 0'],
    ['export pdf x', 'export: "pdf" is not one of text, csv, json, perfetto'],
    ['export csv /nonexistent/x.csv', 'export: /nonexistent/x.csv: no such file or directory'],
    ['monitor banana', 'monitor: no monitor command "banana"; :monitor help lists them'],
    ['info banana', 'info: no monitor command "info banana"'],
    ['info', 'info: a subject, such as dmesg (:monitor help lists them), is missing'],
    ['until icount 5', 'until: icount 5 is in the past: the guest is at 123,456'],
    ['break vmexit 999', 'break: no exit reason "999"'],
    ['set eax 0x123456789', 'set: 123456789 does not fit in eax'],
    ['print 99999999999999999999', 'print: 99999999999999999999 does not fit in 64 bits'],
    [`print ${'x'.repeat(200)}`, 'xxx … :messages'],
  ])('%s', async (line, message) => {
    // One program serves them all: none of these changes anything.
    if (!shared) shared = await startDemo();
    const tui = shared;
    tui.send(`:${line}\r`);
    await tui.until(new RegExp(message.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')));
  });
});

describe('command line', () => {
  it('does what it says', async () => {
    const tui = await startDemo();
    await press(tui, ':break main\r', /breakpoint 1 at 40101d/);
    await press(
      tui,
      ':break vmexit EPT_VIOLATION if gpa >= 0xfee00000 and rcx != 0\r',
      /breakpoint 2 on EPT_VIOLATION if gpa >=/,
    );
    await press(tui, ':watch gpa 0x7ff00 8 rw\r', /breakpoint 3 on access of gpa 7ff00\+8/);
    await press(tui, ':disable 1\r', /○ 1 {2}break 40101d main/);
    await press(tui, ':delete all\r', /3 removed/);
    await press(tui, ':set rax 0xabc\r', /rax 0000000000000abc/);
    await press(tui, ':set eax 0xdef\r', /rax 0000000000000def/);
    await press(tui, ':info version\r', /info version {2}Esc closes[\s\S]*demo/);
    tui.send('\x1b');
    await tui.settle();
    await press(tui, ':vmcs GUEST_RIP main\r', /GUEST_RIP = 40101d \(was 401000\)/);
    await press(tui, ':write 0x7ff00 de ad\r', /de ad 0e 15/);
    await press(tui, ':write 0x7ff02 "Hi"\r', /de ad 48 69/);
    await press(tui, ':print main+0x10\r', /0x40102d = 4198445 main\+0x10/);
    await press(tui, ':until main\r', /STOPPED: target reached[\s\S]*►0040101d/);
    await press(tui, ':step 2\r', /STOPPED: step[\s\S]*►00401021/);
    await press(tui, ':syntax att\r', /AT&T[\s\S]*movq +%rsp, %rbp/);
    await press(tui, ':arch 32\r', /AT&T 32-bit/);
    await press(tui, ':memory gpa 0x402000\r', /Memory {2}gpa/);
    await press(tui, ':reset\r', /STOPPED: start/);
    await press(tui, `:print ${'xyz'.repeat(45)}\r`, /… :messages/);
    // what is longer than the popup goes on in the next line
    await press(tui, ':mess\r', /Messages[\s\S]*│ print: no symbol, register or number "[xyz]+│[\s\S]*│ {3}[xyz]+"/);
  });

  it('completes commands and symbols, recalls lines, takes a paste', async () => {
    const tui = await startDemo();
    await press(tui, ':go\t', /^:goto *$/m);
    await press(tui, 'uar\t', /^:goto uart_putc/m);
    await press(tui, '\r', /<uart_putc>/);
    await press(tui, ':break vmexit ept_v\t', /^:break vmexit EPT_VIOLATION *$/m);
    await press(tui, ' if gpa\x15', /^: *$/m);
    await press(tui, 'view ex\t\r', /\[Exits\]/);
    await press(tui, ':view debug\r:goto uart_putc\r', /<uart_putc>/);
    await press(tui, ':\x1b[A', /^:goto uart_putc/m);
    await press(tui, '\x15', /^: *$/m);
    await press(tui, '\x1b[200~print 1\n+1\x1b[201~', /^:print 1 \+1/m);
    await press(tui, '\r', /0x2 = 2/);
  });

  it('a paste outside of it does nothing', async () => {
    const tui = await startDemo();
    await tui.settle();
    const before = tui.text();
    tui.send('\x1b[200~qsssgx:quit\r\x1b[201~');
    await tui.settle();
    expect(tui.text()).toBe(before);
  });

  it('answers of the terminal are not keys', async () => {
    const tui = await startDemo();
    await tui.settle();
    const before = tui.text();
    tui.send('\x1b[?1;2c\x1b[12;40R\x1b]11;rgb:0000/0000/0000\x07\x1bP>|xterm\x1b\\\x1b[I\x1b[O\x1b[97;5u');
    await tui.settle();
    expect(tui.text()).toBe(before);
  });

  it('filters the trace while typing; Escape ends the filter', async () => {
    const tui = await startDemo({ view: 'exits' });
    tui.send('\t');
    await press(tui, '/msr_', /10 match \/ msr_/);
    await tui.settle();
    expect(tui.text()).not.toContain('│ #37     CPUID');
    await press(tui, '\x1b', /#37 {5}CPUID/);
  });

  it('exports the trace as CSV', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'vmscope-')), 'trace.csv');
    const tui = await startDemo();
    await press(tui, `:export csv ${file}\r`, /40 exits written/);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    expect(lines.length).toBe(41);
    expect(lines[0]).toMatch(/^sequence,name,icount,/);
    expect(lines[2]).toMatch(/^2,IO_INSTRUCTION,1000,/);
  });
});

describe('the guest has the keyboard', () => {
  it('serial bytes go in as typed, and ctrl-] leaves', async () => {
    const tui = await startDemo();
    await press(tui, 'i', /keys go to COM1/);
    tui.send('q');
    await tui.until(/<q>/);
    tui.send('\x1b[A');
    await tui.settle();
    tui.send('\x1d');
    await tui.until(/i types into the guest/);
    tui.send('qy');
    expect(await tui.exit).toBe(0);
    const asked = tui.debug.log.join('\n');
    expect(asked).toContain('serialInput "q"');
    expect(asked).toContain('serialInput "\\u001b[A"');
  });

  it('PS/2 keys go by name, and ctrl-a leaves', async () => {
    const tui = await startDemo({ view: 'console' });
    await press(tui, 'v', /VGA text/);
    await press(tui, '\r', /keys go to the PS\/2 keyboard/);
    for (const key of ['x', '\r', '\x1bOP', '\x03', '\x1b[B', '\x1b']) {
      tui.send(key);
      await tui.settle(60);
    }
    tui.send('\x01');
    await tui.until(/i types into the guest/);
    tui.send('qy');
    await tui.exit;
    const keys = tui.debug.log.filter((line) => line.startsWith('key '));
    expect(keys).toEqual(['key x', 'key Enter', 'key F1', 'key ctrl-c', 'key Down', 'key Escape']);
  });
});

describe('cost', () => {
  it('writes nothing while nothing happens, and little for a key', async () => {
    const tui = await startDemo();
    await tui.settle(300);
    const idle = tui.bytes;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(tui.bytes - idle).toBe(0);
    tui.send('j');
    await tui.settle();
    expect(tui.bytes - idle).toBeGreaterThan(0);
    expect(tui.bytes - idle).toBeLessThan(600);
  });

  it('stays under 4 kB a frame while the guest runs, and every frame is one synchronised update', async () => {
    const tui = await startDemo();
    const before = tui.raw.length;
    await press(tui, 'c', /RUNNING/);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const frames = tui.raw.slice(before).split('\x1b[?2026h').slice(1);
    expect(frames.length).toBeGreaterThan(5);
    // A change of state is followed by what it asked for; twenty looks at ten a second at most.
    expect(frames.length).toBeLessThan(60);
    for (const frame of frames) {
      expect(Buffer.byteLength(frame)).toBeLessThan(4096);
      expect(frame.match(/\x1b\[\?2026l/g)?.length).toBe(1);
    }
  });
});
