import { describe, expect, test, vi } from 'vitest';
import { monitorEffect } from '../../src/engine/debug/monitor-rows.js';
import { checksum, encodePacket, unescapePayload } from '../../src/rsp/packet.js';
import { CODE, COUNTER, CRASH, FakeTarget, HALT, MODE_SWITCH, READER } from './fake-target.js';
import { WireClient } from './wire-client.js';

const fromHex = (text: string): string => Buffer.from(text, 'hex').toString('utf8');
const toHex = (text: string): string => Buffer.from(text, 'utf8').toString('hex');
const FEATURES = 'qSupported:swbreak+;hwbreak+;vContSupported+';
/** A stop of the main loop's thread: rbp, rsp and rip follow. */
const stopAt = (signal: string, rip: number): RegExp =>
  new RegExp(
    `^T${signal}thread:01;core:0;06:0080000000000000;07:0080000000000000;10:${Buffer.from([rip & 0xff, rip >> 8]).toString('hex')}000000000000;`,
  );

describe('connecting', () => {
  test('byte for byte: acknowledged, then not', async () => {
    const client = new WireClient();
    client.bytes('+$qSupported:swbreak+;xmlRegisters=i386#16');
    await client.receive();
    expect(client.raw).toMatch(/^\+\$PacketSize=100000;QStartNoAckMode\+;.*;swbreak\+#[0-9a-f]{2}$/);
    expect(client.raw).not.toContain('hwbreak');
    client.raw = '';
    client.bytes('+$QStartNoAckMode#b0+');
    await client.receive();
    expect(client.raw).toBe('+$OK#9a');
    client.raw = '';
    client.bytes('$qC#b4');
    await client.receive();
    expect(client.raw).toBe('$QC01#f5');
  });

  test('a greeting that was sent again before the stub was there is answered once', async () => {
    const client = new WireClient();
    client.bytes('$qSupported:#71$qSupported:#71$qSupported:#71$qC#b4$qC#b4');
    expect(await client.receive()).toContain('PacketSize');
    expect(await client.pending()).toEqual(['QC01', 'QC01']);
  });

  test('a NAK has the last packet sent again; a bad checksum is answered by one', async () => {
    const client = new WireClient();
    client.bytes('$qC#b4');
    await client.receive();
    client.raw = '';
    client.bytes('-');
    expect(await client.receive()).toBe('QC01');
    expect(client.raw).toBe('$QC01#f5');
    client.raw = '';
    client.bytes('$qC#00');
    await client.pending();
    expect(client.raw).toBe('-');
  });

  test.each([
    ['vMustReplyEmpty', ''],
    ['vUnknown', ''],
    ['qUnknown:1', ''],
    ['jUnknown', ''],
    ['y', ''],
    ['', ''],
    ['qOffsets', ''],
    ['qTStatus', 'T0;tnotrun:0'],
    ['QTinit', ''],
    ['QCatchSyscalls:1', ''],
    ['!', 'OK'],
    ['qAttached', '1'],
    ['qAttached:1', '1'],
    ['qSymbol::', `qSymbol:${toHex('__ehdr_start')}`],
    [`qSymbol::${toHex('__ehdr_start')}`, 'OK'],
    ['qGetTIBAddr:1', ''],
    ['vCont?', 'vCont;c;C;s;S;t;r'],
    ['qfThreadInfo', 'm01'],
    ['qsThreadInfo', 'l'],
    ['QThreadSuffixSupported', 'OK'],
    ['QListThreadsInStopReply', 'OK'],
    ['QEnableErrorStrings', 'OK'],
  ])('%s answers %j', async (packet, reply) => {
    expect(await new WireClient().ask(packet)).toBe(reply);
  });

  test('? pauses a running guest, drops old breakpoints and tells the stop', async () => {
    const client = new WireClient();
    await client.ask('Z1,1300,1');
    await client.target.resume();
    expect(await client.ask('?')).toMatch(/^T05thread:01;core:0;06:/);
    expect(client.target.running()).toBe(false);
    expect(client.target.breakpoints.size).toBe(0);
  });

  test('two vCPUs are two threads, with process ids once both sides want them', async () => {
    const client = new WireClient(new FakeTarget(2));
    expect(await client.ask('qfThreadInfo')).toBe('m01,02');
    await client.ask('qSupported:multiprocess+');
    expect(await client.ask('qfThreadInfo')).toBe('mp01.01,p01.02');
    expect(await client.ask('Hgp1.2')).toBe('OK');
    expect(await client.ask('qC')).toBe('QCp01.02');
    expect(await client.ask('p10')).toBe('0013000000000000');
    expect(await client.ask('Hgp1.-1')).toBe('OK');
    expect(await client.ask('Tp1.2')).toBe('OK');
    expect(fromHex(await client.ask('qThreadExtraInfo,p1.2'))).toBe('toy CPU#1 [stopped]');
    const xml = await client.ask('qXfer:threads:read::0,1000');
    expect(xml).toContain('<thread id="p01.02" core="1" name="CPU}\u00031">');
  });

  test.each(['Hg3', 'Hgp2.1', 'Hx1', 'Hg', 'Hgzz', 'H'])('%s is refused', async (packet) => {
    expect(await new WireClient().ask(packet)).toBe('E16');
  });

  test.each(['T3', 'T0', 'T-1', 'T', 'Tp1'])('%s is no living thread', async (packet) => {
    expect(await new WireClient().ask(packet)).toBe('E01');
  });

  test('errors carry text for clients that understand it', async () => {
    const client = new WireClient();
    expect(await client.ask('P10=zz')).toBe('E16');
    await client.ask('QEnableErrorStrings');
    expect(await client.ask('P10=zz')).toBe(`E16;${toHex('rip needs 16 hex digits')}`);
    await client.ask('qSupported:error-message+');
    expect(await client.ask('P10=zz')).toBe('E.rip needs 16 hex digits');
    expect(await client.ask('mffffffff,4')).toBe('E0e');
  });
});

describe('registers', () => {
  test('g has 536 bytes in 64-bit and 308 in 32-bit layouts', async () => {
    const long = await new WireClient().ask('g');
    expect(long).toHaveLength(1072);
    expect(long.slice(2 * 8, 4 * 8)).toBe('0020000000000000');
    expect(long.slice(16 * 16, 17 * 16)).toBe('0010000000000000');
    expect(long.slice(17 * 16, 17 * 16 + 8)).toBe('02020000');
    expect(long.slice(-8)).toBe('801f0000');
    for (const architecture of ['i386', 'i8086'] as const) {
      expect(await new WireClient(new FakeTarget(), { architecture }).ask('g')).toHaveLength(616);
    }
  });

  test('an unknown register reads as x', async () => {
    const client = new WireClient();
    delete client.target.cpus[0].values.xmm3;
    expect(await client.ask('p2b')).toBe('x'.repeat(32));
    expect((await client.ask('g')).slice(-8 - 13 * 32, -8 - 12 * 32)).toBe('x'.repeat(32));
  });

  test('extras have numbers behind mxcsr and are served by p only', async () => {
    const client = new WireClient(undefined, { registers: 'all' });
    const xml = await client.ask('qXfer:features:read:target.xml:0,fffff');
    const number = (name: string): string =>
      Number(new RegExp(`name="${name}"[^>]*regnum="(\\d+)"`).exec(xml)?.[1]).toString(16);
    expect(number('mxcsr')).toBe('38');
    expect(number('fs_base')).toBe('39');
    expect(number('ymm0h')).toBe('3b');
    expect(await client.ask(`p${number('cr0')}`)).toBe('0100008000000000');
    expect(await client.ask(`p${number('vmcs_exit_reason')}`)).toBe('30000000');
    expect(await client.ask(`P${number('cr0')}=1100000000000000`)).toBe('OK');
    expect(client.target.extra.cr0).toBe(0x11n);
    expect(await client.ask(`P${number('vmcs_exit_reason')}=00000000`)).toBe('E16');
  });

  test('the description comes in pieces that fit together', async () => {
    const client = new WireClient(undefined, { registers: 'all' });
    const whole = await client.ask('qXfer:features:read:target.xml:0,fffff');
    let pieces = '';
    for (let at = 0; ; at += 0x200) {
      const piece = await client.ask(`qXfer:features:read:target.xml:${at.toString(16)},200`);
      pieces += piece.slice(1);
      if (piece[0] === 'l') break;
      expect(piece[0]).toBe('m');
    }
    expect(`l${pieces}`).toBe(whole);
    expect(whole).toContain('<architecture>i386:x86-64</architecture>');
    expect(whole).toContain('<evalue name="EPT_VIOLATION" value="48"/>');
    expect(await client.ask('qXfer:features:read:target.xml:fffff,10')).toBe('l');
  });

  test.each([
    ['qXfer:features:read:other.xml:0,10', 'E00'],
    ['qXfer:features:read:target.xml:0', 'E16'],
    ['qXfer:features:read:target.xml:x,y', 'E16'],
    ['qXfer:features:write:target.xml:0:00', ''],
    ['qXfer:auxv:read::0,10', ''],
    ['qXfer:osdata:read:nothing:0,10', 'E00'],
    ['qXfer', 'E16'],
  ])('%s answers %j', async (packet, reply) => {
    expect(await new WireClient().ask(packet)).toBe(reply);
  });

  test('G with the digits that g gave writes nothing; a change writes one register', async () => {
    const client = new WireClient();
    const writes: string[] = [];
    const original = client.target.writeRegister.bind(client.target);
    client.target.writeRegister = async (thread, name, value) => {
      writes.push(name);
      await original(thread, name, value);
    };
    const all = await client.ask('g');
    expect(await client.ask(`G${all}`)).toBe('OK');
    expect(writes).toEqual([]);
    expect(await client.ask(`G8877665544332211${all.slice(16)}`)).toBe('OK');
    expect(writes).toEqual(['rax']);
    expect(client.target.cpus[0].values.rax).toBe(0x1122334455667788n);
  });

  test.each([
    ['G00', 'E16'],
    [`G${'0'.repeat(1080)}`, 'E16'],
    ['Gzz', 'E16'],
    ['p', 'E16'],
    ['pzz', 'E16'],
    ['pffff', 'E16'],
    ['p-1', 'E16'],
    ['P', 'E16'],
    ['P0', 'E16'],
    ['P0=', 'E16'],
    ['P0=00', 'E16'],
    ['P0=zz00000000000000', 'E16'],
    ['Pffff=00', 'E16'],
    ['g;thread:9;', 'E16'],
  ])('%s answers %s', async (packet, reply) => {
    expect(await new WireClient().ask(packet)).toBe(reply);
  });

  test('LLDB names the thread in the packet', async () => {
    const client = new WireClient(new FakeTarget(2));
    expect(await client.ask('p10;thread:2;')).toBe('0013000000000000');
    expect(await client.ask('P0=0500000000000000;thread:0002;')).toBe('OK');
    expect(client.target.cpus[1].values.rax).toBe(5n);
    expect(client.target.cpus[0].values.rax).toBe(0n);
  });

  test('outside 64-bit mode the program counter is linear, reading and writing', async () => {
    const client = new WireClient(new FakeTarget(), { architecture: 'i8086' });
    Object.assign(client.target.cpus[0], { mode: 'i8086', csBase: 0xffff0000n });
    client.target.cpus[0].values.rip = 0xfff0n;
    expect(await client.ask('p8')).toBe('f0ffffff');
    expect(await client.ask('P8=e0ffffff')).toBe('OK');
    expect(client.target.cpus[0].values.rip).toBe(0xffe0n);
    // A plug-in that adds the segment itself gets IP alone.
    expect(await client.ask('Qqemu.sstepbits')).toMatch(/^ENABLE=/);
    expect(await client.ask('p8')).toBe('e0ff0000');
  });
});

describe('memory', () => {
  test('m and x read, short at the end and an error past it', async () => {
    const client = new WireClient();
    expect(await client.ask('m1000,4')).toBe('9048ffc0');
    expect(await client.ask('m3fffff,8')).toBe('00');
    expect(await client.ask('m400000,8')).toBe('E0e');
    expect(await client.ask('mffffffffffffffff,8')).toBe('E0e');
    expect(await client.ask('x1000,4')).toBe('b\u0090H\u00ff\u00c0');
    expect(await client.ask('x0,0')).toBe('');
    client.target.memory.set([0x7d, 0x23, 0x24, 0x2a], 0x5000);
    expect(await client.ask('x5000,4')).toBe('b}]}\u0003}\u0004}\n');
  });

  test('M and X write; X may hold any byte', async () => {
    const client = new WireClient();
    expect(await client.ask('M5000,3:0a0b0c')).toBe('OK');
    expect([...client.target.memory.subarray(0x5000, 0x5004)]).toEqual([10, 11, 12, 0]);
    expect(await client.ask('X5000,0:')).toBe('OK');
    const all = Array.from({ length: 256 }, (_, byte) => byte);
    const escaped = all
      .map((byte) => String.fromCharCode(byte))
      .join('')
      // As GDB: `*` stays as it is.
      .replace(/[#$}]/g, (char) => `}${String.fromCharCode(char.charCodeAt(0) ^ 0x20)}`);
    const body = `X5000,100:${escaped}`;
    const sum = [...body].reduce((total, char) => total + char.charCodeAt(0), 0) & 0xff;
    client.bytes(`$${body}#${sum.toString(16).padStart(2, '0')}`);
    expect(await client.receive()).toBe('OK');
    expect([...client.target.memory.subarray(0x5000, 0x5100)]).toEqual(all);
    expect(await client.ask('M3fffff,2:0102')).toBe('E0e');
  });

  test.each([
    'm',
    'm1000',
    'mzz,4',
    'm1000,',
    'm1000,-1',
    'm1ffffffffffffffff,1',
    'M1000,1',
    'M1000,2:00',
    'M1000,1:zz',
  ])('%s is malformed', async (packet) => {
    expect(await new WireClient().ask(packet)).toBe('E16');
  });

  test.each(['x', 'x1000', 'X1000', 'X1000,2:a', 'Xq,1:a'])('%s is malformed', async (packet) => {
    expect(await new WireClient().ask(packet)).toBe('E16');
  });

  test('a length is cut to what a packet can hold', async () => {
    const client = new WireClient();
    expect(await client.ask('m0,fffffffff')).toHaveLength(0x100000);
    expect(unescapePayload(await client.ask('x0,fffffff'))).toHaveLength(0x80000);
  });

  test('physical mode reads and watches guest-physical addresses', async () => {
    const client = new WireClient();
    expect(await client.ask('qqemu.PhyMemMode')).toBe('0');
    expect(await client.ask('m103000,5')).toBe('0000000000');
    expect(await client.ask('Qqemu.PhyMemMode:1')).toBe('OK');
    expect(fromHex(await client.ask('m103000,5'))).toBe('hello');
    expect(await client.ask('Z2,102000,8')).toBe('OK');
    expect([...client.target.breakpoints.values()]).toEqual([
      { kind: 'watch', space: 'physical', address: 0x102000n, length: 8, access: 'write' },
    ]);
    expect(await client.ask('Qqemu.PhyMemMode:2')).toBe('E16');
    expect(await client.ask('qqemu.sstep')).toBe('0x1');
    expect(await client.ask('Qqemu.sstep=0x1')).toBe('OK');
    for (const bad of ['=0x7', '=0x3', '=0', '=', ':1', '=zz'])
      expect(await client.ask(`Qqemu.sstep${bad}`)).toBe('E16');
    expect(await client.ask('Qqemu.Supported')).toContain('PhyMemMode');
  });

  test('steps hold interrupts where the target has the switch', async () => {
    const interruptHold = { held: true };
    const client = new WireClient(Object.assign(new FakeTarget(), { interruptHold }));
    expect(await client.ask('qqemu.sstepbits')).toBe('ENABLE=1,NOIRQ=2');
    expect(await client.ask('qqemu.sstep')).toBe('0x3');
    expect(await client.ask('Qqemu.sstep=0x1')).toBe('OK');
    expect(interruptHold.held).toBe(false);
    expect(await client.ask('Qqemu.sstep=0x7')).toBe('E16');
  });

  test('the symbols of the guest’s kernel are a file of the target', async () => {
    const bytes = Uint8Array.from({ length: 300 }, (_, at) => at & 0xff);
    let known = true;
    let searches = 0;
    const kernel = {
      name: async () => (known ? 'linux-6.1' : undefined),
      symbols: async () => {
        searches++;
        return bytes;
      },
      place: async () => undefined,
    };
    const client = new WireClient(Object.assign(new FakeTarget(), { kernel }));
    const hex = (text: string): string => Buffer.from(text).toString('hex');
    expect(await client.ask('qSupported:')).toContain('qXfer:exec-file:read+');
    expect(await client.ask('qXfer:exec-file:read:1:0,fff')).toBe('l/linux-6.1');
    expect(await client.ask('vFile:setfs:0')).toBe('F0');
    expect(await client.ask(`vFile:open:${hex('/other')},0,0`)).toBe('F-1,2');
    // the first look after that question is GDB's comparison with its own program
    expect(await client.ask(`vFile:open:${hex('/linux-6.1')},0,0`)).toBe('F3');
    expect((await client.ask('vFile:pread:3,4,0')).slice(3)).toBe('\x7fELF');
    expect(searches).toBe(0);
    expect(await client.ask('vFile:close:3')).toBe('F0');
    expect(await client.ask(`vFile:open:${hex('/linux-6.1')},0,0`)).toBe('F3');
    expect(await client.ask(`vFile:open:${hex('linux-6.1')},0,0`)).toBe('F4');
    expect(searches).toBe(2);
    const status = await client.ask('vFile:fstat:3');
    expect(status.slice(0, 4)).toBe('F40;');
    expect(Buffer.from(unescapePayload(status.slice(4)), 'latin1').readBigUInt64BE(28)).toBe(300n);
    const piece = unescapePayload((await client.ask('vFile:pread:3,40,20')).slice(4));
    expect([...Buffer.from(piece, 'latin1')]).toEqual([...bytes.subarray(0x20, 0x60)]);
    expect(await client.ask('vFile:pread:3,40,12c')).toBe('F0;');
    expect(await client.ask('vFile:close:3')).toBe('F0');
    expect(await client.ask('vFile:pread:3,40,0')).toBe('F-1,9');
    expect(await client.ask('vFile:pwrite:4,0,x')).toBe('F-1,58');
    expect(await client.ask('vFile:pread:4,z,0')).toBe('F-1,16');
    expect(await client.ask('vFile:MD5:00')).toBe('');
    known = false;
    expect(await client.ask('qXfer:exec-file:read:1:0,fff')).toBe('E00');
    expect(await client.ask(`vFile:open:${hex('/linux-6.1')},0,0`)).toBe('F-1,2');
    expect(await new WireClient().ask('qXfer:exec-file:read:1:0,fff')).toBe('');
  });

  test('modules of the guest are libraries, whose functions are files of the target', async () => {
    const path = '/lib/modules/6.1/virtio_blk.ko';
    const libraries = {
      list: async () => [{ path, address: 0xffffffffc0559000n }],
      symbols: async (name: string) => (name === path ? Uint8Array.of(1, 2, 3) : undefined),
    };
    const client = new WireClient(Object.assign(new FakeTarget(), { libraries }));
    expect(await client.ask('qSupported:')).toContain('qXfer:libraries:read+');
    expect(await client.ask('qXfer:libraries:read::0,fff')).toBe(
      `l<?xml version="1.0"?>\n<library-list version="1.0">\n  <library name="${path}"><section address="0xffffffffc0559000"/></library>\n</library-list>\n`,
    );
    expect(await client.ask('qXfer:libraries:read:x:0,fff')).toBe('E00');
    expect(await client.ask(`vFile:open:${toHex(path)},0,0`)).toBe('F3');
    expect(await client.ask('vFile:pread:3,10,0')).toBe('F3;\x01\x02\x03');
    expect(await client.ask(`vFile:open:${toHex('/lib/modules/6.1/other.ko')},0,0`)).toBe('F-1,2');
    const plain = new WireClient();
    expect(await plain.ask('qSupported:')).not.toContain('libraries');
    expect(await plain.ask('qXfer:libraries:read::0,fff')).toBe('');
  });

  test('qOffsets tells where the kernel lies, and what that does to per-CPU symbols', async () => {
    const place = { text: 0xffffffffb9600000n, movedBy: 0x38600000n, perCpuMoved: true as const };
    const kernel = { name: async () => undefined, symbols: async () => undefined, place: async () => place };
    const client = new WireClient(Object.assign(new FakeTarget(), { kernel }));
    expect(await client.ask('qOffsets')).toBe('TextSeg=ffffffffb9600000');
    expect(fromHex((await client.ask('s')).slice(1))).toMatch(/moved to where the kernel's code lies, 0xffffffffb96/);
    expect(fromHex((await client.receive()).slice(1))).toMatch(/0x38600000 less/);
  });

  test('LLDB is told the distance that its program is moved by, and gets symbols as they were linked', async () => {
    const place = { text: 0xffffffffb9600000n, movedBy: 0x38600000n };
    const asked: (boolean | undefined)[] = [];
    const symbols = async (linked?: boolean) => {
      asked.push(linked);
      return Uint8Array.of(1);
    };
    const kernel = { name: async () => 'linux-6.1', symbols, place: async () => place };
    const client = new WireClient(Object.assign(new FakeTarget(), { kernel }));
    expect(await client.ask('QThreadSuffixSupported')).toBe('OK');
    expect(await client.ask('qOffsets')).toBe('Text=38600000;Data=38600000;Bss=38600000');
    const platform = new WireClient(Object.assign(new FakeTarget(), { kernel }));
    expect(await platform.ask(`vFile:open:${toHex('/vmlinux')},0,0`)).toBe('F3');
    const gdb = new WireClient(Object.assign(new FakeTarget(), { kernel }));
    await gdb.ask('qXfer:exec-file:read::0,fff');
    // compared first, then read
    for (const descriptor of ['F3', 'F4'])
      expect(await gdb.ask(`vFile:open:${toHex('/linux-6.1')},0,0`)).toBe(descriptor);
    expect(asked).toEqual([true, false]);
  });

  test('serves the files of a process that GEF fetches', async () => {
    const target = new FakeTarget();
    const monitor = async () =>
      '00007fff00000000-00007fff00001000 0000000000001000 urw\n0000000000001000-0000000000003000 0000000000002000 -r-';
    const client = new WireClient(Object.assign(target, { monitor }));
    const read = async (path: string): Promise<string> => {
      const opened = await client.ask(`vFile:open:${toHex(path)},0,0`);
      if (!/^F[0-9a-f]+$/.test(opened)) return opened;
      const answer = await client.ask(`vFile:pread:${opened.slice(1)},fff,0`);
      return answer.slice(answer.indexOf(';') + 1);
    };
    expect(await read('/proc/1/exe')).toMatch(/^\x7fELF/);
    expect(await read('/proc/1/cmdline')).toBe(`${target.name}\0`);
    expect(await read('/proc/1/environ')).toBe('\0');
    expect(await read('/proc/1/maps')).toMatch(
      /^7fff00000000-7fff00001000 rw.p 00000000 00:00 0 \n00001000-00003000 r-xp 00000000 00:00 0 \n$/,
    );
    for (const path of ['/proc/1/mem', '/proc/self/exe', '/proc/1/../1/exe', '/etc/passwd'])
      expect(await read(path)).toBe('F-1,2');
  });

  test('search finds across the borders of its pieces', async () => {
    const client = new WireClient();
    client.target.memory.set(Buffer.from('needle'), 0x1fffd);
    expect(await client.ask('qSearch:memory:10000;20000;needle')).toBe('1,1fffd');
    expect(await client.ask('qSearch:memory:10000;fffff;absent')).toBe('0');
    expect(await client.ask('qSearch:memory:10000;ffffffffffffffff;absent')).toBe('0');
    expect(await client.ask('qSearch:memory:ffffffff;10;absent')).toBe('E0e');
    expect(await client.ask('qSearch:memory:0;10;')).toBe('E16');
    expect(await client.ask('qSearch:other:0;10;a')).toBe('E16');
  });

  test('CRC is that of GDB', async () => {
    const client = new WireClient();
    client.target.memory.set(Buffer.from('123456789'), 0x6000);
    // CRC-32/MPEG-2 of the check string.
    expect(await client.ask('qCRC:6000,9')).toBe('C376e6e7');
    expect(await client.ask('qCRC:3fffff,9')).toBe('E0e');
    expect(await client.ask('qCRC:zz,9')).toBe('E16');
    expect(await client.ask('qCRC:0,ffffffffff')).toBe('E16');
  });

  test('a register that moves by itself takes an old value that was read, without effect', async () => {
    const client = new WireClient(undefined, { registers: 'all' });
    const xml = await client.ask('qXfer:features:read:target.xml:0,ffff');
    const number = (name: string) => Number(new RegExp(`<reg name="${name}"[^>]*regnum="(\\d+)"`).exec(xml)?.[1]);
    for (const name of ['cr0', 'tsc', 'vmcs_exit_reason'])
      expect(xml).toMatch(new RegExp(`"${name}".*save-restore="no"`));
    const tsc = number('tsc').toString(16);
    const reason = number('vmcs_exit_reason').toString(16);
    // gdb saves them before a call, and puts them back after it
    const before = await client.ask(`p${tsc}`);
    const exit = await client.ask(`p${reason}`);
    client.target.extra.tsc = 0x5000n;
    client.target.extra.vmcs_exit_reason = 12n;
    expect(await client.ask(`P${tsc}=${before}`)).toBe('OK');
    expect(await client.ask(`P${reason}=${exit}`)).toBe('OK');
    expect(client.target.extra).toMatchObject({ tsc: 0x5000n, vmcs_exit_reason: 12n });
    // a user's own value is another matter
    expect(await client.ask(`P${tsc}=0070000000000000`)).toBe('OK');
    expect(client.target.extra.tsc).toBe(0x7000n);
    expect(await client.ask(`P${reason}=ff000000`)).toBe('E16');
  });

  test('LLDB’s regions never end at 2^64', async () => {
    const client = new WireClient();
    expect(await client.ask('qMemoryRegionInfo:1000')).toBe('start:0;size:400000;permissions:rwx;');
    expect(await client.ask('qMemoryRegionInfo:ffff800000000000')).toBe('start:400000;size:ffffffffffbfffff;');
    expect(await client.ask('qMemoryRegionInfo')).toBe('OK');
    expect(await client.ask('qMemoryRegionInfo:zz')).toBe('E16');
  });

  test('run-length encoded text packets are understood', async () => {
    const client = new WireClient();
    const run = 'm10* ,1';
    client.bytes(`$${run}#${checksum(run).toString(16).padStart(2, '0')}`);
    expect(await client.receive()).toBe('00');
    client.bytes(`$m*a#${checksum('m*a').toString(16).padStart(2, '0')}`);
    expect(await client.receive()).toBe('E16');
  });
});

describe('running', () => {
  test.each([
    ['vCont;c', [undefined]],
    ['vCont;c:2', [[1]]],
    ['vCont;c:1;c:3', [[0, 2]]],
    ['vCont;t:2;c', [[0, 2]]],
    ['vCont;s:2', [1, undefined, []]],
    ['vCont;s:2;c', [1, undefined, [0, 2]]],
    ['vCont;s:2;c:3', [1, undefined, [2]]],
    ['vCont;c:1;s:2;s', [1, undefined, [0]]],
    ['vCont;r1300,1302:2;c:-1', [1, { start: 0x1300n, end: 0x1302n }, [0, 2]]],
    ['vCont;s', [0, undefined, []]],
  ])('%s: each thread has its action', async (packet, asked) => {
    const client = new WireClient(new FakeTarget(3));
    client.send(packet);
    // of several threads that step each is asked for one after the other
    await vi.waitFor(() => expect(client.target.asked).toEqual(asked));
    await client.target.pause();
  });

  test('a client that dies at the moment of its breakpoint leaves the guest running', async () => {
    const client = new WireClient();
    await client.ask('Z0,1007,1');
    const left = new Promise<void>((resolve) => {
      const off = client.target.onEvent((event) => {
        if (event.type !== 'stopped') return;
        off();
        void client.session.close().then(resolve);
      });
    });
    client.send('c');
    await left;
    expect(client.target.running()).toBe(true);
    expect(client.target.breakpoints.size).toBe(0);
    await client.target.pause();
  });

  test('one that dies where another observer has stopped the guest leaves it stopped', async () => {
    const client = new WireClient();
    await client.ask('Z0,1007,1');
    client.target.foreign.add(0x1007n);
    const left = new Promise<void>((resolve) => {
      const off = client.target.onEvent((event) => {
        if (event.type !== 'stopped') return;
        off();
        void client.session.close().then(resolve);
      });
    });
    client.send('c');
    await left;
    expect(client.target.running()).toBe(false);
  });

  test('non-stop is refused with the reason where vCPUs cannot stop each by itself', async () => {
    const client = new WireClient();
    Object.assign(client.target, { eachUnavailable: 'vCPUs on KVM run at once and stop together' });
    expect(await client.ask('qSupported:')).toContain('QNonStop+');
    expect(await client.ask('QNonStop:1')).toBe('E.non-stop mode: vCPUs on KVM run at once and stop together');
    expect(await client.ask('QNonStop:0')).toBe('OK');
    expect(await client.ask('vCont;t:1')).toBe('E16');
    expect(await client.ask('vStopped')).toBe('E16');
  });

  test('step, step with a new address, legacy and vCont forms', async () => {
    const client = new WireClient();
    expect(await client.ask('s')).toMatch(stopAt('05', 0x1001));
    expect(await client.ask('vCont;s:1')).toMatch(stopAt('05', 0x1004));
    expect(await client.ask('S05')).toMatch(stopAt('05', 0x1007));
    expect(await client.ask('s1100')).toMatch(stopAt('05', 0x1101));
    expect(await client.ask('vCont;S05:1;c')).toMatch(/^O/);
    expect(await client.receive()).toBe('W03');
    expect(client.target.executed).toBe(5);
  });

  test.each([
    'vCont',
    'vCont;',
    'vCont;x',
    'vCont;s:9',
    'vCont;r1000',
    'vCont;r1,2,3',
    'vCont;C',
    'vCont;t',
    'C',
    'Czz',
    'S5',
    'szz',
  ])('%s is refused and runs nothing', async (packet) => {
    const client = new WireClient();
    expect(await client.ask(packet)).toBe('E16');
    expect(client.target.executed).toBe(0);
  });

  test('a range is stepped through in the stub', async () => {
    const client = new WireClient();
    expect(await client.ask('vCont;r1000,1008:1')).toMatch(stopAt('05', 0x1008));
    expect(client.target.executed).toBe(4);
    // A breakpoint inside ends the range.
    await client.ask(FEATURES);
    await client.ask('Z0,1004,1');
    expect(await client.ask('vCont;r1000,1100:1')).toMatch(/10:0410000000000000;swbreak:;$/);
  });

  test('ctrl-C ends a range step that would go on for ever', async () => {
    const client = new WireClient();
    client.send('vCont;r1000,2000:1');
    await client.pending();
    client.bytes('\u0003');
    expect(await client.receive()).toMatch(/^T02/);
  });

  test('breakpoints, with the reason that the client announced', async () => {
    const client = new WireClient();
    expect(await client.ask('Z0,1007,1')).toBe('OK');
    expect(await client.ask('Z0,1007,1')).toBe('OK');
    expect(client.target.breakpoints.size).toBe(1);
    expect(await client.ask('c')).toMatch(/10:0710000000000000;$/);
    await client.ask(FEATURES);
    expect(await client.ask('vCont;c')).toMatch(/10:0710000000000000;swbreak:;$/);
    await client.ask('z0,1007,1');
    await client.ask('Z1,1007,1');
    expect(await client.ask('C05')).toMatch(/hwbreak:;$/);
    expect(client.target.breakpoints.size).toBe(1);
    expect(await client.ask('z1,1007,1')).toBe('OK');
    expect(await client.ask('z1,1007,1')).toBe('OK');
  });

  test('a breakpoint that is taken out and put back keeps its id', async () => {
    const client = new WireClient();
    await client.ask('Z0,1007,1');
    const [id] = client.target.breakpoints.keys();
    await client.ask('z0,1007,1');
    await client.ask('s');
    await client.ask('Z0,1007,1');
    await client.ask('c');
    expect([...client.target.breakpoints.keys()]).toEqual([id]);
    await client.ask('z0,1007,1');
    await client.ask('Z0,1008,1');
    await client.ask('c');
    expect([...client.target.breakpoints.values()]).toEqual([{ kind: 'execute', address: 0x1008n }]);
  });

  test('a breakpoint of somebody else is a plain SIGTRAP', async () => {
    const client = new WireClient();
    await client.ask(FEATURES);
    client.target.foreign.add(0x1008n);
    expect(await client.ask('c')).toMatch(/^T05.*10:0810000000000000;$/);
  });

  test.each([
    ['Z2,2000,8', 0x1000, 'watch:2000;', 0x1007],
    ['Z2,2004,2', 0x1000, 'watch:2004;', 0x1007],
    ['Z4,2000,1', 0x1000, 'awatch:2000;', 0x1007],
    ['Z3,2000,8', Number(READER), 'rwatch:2000;', 0x1504],
    ['Z4,2000,8', Number(READER), 'awatch:2000;', 0x1504],
  ])('%s', async (packet, from, reason, rip) => {
    const client = new WireClient();
    client.target.cpus[0].values.rip = BigInt(from);
    expect(await client.ask(packet)).toBe('OK');
    const reply = await client.ask('c');
    expect(reply).toMatch(stopAt('05', rip));
    expect(reply.endsWith(reason)).toBe(true);
    expect(client.target.cpus[0].values.rbx).toBe(COUNTER);
  });

  test.each([
    ['Z', 'E16'],
    ['Z0', 'E16'],
    ['Z0,zz,1', 'E16'],
    ['Z0,1000', 'E16'],
    ['Z2,2000,0', 'E16'],
    ['Z2,2000,fffff', 'E16'],
    ['Z5,1000,1', ''],
    ['z5,1000,1', ''],
    ['z0', 'E16'],
    ['Z0,1000,1;X2,zzzz', 'E16'],
    ['Z0,1000,1;X9,27', 'E16'],
    ['Z0,1000,1;X1,0c', 'E16'],
    ['Z0,1000,1;cmds:2,X1,27', 'E16'],
    ['Z0,1000,1;cmds:0,X1,2', 'E16'],
    ['Z0,1000,1;cmds:0,', 'E16'],
  ])('%s answers %j', async (packet, reply) => {
    const client = new WireClient();
    expect(await client.ask(packet)).toBe(reply);
    expect(client.target.breakpoints.size).toBe(0);
  });

  test('a condition in the bytes that GDB sends', async () => {
    const client = new WireClient();
    // $rax == 5: reg 0, ext 64, const8 5, equal, end
    expect(await client.ask('Z1,1007,1;X9,260000164022051327')).toBe('OK');
    expect(await client.ask('c')).toMatch(/^T05/);
    expect(client.target.cpus[0].values.rax).toBe(5n);
    // Two conditions: either will do. Then one that divides by zero stops and says so.
    expect(await client.ask('Z1,1007,1;X9,260000164022071327X9,260000164022091327')).toBe('OK');
    await client.ask('c');
    expect(client.target.cpus[0].values.rax).toBe(7n);
    await client.ask('c');
    expect(client.target.cpus[0].values.rax).toBe(9n);
    expect(await client.ask('Z1,1007,1;X6,220122000527')).toBe('OK');
    expect(fromHex((await client.ask('c')).slice(1))).toMatch(/Condition .* division by zero/);
    expect(await client.receive()).toMatch(/^T05/);
    expect(client.target.cpus[0].values.rax).toBe(10n);
  });

  test('a condition does not hide another observer’s breakpoint, nor ctrl-C', async () => {
    const client = new WireClient();
    await client.ask('Z1,1007,1;X3,220027');
    client.target.foreign.add(0x1007n);
    expect(await client.ask('c')).toMatch(stopAt('05', 0x1007));
    client.target.foreign.clear();
    client.send('c');
    await client.pending();
    client.bytes('\u0003');
    expect(await client.receive()).toMatch(/^T02/);
  });

  test('0x03 and vCtrlC stop a running guest and are nothing to a standing one', async () => {
    const client = new WireClient();
    client.bytes('\u0003');
    expect(await client.pending()).toEqual([]);
    client.send('c');
    await client.pending();
    expect(client.target.running()).toBe(true);
    client.bytes('\u0003');
    expect(await client.receive()).toMatch(/^T02thread:01;/);
    client.send('vCont;c');
    await client.pending();
    expect(await client.ask('vCtrlC')).toBe('OK');
    expect(await client.receive()).toMatch(/^T02thread:01;/);
    expect(await client.pending()).toEqual([]);
  });

  test('a power-off, and a failure that can be looked at first', async () => {
    const client = new WireClient();
    client.target.cpus[0].values.rip = HALT;
    expect(fromHex((await client.ask('c')).slice(1))).toContain('powered off');
    expect(await client.receive()).toBe('W03');
    expect(await client.ask('?')).toBe('W03');
    const failing = new WireClient();
    await failing.ask('qSupported:multiprocess+');
    failing.target.cpus[0].values.rip = CRASH;
    expect(fromHex((await failing.ask('c')).slice(1))).toContain('triple fault: #UD');
    expect(await failing.receive()).toMatch(/^T0bthread:p01\.01;/);
    expect(await failing.ask('m1201,2')).toBe('0f0b');
    expect(await failing.ask('c')).toBe('W01;process:1');
  });

  test('LLDB gets all threads in the stop', async () => {
    const client = new WireClient(new FakeTarget(2));
    await client.ask('QListThreadsInStopReply');
    expect(await client.ask('s')).toMatch(/threads:1,2;thread-pcs:1001,1300;$/);
    const threads = JSON.parse(unescapePayload(await client.ask('jThreadsInfo')));
    expect(threads).toMatchObject([
      { tid: 1, reason: 'trace', registers: { 16: '0110000000000000' } },
      { tid: 2, registers: { 16: '0013000000000000' } },
    ]);
    expect(await client.ask('qHostInfo')).toContain(
      `triple:${toHex('x86_64-unknown-unknown')};endian:little;ptrsize:8;`,
    );
    expect(await client.ask('qProcessInfo')).toContain('pid:1;');
  });
});

describe('the guest’s mode', () => {
  test('arch auto tells a change by an exec event, and the stop behind it when GDB resumes', async () => {
    const client = new WireClient(new FakeTarget(), { architecture: 'auto' });
    client.target.cpus[0].values.rip = MODE_SWITCH;
    client.target.cpus[0].values.rax = 2n;
    await client.ask(`${FEATURES};exec-events+`);
    await client.ask('Z0,1405,1');
    expect(await client.ask('g')).toHaveLength(1072);
    expect(await client.ask('vCont;c')).toBe(`T05thread:01;exec:${toHex('[i8086 code]')};`);
    expect(await client.ask('qXfer:features:read:target.xml:0,fff')).toContain('<architecture>i8086</architecture>');
    expect(await client.ask('g')).toHaveLength(616);
    await client.ask('Z0,1405,1');
    const executed = client.target.executed;
    // Plain: GDB resumes for ever on a reason that it cannot match.
    expect(await client.ask('vCont;c')).toMatch(/^T05thread:01;core:0;04:\w{8};05:\w{8};08:05140000;$/);
    expect(client.target.executed).toBe(executed);
  });

  test('a stop behind an exec event that no breakpoint explains is signal 0', async () => {
    const client = new WireClient(new FakeTarget(), { architecture: 'auto' });
    await client.ask(`${FEATURES};exec-events+`);
    await client.ask('g');
    client.target.cpus[0].mode = 'i8086';
    expect(await client.ask('vCont;s:1')).toMatch(/^T05thread:01;exec:/);
    expect(await client.ask('vCont;s:1')).toMatch(/^T00thread:01;/);
  });

  test('a description takes programs of the other classes', async () => {
    const client = new WireClient(new FakeTarget(), { architecture: 'i386' });
    const xml = await client.ask('qXfer:features:read:target.xml:0,fff');
    expect(xml).toContain('<compatible>i386:x86-64</compatible>');
    expect(xml).toContain('<compatible>i8086</compatible>');
    expect(xml).not.toContain('<compatible>i386</compatible>');
  });

  test('a breakpoint that a 32-bit view has cut stops in the upper 2 GiB too', async () => {
    const client = new WireClient(new FakeTarget(), { architecture: 'i386' });
    await client.ask('g');
    expect(await client.ask('Z1,81000000,1')).toBe('OK');
    const addresses = (): bigint[] =>
      [...client.target.breakpoints.values()].flatMap((it) => ('address' in it ? [it.address] : []));
    expect(addresses()).toEqual([0x81000000n, 0xffffffff81000000n]);
    expect(await client.ask('z1,81000000,1')).toBe('OK');
    client.target.cpus[0].values.rip = HALT;
    await client.ask('c');
    expect(addresses()).toEqual([]);
  });

  test('an observer that cannot be told keeps one view: that of an ELF32 image, else 64 bits', async () => {
    const target = new FakeTarget();
    target.cpus[0].mode = 'i386';
    expect(await new WireClient(target, {}).ask('g')).toHaveLength(1072);
    expect(await new WireClient(Object.assign(target, { programBits: 32 as const }), {}).ask('g')).toHaveLength(616);
  });

  test('a client without exec events keeps its layout and is told', async () => {
    const client = new WireClient(new FakeTarget(), { architecture: 'auto' });
    await client.ask('g');
    client.target.cpus[0].mode = 'i386';
    expect(fromHex((await client.ask('s')).slice(1))).toMatch(/i386 now; disconnect/);
    expect(await client.receive()).toMatch(stopAt('05', 0x1001));
  });

  test('monitor arch changes the layout of this connection’s next stop', async () => {
    const client = new WireClient();
    await client.ask('qSupported:exec-events+');
    await client.ask('g');
    expect(fromHex((await client.ask(`qRcmd,${toHex('arch i386')}`)).slice(1))).toContain('arch i386');
    expect(await client.receive()).toBe('OK');
    expect(await client.ask('s')).toMatch(/exec:/);
    expect(await client.ask('c')).toMatch(/08:01100000;$/);
    expect(await client.ask('g')).toHaveLength(616);
  });
});

describe('monitor', () => {
  const monitor = async (client: WireClient, line: string): Promise<string> => {
    let text = '';
    for (let reply = await client.ask(`qRcmd,${toHex(line)}`); reply !== 'OK'; reply = await client.receive()) {
      expect(reply[0]).toBe('O');
      text += fromHex(reply.slice(1));
    }
    return text;
  };

  test('passes commands on, and says what it does not know', async () => {
    const client = new WireClient();
    expect(await monitor(client, 'info status')).toBe('VM status: paused\n');
    expect(await monitor(client, 'help')).toMatch(/info status[^\n]*\narch \[auto[\s\S]*linear-pc/);
    expect(await monitor(client, 'bogus')).toContain("unknown command: 'bogus'");
    expect(await monitor(client, 'fail')).toBe('the monitor failed\n');
    expect(await monitor(client, 'long')).toBe(`${'x'.repeat(100_000)}\n`);
    expect(await monitor(client, 'arch')).toBe('arch x86-64\n');
    expect(await monitor(client, 'arch mips')).toContain('choose one of auto, i8086');
    expect(await monitor(client, 'linear-pc maybe')).toContain('choose on, off');
    expect(await client.ask('qRcmd,zz')).toBe('E16');
    expect(await client.ask('qRcmd')).toBe('E16');
  });

  test('one that runs the guest shows life, and ends with an interrupt', async () => {
    const client = new WireClient();
    await client.ask('QStartNoAckMode');
    client.raw = '';
    client.send(`qRcmd,${toHex('wait')}`);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(client.raw).toBe('+');
    expect(client.target.running()).toBe(true);
    client.bytes('\x03');
    expect(fromHex((await client.receive()).slice(1))).toBe('it stands\n');
    expect(await client.receive()).toBe('OK');
    expect(await client.pending()).toEqual([]);
    client.send(`qRcmd,${toHex('wait')}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await client.session.close();
    expect(client.target.running()).toBe(false);
  });

  test('info os: types and tables, with XML escapes', async () => {
    const client = new WireClient();
    expect(await client.ask('qXfer:osdata:read::0,1000')).toContain('<column name="Type">exits</column>');
    expect(await client.ask('qXfer:osdata:read:exits:0,1000')).toContain('<column name="rip">&lt;2&amp;&gt;</column>');
    // gdb would say that it cannot fetch data now
    const [table] = client.target.osTables;
    table.rows = () => Promise.reject(new Error('the kernel has no <type> information'));
    expect(await client.ask('qXfer:osdata:read:exits:0,1000')).toContain(
      '<column name="not known">the kernel has no &lt;type&gt; information</column>',
    );
  });
});

describe('siginfo and permissions', () => {
  const EXIT = {
    ...{ sequence: 7, vcpu: 0, reason: 48, qualification: 0x182n, gla: 0xffff_8000_0000_1000n, gpa: 0xfed0_00f0n },
    ...{ rip: 0x1234n, linearRip: 0x1234n, interruptionInfo: 0x8000_0b0e, interruptionError: 2, instructionInfo: 3 },
    ...{ instructionLength: 4, icount: 99n, stoppedHere: true },
  };
  const read = async (client: WireClient): Promise<DataView> => {
    const reply = await client.ask('qXfer:siginfo:read::0,200');
    expect(reply[0]).toBe('l');
    const bytes = Buffer.from(unescapePayload(reply.slice(1)), 'latin1');
    expect(bytes.length).toBe(128);
    return new DataView(bytes.buffer, bytes.byteOffset, 128);
  };

  test('siginfo has the reason of the stop and the VM exit at the offsets that are documented', async () => {
    const client = new WireClient(new FakeTarget(2));
    expect(await client.ask(FEATURES)).toContain('qXfer:siginfo:read+');
    await client.ask('?');
    const paused = await read(client);
    expect([paused.getInt32(0, true), paused.getInt32(8, true), paused.getBigUint64(80, true)]).toEqual([2, 0, 0n]);
    expect(await client.ask('vCont;s:1')).toMatch(/^T05/);
    expect((await read(client)).getInt32(8, true)).toBe(2);
    expect(await client.ask('Z1,1004,1')).toBe('OK');
    expect(await client.ask('c')).toMatch(/^T05/);
    const broken = await read(client);
    expect([broken.getInt32(0, true), broken.getInt32(8, true), broken.getBigUint64(16, true)]).toEqual([
      5,
      1,
      0x1004n,
    ]);
    client.target.exit = EXIT;
    client.target.stop = { thread: 0, cause: { kind: 'event', message: 'VM exit' } };
    const view = await read(client);
    const words = [0, 4, 8, 48, 52, 88, 92, 96, 100].map((at) => view.getUint32(at, true));
    expect(words).toEqual([5, 0, 0x130, 48, 0, 0x8000_0b0e, 2, 3, 4]);
    const longs = [16, 56, 64, 72, 80, 104, 112].map((at) => view.getBigUint64(at, true));
    expect(longs).toEqual([EXIT.gpa, EXIT.qualification, EXIT.gpa, EXIT.gla, 7n, EXIT.rip, 99n]);
    // the other thread has neither stopped nor made an exit
    await client.ask('Hg2');
    const other = await read(client);
    expect(Array.from({ length: 32 }, (_, at) => other.getUint32(4 * at, true)).every((word) => word === 0)).toBe(true);
    expect(await client.ask('qXfer:siginfo:read:x:0,200')).toBe('E00');
    expect(await client.ask('qXfer:siginfo:write::0:abc')).toBe('');
  });

  test('a client that only looks on resets nothing, changes nothing by monitor, and sets no program counter', async () => {
    const client = new WireClient();
    const asked: string[] = [];
    Object.assign(client.target, {
      monitorEffect,
      monitor: async (line: string) => {
        asked.push(line);
        return '';
      },
      reset: async () => void asked.push('reset'),
    });
    const say = async (line: string): Promise<string> => {
      const answer = await client.ask(`qRcmd,${Buffer.from(line).toString('hex')}`);
      if (answer === 'OK') return '';
      expect(await client.receive()).toBe('OK');
      return Buffer.from(answer.slice(1), 'hex').toString();
    };
    await client.ask('qSupported:error-message+');
    expect(await client.ask('QAllow:WriteReg:1;WriteMem:0;InsertBreak:1;Stop:1')).toBe('OK');
    for (const line of [
      'system_reset',
      'o /b 0x80 1',
      'i /b 0x60',
      'sendkey a',
      'nmi',
      'balloon 16',
      'unknown',
      'xpo 1',
    ])
      expect(await say(line)).toMatch(
        /: this connection only looks on: memory is not written \(set may-write-memory on\)\n$/,
      );
    for (const line of ['info registers', 'x/4xw 0', 'xp /4xw 0', 'p 1', 'why', 'doctor', 'stop', 'cont'])
      await say(line);
    expect(asked.splice(0)).toEqual(['info registers', 'x/4xw 0', 'xp /4xw 0', 'p 1', 'why', 'doctor', 'stop', 'cont']);
    expect(await client.ask('vRun;')).toMatch(/^E\.this connection only looks on: memory/);
    client.send('R00');
    expect(await client.ask('QAllow:WriteMem:1;Stop:0;WriteReg:0')).toBe('OK');
    expect(await say('stop')).toMatch(/^stop: this connection only looks on: the guest is not stopped/);
    expect(await client.ask('vRun;')).toMatch(/^E\.this connection only looks on: registers/);
    expect(await client.ask('c1300')).toMatch(/^E\.this connection only looks on: registers/);
    expect(await client.ask('s1300')).toMatch(/^E\.this connection only looks on: registers/);
    expect(asked).toEqual([]);
    await client.ask('QAllow:WriteReg:1;Stop:1');
    client.send('R00');
    await client.pending();
    expect(asked).toEqual(['reset']);
  });

  test('of several threads that step in one vCont each makes a step, and the client is told once', async () => {
    const client = new WireClient(new FakeTarget(3));
    const places = () => client.target.cpus.map(({ values }) => values.rip);
    const [first, , third] = places();
    client.target.cpus[1].values.rip = CODE;
    await client.ask('Hc1');
    expect(await client.ask('vCont;s:1;s:2')).toMatch(/^T05thread:01;/);
    expect(client.target.executed).toBe(2);
    expect(places()).toEqual([first + 1n, CODE + 1n, third]);
    expect(await client.pending()).toEqual([]);
    // one that ends the guest's run ends it there: the first has not moved
    client.target.cpus[1].values.rip = CRASH + 1n;
    expect(await client.ask('vCont;s:2;s:1')).toMatch(/^O/);
    expect(await client.receive()).toMatch(/^T0bthread:02;/);
    expect(places()[0]).toBe(first + 1n);
    expect(await client.pending()).toEqual([]);
  });

  test.each([
    ['D;2', 'D;1'],
    ['vKill;2', 'vKill;1'],
    ['vAttach;4', 'vAttach;1'],
  ])('%s is refused and changes nothing, where %s is about the guest', async (wrong, right) => {
    const client = new WireClient();
    await client.ask('qSupported:error-message+;multiprocess+');
    await client.ask('Z1,1004,1');
    expect(await client.ask(wrong)).toMatch(/^E\.no such process: to gdb the guest is process 1, .*info os processes/);
    expect([client.target.running(), client.target.breakpoints.size]).toEqual([false, 1]);
    expect(await client.ask(right)).toMatch(/^(OK|T05)/);
    expect(client.target.breakpoints.size).toBe(0);
  });

  test('monitor is about the thread of thread apply, which only asks whether that lives', async () => {
    const client = new WireClient(new FakeTarget(3));
    const about: number[] = [];
    Object.assign(client.target, {
      monitor: async (_line: string, thread: number) => {
        about.push(thread);
        return '';
      },
    });
    const ask = (...packets: string[]) =>
      packets.reduce((done, packet) => done.then(() => client.ask(packet)), Promise.resolve(''));
    const info = `qRcmd,${Buffer.from('info lapic').toString('hex')}`;
    await ask('Hg1', 'T3', info, 'T2', info, 'T1', info);
    expect(about.splice(0)).toEqual([2, 1, 0]);
    // once it is over, and where it looked at registers, the thread is the one that is selected
    await ask('T3', 'Hg2', info, info, 'T3', 'qC', info, 'T9', info);
    expect(about).toEqual([1, 1, 1, 1]);
  });

  test('QAllow takes writes, breakpoints and stops away, says so, and gives them back', async () => {
    const client = new WireClient();
    expect(await client.ask('qSupported:error-message+')).toContain(';QAllow+;');
    await client.ask('?');
    const all = (value: 0 | 1): string =>
      ['WriteReg', 'WriteMem', 'InsertBreak', 'InsertTrace', 'InsertFastTrace', 'Stop']
        .map((name) => `${name}:${value}`)
        .join(';');
    const before = await client.ask('g');
    expect(await client.ask(`QAllow:${all(0)}`)).toBe('OK');
    expect(await client.ask('P0=0100000000000000')).toMatch(/^E\.this connection only looks on: registers are not/);
    expect(await client.ask(`G${before}`)).toMatch(/^E\.this connection only looks on: registers/);
    expect(await client.ask('M2000,1:aa')).toMatch(/^E\.this connection only looks on: memory is not written/);
    expect(await client.ask('X2000,1:a')).toMatch(/^E\.this connection only looks on: memory/);
    expect(await client.ask('X2000,0:')).toBe('OK');
    for (const type of [0, 1, 2, 3, 4])
      expect(await client.ask(`Z${type},1004,1`)).toMatch(/^E\.this connection only looks on: no breakpoint/);
    expect(await client.ask('z1,1004,1')).toBe('OK');
    expect(await client.ask('g')).toBe(before);
    expect(await client.ask('m2000,1')).toBe('00');
    // it runs, and nothing of this client's stops it
    client.send('c');
    client.bytes('\x03');
    expect(await client.pending()).toEqual([]);
    expect(client.target.running()).toBe(true);
    expect(await client.ask('vCtrlC')).toMatch(/^E\.this connection only looks on: the guest is not stopped/);
    expect(await client.ask('g')).toMatch(/^E\..*the guest is not stopped/);
    expect(await client.ask('?')).toMatch(/^E\..*the guest is not stopped/);
    expect(client.target.running()).toBe(true);
    expect(await client.ask('QAllow:Fly:1')).toMatch(/^E\.QAllow:Fly:1 is not one of WriteReg, /);
    expect(await client.ask('QAllow:Stop:1;WriteMem:2')).toMatch(/^E\./);
    expect(await client.ask('QAllow')).toMatch(/^E\./);
    expect(await client.ask('vCtrlC')).toMatch(/^E\./);
    expect(await client.ask(`QAllow:${all(1)}`)).toBe('OK');
    client.bytes('\x03');
    expect(await client.receive()).toMatch(/^T02/);
    expect(await client.ask('M2000,1:aa')).toBe('OK');
    expect(await client.ask('P0=0100000000000000')).toBe('OK');
    expect(await client.ask('Z1,1004,1')).toBe('OK');
  });
});

describe('other observers', () => {
  test('a stop by somebody else is a stop reply', async () => {
    const client = new WireClient();
    client.send('c');
    await client.pending();
    await client.target.pause();
    expect(await client.receive()).toMatch(/^T02/);
    expect(await client.pending()).toEqual([]);
  });

  test('resumed by somebody else: memory is served, continue joins', async () => {
    const client = new WireClient();
    await client.ask('?');
    await client.target.resume();
    expect(await client.ask('m1000,1')).toBe('90');
    expect(await client.ask('Z1,1300,1')).toBe('OK');
    expect(client.target.running()).toBe(true);
    expect(await client.pending()).toEqual([]);
    client.send('vCont;c');
    await client.pending();
    await client.target.pause();
    expect(await client.receive()).toMatch(/^T02/);
  });

  test('resumed by somebody else: a register access pauses, and the next stop says so', async () => {
    const client = new WireClient();
    await client.ask('?');
    await client.target.resume();
    expect(await client.ask('g')).toHaveLength(1072);
    expect(client.target.running()).toBe(false);
    expect(fromHex((await client.ask('s')).slice(1))).toContain(
      'resumed by another view; paused it for reading registers',
    );
    expect(await client.receive()).toMatch(/^T05/);
  });

  test('resumed by somebody else: a step pauses and reports the place without stepping', async () => {
    const client = new WireClient();
    await client.ask('?');
    await client.target.resume();
    await client.pending();
    client.send('vCont;s:1');
    expect((await client.receive())[0]).toBe('O');
    expect(await client.receive()).toMatch(/^T02/);
    expect(client.target.running()).toBe(false);
  });

  test('stops and resumes of others while the client stands are silent', async () => {
    const client = new WireClient();
    await client.ask('?');
    await client.target.step(0);
    await client.target.resume();
    await client.target.pause();
    expect(await client.pending()).toEqual([]);
  });
});

describe('leaving', () => {
  test.each(['D', 'D;1', 'D;0000000000000001'])('%s resumes without breakpoints', async (packet) => {
    const client = new WireClient();
    await client.ask('Z1,1300,1');
    expect(await client.ask(packet)).toBe('OK');
    expect(client.target.running()).toBe(true);
    expect(client.target.breakpoints.size).toBe(0);
    await client.target.pause();
    expect(await client.pending()).toEqual([]);
  });

  test('D of another process is refused', async () => {
    expect(await new WireClient().ask('D;7')).toBe('E16');
    expect(await new WireClient().ask('Dx')).toBe('E16');
  });

  test('k detaches: no reply to GDB, one to LLDB, which would wait for it', async () => {
    const client = new WireClient();
    client.send('k');
    expect(await client.pending()).toEqual([]);
    expect(client.ended).toBe(true);
    expect(client.target.running()).toBe(true);
    const lldb = new WireClient();
    await lldb.ask('QListThreadsInStopReply');
    expect(await lldb.ask('k')).toBe('X09');
    const killed = new WireClient();
    expect(await killed.ask('vKill;1')).toBe('OK');
    expect(killed.target.running()).toBe(true);
    await Promise.all([client.target.pause(), lldb.target.pause(), killed.target.pause()]);
  });

  test('vAttach comes back after a detach; vRun and R reset', async () => {
    const client = new WireClient();
    await client.ask('!');
    await client.ask('D;1');
    expect(await client.ask('vAttach;1')).toMatch(/^T05/);
    expect(client.target.running()).toBe(false);
    expect(await client.ask('vAttach;9')).toBe('E03');
    await client.ask('s');
    expect(await client.ask('vRun;')).toMatch(stopAt('05', 0x1000));
    await client.ask('s');
    client.send('R00');
    expect(await client.pending()).toEqual([]);
    expect(await client.ask('p10')).toBe('0010000000000000');
  });

  test('a client that vanishes leaves the guest as it is, without its breakpoints', async () => {
    const client = new WireClient();
    await client.ask('Z1,1300,1');
    client.send('c');
    await client.pending();
    await client.session.close();
    expect(client.target.breakpoints.size).toBe(0);
    expect(client.target.running()).toBe(true);
    await client.target.pause();
    expect(await client.pending()).toEqual([]);
  });
});

test('each of thousands of steps over the wire runs one instruction', { timeout: 60_000 }, async () => {
  const client = new WireClient();
  await client.ask('QStartNoAckMode');
  for (let count = 0; count < 2000; count++) await client.ask('vCont;s:1');
  expect(client.target.executed).toBe(2000);
});

test('a flood of packets slows the sender and keeps the order', { timeout: 60_000 }, async () => {
  const client = new WireClient();
  await client.ask('QStartNoAckMode');
  const packets = Array.from({ length: 5000 }, (_, at) => encodePacket(`m${(0x1000 + (at % 4)).toString(16)},1`));
  client.session.feed(Buffer.concat(packets));
  expect(client.paused).toBe(true);
  for (let at = 0; at < 5000; at++) expect(await client.receive()).toBe(['90', '48', 'ff', 'c0'][at % 4]);
  await client.pending();
  expect(client.paused).toBe(false);
});
