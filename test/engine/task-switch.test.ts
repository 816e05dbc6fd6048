import { describe, expect, it } from 'vitest';
import { CR2 } from '../../src/engine/core/layout.js';
import { type Code, EAX } from '../hostile/code.js';
import {
  DEVICE,
  descriptor,
  HOLE,
  SELECTOR,
  START,
  TABLES,
  type TableGuestOptions,
  tableGuest,
} from '../hostile/table-guest.js';
import { type FlatGuest, runToEnd } from './flat-guest.js';

const DF = 8;
const TS = 10;
const PF = 14;
/** What the other task of the image writes to the debug exit port. */
const TASK = 0x77;
const A = 0x20;
const D = 0x40;
const image = (address: number): number => address - START;
/** Page-table entry of a page, in the table at 103000h. */
const entryAt = (address: number): number => 0x3000 + (address >>> 12) * 4;

const jumpToTask = (code: Code): Code => code.emit(0xea).imm(0).imm(SELECTOR.task, 2);
const callTask = (code: Code): Code => code.emit(0x9a).imm(0).imm(SELECTOR.task, 2);
const page = (code: Code): Code =>
  code.mov(EAX, TABLES.pages).emit(0x0f, 0x22, 0xd8).mov(EAX, 0x80010011).emit(0x0f, 0x22, 0xc0);

/** 4-KByte pages that map the first 4 MBytes to themselves. */
function identity(view: DataView): void {
  view.setUint32(0x2000, START + 0x3003, true);
  for (let n = 0; n < 1024; n++) view.setUint32(0x3000 + 4 * n, n * 4096 + 3, true);
  view.setUint32(0x2000 + 4 * 0x3fc, 0xff000083, true);
}

/** The task's TSS moves to another page, with what the image has in it. */
const moveTask = (code: Code, to: number): Code => code.copy(to, TABLES.task, 0x68);
const taskAt = (view: DataView, base: number): void =>
  view.setBigUint64(image(TABLES.gdt) + SELECTOR.task, descriptor(base, 0x67, 0x89, 0), true);

const paged = (write: (code: Code) => void, change?: (view: DataView) => void): FlatGuest =>
  tableGuest(
    (code) => {
      moveTask(code, 0x300000);
      write(
        page(
          code
            .emit(0xc7, 0x05)
            .imm(0x300000 + 28)
            .imm(TABLES.pages)
            .emit(0x0f, 0x20, 0xe0, 0x83, 0xc8, 0x10, 0x0f, 0x22, 0xe0),
        ),
      );
    },
    {
      change: (view) => {
        identity(view);
        taskAt(view, 0x300000);
        change?.(view);
      },
    },
  );

const result = (guest: FlatGuest): number => {
  const end = runToEnd(guest, 100_000);
  return end?.kind === 'debug-exit' ? (end.status - 1) / 2 : -1;
};
const entry = (guest: FlatGuest, address: number): number =>
  new DataView(guest.vm.memory.read(START + entryAt(address), 4).slice().buffer).getUint32(0, true);

describe('pages of a task switch', () => {
  it('JMP to a task sets A in the page of its TSS, D in that of the old one', () => {
    const guest = paged(jumpToTask);
    expect(result(guest)).toBe(TASK);
    expect(entry(guest, 0x300000) & (A | D)).toBe(A);
    expect(entry(guest, TABLES.tss) & (A | D)).toBe(A | D);
  });

  it('CALL to a task writes its link, so D is set', () => {
    const guest = paged(callTask);
    expect(result(guest)).toBe(TASK);
    expect(entry(guest, 0x300000) & (A | D)).toBe(A | D);
  });

  it('a TSS that is not present is a page fault of the old task, which is as it was', () => {
    const guest = paged(jumpToTask, (view) => view.setUint32(entryAt(0x300000), 0x300002, true));
    expect(result(guest)).toBe(PF);
    expect(guest.vm.host.get64(guest.vm.vcpus[0].at(CR2)) >> 12n).toBe(0x300n);
    expect(guest.vm.vcpus[0].vmcs.get('GUEST_TR_SELECTOR')).toBe(BigInt(SELECTOR.tss));
  });

  it('an old TSS in a page without write permission is a page fault', () => {
    const guest = paged(jumpToTask, (view) => {
      view.setBigUint64(image(TABLES.gdt) + SELECTOR.tss, descriptor(0x310000, 0x67, 0x89, 0), true);
      view.setUint32(entryAt(0x310000), 0x310001, true);
    });
    expect(result(guest)).toBe(PF);
  });

  it('a page fault of a switch that was to deliver a page fault is a double fault', () => {
    const guest = paged(
      (code) => code.emit(0xa1).imm(0x320000),
      (view) => {
        view.setUint32(entryAt(0x300000), 0x300002, true);
        view.setUint32(entryAt(0x320000), 0, true);
        view.setUint16(image(TABLES.idt) + 8 * PF + 2, SELECTOR.task, true);
        view.setUint8(image(TABLES.idt) + 8 * PF + 5, 0x85);
      },
    );
    expect(result(guest)).toBe(DF);
  });

  it('CR3 of a task beyond RAM: a triple fault', () => {
    const guest = paged((code) =>
      jumpToTask(
        code
          .emit(0xc7, 0x05)
          .imm(0x300000 + 28)
          .imm(HOLE),
      ),
    );
    expect(runToEnd(guest, 100_000)).toMatchObject({ kind: 'triple-fault', status: 1 });
  });

  it('a TSS in device memory', () => {
    const guest = tableGuest((code) => jumpToTask(moveTask(code, DEVICE + 0x100)), {
      change: (view) => taskAt(view, DEVICE + 0x100),
    });
    expect(result(guest)).toBe(TASK);
  });
});

describe('a segment of the new task that cannot be loaded', () => {
  /** The new task is one of ring 3, whose faults find a stack in its TSS. */
  const ring3 = (change: (view: DataView, task: number) => void): TableGuestOptions => ({
    change: (view) => {
      const task = image(TABLES.task);
      view.setUint32(task + 76, SELECTOR.userCode, true);
      for (const segment of [72, 80, 84, 88, 92]) view.setUint32(task + segment, SELECTOR.userData, true);
      change(view, task);
    },
  });
  const cases: [string, (view: DataView, task: number) => void][] = [
    ['SS', (view, task) => view.setUint32(task + 80, SELECTOR.data, true)],
    ['SS, null', (view, task) => view.setUint32(task + 80, 0, true)],
    ['CS', (view, task) => view.setUint32(task + 76, SELECTOR.userData, true)],
    ['LDT', (view, task) => view.setUint32(task + 96, SELECTOR.data, true)],
    [
      'LDT of a virtual-8086 task',
      (view, task) => {
        view.setUint32(task + 96, SELECTOR.data, true);
        view.setUint32(task + 36, 0x20002, true);
      },
    ],
    ['ES', (view, task) => view.setUint32(task + 72, SELECTOR.tss, true)],
  ];
  for (const [name, change] of cases) {
    it(`${name}: #TS in the new task`, () => {
      const guest = tableGuest(jumpToTask, ring3(change));
      expect(result(guest)).toBe(TS);
      expect(guest.vm.vcpus[0].vmcs.get('GUEST_TR_SELECTOR')).toBe(BigInt(SELECTOR.task));
    });
  }

  it('CS in ring 0, where no other stack is found: a triple fault', () => {
    const guest = tableGuest(jumpToTask, {
      change: (view) => view.setUint32(image(TABLES.task) + 76, SELECTOR.data, true),
    });
    expect(runToEnd(guest, 100_000)?.kind).toBe('triple-fault');
  });

  it('STI before the jump blocks nothing in the new task', () => {
    expect(result(tableGuest((code) => jumpToTask(code.emit(0xfb))))).toBe(TASK);
  });
});
