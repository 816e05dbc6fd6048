/** The NVMe controller as drivers use it; identities and registers beside QEMU's. */
import { describe, expect, it, test } from 'vitest';
import { NvmeController } from '../../src/engine/devices/nvme/controller.js';
import { named, requireTool } from '../tools.js';
import { TestDisk } from './ide-rig.js';
import { CardRig, random } from './pci/card-rig.js';
import { type Access, onQemu } from './pci/qemu-card.js';

const [CAP, VS, INTMS, INTMC, CC, CSTS, AQA, ASQ, ACQ] = [0, 8, 0xc, 0x10, 0x14, 0x1c, 0x24, 0x28, 0x30];
const PLACES = [0x10000, 0x20000, 0x30000, 0x40000];
const [ASQ_AT, ACQ_AT, SQ_AT, CQ_AT] = PLACES;
const ENTRIES = 16;
const [LIST, BUFFERS] = [0x50000, 0x100000];
const [IDENTIFY, CREATE_CQ, CREATE_SQ] = [6, 5, 1];
const [FLUSH, WRITE, READ, ZEROES, DSM] = [0, 1, 2, 8, 9];
const DNR = 0x4000;

interface Command {
  opcode: number;
  nsid?: number;
  prp?: readonly [number, number?];
  words?: readonly number[];
}

class Nvme {
  readonly rig: CardRig;
  private readonly tails = [0, 0];
  private readonly heads = [0, 0];
  private readonly phases = [1, 1];
  private nextId = 1;

  constructor(store: TestDisk) {
    this.rig = new CardRig((slot) => new NvmeController(slot, { name: 'disk0', serial: 'SERIAL0', store }));
  }

  read(offset: number): number {
    return this.rig.read(offset);
  }

  write(offset: number, value: number): void {
    this.rig.write(offset, value);
  }

  enable(): void {
    this.write(AQA, ((ENTRIES - 1) << 16) | (ENTRIES - 1));
    this.write(ASQ, ASQ_AT);
    this.write(ASQ + 4, 0);
    this.write(ACQ, ACQ_AT);
    this.write(ACQ + 4, 0);
    this.write(CC, 0x00460001);
    this.tails.fill(0);
    this.heads.fill(0);
    this.phases.fill(1);
    for (const at of [ACQ_AT, CQ_AT]) this.rig.ram.fill(0, at, at + 16 * ENTRIES);
  }

  put(queue: number, { opcode, nsid = 1, prp = [0], words = [] }: Command): number {
    const at = (queue === 0 ? ASQ_AT : SQ_AT) + 64 * this.tails[queue];
    const { view, ram } = this.rig;
    ram.fill(0, at, at + 64);
    const id = this.nextId++ & 0xffff;
    view.setUint32(at, opcode | (id << 16), true);
    view.setUint32(at + 4, nsid, true);
    this.rig.u64(at + 24, prp[0]);
    this.rig.u64(at + 32, prp[1] ?? 0);
    for (const [i, word] of words.entries()) view.setUint32(at + 40 + 4 * i, word >>> 0, true);
    this.tails[queue] = (this.tails[queue] + 1) % ENTRIES;
    return id;
  }

  ring(queue: number): void {
    this.write(0x1000 + 8 * queue, this.tails[queue]);
  }

  /** Completions by the phase tag. */
  reap(queue: number): { id: number; status: number; result: number }[] {
    const found: { id: number; status: number; result: number }[] = [];
    const { view } = this.rig;
    for (;;) {
      const at = (queue === 0 ? ACQ_AT : CQ_AT) + 16 * this.heads[queue];
      const status = view.getUint16(at + 14, true);
      if ((status & 1) !== this.phases[queue]) break;
      found.push({ id: view.getUint16(at + 12, true), status: status >> 1, result: view.getUint32(at, true) });
      this.heads[queue] = (this.heads[queue] + 1) % ENTRIES;
      if (this.heads[queue] === 0) this.phases[queue] ^= 1;
    }
    if (found.length > 0) this.write(0x1004 + 8 * queue, this.heads[queue]);
    return found;
  }

  /** Status and result of one command. */
  run(queue: number, command: Command): [status: number, result: number] {
    const id = this.put(queue, command);
    this.ring(queue);
    const [done] = this.reap(queue);
    expect(done.id).toBe(id);
    return [done.status, done.result];
  }

  start(vector = 1): void {
    this.enable();
    expect(
      this.run(0, { opcode: CREATE_CQ, prp: [CQ_AT], words: [((ENTRIES - 1) << 16) | 1, (vector << 16) | 3] })[0],
    ).toBe(0);
    expect(this.run(0, { opcode: CREATE_SQ, prp: [SQ_AT], words: [((ENTRIES - 1) << 16) | 1, 0x10001] })[0]).toBe(0);
  }
}

describe('NVMe', () => {
  it('becomes ready, tells what it is, and makes queues', () => {
    const nvme = new Nvme(new TestDisk(1000));
    expect([nvme.rig.config(8) >>> 8, nvme.read(VS), nvme.read(CSTS)]).toEqual([0x010802, 0x10400, 0]);
    nvme.enable();
    expect(nvme.read(CSTS)).toBe(1);
    const { view, ram } = nvme.rig;
    expect(nvme.run(0, { opcode: IDENTIFY, nsid: 0, prp: [BUFFERS], words: [1] })).toEqual([0, 0]);
    expect(Buffer.from(ram.subarray(BUFFERS + 4, BUFFERS + 24)).toString()).toBe('SERIAL0'.padEnd(20));
    expect(view.getUint32(BUFFERS + 516, true)).toBe(1);
    // by two pages: 4 KiB from the middle of one on
    expect(nvme.run(0, { opcode: IDENTIFY, prp: [BUFFERS + 0x800, BUFFERS + 0x3000], words: [0] })).toEqual([0, 0]);
    expect([view.getUint32(BUFFERS + 0x800, true), ram[BUFFERS + 0x882]]).toEqual([1000, 9]);
    expect(nvme.run(0, { opcode: IDENTIFY, nsid: 0, prp: [BUFFERS], words: [2] })[0]).toBe(0);
    expect(view.getUint32(BUFFERS, true)).toBe(1);
    expect(nvme.run(0, { opcode: 9, nsid: 0, words: [7, 0x30003] })).toEqual([0, 0xf000f]);
    expect(nvme.run(0, { opcode: 2, nsid: 0xffffffff, prp: [BUFFERS], words: [2 | (127 << 16)] })[0]).toBe(0);
    expect(view.getUint16(BUFFERS + 1, true)).toBe(303);
    expect(nvme.run(0, { opcode: 0x77 })[0]).toBe(DNR | 1);
    expect(nvme.run(0, { opcode: CREATE_SQ, prp: [SQ_AT], words: [0xf0001, 0x10001] })[0]).toBe(DNR | 0x100);
    expect(nvme.run(0, { opcode: CREATE_CQ, prp: [CQ_AT], words: [0xf0001, 0x630003] })[0]).toBe(DNR | 0x108);
    nvme.write(CC, 0x00464001);
    expect(nvme.read(CSTS) & 0xc).toBe(8);
    nvme.write(CC, 0);
    expect(nvme.read(CSTS)).toBe(0);
  });

  it('reads and writes by pages and by lists of pages', () => {
    const store = new TestDisk(1000);
    const nvme = new Nvme(store);
    nvme.start();
    const { ram } = nvme.rig;
    expect(nvme.run(1, { opcode: READ, prp: [BUFFERS + 512], words: [5, 0, 0] })[0]).toBe(0);
    expect(ram.slice(BUFFERS + 512, BUFFERS + 1024)).toEqual(store.sector(5).slice());
    // 100 blocks: pages in reverse order, the list across two pages
    const pages = Math.ceil((100 * 512) / 4096);
    const list = LIST + 4096 - 8 * 5;
    const next = LIST + 0x2000;
    for (let i = 1; i < pages; i++) {
      const page = BUFFERS + 4096 * (pages - i);
      if (i <= 4) nvme.rig.u64(list + 8 * (i - 1), page);
      else nvme.rig.u64(next + 8 * (i - 5), page);
    }
    nvme.rig.u64(LIST + 4096 - 8, next);
    ram.fill(0, BUFFERS, BUFFERS + 4096 * pages);
    const all = { prp: [BUFFERS + 4096 * pages, list] as const, words: [200, 0, 99] };
    expect(nvme.run(1, { opcode: READ, ...all })[0]).toBe(0);
    const gathered = [
      BUFFERS + 4096 * pages,
      ...Array.from({ length: pages - 1 }, (_, i) => BUFFERS + 4096 * (pages - 1 - i)),
    ];
    const data = Buffer.concat(gathered.map((page) => ram.slice(page, page + 4096))).subarray(0, 51200);
    expect(data).toEqual(Buffer.from(store.sector(200, 100)));
    expect(nvme.run(1, { opcode: WRITE, ...all, words: [600, 0, 99] })[0]).toBe(0);
    expect(store.sector(600, 100)).toEqual(store.sector(200, 100));
    expect(nvme.run(1, { opcode: ZEROES, words: [600, 0, 9] })[0]).toBe(0);
    expect(store.sector(600, 10).some((byte) => byte !== 0)).toBe(false);
    nvme.rig.view.setUint32(BUFFERS + 4, 5, true);
    nvme.rig.u64(BUFFERS + 8, 610);
    expect(nvme.run(1, { opcode: DSM, prp: [BUFFERS], words: [0, 4] })[0]).toBe(0);
    expect(store.sector(610, 5).some((byte) => byte !== 0)).toBe(false);
    expect([nvme.run(1, { opcode: FLUSH })[0], store.flushes]).toEqual([0, 1]);
  });

  it('refuses what makes no sense by the status that names it', () => {
    const store = new TestDisk(100);
    const nvme = new Nvme(store);
    nvme.start();
    const status = (command: Command) => nvme.run(1, command)[0] & ~DNR;
    expect(status({ opcode: READ, prp: [BUFFERS], words: [100, 0, 0] })).toBe(0x80);
    expect(status({ opcode: READ, prp: [BUFFERS], words: [0xffffffff, 0xffffffff, 0] })).toBe(0x80);
    expect(status({ opcode: READ, nsid: 2, prp: [BUFFERS], words: [0, 0, 0] })).toBe(0x0b);
    expect(status({ opcode: READ, prp: [0x7fff0000], words: [0, 0, 0] })).toBe(4);
    expect(status({ opcode: READ, prp: [BUFFERS + 1], words: [0, 0, 0] })).toBe(0x13);
    expect(status({ opcode: READ, prp: [BUFFERS, BUFFERS + 4], words: [0, 0, 15] })).toBe(0x13);
    expect(status({ opcode: 0x55 })).toBe(1);
    store.broken = true;
    expect(status({ opcode: READ, prp: [BUFFERS], words: [0, 0, 0] })).toBe(0x281);
    expect(nvme.rig.card.describe().find(([name]) => name === 'requests')?.[1]).toBe('0 reads 0 writes 8 errors');
  });

  it('holds back what the completion queue has no room for, and interrupts until it is taken', () => {
    const nvme = new Nvme(new TestDisk(100));
    nvme.start(0);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < ENTRIES - 1; i++) nvme.put(1, { opcode: FLUSH });
      nvme.ring(1);
      expect(nvme.rig.interrupt).toBe(true);
      nvme.write(INTMS, 1);
      expect(nvme.rig.interrupt).toBe(false);
      nvme.write(INTMC, 1);
      for (let i = 0; i < 3; i++) nvme.put(1, { opcode: FLUSH });
      nvme.ring(1);
      expect(nvme.reap(1).length).toBe(ENTRIES - 1);
      expect(nvme.reap(1).length).toBe(3);
      expect(nvme.rig.interrupt).toBe(false);
    }
  });

  it('goes on the same after save and load', () => {
    const [one, two] = [0, 1].map(() => new Nvme(new TestDisk(100)));
    one.start();
    one.run(1, { opcode: READ, prp: [BUFFERS], words: [3, 0, 0] });
    two.start();
    two.run(1, { opcode: READ, prp: [BUFFERS], words: [3, 0, 0] });
    two.rig.card.reset();
    two.rig.card.load(structuredClone(one.rig.card.save()));
    for (const nvme of [one, two]) expect(nvme.run(1, { opcode: READ, prp: [BUFFERS], words: [4, 0, 1] })[0]).toBe(0);
    expect(two.rig.ram.slice(BUFFERS, BUFFERS + 1024)).toEqual(one.rig.ram.slice(BUFFERS, BUFFERS + 1024));
    expect(structuredClone(two.rig.card.save())).toEqual(structuredClone(one.rig.card.save()));
  });

  it('never throws and always comes back, whatever a driver does', () => {
    const next = random(0x4e564d65);
    let good = 0;
    let bad = 0;
    for (let run = 0; run < 20; run++) {
      const nvme = new Nvme(new TestDisk(256));
      nvme.start(next(17));
      for (let step = 0; step < 40; step++) {
        const wild = next(4) === 0;
        const gpa = () => (wild ? next(0xffffffff) * 2 ** next(32) : BUFFERS + 512 * next(4096));
        const queue = next(4) === 0 ? 0 : 1;
        const opcode = next(6) === 0 ? next(256) : queue === 0 ? next(13) : [FLUSH, WRITE, READ, ZEROES, DSM][next(5)];
        const words = Array.from({ length: 6 }, () => (wild ? next(0xffffffff) : next(2) ? 0 : next(300)));
        for (let i = 0; i < 64; i++)
          nvme.rig.u64(LIST + 8 * i, next(10) === 0 ? next(0xffffffff) * 2 ** next(32) : 4096 * next(1024));
        nvme.put(queue, {
          opcode,
          nsid: next(8) === 0 ? next(0xffffffff) : 1,
          prp: [gpa(), next(2) ? LIST : gpa()],
          words,
        });
        if (next(8) === 0) nvme.write(4 * next(16), next(0xffffffff));
        if (next(12) === 0) nvme.rig.write(next(0x4000), next(0xffffffff), { bytes: 1 << next(3) });
        if (next(12) === 0) nvme.write(0x1000 + 4 * next(40), next(0x10000));
        nvme.ring(queue);
        for (const { status } of nvme.reap(queue)) {
          if (status === 0) good++;
          else bad++;
        }
        if (next(10) === 0 || (nvme.read(CSTS) & 1) === 0) {
          nvme.write(CC, 0);
          nvme.enable();
          nvme.run(0, { opcode: CREATE_CQ, prp: [CQ_AT], words: [((ENTRIES - 1) << 16) | 1, 3] });
          nvme.run(0, { opcode: CREATE_SQ, prp: [SQ_AT], words: [((ENTRIES - 1) << 16) | 1, 0x10001] });
        }
        nvme.rig.pc.clock.advance(next(5_000_000));
      }
      structuredClone(nvme.rig.card.save());
    }
    expect(good).toBeGreaterThan(50);
    expect(bad).toBeGreaterThan(50);
  });
});

describe("beside QEMU's nvme", () => {
  const qemu = requireTool('qemu-system-x86_64');
  test.skipIf(!qemu.available)(
    named('keeps the same of what is written to its registers', qemu),
    { timeout: 60_000 },
    async () => {
      const accesses: Access[] = [
        ['config', 0],
        ['read', VS],
        ['read', CC],
        ['read', CSTS],
        ['read', INTMS],
      ];
      accesses.push(
        ['write', AQA, 0x001f003f],
        ['read', AQA],
        ['write', ASQ, 0x10000],
        ['read', ASQ],
        ['write', ACQ, 0x20000],
      );
      accesses.push(['read', ACQ], ['write', INTMS, 5], ['read', INTMS], ['write', INTMC, 1], ['read', INTMS]);
      accesses.push(['write', CC, 0x00460001], ['read', CC], ['read', CSTS]);
      // an identity that is asked for by the admin queue, and its completion
      for (const [i, word] of [0x00070006, 0, 0, 0, 0, 0, 0x30000, 0, 0, 0, 1].entries())
        accesses.push(['poke', 0x10000 + 4 * i, word]);
      accesses.push(['write', 0x1000, 1]);
      const nvme = new Nvme(new TestDisk(2048));
      const ours = accesses.map(([what, where, value]) => {
        if (what === 'read') return nvme.read(where);
        if (what === 'config') return nvme.rig.config(where);
        if (what === 'poke') nvme.rig.view.setUint32(where, value ?? 0, true);
        else nvme.write(where, value ?? 0);
        return 0;
      });
      expect([
        nvme.read(CAP) & 0xffff,
        nvme.rig.view.getUint32(0x20008, true),
        nvme.rig.view.getUint32(0x2000c, true),
      ]).toEqual([2047, 1, 0x10007]);
      const theirs = await onQemu(qemu.path, 'nvme,serial=SERIAL0,drive=d', 0, accesses, [
        '-blockdev',
        'null-co,node-name=d,size=1048576',
      ]);
      const told = (values: readonly number[]) =>
        accesses.map((access, i) => `${access.join(' ')}: ${values[i].toString(16)}`);
      expect(told(ours)).toEqual(told(theirs));
    },
  );
});
