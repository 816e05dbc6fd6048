/** Breakpoints as gdb's: conditions, counts, lines that are printed, commands; given as commands of the table. */
import { describe, expect, it } from 'vitest';
import { perform, runScript, scriptLines } from '../../src/commands/script.js';
import { openSession } from '../../src/commands/session.js';
import { serveStopCommands } from '../../src/commands/stop-commands.js';
import type { Debugger } from '../../src/engine/debugger.js';
import { Guest } from '../../src/engine/host/guest.js';
import { flatGuest } from '../engine/flat-guest.js';

const CODE = 0x100000n;
const COUNTER = 0x101000n;

/** Counts ebx up in memory for ever; from the third time on with a CPUID of leaf ebx. */
function loop(): { debug: Guest; say: string[]; give(text: string): Promise<string> } {
  const { machine } = flatGuest(
    // xor ebx, ebx; 2: inc ebx; 4: mov [101000h], ebx; 10: mov eax, ebx; 12: cpuid; 14: mov ebx, [101000h]; jmp 2
    '31db ffc3 891d00101000 89d8 0fa2 8b1d00101000 ebec',
    { at: Number(CODE) },
  );
  const debug = new Guest(machine, { paced: false, waitForInput: true });
  serveStopCommands(debug);
  const session = openSession(debug, { waits: true });
  const say: string[] = [];
  debug.onEvent((event) => {
    if (event.type === 'printed') say.push(event.text);
  });
  return { debug, say, give: async (text) => (await perform(session, text)).text() };
}
const ebx = async (debug: Debugger) => (await debug.readRegisters(0)).rbx;
const STORE = CODE + 4n;

describe('a breakpoint', () => {
  it('stops where its condition holds, by registers and memory of that instant', async () => {
    const { debug, give } = loop();
    expect(await give(`break 0x${STORE.toString(16)} if ebx == 5 or (ebx > 7 and [0x101000]:u32 == 8)`)).toBe(
      'breakpoint 1 at 100004 if ebx == 5 or (ebx > 7 and [0x101000]:u32 == 8)',
    );
    await give('run');
    expect(await ebx(debug)).toBe(5n);
    await give('run');
    expect(await ebx(debug)).toBe(9n);
    expect((await debug.breakpoints())[0]!.hits).toBe(2);
    expect(await give('condition 1 ebx & 0xf == 0')).toBe('breakpoint 1 if ebx & 0xf == 0');
    await give('run');
    expect(await ebx(debug)).toBe(16n);
    expect(await give('condition 1')).toBe('breakpoint 1 has no condition');
    await give('run');
    expect(await ebx(debug)).toBe(17n);
  });

  it('stops where its condition cannot be evaluated, and says why', async () => {
    const { give } = loop();
    await give(`break 0x${STORE.toString(16)} if [0xfffffffff0000000] == 1`);
    expect(await give('run')).toMatch(/^STOPPED: breakpoint 1 .*, its condition: no memory at 0xfffffffff0000000 at/);
  });

  it('lets hits pass, stops once, is listed with all of that', async () => {
    const { debug, give } = loop();
    await give(`break 0x${STORE.toString(16)}`);
    expect(await give('ignore 1 3')).toBe('breakpoint 1 passes 3 hits');
    await give(`tbreak 0x${(STORE + 6n).toString(16)} if ebx == 2`);
    expect(await give('info breakpoints')).toBe(
      [
        'Num  Type        Disp Enb Where',
        '1    breakpoint  keep y   0x100004',
        '     passes 3 times more',
        '2    breakpoint  del  y   0x10000a',
        '     only if ebx == 2',
      ].join('\n'),
    );
    expect(await give('run')).toMatch(/^STOPPED: temporary breakpoint 2 10000a/);
    expect((await debug.breakpoints()).map(({ id, hits, ignore }) => [id, hits, ignore])).toEqual([[1, 2, 1]]);
    await give('run');
    expect(await ebx(debug)).toBe(4n);
    expect(await give('disable all')).toBe('breakpoint 1 off');
    expect(await give('delete 1-3')).toBe('1 removed');
    expect(await give('info b')).toBe('No breakpoints or watchpoints.');
  });

  it('prints instead of stopping', async () => {
    const { debug, say, give } = loop();
    expect(
      await give(`dprintf *0x${STORE.toString(16)} if ebx < 4,"ebx %d was %u, %s\\n",ebx,[0x101000]:u32,0x100800`),
    ).toBe('breakpoint 1 at 100004 if ebx < 4');
    await debug.writeMemory('gpa', 0x100800n, new TextEncoder().encode('text\0'));
    await give('tbreak vmexit CPUID if leaf == 5 and rbx == leaf');
    await give('run');
    expect(await ebx(debug)).toBe(5n);
    expect(say.join('')).toBe('ebx 1 was 0, text\nebx 2 was 1, text\nebx 3 was 2, text\n');
    expect(await give('info breakpoints')).toContain('prints "ebx %d was %u, %s\\n",ebx,[0x101000]:u32,0x100800');
  });

  it('prints what an exit was about', async () => {
    const { say, give } = loop();
    await give('dprintf vmexit CPUID if leaf <= 3,"leaf %d of exit %d, ebx %x\\n",leaf,sequence,ebx');
    await give('tbreak vmexit CPUID if leaf == 4');
    await give('run');
    expect(say.join('')).toMatch(/^leaf 1 of exit \d+, ebx 1\nleaf 2 of exit \d+, ebx 2\nleaf 3 of exit \d+, ebx 3\n$/);
  });

  it('has commands carried out at its stops, before who waits for the stop goes on', async () => {
    const { debug, say, give } = loop();
    await give(`break 0x${STORE.toString(16)}`);
    expect(await give('commands 1 print ebx; run; print 1')).toBe('breakpoint 1 : print ebx; run; print 1');
    await give('tbreak vmexit CPUID if leaf == 3');
    await give('run');
    expect(await ebx(debug)).toBe(3n);
    // nothing behind the command that lets the guest run
    expect(say.join('')).toBe('0x1 = 1\n0x2 = 2\n0x3 = 3\n');
    await give('commands 1 nonsense');
    await give('run');
    expect(say.at(-1)).toBe('<commands of a breakpoint: no command "nonsense"; : lists them>\n');
    await give('commands 1');
    await give('run');
    expect(say).toHaveLength(4);
  });

  it.each([
    ['break 0x100004 unless ebx', 'break: unexpected "unless ebx": after the place comes "if EXPRESSION"'],
    ['break 0x100004 if', 'break: a condition after "if" is missing'],
    ['break 0x100004 if ebx ==', 'break: a value is missing at column 7 of "ebx =="'],
    ['break main.c:3', 'break: the image has no line numbers (.debug_line)'],
    ['condition 9 1', 'condition: no breakpoint 9'],
    ['condition x 1', 'condition: "x" is not the number of a breakpoint'],
    ['ignore 1', 'ignore: the number of hits to pass is missing'],
    ['dprintf 0x100004', 'dprintf: usage: dprintf PLACE,"FORMAT",VALUE,...'],
    ['dprintf 0x100004,"%d",', 'dprintf: an address or value is missing'],
    ['delete', 'delete: a breakpoint number, or "all", is missing'],
  ])('%s is refused in one line', async (line, message) => {
    const { give } = loop();
    await give('break 0x100002');
    await expect(give(line)).rejects.toThrow(message);
  });
});

describe('a watchpoint', () => {
  it('has a condition and hits that pass too, and tells the old and the new value', async () => {
    const { debug, give } = loop();
    expect(await give(`watch 0x${COUNTER.toString(16)} 4 w if ebx % 4 == 0`)).toBe(
      'breakpoint 1 on write of gva 101000+4 if ebx % 4 == 0',
    );
    expect(await give('run')).toMatch(/^STOPPED: write of 101000\+4: 0x00000003 -> 0x00000004 \(watchpoint 1\)/);
    await give('ignore 1 1');
    await give('run');
    expect(await ebx(debug)).toBe(12n);
    expect((await debug.breakpoints())[0]!.hits).toBe(3);
  });
});

it('a script goes on behind the commands of a stop', async () => {
  const { debug, say } = loop();
  const session = openSession(debug, { waits: true });
  let out = '';
  const text = 'break 0x100004 if ebx == 2\ncommands 1 set rbx 0x40\nrun\nassert ebx == 0x40 and $pc == 0x100004\n';
  const failure = await runScript(session, scriptLines(text, 's'), {
    json: false,
    write: (said) => void (out += said),
  });
  expect(failure).toBeUndefined();
  expect(say.join('')).toBe('rbx = 40\n');
  expect(out).toContain('STOPPED: breakpoint 1 100004');
});
