/** What other programs may say to vmscope's clients of QMP and of GDB stubs: silence, nonsense, refusals, random bytes. */
import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { RspClient, RspError } from '../../../src/rsp/client.js';
import { encodePacket } from '../../../src/rsp/packet.js';
import { parseFeatures } from '../../../src/targets/gdb-features.js';
import { parseFlatView, parseHostAddress } from '../../../src/targets/qemu/flat-view.js';
import { qemuFacts } from '../../../src/targets/qemu/processes.js';
import { QmpClient, QmpError } from '../../../src/targets/qemu/qmp.js';
import { parseRegisters } from '../../../src/targets/qemu/registers.js';
import { StubControl } from '../../../src/targets/stub-control.js';

/** The other end of a connection: what it is told goes to `heard`, `say` answers. */
class Peer extends Duplex {
  heard: string[] = [];
  constructor(private readonly answer: (text: string, peer: Peer) => void) {
    super();
  }
  say(text: string | Uint8Array): void {
    this.push(text);
  }
  override _read(): void {}
  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.heard.push(bytes.toString('latin1'));
    this.answer(bytes.toString('latin1'), this);
    done();
  }
}

const GREETING = '{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":22},"package":""},"capabilities":[]}}\r\n';

function qmp(answer: (command: { execute: string; id: number }, peer: Peer) => void): Peer {
  const peer = new Peer((text, self) => {
    for (const line of text.trim().split('\n')) {
      const command = JSON.parse(line);
      if (command.execute === 'qmp_capabilities') self.say(`${JSON.stringify({ return: {}, id: command.id })}\r\n`);
      else answer(command, self);
    }
  });
  peer.say(GREETING);
  return peer;
}
const LIMITS = { answerMs: 200 };

describe('QMP', () => {
  it('greets, answers by id in any order, in pieces, with events in between', async () => {
    const waiting: number[] = [];
    const peer = qmp(({ id }, self) => {
      waiting.push(id);
      if (waiting.length < 2) return;
      self.say('{"event":"STOP","data":{},"timestamp":{"seconds":1,"microseconds":2}}\r\n{"ret');
      self.say(`urn":"second","id":${waiting[1]}}\r\n{"return":"first","id":${waiting[0]}}\r\n`);
    });
    const client = await QmpClient.open(peer, LIMITS);
    expect(client.version).toBe('7.2.22');
    const events: string[] = [];
    client.onEvent(({ event }) => events.push(event));
    expect(await Promise.all([client.execute('a'), client.execute('b')])).toEqual(['first', 'second']);
    expect(events).toEqual(['STOP']);
  });

  it('that refuses is an error with its class, and the next question is answered', async () => {
    const client = await QmpClient.open(
      qmp(({ execute, id }, self) =>
        self.say(
          execute === 'bad'
            ? `{"id":${id},"error":{"class":"CommandNotFound","desc":"The command bad has not been found"}}\r\n`
            : `{"id":${id},"return":1}\r\n`,
        ),
      ),
      LIMITS,
    );
    const error = (await client.execute('bad').catch((e: Error) => e)) as QmpError;
    expect(error).toBeInstanceOf(QmpError);
    expect([error.kind, error.message]).toEqual(['CommandNotFound', 'The command bad has not been found']);
    expect(await client.execute('good')).toBe(1);
  });

  it('that does not greet is in use by another client or hangs', async () => {
    await expect(QmpClient.open(new Peer(() => {}), LIMITS)).rejects.toThrow(/no greeting: another client/);
  });

  it('that does not answer costs that question; a late answer finds nobody', async () => {
    let late: (() => void) | undefined;
    const client = await QmpClient.open(
      qmp(({ execute, id }, self) => {
        const answer = () => self.say(`{"return":"${execute}","id":${id}}\r\n`);
        if (execute === 'slow') late = answer;
        else answer();
      }),
      LIMITS,
    );
    await expect(client.execute('slow')).rejects.toThrow(/does not answer slow in 200 ms/);
    late!();
    expect(await client.execute('quick')).toBe('quick');
  });

  const nonsense: [string, string][] = [
    ['what is not JSON', 'hello\r\n'],
    ['JSON that is not an object', '[1,2]\r\n'],
    ['JSON that is not an object', '3\r\n'],
  ];
  it.each(nonsense)('that sends %s is left', async (why, text) => {
    const client = await QmpClient.open(
      qmp((_, self) => self.say(text)),
      LIMITS,
    );
    await expect(client.execute('x')).rejects.toThrow(`the monitor sends ${why}`);
    await expect(client.execute('x')).rejects.toThrow(/the monitor sends/);
  });

  it('that sends a line without an end is left at 16 MiB', async () => {
    const client = await QmpClient.open(
      qmp((_, self) => {
        for (let n = 0; n < 18; n++) self.say('x'.repeat(2 ** 20));
      }),
      { answerMs: 5000 },
    );
    await expect(client.execute('x')).rejects.toThrow(/a line of more than/);
  });

  it('that goes away in mid-word ends all questions with the reason', async () => {
    const client = await QmpClient.open(
      qmp((_, self) => {
        self.say('{"retu');
        self.push(null);
      }),
      LIMITS,
    );
    await expect(client.execute('x')).rejects.toThrow(/QEMU has closed its monitor/);
    expect(await client.closed).toMatch(/closed/);
  });
});

describe('a GDB stub', () => {
  const client = (answer: (payload: string, feed: (bytes: Uint8Array) => void, sent: string) => void) => {
    const made: { rsp?: RspClient } = {};
    const rsp = new RspClient(
      {
        write: (bytes) => {
          const text = Buffer.from(bytes).toString('latin1');
          const payload = /^\$(.*)#..$/s.exec(text)?.[1];
          // Acknowledgements are no questions.
          if (payload !== undefined || text === '\x03')
            queueMicrotask(() => answer(payload ?? '', (reply) => made.rsp!.feed(reply), text));
        },
        close: () => {},
      },
      150,
    );
    made.rsp = rsp;
    return rsp;
  };

  it('is asked one thing at a time; a stop in between is no answer', async () => {
    const rsp = client((payload, feed) => {
      if (payload === 'a') {
        feed(encodePacket('T02thread:p01.01;'));
        feed(encodePacket('OK'));
      } else if (payload === 'b') feed(Buffer.from('$0* #7a'));
    });
    const stops: string[] = [];
    rsp.onStop = (reply) => stops.push(reply);
    expect(await Promise.all([rsp.ask('a'), rsp.ask('b')])).toEqual(['OK', '0000']);
    expect(stops).toEqual(['T02thread:p01.01;']);
  });

  it('of a running guest is told nothing, since any packet would stop it', async () => {
    const sent: string[] = [];
    const rsp = client((_payload, _feed, text) => sent.push(text));
    rsp.run('vCont;c');
    await expect(rsp.ask('m0,8')).rejects.toThrow(/the guest is running/);
    rsp.interrupt();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(sent).toEqual(['$vCont;c#a8', '\x03']);
  });

  it('that refuses, is silent, or says no to every packet', async () => {
    const refusing = client((payload, feed) => feed(encodePacket(payload === 'Z1,0,1' ? 'E22' : '')));
    await expect(refusing.must('Z1,0,1')).rejects.toBeInstanceOf(RspError);
    await expect(refusing.must('Z1,0,1')).rejects.toThrow(/refuses Z1,0,1 \(E22\)/);
    await expect(refusing.must('vNothing')).rejects.toThrow(/does not know vNothing/);
    const silent = client(() => {});
    await expect(silent.ask('g')).rejects.toThrow(/does not answer in 150 ms/);
    const naking = client((payload, feed) => payload && feed(Buffer.from('-')));
    await expect(naking.ask('g')).rejects.toThrow(/refuses every packet/);
  });

  it('has its registers counted without those in comments', () => {
    const xml =
      '<reg name="rax" bitsize="64"/><!-- <reg name="cs_base" bitsize="64"/> --><reg name="cr0" bitsize="32" regnum="40"/>';
    expect(parseFeatures(xml)).toEqual([
      { name: 'rax', number: 0, bits: 64, offset: 0 },
      { name: 'cr0', number: 40, bits: 32, offset: 8 },
    ]);
  });

  it('that throws random bytes at its client ends or is ignored: 2,000 sessions of ten', async () => {
    let seed = 99;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return (seed >> 8) % below;
    };
    const words = [
      '$',
      '#',
      '+',
      '-',
      'OK',
      'T05',
      'thread:',
      'p01.01;',
      'E',
      'm',
      'l',
      '*',
      '}',
      '\x03',
      'W00',
      '#00',
      'watch:',
      'ff',
    ];
    for (let n = 0; n < 2000; n++) {
      const rsp = new RspClient({ write: () => {}, close: () => {} }, 1000);
      const asked = rsp.ask('?').catch(() => '');
      if (n % 3 === 0) rsp.run('c');
      for (let k = 0; k < 10; k++) {
        const text = random(3) ? words[random(words.length)]! : String.fromCharCode(random(256));
        rsp.feed(random(4) ? Buffer.from(text, 'latin1') : encodePacket(text));
      }
      rsp.close();
      await asked;
    }
  });

  it('sends what a monitor command prints before its OK, as console output or as the answer', async () => {
    const rsp = new RspClient({ write: () => {}, close: () => {} }, 1000);
    const hex = (text: string) => Buffer.from(text).toString('hex');
    const first = rsp.monitor('info registers');
    for (const packet of [`O${hex('RAX=1\n')}`, `O${hex('RIP=2\n')}`, 'OK']) rsp.feed(encodePacket(packet));
    expect(await first).toBe('RAX=1\nRIP=2\n');
    const second = rsp.monitor('help');
    rsp.feed(encodePacket(hex('all of it')));
    expect(await second).toBe('all of it');
    // What the program prints meanwhile is no answer to anything else.
    const other = rsp.ask('g');
    rsp.feed(encodePacket(`O${hex('noise')}`));
    rsp.feed(encodePacket('0011'));
    expect(await other).toBe('0011');
    const third = rsp.monitor('x');
    rsp.feed(encodePacket('OK'));
    expect(await third).toBe('');
  });

  it('that vanishes while a stop is waited for', async () => {
    const peer = new Peer((text, self) => {
      const payload = /\$(.*)#../s.exec(text)?.[1];
      const replies: Record<string, string> = {
        ...{ '?': 'T05thread:01;', qfThreadInfo: 'm1', qsThreadInfo: 'l', 'vCont?': 'vCont;c;C;s;S' },
      };
      if (payload === undefined) return;
      if (payload.startsWith('vCont;')) self.push(null);
      else self.say(encodePacket(replies[payload] ?? ''));
    });
    const stub = await StubControl.open(peer);
    await expect(stub.step(0)).rejects.toThrow(/closed|not stop/);
  });
});

describe("QEMU's own words", () => {
  it('are read, and any damage to them is an error or fewer values, never a hang', () => {
    const registers = `CPU#0\nRAX=00000000000000ff RBX=0000000000000001 RCX=00000000444d4163 RDX=0000000069746e65
RIP=0000000000009041 RFL=00000046 [---Z-P-] CPL=0 II=1 A20=1 SMM=0 HLT=1
ES =0020 0000000000000000 ffffffff 00c09300 DPL=0 DS   [-WA]
CS =0018 0000000000000000 ffffffff 00a09b00 DPL=0 CS64 [-RA]
LDT=0000 0000000000000000 0000ffff 00008200 DPL=0 LDT
FS =0000 0000000000000000 00000000 00000000
GDT=     00000000000f0160 00000027
CR0=e0000011 CR2=0000000000000000 CR3=0000000000001000 CR4=000000a0
DR6=00000000ffff0ff0 DR7=0000000000000400
EFER=0000000000000500
FCW=037f FSW=0800 [ST=1] FTW=00 MXCSR=00001f80
FPR0=0000000000000000 0000 FPR1=8000000000000000 3fff
XMM00=0000000000000001 0000000000000002 XMM01=0000000000000000 0000000000000003`;
    const file = parseRegisters(registers);
    expect(file).toMatchObject({
      ...{ rax: 0xffn, rip: 0x9041n, rflags: 0x46n, cs: 0x18n, cs_ar: 0xa09bn, es_limit: 0xffffffffn, fs_ar: 0x10000n },
      ...{ gdtr_base: 0xf0160n, gdtr_limit: 0x27n, cr0: 0xe0000011n, efer: 0x500n, activity: 1n, interruptibility: 1n },
      ...{ st0: (0x3fffn << 64n) | (1n << 63n), xmm0: (1n << 64n) | 2n, xmm1: 3n, mxcsr: 0x1f80n },
    });
    const view = `FlatView #0\n AS "memory", root: system\n  0000000000000000-000000000009ffff (prio 0, ram): pc.ram KVM
  00000000000f0000-00000000000fffff (prio 0, rom): pc.bios
  00000000fed00000-00000000fed003ff (prio 0, i/o): hpet\n\nFlatView #1\n AS "I/O"\n  0000000000000000-0000000000000007 (prio 0, ram): x`;
    expect(parseFlatView(view)).toEqual([
      { start: 0n, end: 0xa0000n, kind: 'ram', name: 'pc.ram' },
      { start: 0xf0000n, end: 0x100000n, kind: 'rom', name: 'pc.bios' },
    ]);
    expect(parseHostAddress('Host virtual address for 0x9000 (pc.ram) is 0x7f67c6e09000\n')).toBe(0x7f67c6e09000n);
    expect(parseHostAddress('No memory is mapped at address 0xb0000')).toBeUndefined();
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return (seed >> 8) % below;
    };
    for (let n = 0; n < 5000; n++) {
      for (const [text, parse] of [
        [registers, parseRegisters],
        [view, parseFlatView],
      ] as const) {
        const bytes = Buffer.from(text);
        for (let k = 0; k < 5; k++) bytes[random(bytes.length)] = random(256);
        try {
          parse(bytes.toString('latin1'));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }
    }
  });

  it('on its command line say who the guest is and where its monitor listens', () => {
    const facts = (line: string) => qemuFacts(['qemu-system-x86_64', ...line.split(' ')], 7);
    expect(
      facts('-name guest=web,debug-threads=on -uuid 1-2 -m size=2G,slots=4 -smp 4,sockets=1 -accel kvm'),
    ).toMatchObject({ name: 'web', uuid: '1-2', memoryBytes: 2 ** 31, vcpus: 4, accelerator: 'kvm' });
    expect(facts('-nodefaults -S -qmp unix:/a,,b,server=on,wait=off disk.img')).toMatchObject({
      qmp: '/a,b',
      image: 'disk.img',
    });
    expect(facts('-chardev socket,id=m,path=/run/x -mon chardev=m,mode=control')).toMatchObject({ qmp: '/run/x' });
    expect(facts('-chardev socket,id=m,fd=3 -mon chardev=m,mode=control').qmp).toBeUndefined();
    expect(facts('-enable-kvm -kernel vmlinuz -serial file:/log')).toMatchObject({
      accelerator: 'kvm',
      image: 'vmlinuz',
      serialFile: '/log',
    });
  });
});
