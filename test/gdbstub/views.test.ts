/** The guest's processes to a client: process 1, and its views in 32-bit and 16-bit registers. */
import { afterEach, describe, expect, test } from 'vitest';
import { named } from '../tools.js';
import { CODE, FakeTarget } from './fake-target.js';
import { GdbShell, gdbClients } from './gdb-shell.js';
import { RunningGuest } from './running-guest.js';
import { WireClient } from './wire-client.js';

const WIDTH = { 'i386:x86-64': 1072, i386: 616, i8086: 616 };

async function connected(target = new FakeTarget()): Promise<WireClient> {
  const client = new WireClient(target);
  await client.ask('qSupported:multiprocess+;error-message+;swbreak+;hwbreak+');
  return client;
}

const architectureOf = async (client: WireClient): Promise<string | undefined> =>
  /<architecture>(.*)<\/architecture>/.exec(await client.ask('qXfer:features:read:target.xml:0,4000'))?.[1];

describe('views of the guest', () => {
  test('nothing of them is seen before the client attaches to one', async () => {
    const client = await connected(new FakeTarget(2));
    expect(await client.ask('qfThreadInfo')).toBe('mp01.01,p01.02');
    expect(await client.ask('?')).toMatch(/^T05thread:p01\.01;/);
    expect(await client.ask('Hgp3.1')).toMatch(/^E/);
    expect(await client.ask('Tp3.1')).toMatch(/^E/);
    expect(await client.ask('vCont;c:p3.1')).toBe('E.malformed vCont');
    expect(await client.ask('D;3')).toMatch(/^E\.no such process.*2 and 3 are the same in 32-bit and 16-bit registers/);
  });

  test('each has its threads, its description and its registers of the same vCPUs', async () => {
    const client = await connected(new FakeTarget(2));
    client.target.cpus[1].values.rax = 0x1111_2222_3333_4444n;
    expect(await client.ask('vAttach;3')).toMatch(/^T05thread:p03\.01;/);
    expect(await client.ask('qC')).toBe('QCp03.01');
    expect(await client.ask('vAttach;2')).toMatch(/^T05thread:p02\.01;/);
    expect(await client.ask('qfThreadInfo')).toBe('mp01.01,p01.02,p02.01,p02.02,p03.01,p03.02');
    const xml = await client.ask('qXfer:threads:read::0,4000');
    expect(xml.match(/<thread id/g)).toHaveLength(6);
    expect(xml).toContain('[stopped], seen as i8086</thread>');
    for (const [process, architecture] of [
      [1, 'i386:x86-64'],
      [2, 'i386'],
      [3, 'i8086'],
    ] as const) {
      expect(await client.ask(`Hgp${process}.2`)).toBe('OK');
      expect(await architectureOf(client)).toBe(architecture);
      const registers = await client.ask('g');
      expect(registers).toHaveLength(WIDTH[architecture]);
      expect(registers.startsWith(process === 1 ? '4444333322221111' : '44443333')).toBe(true);
    }
    // what a view of 32 bits puts back leaves the others alone; what it changes is a 32-bit register
    await client.ask('P0=44443333');
    expect(client.target.cpus[1].values.rax).toBe(0x1111_2222_3333_4444n);
    await client.ask('P0=01000000');
    expect(client.target.cpus[1].values.rax).toBe(1n);
  });

  test('a stop is told to the process that ran, and a breakpoint is its own process’s', async () => {
    const client = await connected();
    await client.ask('vAttach;3');
    await client.ask('Hgp1.0');
    await client.ask(`Z1,${(CODE + 4n).toString(16)},1`);
    await client.ask('Hgp3.0');
    await client.ask(`Z1,${(CODE + 7n).toString(16)},1`);
    client.send('vCont;c:p3.-1');
    // no reason that GDB could not match, and the user is told whose it is
    expect(Buffer.from((await client.receive()).slice(1), 'hex').toString()).toBe(
      'vmscope: A breakpoint of process 1, which is the same guest.\n',
    );
    const other = await client.receive();
    expect(other).toMatch(/^T05thread:p03\.01;/);
    expect(other).not.toContain('hwbreak');
    client.send('vCont;c:p3.-1');
    expect(await client.receive()).toMatch(/^T05thread:p03\.01;.*hwbreak:;/);
    // where both run, whose breakpoint it is
    client.send('vCont;c');
    expect(await client.receive()).toMatch(/^T05thread:p01\.01;.*hwbreak:;/);
    // taking out one's leaves the other's
    await client.ask('Hgp3.0');
    await client.ask(`z1,${(CODE + 4n).toString(16)},1`);
    client.send('vCont;c:p1.-1');
    expect(Buffer.from((await client.receive()).slice(1), 'hex').toString()).toContain('A breakpoint of process 3');
    expect(await client.receive()).toMatch(/^T05thread:p01\.01;/);
    client.send('vCont;c:p1.-1');
    expect(await client.receive()).toMatch(/^T05thread:p01\.01;.*hwbreak:;/);
  });

  test('a detach or a kill ends one view; the last one lets the guest run', async () => {
    const client = await connected();
    await client.ask('!');
    await client.ask('vAttach;3');
    await client.ask('vAttach;2');
    await client.ask(`Z1,${(CODE + 4n).toString(16)},1`);
    expect(await client.ask('D;2')).toBe('OK');
    expect([client.target.running(), client.target.breakpoints.size]).toEqual([false, 0]);
    expect(await client.ask('vKill;1')).toBe('OK');
    expect(client.target.running()).toBe(false);
    expect(await client.ask('qfThreadInfo')).toBe('mp03.01');
    // a program that is started anew is the process that has ended
    expect(await client.ask('vRun;')).toMatch(/^T05thread:p01\.01;/);
    await client.ask('D;3');
    expect(await client.ask('D;1')).toBe('OK');
    expect(client.target.running()).toBe(true);
    expect(await client.ask('vAttach;3')).toMatch(/^T02|^T05/);
    expect(await client.ask('qfThreadInfo')).toBe('mp03.01');
  });

  test('they are refused with the reason', async () => {
    const plain = new WireClient();
    await plain.ask('qSupported:error-message+');
    expect(await plain.ask('vAttach;3')).toMatch(/^E\.process 3, .*needs a client with the multiprocess feature/);
    expect(await (await connected()).ask('vAttach;4')).toMatch(/^E\.no such process/);
  });
});

const shells = gdbClients.slice(0, 2);
let guest: RunningGuest | undefined;
let shell: GdbShell | undefined;
afterEach(async () => {
  await shell?.close();
  shell = undefined;
  await guest?.stop();
  guest = undefined;
});

for (const client of shells) {
  describe.skipIf(client.tools.some(({ available }) => !available))(named(client.name, ...client.tools), () => {
    test('sees a boot sector in 16-bit and in 64-bit registers side by side', { timeout: 180_000 }, async () => {
      guest = await RunningGuest.start('real-mode');
      shell = new GdbShell(client, [], 60_000);
      const say = shell.ask.bind(shell);
      await say(`target extended-remote 127.0.0.1:${guest.port}`);
      await say('add-inferior');
      await say('inferior 2');
      await say('attach 3');
      expect(await say('info inferiors')).toMatch(/1 +process 1[\s\S]*\* 2 +process 3/);
      expect(await say('x/2i $pc')).toMatch(/=> 0x7c00:\s+ljmp +\$0x0,\$0x7c05/);
      expect(await say('tbreak *0x7c09')).toMatch(/Temporary breakpoint 1/);
      expect(await say('continue')).toMatch(/Process 1 shows 64-bit registers[\s\S]*0x00007c09/);
      expect(await say('x/2i $pc')).toMatch(/=> 0x7c09:\s+mov +%ax,%ds\s+0x7c0b:\s+mov +%ax,%es/);
      await say('set $edx = 0x1234');
      await say('inferior 1');
      expect(await say('stepi')).toMatch(/0x0000000000007c0b/);
      expect(await say('x/i $pc')).toMatch(/mov +%eax,%es/);
      expect(await shell.value('$rdx')).toBe(0x1234n);
      expect(await say('info registers rip r8')).toMatch(/rip +0x7c0b[\s\S]*r8 +0x/);
      await say('inferior 2');
      await say('maintenance flush register-cache');
      expect(await say('x/i $pc')).toMatch(/=> 0x7c0b:\s+mov +%ax,%es/);
      await say('detach');
      await say('inferior 1');
      // alone it goes with the mode again
      expect(await say('stepi')).toMatch(/\[i8086 code\][\s\S]*0x00007c0d/);
    });
  });
}
