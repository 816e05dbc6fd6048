/** Attaching to a GDB stub alone: QEMU's, gdbserver's, and one that has only what every stub must have. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { compileExpression, compilePrint } from '../../../src/engine/debug/expression/compile.js';
import { parseExpression } from '../../../src/engine/debug/expression/syntax.js';
import { parseSymbolFile } from '../../../src/engine/debug/symbol-file.js';
import type { DebuggerEvent } from '../../../src/engine/debugger.js';
import { GdbTarget } from '../../../src/targets/gdb/target.js';
import { freeAbandoned } from '../../../src/targets/qemu/control.js';
import { PROGRAM } from '../../cli/vmscope.js';
import { Tui } from '../../pty.js';
import { named, requireTool } from '../../tools.js';
import { Qemu } from '../qemu/qemu.js';
import { SmallStub } from './small-stub.js';

const folderOf = (): string => mkdtempSync(join(tmpdir(), 'gdb-'));
const open = (port: number, folder = folderOf()): Promise<GdbTarget> => {
  const where = `127.0.0.1:${port}`;
  return GdbTarget.open({ target: `gdb:${where}`, where, folder });
};
const stopOf = (target: GdbTarget) =>
  new Promise<Extract<DebuggerEvent, { type: 'stopped' }>>((resolve) => {
    const off = target.onEvent((event) => {
      if (event.type !== 'stopped') return;
      off();
      resolve(event);
    });
  });
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a stub with the least that the protocol asks for', () => {
  let stub: SmallStub;
  let target: GdbTarget | undefined;
  afterEach(async () => {
    await target?.detach();
    target = undefined;
    stub?.close();
  });

  it('shows registers and memory, writes them by G and M, steps by s, and is left by D', async () => {
    stub = await new SmallStub().listen();
    stub.set(0, 0x1122334455667788n);
    stub.memory.set([1, 2, 3, 4], 0x1ffe);
    target = await open(stub.port);
    expect(await target.info()).toMatchObject({ engine: 'gdb', vcpus: 1 });
    expect(await target.state()).toMatchObject({ running: false });
    expect(await target.readRegisters(0)).toMatchObject({ rax: 0x1122334455667788n, rip: 0x1000n, rflags: 0n });
    // Over a page, and up to where memory ends.
    expect([...(await target.readMemory('gva', 0x1ffen, 4))]).toEqual([1, 2, 3, 4]);
    expect((await target.readMemory('gva', 0x2f00n, 0x1000)).length).toBe(0x100);
    expect((await target.readMemory('gva', 0x1000n, 0x1000)).length).toBe(0x1000);
    await target.writeRegister(0, 'rbx', 5n);
    expect((await target.readRegisters(0)).rbx).toBe(5n);
    expect(await target.writeMemory('gva', 0x1ffen, Uint8Array.of(9, 8, 7))).toBe(3);
    expect([...(await target.readMemory('gva', 0x1ffen, 3))]).toEqual([9, 8, 7]);
    await target.step(0, 3);
    expect((await target.readRegisters(0)).rip).toBe(0x1003n);
    await expect(target.walk(0x1000n)).rejects.toThrow(/no control registers/);
    await expect(target.readMemory('gpa', 0n, 8)).rejects.toThrow(/no guest-physical/);
    expect(await target.monitor('info registers')).toBeUndefined();
    await target.detach();
    expect(stub.detached).toBe(true);
  });

  it('breaks by Z0 where Z1 is unknown, again and again at the same place, and clears it at the end', async () => {
    stub = await new SmallStub().listen();
    target = await open(stub.port);
    const { id } = await target.addBreakpoint({ kind: 'execute', gva: 0x1100n });
    for (let n = 0; n < 3; n++) {
      const stopped = stopOf(target);
      await target.resume();
      expect((await stopped).stop).toEqual({ kind: 'breakpoint', id, gva: 0x1100n });
    }
    expect((await target.breakpoints())[0]).toMatchObject({ hits: 3 });
    await target.detach();
    expect([stub.points.size, stub.detached]).toEqual([0, true]);
  });

  it('gets conditions, counts and lines to print evaluated here, as it evaluates nothing', async () => {
    stub = await new SmallStub().listen();
    stub.set(0, 7n);
    stub.memory.set([1, 2], 0x1ffe);
    const guest = await open(stub.port);
    target = guest;
    const names = { registers: { rax: 0n } };
    const gva = 0x1100n;
    const never = compileExpression(parseExpression('rax == 8'), names);
    await guest.addBreakpoint({ kind: 'execute', gva, condition: never });
    await guest.resume();
    // it runs, as far as anybody sees
    expect(await guest.pause()).toMatchObject({ running: false, stop: { kind: 'paused' } });
    expect((await guest.breakpoints())[0]).toMatchObject({ hits: 0 });
    const condition = compileExpression(parseExpression('rax == 7 and [0x1ffe]:u16 == 0x201'), names);
    expect(await guest.changeBreakpoint(1, { condition, ignore: 2, commands: ['print 1'] })).toBe(true);
    const stopped = stopOf(guest);
    await guest.resume();
    expect((await stopped).stop).toEqual({ kind: 'breakpoint', id: 1, gva, commands: ['print 1'] });
    expect((await guest.breakpoints())[0]).toMatchObject({ hits: 3, ignore: 0 });
    await guest.removeBreakpoint(1);
    const printed = new Promise<string>((resolve) => {
      guest.onEvent((event) => event.type === 'printed' && resolve(event.text));
    });
    const action = { kind: 'print', ...compilePrint('rax %d\\n', [parseExpression('rax')], names) } as const;
    await guest.addBreakpoint({ kind: 'execute', gva, action });
    await guest.resume();
    expect(await printed).toBe('rax 7\n');
    expect(await guest.pause()).toMatchObject({ running: false });
    expect(await guest.changeBreakpoint(9, { ignore: 1 })).toBe(false);
  });

  it('answers what was asked before the guest runs, and says why it answers nothing while it does', async () => {
    stub = await new SmallStub().listen();
    target = await open(stub.port);
    stub.slowMs = 20;
    const asked = target.readMemory('gva', 0x1000n, 16);
    const resumed = target.resume();
    expect((await asked).length).toBe(16);
    await resumed;
    await expect(target.readMemory('gva', 0x1000n, 16)).rejects.toThrow(/only while it is stopped/);
    await expect(target.readRegisters(0)).rejects.toThrow(/only while it is stopped/);
    expect((await target.pause()).running).toBe(false);
    expect(stub.whileRunning).toEqual([]);
    expect((await target.readRegisters(0)).rip).toBe(0x1000n);
  });

  it('does not take the answers of two vCPUs, or spaces, for each other', async () => {
    stub = await new SmallStub().listen();
    target = await open(stub.port);
    stub.slowMs = 2;
    stub.memory.fill(7, 0x1000, 0x2000);
    const all = await Promise.all(
      Array.from({ length: 20 }, async (_, n) =>
        n % 2
          ? [(await target!.readMemory('gva', 0x1000n, 600)).every((byte) => byte === 7), n]
          : [(await target!.readRegisters(0)).rip === 0x1000n, n],
      ),
    );
    expect(all.map(([right]) => right)).toEqual(Array(20).fill(true));
  });

  it('frees the guest of a vmscope that died, and forgets a stub that has gone', async () => {
    stub = await new SmallStub().listen();
    const folder = folderOf();
    const note = {
      ...{ version: 1, owner: 999_999_999, ownerStart: '1', target: `gdb:127.0.0.1:${stub.port}` },
      ...{ stub: `127.0.0.1:${stub.port}`, startedStub: false, wasRunning: true },
    };
    writeFileSync(join(folder, 'a.json'), JSON.stringify(note));
    const never = () => Promise.reject(new Error('no monitor is asked'));
    expect(await freeAbandoned(folder, never)).toEqual([
      expect.stringMatching(/freed of vmscope 999999999.*runs again/),
    ]);
    expect([stub.detached, readdirSync(folder)]).toEqual([true, []]);
    writeFileSync(join(folder, 'b.json'), JSON.stringify({ ...note, stub: `127.0.0.1:${await freePort()}` }));
    await freeAbandoned(folder, never);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is refused in one line where nobody listens, nobody answers, or something else does', async () => {
    const folder = folderOf();
    await expect(open(await freePort(), folder)).rejects.toThrow(/ECONNREFUSED/);
    const web = createServer((socket) => void socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    await expect(open((web.address() as { port: number }).port, folder)).rejects.toThrow(/closed the connection/);
    web.close();
    expect(readdirSync(folder)).toEqual([]);
  });
});

const tools = ['qemu-system-x86_64', 'as'].map(requireTool);
describe.skipIf(!tools.every(({ available }) => available))(named("QEMU's stub alone", ...tools), () => {
  it("has the registers of QEMU's monitor, breaks, steps, watches, and lets the guest count on", async () => {
    const port = await freePort();
    const qemu = new Qemu('tcg', '-gdb', `tcp:127.0.0.1:${port}`, '-smp', '2');
    try {
      await qemu.ready();
      const target = await open(port);
      expect(await target.info()).toMatchObject({ vcpus: 2 });
      const text = await qemu.human('info registers');
      const registers = await target.readRegisters(0);
      for (const [, name, value] of text.matchAll(/\b(R[A-D]X|R[SD]I|R[SB]P|RIP|CR[0234]|EFER) ?=([0-9a-f]+)/g))
        expect(registers[name!.toLowerCase()], name).toBe(BigInt(`0x${value}`));
      expect((registers.cs_ar! >> 13n) & 1n).toBe(1n);
      const count = qemu.symbols.get('count')!;
      const counter = async () => Buffer.from(await target.readMemory('gpa', 0x500n, 8)).readBigUInt64LE();
      const { id } = await target.addBreakpoint({ kind: 'execute', gva: count });
      for (let n = 0; n < 3; n++) {
        const before = await counter();
        const stopped = stopOf(target);
        await target.resume();
        expect((await stopped).stop).toEqual({ kind: 'breakpoint', id, gva: count });
        if (n > 0) expect((await counter()) - before).toBe(1n);
      }
      await target.step(0);
      expect((await target.readRegisters(0)).rip).toBe(count + 8n);
      await target.removeBreakpoint(id);
      const watch = await target.addBreakpoint({
        kind: 'watch',
        space: 'gva',
        address: 0x500n,
        length: 8,
        access: 'write',
      });
      const stopped = stopOf(target);
      await target.resume();
      expect((await stopped).stop).toMatchObject({ kind: 'watchpoint', id: watch.id });
      expect((await target.walk(0x9000n)).levels.map(({ table }) => table)).toEqual(['PML4', 'PDPT', 'PD']);
      await target.detach();
      expect(await qemu.countsOn()).toBe(true);
    } finally {
      await qemu.stop();
    }
  }, 60_000);

  it('is offered to be freed by the next start when vmscope was killed while it stood', async () => {
    const port = await freePort();
    const qemu = new Qemu('tcg', '-gdb', `tcp:127.0.0.1:${port}`);
    const runtime = folderOf();
    const env = { XDG_RUNTIME_DIR: runtime };
    const killed = async (): Promise<void> => {
      const tui = new Tui(PROGRAM, ['attach', `gdb:127.0.0.1:${port}`], 120, 40, env);
      await tui.until(/STOPPED: paused/, 30_000);
      process.kill(tui.proc.pid, 'SIGKILL');
      await tui.exit;
      expect(await qemu.human('info status')).toMatch(/paused/);
    };
    try {
      await qemu.ready();
      await killed();
      // Where nobody can be asked nothing is done.
      const batch = spawnSync(process.execPath, [PROGRAM, 'top', '-b', '--no-init-file'], {
        encoding: 'utf8',
        env: { ...process.env, ...env },
      });
      expect(batch.stderr).toMatch(/gdb:127\.0\.0\.1:\d+: left stopped by vmscope \d+.*vmscope attach --free/);
      expect(await qemu.human('info status')).toMatch(/paused/);
      for (const [answer, status] of [
        ['n\r', /paused/],
        ['\r', /running/],
      ] as const) {
        const tui = new Tui(PROGRAM, ['top', '--no-init-file'], 120, 40, env);
        await tui.until(/left stopped by vmscope \d+, which died\. Free it\? \[Y\/n\]/, 30_000);
        tui.send(answer);
        // The table comes in either case, and takes keys.
        await tui.until(/vmscope top .* guests/, 30_000);
        tui.send('q');
        expect(await tui.exit).toBe(0);
        expect(await qemu.human('info status')).toMatch(status);
      }
      expect(await qemu.countsOn()).toBe(true);
      await killed();
      execFileSync(process.execPath, [PROGRAM, 'attach', '--free'], { env: { ...process.env, ...env } });
      expect(await qemu.countsOn()).toBe(true);
      expect(readdirSync(join(runtime, 'vmscope', 'control'))).toEqual([]);
    } finally {
      await qemu.stop();
    }
  }, 120_000);
});

const server = ['gdbserver', 'gcc', 'gdb'].map(requireTool);
/** A virtual machine's debug registers may take what is written and never stop a program. */
function breaksByHardware(program: string): boolean {
  const commands = ['hbreak tick', 'run', 'kill'].flatMap((command) => ['-ex', command]);
  const { stdout } = spawnSync('gdb', ['-batch', '-nx', ...commands, program], { encoding: 'utf8', timeout: 10_000 });
  return /^Breakpoint 1, /m.test(stdout);
}

describe.skipIf(!server.every(({ available }) => available))(named('gdbserver', ...server), () => {
  it('shows a process as it shows a guest: symbols of a file, breakpoints by name, steps', async ({ skip }) => {
    const folder = folderOf();
    const [source, program] = [join(folder, 'loop.c'), join(folder, 'loop')];
    writeFileSync(
      source,
      '#include <unistd.h>\nvolatile long counter;\nvoid __attribute__((noinline)) tick(void) { counter++; }\n' +
        'int main(void) { alarm(60); for (;;) { tick(); usleep(1000); } }\n',
    );
    execFileSync('gcc', ['-O1', '-no-pie', '-static', '-o', program, source]);
    skip(!breaksByHardware(program), 'debug registers of this machine stop no program');
    const symbols = parseSymbolFile(program, (await import('node:fs')).readFileSync(program));
    const at = (name: string) => symbols.find((one) => one.name === name)!.address;
    const port = await freePort();
    const child = spawn('gdbserver', ['--once', `127.0.0.1:${port}`, program], { stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    try {
      await new Promise<void>((resolve) => {
        let said = '';
        child.stderr.on('data', (bytes) => /Listening/.test((said += bytes)) && resolve());
      });
      const where = `127.0.0.1:${port}`;
      const target = await GdbTarget.open({ target: `gdb:${where}`, where, folder: folderOf(), file: { symbols } });
      expect((await target.symbols()).length).toBe(symbols.length);
      const { id } = await target.addBreakpoint({ kind: 'execute', gva: at('tick') });
      const counter = async () => Buffer.from(await target.readMemory('gva', at('counter'), 8)).readBigInt64LE();
      for (let n = 0n; n < 3n; n++) {
        const stopped = stopOf(target);
        await target.resume();
        expect((await stopped).stop).toEqual({ kind: 'breakpoint', id, gva: at('tick') });
        expect(await counter()).toBe(n);
      }
      await target.writeMemory('gva', at('counter'), Uint8Array.of(100));
      await target.removeBreakpoint(id);
      const { stop } = await target.runUntil({ gva: at('tick') });
      expect([stop, await counter()]).toEqual([{ kind: 'until' }, 101n]);
      await target.detach();
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  }, 60_000);
});
