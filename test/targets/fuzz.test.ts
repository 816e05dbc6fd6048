/**
 * What a hostile peer may send, by chance: libvirt's RPC, QMP as client and as server, the stub's side of the remote
 * protocol, trace pages and perf records. Every question ends, nothing throws out of a client, nothing runs on.
 * `npm run fuzz -- peers [--cases N] [--seed N]` runs 100,000 of each.
 */
import { readFileSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Debugger } from '../../src/engine/debugger.js';
import { serveQmp } from '../../src/qmp/session.js';
import { RspClient } from '../../src/rsp/client.js';
import { encodePacket } from '../../src/rsp/packet.js';
import { parseEventFormat } from '../../src/targets/kvm-host/event-format.js';
import { ExitEvents } from '../../src/targets/kvm-host/events.js';
import { ExitTimes } from '../../src/targets/kvm-host/exit-times.js';
import { readPerfRecords } from '../../src/targets/kvm-host/perf-records.js';
import { PAGE_HEADER, readPage } from '../../src/targets/kvm-host/ring-page.js';
import { LibvirtConnection } from '../../src/targets/libvirt/connection.js';
import { domainCounters } from '../../src/targets/libvirt/domain-stats.js';
import { PROCEDURE, REMOTE_PROGRAM, readDomainStats } from '../../src/targets/libvirt/protocol.js';
import { XdrWriter } from '../../src/targets/libvirt/xdr.js';
import { QmpClient } from '../../src/targets/qemu/qmp.js';
import {
  accessRecord,
  entryRecord,
  exitRecord,
  KERNELS,
  MMIO,
  PIO,
  perfLost,
  perfSample,
  ringPage,
} from './kvm-host/formats.js';

const TOTAL = Number(process.env.VMSCOPE_PEERS_TOTAL ?? 1000);
const SEED = Number(process.env.VMSCOPE_PEERS_SEED ?? 1);
/** In the long run all of one kind take minutes. */
const LIMIT_MS = 60_000 + TOTAL * 20;

/** The same numbers for a seed. @see Marsaglia, "Xorshift RNGs" */
class Chance {
  #state: number;
  constructor(seed: number) {
    this.#state = seed * 2654435761 || 1;
  }
  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }
  /** Bytes with some changed, cut, doubled or put in. */
  damaged(bytes: Uint8Array): Buffer {
    let all = Buffer.from(bytes);
    for (let n = this.below(6); n > 0 && all.length > 0; n--) {
      const at = this.below(all.length);
      const kind = this.below(8);
      if (kind < 4) all[at] = this.below(256);
      else if (kind === 4) all = all.subarray(0, at);
      else if (kind === 5) all = Buffer.concat([all.subarray(0, at), all.subarray(this.below(all.length))]);
      else if (kind === 6)
        all = Buffer.concat([all.subarray(0, at), Buffer.alloc(this.below(40), 0xff), all.subarray(at)]);
      else all.fill(this.below(2) * 255, at, Math.min(all.length, at + 4));
    }
    return all;
  }
}

/** The other end of a connection, which hears and says nothing by itself. */
class Wire extends Duplex {
  override _read(): void {}
  override _write(_bytes: Buffer, _encoding: string, done: () => void): void {
    done();
  }
  /** In pieces, cut anywhere. */
  say(bytes: Uint8Array, chance: Chance): void {
    for (let at = 0; at < bytes.length; ) {
      const count = chance.below(3) ? bytes.length - at : 1 + chance.below(40);
      if (!this.destroyed) this.push(Buffer.from(bytes.subarray(at, at + count)));
      at += count;
    }
  }
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function rpcPacket(procedure: number, serial: number, status: number, body: Buffer): Buffer {
  const header = new XdrWriter()
    .uint(28 + body.length)
    .uint(REMOTE_PROGRAM)
    .uint(1)
    .int(procedure)
    .int(1)
    .uint(serial);
  return Buffer.concat([header.int(status).bytes(), body]);
}

describe(`${TOTAL} hostile answers`, () => {
  it(
    "of libvirt's RPC",
    async () => {
      const chance = new Chance(SEED);
      const hex = readFileSync(fileURLToPath(new URL('./libvirt/stats-reply.hex', import.meta.url)), 'latin1');
      const stats = Buffer.from(hex.replace(/\s/g, ''), 'hex');
      const error = new XdrWriter()
        .int(38)
        .int(7)
        .optional('no way', (w, text) => w.string(text))
        .int(2)
        .bytes();
      let [answered, refused] = [0, 0];
      for (let n = 0; n < TOTAL; n++) {
        const wire = new Wire();
        const connection = new LibvirtConnection(wire);
        const call = connection.begin(PROCEDURE.getAllDomainStats, undefined, 60_000);
        const packets = [
          rpcPacket(PROCEDURE.getAllDomainStats, 1, 0, n % 2 ? chance.damaged(stats) : stats),
          rpcPacket(PROCEDURE.getAllDomainStats, 1, 1, chance.damaged(error)),
        ];
        wire.say(chance.damaged(packets[chance.below(2)]!), chance);
        const settled = call.answer.then(
          (reader) => {
            answered++;
            try {
              for (const { parameters } of readDomainStats(reader)) domainCounters(parameters);
            } catch (cause) {
              expect((cause as Error).constructor.name).toBe('XdrError');
            }
          },
          () => refused++,
        );
        await turn();
        await turn();
        connection.close();
        await settled;
        await call.ended;
      }
      expect(answered).toBeGreaterThan(TOTAL / 20);
      expect(refused).toBeGreaterThan(TOTAL / 20);
    },
    LIMIT_MS,
  );

  it(
    'of QMP to its client',
    async () => {
      const chance = new Chance(SEED + 1);
      const greeting =
        '{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":22},"package":""},"capabilities":[]}}\r\n';
      const answers =
        '{"return":{},"id":1}\r\n{"event":"STOP","data":{"a":[1,{"b":null}]},"timestamp":{"seconds":1}}\r\n' +
        '{"return":[{"name":"x","value":1e308}],"id":2}\r\n{"error":{"class":"GenericError","desc":"no"},"id":3}\r\n';
      let answered = 0;
      for (let n = 0; n < TOTAL; n++) {
        const wire = new Wire();
        const client = await QmpClient.open(wire, { answerMs: 60_000, hasty: true });
        client.onEvent(({ event, data }) => expect([typeof event, typeof data]).toEqual(['string', 'object']));
        const asked = ['a', 'b'].map((name) =>
          client.execute(name).then(
            () => answered++,
            () => 0,
          ),
        );
        wire.say(chance.damaged(Buffer.from(greeting + answers)), chance);
        await turn();
        await turn();
        client.close();
        await Promise.all(asked);
      }
      expect(answered).toBeGreaterThan(TOTAL / 20);
    },
    LIMIT_MS,
  );

  it(
    'of a QMP client to a guest',
    async () => {
      const chance = new Chance(SEED + 2);
      const target = {
        info: async () => ({ name: 'g', engine: 'vtx', image: '', vcpus: 1, memoryBytes: 1 << 20, unavailable: {} }),
        state: async () => ({ running: true, vcpu: 0, icount: 0n, clock: 0n }),
        onEvent: () => () => {},
        devices: async () => [],
        monitor: async (line: string) => (line === 'help' ? 'x' : undefined),
        readMemory: async () => new Uint8Array(0),
      } as unknown as Debugger;
      const words =
        '{"execute":"qmp_capabilities","id":{"a":1}}{"execute":"query-status","id":[1]}\n{"execute":"query-block"}' +
        '{"execute":"human-monitor-command","arguments":{"command-line":"help"},"id":"x"}{"execute":"query-commands"}';
      let replies = 0;
      for (let n = 0; n < TOTAL; n++) {
        const wire = new Wire();
        wire._write = (bytes: Buffer, _encoding, done) => {
          for (const line of bytes.toString('utf8').split('\r\n').filter(Boolean)) {
            expect(typeof JSON.parse(line)).toBe('object');
            replies++;
          }
          done();
        };
        serveQmp(target, wire);
        wire.say(chance.damaged(Buffer.from(words)), chance);
        await turn();
        await turn();
        wire.destroy();
      }
      expect(replies).toBeGreaterThan(TOTAL * 2);
    },
    LIMIT_MS,
  );

  it(
    'of a stub to its client',
    async () => {
      const chance = new Chance(SEED + 3);
      const replies = [
        'OK',
        'T05thread:p01.01;',
        'E22',
        '',
        '0*"1234',
        'm0',
        'l',
        'S05',
        'W00',
        'O4142',
        'PacketSize=1000',
      ];
      let [answered, stops] = [0, 0];
      for (let n = 0; n < TOTAL; n++) {
        const client = new RspClient({ write: () => {}, close: () => {} }, 60_000);
        client.onStop = () => stops++;
        const asked = ['?', 'g', 'qXfer:features:read:target.xml:0,ffb', 'm0,10'].map((packet) =>
          client.ask(packet).then(
            () => answered++,
            () => 0,
          ),
        );
        const transfer = client.transfer('features', 'target.xml', 4096).catch(() => '');
        if (n % 3 === 0) client.run('vCont;c');
        const packets = Array.from({ length: 8 }, () => encodePacket(replies[chance.below(replies.length)]!));
        const bytes = chance.damaged(Buffer.concat(packets.flatMap((packet) => [Buffer.from('+'), packet])));
        for (let at = 0; at < bytes.length; ) {
          const count = 1 + chance.below(30);
          client.feed(bytes.subarray(at, at + count));
          at += count;
        }
        client.interrupt();
        client.close();
        await Promise.all([...asked, transfer]);
      }
      expect(answered).toBeGreaterThan(TOTAL);
      expect(stops).toBeGreaterThan(TOTAL / 50);
    },
    LIMIT_MS,
  );

  it(
    'on pages and in records of the trace',
    () => {
      const chance = new Chance(SEED + 4);
      let seen = 0;
      const times = new ExitTimes();
      const made = KERNELS.map((kernel) => {
        const story = Array.from({ length: 20 }, (_, n) => ({
          ns: BigInt(n) * 1_000_003n,
          record: [
            () => exitRecord(kernel, 7, 0, n),
            () => accessRecord(n % 2 ? PIO : MMIO, 7, n % 4, n * 0x1001),
            () => entryRecord(kernel, 7, 0),
          ][n % 3]!(),
        }));
        return {
          events: ExitEvents.from([kernel.exit, kernel.entry, PIO, MMIO].map(parseEventFormat)),
          formats: [kernel.exit, kernel.entry, PIO, MMIO],
          page: ringPage(story, 'some'),
          records: Buffer.concat([...story.map((one) => perfSample(7, one)), perfLost(3)]),
        };
      });
      for (let n = 0; n < TOTAL; n++) {
        const { events, formats, page, records } = made[n % made.length]!;
        let found = 0;
        const take = (tid: number, ns: bigint, record: DataView, at: number, length: number) => {
          const event = events.decode(tid, ns, record, at, length);
          if (event) expect(typeof event.reason).toBe('string');
          if (event) times.take(event);
          found++;
        };
        const lost = readPage(chance.damaged(page), PAGE_HEADER, (ns, record, at, length) =>
          take(0, ns, record, at, length),
        );
        expect(lost >= 0 && Number.isSafeInteger(lost)).toBe(true);
        readPerfRecords(chance.damaged(records), { sample: take, lost: (count) => expect(count >= 0).toBe(true) });
        // Events have four bytes at least, and a page 4096.
        expect(found).toBeLessThan(3000);
        seen += found;
        if (n % 10) continue;
        try {
          parseEventFormat(chance.damaged(Buffer.from(formats[(n / 10) % 4]!)).toString('latin1'));
        } catch (error) {
          expect((error as Error).message).toMatch(/format of an event/);
        }
      }
      expect(seen).toBeGreaterThan(TOTAL);
      const rows = times.rows(0);
      expect(rows.length).toBeLessThanOrEqual(1024);
      for (const { timed, count, totalNs } of rows) expect(timed <= count && totalNs >= 0).toBe(true);
    },
    LIMIT_MS,
  );
});
