/** gdb as it is shipped against guests that run in the engine, through the program as users start it. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { named, requireTool } from '../tools.js';
import { Prompt, RunningGuest, runDebugger, sampleFile, until } from './running-guest.js';

const gdb = requireTool('gdb');

let guest: RunningGuest;
/** The guest's image, which has its symbols. */
let image: string;
const prompts: Prompt[] = [];

afterEach(async () => {
  for (const prompt of prompts.splice(0)) await prompt.close();
  await guest?.stop();
});

async function start(sample: string): Promise<void> {
  image = sampleFile(`${sample}/${sample}.elf`);
  guest = await RunningGuest.start(image);
}

/** The guest prints what it prints without a debugger, and ends with status 0. */
async function endsWell(sample: string): Promise<void> {
  expect(await guest.ended()).toBe(0);
  expect(guest.stdout).toBe(readFileSync(sampleFile(`${sample}/expected.txt`), 'latin1'));
}

/** What crc32.S fills: bits 31:24 of a linear congruential sequence. */
function buffer(): Uint8Array {
  const bytes = new Uint8Array(1024);
  for (let i = 0, x = 1; i < bytes.length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}

/** The registers of crc32.S after `count` instructions from crc_byte on. */
function crcSteps(memory: Uint8Array, count: number): { rip: number; eax: number; edx: number; rsi: number } {
  // movzbl, xor, mov, shr, jnc, xor, dec, jnz, inc, dec, jnz: where each stands
  const at = [0x90, 0x93, 0x95, 0x9a, 0x9c, 0x9e, 0xa3, 0xa5, 0xa7, 0xaa, 0xac];
  let [eax, edx, rsi, carry, pc] = [0xffffffff, 0, 0x400000, 0, 0];
  for (let done = 0; done < count; done++) {
    switch (pc) {
      case 0:
        edx = memory[rsi - 0x400000];
        break;
      case 1:
        eax = (eax ^ edx) >>> 0;
        break;
      case 2:
        edx = 8;
        break;
      case 3:
        carry = eax & 1;
        eax >>>= 1;
        break;
      case 4:
        if (carry === 0) pc = 5;
        break;
      case 5:
        eax = (eax ^ 0xedb88320) >>> 0;
        break;
      case 6:
        edx--;
        break;
      case 7:
        if (edx !== 0) pc = 2;
        break;
      case 8:
        rsi++;
        break;
      case 10:
        pc = -1;
    }
    pc++;
  }
  return { rip: 0x100000 + at[pc], eax, edx, rsi };
}

const PLAIN = ['-nx', '-q', '-ex', 'set pagination off', '-ex', 'set confirm off'];
const attach = (): string => `target remote 127.0.0.1:${guest.port}`;

/** gdb in batch mode; ends by `disconnect`, since quitting would let the guest go on. */
function runGdb(...commands: string[]): Promise<string> {
  return runBare(`file ${image}`, attach(), ...commands, 'disconnect');
}

/** The same without symbols and connection. */
function runBare(...commands: string[]): Promise<string> {
  return runDebugger(gdb.path, [...PLAIN, '-batch', ...commands.flatMap((command) => ['-ex', command])]);
}

function startGdb(): Prompt {
  const prompt = new Prompt(spawn(gdb.path, [...PLAIN, image], { stdio: 'pipe' }));
  prompts.push(prompt);
  return prompt;
}

describe.skipIf(!gdb.available)(named('gdb on a real guest', gdb), () => {
  test('break and hbreak by symbol, registers, memory, write and read back, detach to the right end', async () => {
    await start('crc32');
    const out = await runGdb(
      'hbreak main',
      'continue',
      'p $pc',
      'break crc',
      'continue',
      'p $pc',
      'p/x *(unsigned char *)0x400000@4',
      'x/2i $pc',
      'info registers',
      'set var *(unsigned long *)0x3000000 = 0x1122334455667788',
      'x/1xg 0x3000000',
      'set $rbx = 0x123456789',
      'p/x $rbx',
      'delete',
      'detach',
    );
    expect(out).toMatch(/Breakpoint 1, 0x0*100020 in main \(\)/);
    expect(out).toMatch(/Breakpoint 2, 0x0*100081 in crc \(\)/);
    expect(out).toContain('$1 = (void (*)()) 0x100020 <main>');
    expect(out).toContain('$2 = (void (*)()) 0x100081 <crc>');
    expect(out).toContain(`{${[...buffer().subarray(0, 4)].map((byte) => `0x${byte.toString(16)}`).join(', ')}}`);
    expect(out).toMatch(/=> 0x100081 <crc>:\s+mov +\$0x400000,%esi/);
    expect(out).toMatch(/^rip +0x100081 +0x100081 <crc>/m);
    expect(out).toMatch(/^cr0 +0x80010011 +\[ PE ET WP PG \]/m);
    expect(out).toMatch(/^efer +0x500 +\[ LME LMA \]/m);
    expect(out).toContain('0x1122334455667788');
    expect(out).toContain('0x123456789');
    await endsWell('crc32');
  });

  test('stepi 1000 times ends where a run of 1000 instructions ends', async () => {
    await start('crc32');
    const out = await runGdb(
      'break crc_byte',
      'continue',
      'delete',
      'p/x $eax',
      'p/x $rsi',
      'stepi 1000',
      'p/x $pc',
      'p/x $eax',
      'p/x $edx',
      'p/x $rsi',
    );
    const value = (number: number): number => Number(new RegExp(`\\$${number} = (0x[0-9a-f]+)`).exec(out)?.[1]);
    const memory = buffer();
    const after = crcSteps(memory, 1000);
    expect(value(1)).toBe(0xffffffff);
    expect(value(2)).toBe(0x400000);
    expect(value(3)).toBe(after.rip);
    expect(value(4)).toBe(after.eax);
    expect(value(5)).toBe(after.edx);
    expect(value(6)).toBe(after.rsi);
  });

  test('watch, rwatch on a variable, x/s', async () => {
    await start('interrupts');
    const out = await runGdb(
      'break on_tick',
      'continue',
      'delete',
      'watch *(int *)&ticks',
      'continue',
      'p $pc',
      'continue',
      'delete',
      'rwatch *(int *)&ipis',
      'continue',
      'p $pc',
      'x/2s 0x100000 + 0x0',
      'find /b 0x100000, 0x104000, 0x73, 0x65, 0x6c, 0x66, 0x2d, 0x49, 0x50, 0x49',
      'x/s $_',
    );
    expect(out).toMatch(/Hardware watchpoint 2: \*\(int \*\)&ticks\s+Old value = 0\s+New value = 1/);
    expect(out).toMatch(/Old value = 1\s+New value = 0/);
    expect(out).toMatch(/\$1 = .*<on_tick\+7>/);
    expect(out).toMatch(/Hardware read watchpoint 3: \*\(int \*\)&ipis\s+Value = 0/);
    expect(out).toMatch(/\$2 = .*<self_ipi\+\d+>/);
    expect(out).toMatch(/0x10[0-9a-f]{4}.*:\s+"self-IPI: with IF clear "/);
  });

  test('a step does not land in the handler of a pending interrupt, unless it is told to', async () => {
    await start('interrupts');
    // from STI on: mov ipis, nop, cli, with an interrupt that waits since before
    const steps = (held: boolean): Promise<string> =>
      runGdb(
        'maint packet qqemu.sstepbits',
        `maint packet Qqemu.sstep=${held ? '0x3' : '0x1'}`,
        'maint packet qqemu.sstep',
        'hbreak *(self_ipi + 0)',
        'continue',
        'delete',
        // CLI, the waiting interrupt, then the only STI
        'python self_ipi = int(gdb.parse_and_eval("(long)&self_ipi"))',
        'python code = gdb.selected_inferior().read_memory(self_ipi, 200).tobytes()',
        'python sti = self_ipi + code.index(bytes([0xfb]))',
        'python gdb.execute(f"hbreak *{sti}")',
        'continue',
        'delete',
        'p/x $eflags & 0x200',
        'stepi',
        'stepi',
        'stepi',
        'p $pc',
        'p/x $eflags & 0x200',
        'stepi',
        'p $pc',
        'p *(int *)&ipis',
      );
    const out = await steps(true);
    expect(out).toContain('received: "ENABLE=1,NOIRQ=2"');
    expect(out).toContain('received: "0x3"');
    expect(out).toMatch(/\$2 = .*<self_ipi\+\d+>/);
    expect(out).toContain('$3 = 0x200');
    expect(out).toMatch(/\$4 = .*<self_ipi\+\d+>/);
    expect(out).toContain('$5 = 0');
    await guest.stop();
    await start('interrupts');
    const plain = await steps(false);
    expect(plain).toContain('received: "0x1"');
    expect(plain).toMatch(/\$2 = .*<on_ipi\+\d+>/);
  });

  test('ctrl-C stops a running guest, which then goes on to its end', async () => {
    await start('keyboard');
    const prompt = startGdb();
    await prompt.type(attach(), /0x[0-9a-f]+ in .*\n/);
    await prompt.type('continue', /Continuing/);
    await until('the guest asks for keys', () => guest.stdout.includes('q ends'));
    prompt.signal('SIGINT');
    await prompt.expect(/SIGINT/);
    expect(await prompt.type('p (long)$pc - (long)&wait_key', /\$1 = .*\n/)).toContain('$1 = 17\n'); // behind HLT
    // twice: the second run is interrupted while the guest sleeps
    await prompt.type('continue', /Continuing/);
    guest.type('a');
    await until('the guest takes the key', () => guest.stdout.includes('serial a'));
    prompt.signal('SIGINT');
    await prompt.expect(/SIGINT[\s\S]*SIGINT/);
    await prompt.type('detach', /Detaching[\s\S]*\n/);
    guest.type('q');
    expect(await guest.ended()).toBe(0);
    expect(guest.stdout).toMatch(/serial a\nserial q\n/);
  });

  test('two clients in turn; one that vanishes leaves the guest usable and no breakpoint behind', async () => {
    await start('keyboard');
    const first = startGdb();
    await first.type(attach(), /0x[0-9a-f]+ in .*\n/);
    await first.type('break on_serial', /Breakpoint 1/);
    await first.type('watch *(int *)&ring_head', /watchpoint 2/);
    await first.type('continue', /Continuing/);
    await until('the guest asks for keys', () => guest.stdout.includes('q ends'));
    await first.close();
    guest.type('a');
    await until('the guest runs on', () => guest.stdout.includes('serial a'));

    const out = await runGdb('info breakpoints', 'p $pc', 'stepi', 'monitor info status');
    expect(out).toContain('No breakpoints');
    expect(out).toContain('VM status: paused');

    const third = startGdb();
    await third.type(attach(), /0x[0-9a-f]+ in .*\n/);
    await third.type('break on_serial', /Breakpoint 1/);
    await third.type('continue', /Continuing/);
    guest.type('b');
    await third.expect(/Breakpoint 1, 0x[0-9a-f]+ in on_serial/);
    await third.close();
    await runGdb('detach');
    guest.type('q');
    expect(await guest.ended()).toBe(0);
    expect(guest.stdout).toMatch(/serial a\nserial b\nserial q\n/);
  });

  test('a socket that is cut in the middle of a packet leaves the guest to the next client', async () => {
    await start('keyboard');
    for (const bytes of ['$g', '$vCont;c#a8', '\x03', '+$m0,100000#', '$?#3f$c#63']) {
      const socket = connect(guest.port, '127.0.0.1');
      await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
      socket.write(bytes);
      await new Promise((resolve) => setTimeout(resolve, 50));
      socket.resetAndDestroy();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const out = await runGdb('p/x $cr0', 'detach');
    expect(out).toMatch(/\$1 = 0x[0-9a-f]+|\$1 = \[/);
    await until('the guest asks for keys', () => guest.stdout.includes('q ends'));
    guest.type('q');
    expect(await guest.ended()).toBe(0);
  });

  test('a triple fault is shown where it happened, then as the end of the guest', async () => {
    await start('triple-fault');
    const out = await runGdb('continue', 'p/x $cr2', 'continue');
    expect(out).toMatch(/SIGSEGV/);
    expect(out).toMatch(/vmscope: .*triple/i);
    expect(out).toMatch(/exited with code 01/);
  });

  test('a range step runs in the engine until it leaves or meets a breakpoint', async () => {
    await start('crc32');
    const out = await runGdb(
      'break crc_byte',
      'continue',
      'delete',
      // crc_bit's eight turns, up to the instruction behind them
      'maint packet vCont;r100090,1000a7:1',
      'maint packet Z0,1000aa,1',
      'maint packet vCont;r100090,1000ae:1',
    );
    const replies = [...out.matchAll(/received: "(T05[^"]*)"/g)].map((match) => match[1]);
    expect(replies[0]).toContain(';10:a700100000000000;');
    expect(replies[1]).toContain(';10:aa00100000000000;swbreak:;');
  });
});

describe.skipIf(!gdb.available)(named('gdb and the modes of a guest', gdb), () => {
  test('real mode as i8086: linear addresses, disassembly, break by symbol, run to the end', async () => {
    guest = await RunningGuest.start('real-mode');
    await runBare(attach(), 'monitor arch i8086', 'disconnect');
    const symbols = sampleFile('real-mode/real-mode.sym');
    const all = [attach(), `add-symbol-file ${symbols}`, 'show architecture', 'x/2i $pc', 'break segments', 'continue'];
    all.push('p/x $pc', 'p/x $sp', 'x/2i $pc', 'hbreak divide_error', 'continue', 'p/x $pc', 'x/s hello', 'delete');
    const out = await runBare(...all, 'detach');
    expect(out).toContain('The target architecture is set to "auto" (currently "i8086").');
    expect(out).toMatch(/=> 0x7c00.*:\s+ljmp +\$0x0,\$0x7c05/);
    expect(out).toContain('$1 = 0x7c2b');
    expect(out).toContain('$2 = 0x7c00');
    expect(out).toMatch(/=> 0x7c2b.*:\s+mov +\$0x7c0,%ax/);
    expect(out).toContain('$3 = 0x7ce3');
    expect(out).toContain('"hello from real mode');
    await endsWell('real-mode');
  });

  test('arch auto follows 32-bit, 16-bit, 32-bit and 64-bit code in one session', async () => {
    await start('long-mode');
    const commands = ['monitor arch auto', 'disconnect', attach(), 'show architecture'];
    // the symbols real, protected, compatibility, long, compatibility16 and back; `long` is a type to gdb
    const stops = ['0x10005b', '0x100083', '0x100102', '0x100113', '0x10016e', '0x100130'];
    for (const stop of stops) commands.push(`hbreak *${stop}`);
    for (const _ of stops) commands.push('continue', 'show architecture', 'p/x $pc', 'x/i $pc');
    const out = await runBare(`symbol-file ${image}`, attach(), ...commands, 'detach');
    const seen = [...out.matchAll(/currently "([^"]+)"/g)].map((match) => match[1]);
    expect(seen).toEqual(['i386', 'i8086', 'i386', 'i386', 'i386:x86-64', 'i8086', 'i386:x86-64']);
    const places = [...out.matchAll(/= (0x[0-9a-f]+)\n=> 0x0*([0-9a-f]+)/g)].map((match) => match[1]);
    expect(places).toEqual(stops);
    await endsWell('long-mode');
  });
});

const lldb = requireTool('lldb');

describe.skipIf(!lldb.available)(named('lldb on a real guest', lldb), () => {
  const runLldb = (...commands: string[]): Promise<string> => {
    const all = [`target create ${image}`, `gdb-remote 127.0.0.1:${guest.port}`, ...commands];
    return runDebugger(lldb.path, ['--no-lldbinit', '--batch', ...all.flatMap((command) => ['-o', command])]);
  };

  test('break by symbol, registers, memory, steps, watchpoint, write and read back, detach to the right end', async () => {
    await start('interrupts');
    const out = await runLldb(
      'breakpoint set --name on_tick',
      'continue',
      'register read rip cr0 efer',
      'memory read --size 1 --format x --count 1 $rip',
      'thread step-inst',
      'thread step-inst --count 2',
      'register read rip',
      'breakpoint delete --force',
      'memory write --size 4 0x300000 0x11223344',
      'memory read --size 4 --format x --count 1 0x300000',
      'register write rbx 0x1234',
      'register read rbx',
      'disassemble --start-address 0x100020 --count 2',
      'detach',
    );
    expect(out).toMatch(/stop reason = breakpoint 1\.1/);
    expect(out).toMatch(/rip = 0x0*[0-9a-f]+ +interrupts\.elf`on_tick$/m);
    expect(out).toMatch(/cr0 = 0x0*80010011/);
    expect(out).toMatch(/efer = 0x0*500/);
    // push %rax; incl ticks; mov; out
    expect(out).toMatch(/rip = 0x0*[0-9a-f]+ +interrupts\.elf`on_tick \+ 9$/m);
    expect(out).toContain('0x00300000: 0x11223344');
    expect(out).toMatch(/rbx = 0x0*1234/);
    expect(out).toMatch(/interrupts\.elf`main:[\s\S]*lgdt/);
    expect(await guest.ended()).toBe(0);
    // RBX held the number of the tick that the sample prints
    expect(guest.stdout).toContain('8254 at 100 Hz:');
    expect(guest.stdout.endsWith('done\n')).toBe(true);
  });

  test('watchpoint on a variable; leaving by quit lets the guest go on', async () => {
    await start('interrupts');
    const out = await runLldb(
      'watchpoint set expression --watch write --size 4 -- &nmis',
      'continue',
      'register read rip',
      'watchpoint delete --force',
      'breakpoint set --name power_off',
      'continue',
      'memory read --size 4 --format d --count 1 &nmis',
    );
    expect(out).toMatch(/Watchpoint 1 hit/);
    expect(out).toMatch(/rip = 0x0*[0-9a-f]+ +interrupts\.elf`on_nmi/);
    await endsWell('interrupts');
  });
});
