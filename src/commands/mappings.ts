/** `vmmap`: what is mapped, with which rights, where it lies, and what Linux calls it. */

import { UnknownName } from '../engine/debug/expression/names.js';
import { kernelRegions, type Region, regionOf } from '../engine/debug/linux/regions.js';
import { type Mapping, merged, pages, type Walked } from '../engine/memory/address-space.js';
import { type Command, command, type Session, value } from './command.js';
import { hex } from './numbers.js';
import { working } from './work.js';

export type NamedMapping = Mapping & { name?: string };

interface Mappings {
  mappings: NamedMapping[];
  /** Not all could be looked at. */
  whole: boolean;
  /** Pages of the answer that the EPT does not map as RAM: a device's. */
  devices: readonly { first: bigint; end: bigint }[];
}

const MAX_ROWS = 20_000;
/** Between two looks at whether the user waits for it still. */
const LOOK = 64;

/** The paging structures of the vCPU, as a reader of pages wants them. */
export async function spaceOf(session: Session) {
  const { debug, vcpu } = session;
  const { cr0 = 0n, cr3 = 0n, cr4 = 0n, efer = 0n } = await debug.readRegisters(vcpu, ['cr0', 'cr3', 'cr4', 'efer']);
  return {
    state: { cr0, cr3, cr4, efer },
    paging: (cr0 & (1n << 31n)) !== 0n,
    read: (gpa: bigint, bytes: number) => debug.readMemory('gpa', gpa, bytes, vcpu),
  };
}

/** Names of Linux's regions; none where no such kernel is known. */
async function regionsOf(session: Session): Promise<Region[]> {
  const { debug, vcpu } = session;
  const os = await debug.os?.info().catch(() => undefined);
  if (!debug.os || os?.bits !== 64) return [];
  const symbols = await session.symbols();
  const modules = await debug.os.modules().catch(() => []);
  const symbol = (name: string): bigint | undefined => symbols.byName(name)?.address;
  return kernelRegions({
    symbol,
    modules,
    variable: async (name) => {
      const at = symbol(name);
      const bytes = at === undefined ? undefined : await debug.readMemory('gva', at, 8, vcpu);
      return bytes?.length === 8 ? Buffer.from(bytes).readBigUInt64LE() : undefined;
    },
  });
}

async function mappings(session: Session, text: string): Promise<Mappings> {
  const { state, paging, read } = await spaceOf(session);
  if (!paging) throw new Error('paging is off: linear addresses are physical ones');
  const [, pid, wanted] = /^\s*(?:pid\s+(\S+))?\s*(.*?)\s*$/s.exec(text)! as unknown as [
    string,
    string | undefined,
    string,
  ];
  if (pid !== undefined) state.cr3 = await tableOf(session, pid);
  const at = wanted === '' ? undefined : await addressOf(session, wanted);
  const regions = await regionsOf(session);
  const walked: Walked = { whole: true };
  return working(session, 'reading page tables', async (work) => {
    const list: NamedMapping[] = [];
    let count = 0;
    for await (const mapping of merged(pages(state, read, walked), (gva) => regionOf(regions, gva))) {
      if (++count % LOOK === 0 && work.cancelled) break;
      if (count % LOOK === 0) work.share(Number(mapping.gva >> 40n) / 2 ** 24);
      const { gva, bytes, name = '' } = mapping;
      if (at !== undefined ? at < gva || at >= gva + bytes : !name.toLowerCase().includes(wanted.toLowerCase()))
        continue;
      list.push(mapping);
      if (list.length < MAX_ROWS) continue;
      walked.whole = false;
      break;
    }
    if (work.cancelled) walked.whole = false;
    return { mappings: list, whole: walked.whole, devices: await deviceRanges(session, list) };
  });
}

/** The page table of a process of the guest's. @throws Error where it has none */
async function tableOf({ debug }: Session, pid: string): Promise<bigint> {
  if (!/^\d{1,9}$/.test(pid)) throw new Error(`pid ${pid}: not the number of a process; info ps lists them`);
  const os = debug.os;
  if (!os || (await os.info()) === undefined) throw new Error((await os?.absence()) ?? 'this target has no processes');
  const task = (await os.processes()).find((one) => one.pid === Number(pid));
  if (!task) throw new Error(`there is no process ${pid}`);
  if (task.cr3 === undefined)
    throw new Error(`${task.name} (pid ${pid}) is a thread of the kernel: it has no mappings of its own`);
  return task.cr3;
}

/** An address, or undefined for a part of a name. */
async function addressOf(session: Session, text: string): Promise<bigint | undefined> {
  try {
    return await value(session, text);
  } catch (error) {
    if (error instanceof UnknownName || /^unexpected /.test((error as Error).message)) return undefined;
    throw error;
  }
}

/** What lies outside of the EPT's RAM, of these mappings. */
async function deviceRanges(session: Session, list: readonly NamedMapping[]): Promise<Mappings['devices']> {
  const ranges = await session.debug.ept?.ranges().catch(() => undefined);
  if (ranges === undefined) return [];
  return list
    .filter(({ gpa }) => !ranges.some((range) => gpa >= range.gpa && gpa < range.gpa + range.bytes))
    .map(({ gva, bytes }) => ({ first: gva, end: gva + bytes }));
}

export const sizeText = (bytes: bigint): string => {
  for (const [shift, letter] of [
    [40n, 'T'],
    [30n, 'G'],
    [20n, 'M'],
  ] as const)
    if (bytes >> shift && !(bytes & ((1n << shift) - 1n))) return `${bytes >> shift}${letter}`;
  return `${bytes >> 10n}K`;
};

function rowText({ gva, gpa, bytes, pageBytes, write, user, execute, contiguous, name }: NamedMapping): string {
  const rights = `r${write ? 'w' : '-'}${execute ? 'x' : '-'}${user ? 'u' : 's'}`;
  const range = `${hex(gva, 16)}-${hex(BigInt.asUintN(64, gva + bytes - 1n), 16)}`;
  const place = `${hex(gpa, 9)}${contiguous ? ' ' : '…'}`;
  return `${range} ${sizeText(bytes).padStart(6)} ${sizeText(BigInt(pageBytes)).padStart(3)} ${rights} ${place.padEnd(13)} ${name ?? ''}`.trimEnd();
}

const HEAD = `${'linear'.padEnd(33)}   size  in r/w/x gpa`;

export const MAPPING_COMMANDS: readonly Command[] = [
  command({
    name: 'vmmap',
    usage: '[pid N] [ADDR | NAME]',
    help: "what the guest's page tables map, or those of a process; of an address, or of regions by a part of their name",
    words: ['pid'],
    effect: 'looks',
    page: true,
    kinds: ['address', 'register'],
    behind: { pid: ['process'] },
    run: mappings,
    text: ({ mappings, whole, devices }) => {
      if (mappings.length === 0) return 'nothing is mapped there';
      const isDevice = (gva: bigint): boolean => devices.some(({ first, end }) => gva >= first && gva < end);
      return [
        HEAD,
        ...mappings.map((row) => `${rowText(row)}${isDevice(row.gva) ? ' (device)' : ''}`),
        ...(whole ? [] : ['(the rest is left out)']),
      ].join('\n');
    },
    json: async ({ mappings, whole }) => ({ whole, mappings }),
    places: ({ mappings }) => [undefined, ...mappings.map(({ gva }) => ({ space: 'gva' as const, address: gva }))],
  }),
];
