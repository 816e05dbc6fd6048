/**
 * The monitor's `savevm`, `loadvm`, `delvm` and `info snapshots`, in QEMU's words. A machine is saved with its disks: each one
 * that is written gets a snapshot inside its qcow2 image, the first of them with the machine's state. A machine that writes
 * to no disk is saved in a file of the user's.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, unlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { DiskSnapshot, DiskSnapshots, Drive } from '../devices/block.js';
import { printable } from '../printable.js';
import { StateError } from '../state/schema.js';
import { checkState, loadMachine, saveMachine } from '../vmm/machine-state.js';
import { fileCause } from './file-cause.js';
import type { MovingGuest } from './migration/moving-guest.js';
import { inSlices } from './slices.js';
import { parseState, type StateFile, stateBytes, writeState } from './state-file.js';

const NAME = /^[\w.+-]{1,64}$/;
const FILE = /^([\w.+-]+),(\d+),(\d+)\.state$/;
const COMMANDS = ['savevm', 'loadvm', 'delvm'] as const;

/** A disk that takes snapshots. */
interface Store {
  readonly drive: Drive;
  readonly snapshots: DiskSnapshots;
  readonly list: readonly DiskSnapshot[];
}

export class SavedMachines {
  constructor(
    private readonly guest: MovingGuest,
    /** Seconds since 1970, of the host. */
    private readonly now: () => number,
  ) {}

  /** Answers one of the commands; undefined when the line is another one. @throws Error in one line */
  async command(line: string): Promise<string | undefined> {
    const [word, name, ...more] = line.trim().split(/\s+/);
    if (word === 'info' && name === 'snapshots') return this.list();
    const command = COMMANDS.find((known) => known === word);
    if (command === undefined) return undefined;
    if (more.length > 0 || (name === undefined && command !== 'savevm')) throw new Error(`usage: ${command} NAME`);
    if (name !== undefined && !NAME.test(name))
      throw new Error('a name has at most 64 letters, digits, dots, dashes, underscores and plus signs');
    if (command === 'savevm') await this.save(name ?? this.#dated());
    else if (command === 'loadvm') this.load(name);
    else this.delete(name);
    return '';
  }

  /** Keeps the machine under a name, in the place of what had it. @throws Error naming what cannot be saved */
  async save(name: string): Promise<void> {
    const { guest } = this;
    const { machine } = guest;
    this.#mustBeHere();
    const stores = this.#stores();
    const ran = guest.stand('the machine is being saved');
    try {
      const { vm } = machine;
      const saved = saveMachine(machine, guest.runs);
      const what = { name, dateSeconds: this.now(), clockNs: Math.floor(vm.now()), icount: BigInt(vm.icount) };
      if (stores.length === 0) {
        const file = join(this.#makeFolder(), `${name},${what.clockNs},${what.icount}.state`);
        const before = this.#files().filter((other) => other.name === name);
        await inSlices(writeState(file, saved, vm.host.bytes), () => {});
        for (const { path } of before) if (path !== file) unlinkSync(path);
        return;
      }
      const pieces: Uint8Array[] = [];
      await inSlices(collected(stateBytes(saved, vm.host.bytes), pieces), () => {});
      for (const [i, { snapshots, list }] of stores.entries()) {
        for (const old of list.filter((snapshot) => snapshot.name === name)) snapshots.delete(old.id);
        snapshots.create(what, i === 0 ? pieces : []);
      }
    } finally {
      guest.release(ran);
    }
  }

  /** Puts the machine and its disks back; it runs on if it ran. @throws Error; nothing has changed then */
  load(name: string): void {
    const { guest } = this;
    const { machine } = guest;
    this.#mustBeHere();
    const stores = this.#stores();
    const ids = stores.map(({ drive, list }) => {
      const found = list.find((snapshot) => snapshot.name === name);
      if (!found) throw new Error(`${drive.name} has no snapshot ${name}; info snapshots lists those that there are`);
      return found.id;
    });
    const { state, frames } = this.#read(name, stores, ids);
    checkState(machine, state, guest.runs);
    const ran = guest.stand('a saved machine is being loaded');
    try {
      guest.replaced();
      machine.pc.net?.abandon();
      for (const [i, { snapshots }] of stores.entries()) snapshots.apply(ids[i]);
      loadMachine(machine, state, frames, guest.runs);
      guest.arrived();
    } finally {
      guest.release(ran);
    }
  }

  /** @throws Error when nothing has the name */
  delete(name: string): void {
    const stores = this.#stores();
    const files = stores.length === 0 ? this.#files().filter((file) => file.name === name) : [];
    const found = stores.flatMap(({ snapshots, list }) =>
      list.filter((snapshot) => snapshot.name === name).map(({ id }) => ({ snapshots, id })),
    );
    if (files.length + found.length === 0) throw new Error(`there is no snapshot ${name}`);
    for (const { path } of files) unlinkSync(path);
    for (const { snapshots, id } of found) snapshots.delete(id);
  }

  /** All that `delvm` knows. */
  names(): string[] {
    const inside = this.#drives().flatMap(({ image }) => image?.snapshots ?? []);
    const disks = this.#drives().some(({ image }) => image?.snapshotStore !== undefined);
    return [...new Set([...inside, ...(disks ? [] : this.#files())].map(({ name }) => name))];
  }

  /** `info snapshots`. */
  list(): string {
    const drives = this.#drives();
    const disks = drives.filter(({ image }) => image?.snapshotStore !== undefined);
    const whole = (snapshot: DiskSnapshot): boolean =>
      disks.every(({ image }) => image?.snapshots.some(({ name }) => name === snapshot.name));
    const [first] = disks;
    const loadable = (first?.image?.snapshots ?? []).filter((snapshot) => snapshot.vmStateBytes > 0 && whole(snapshot));
    const kept = disks.length === 0 ? this.#files() : [];
    const rows = [...loadable.map((snapshot) => row({ ...snapshot, id: '--' })), ...kept.map(row)];
    const partial = drives.flatMap(({ name, image }) => {
      const others = (image?.snapshots ?? []).filter((snapshot) => !loadable.some((one) => one.name === snapshot.name));
      if (others.length === 0) return [];
      return ['', `List of partial (non-loadable) snapshots on '${name}':`, HEAD, ...others.map(row)];
    });
    if (rows.length === 0 && partial.length === 0) return 'There is no snapshot available.';
    const title =
      kept.length > 0 ? `List of snapshots in ${this.#folder()}:` : 'List of snapshots present on all disks:';
    return [title, ...(rows.length === 0 ? ['None'] : [HEAD, ...rows]), ...partial].join('\n');
  }

  #drives(): readonly Drive[] {
    return this.guest.machine.options.drives ?? [];
  }

  /** The disks that are written. @throws Error naming one that takes no snapshots */
  #stores(): Store[] {
    const written = this.#drives().filter(({ store }) => store !== undefined && !store.readOnly);
    return written.map((drive) => {
      const { snapshotStore, snapshots, format } = drive.image ?? { snapshots: [], format: 'unknown' };
      if (drive.overlaid)
        throw new Error(`${drive.name} has snapshot=on: what the guest writes is in no image that could keep it`);
      if (!snapshotStore)
        throw new Error(
          `${drive.name} is writable but its format, ${format}, does not support snapshots: qemu-img convert -O qcow2`,
        );
      return { drive, snapshots: snapshotStore, list: snapshots };
    });
  }

  #read(name: string, [first]: readonly Store[], [id]: readonly string[]): StateFile {
    if (first === undefined) {
      const file = this.#files().find((kept) => kept.name === name);
      if (!file) throw new Error(`there is no snapshot ${name}; info snapshots lists those that there are`);
      return parseState(readFileSync(file.path), file.path);
    }
    const bytes = first.snapshots.vmState(id);
    const from = `snapshot ${name} of ${first.drive.name}`;
    if (bytes === undefined) throw new StateError(`${from} is of the disk alone: it has no machine's state`);
    return parseState(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), from);
  }

  #mustBeHere(): void {
    const { away } = this.guest;
    if (away !== undefined) throw new Error(away);
  }

  #folder(): string {
    const base = process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state');
    return join(base, 'vmscope', this.guest.machine.name.replace(/[^\w.+-]/g, '_') || 'guest');
  }

  #makeFolder(): string {
    const folder = this.#folder();
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new Error(`${folder}: ${fileCause(error)}`);
    }
    return folder;
  }

  #files(): (DiskSnapshot & { path: string })[] {
    let names: string[];
    try {
      names = readdirSync(this.#folder());
    } catch {
      return [];
    }
    return names.flatMap((file) => {
      const [, name, clock, icount] = FILE.exec(file) ?? [];
      if (name === undefined) return [];
      const path = join(this.#folder(), file);
      const { size, mtimeMs } = statSync(path);
      const dateSeconds = Math.floor(mtimeMs / 1000);
      return [
        { id: '--', name, dateSeconds, clockNs: Number(clock), icount: BigInt(icount), vmStateBytes: size, path },
      ];
    });
  }

  #dated(): string {
    return `vm-${new Date(this.now() * 1000).toISOString().slice(0, 19).replace(/[-:T]/g, '')}`;
  }
}

function* collected(
  work: Generator<{ bytes: Uint8Array; share: number }>,
  into: Uint8Array[],
): Generator<number, void> {
  for (const { bytes, share } of work) {
    into.push(bytes);
    yield share;
  }
}

/** As QEMU's bdrv_snapshot_dump: columns of 10, 17, 8, 20, 13 and 11. */
const HEAD = columns('ID', 'TAG', 'VM SIZE', 'DATE', 'VM CLOCK', 'ICOUNT');

function columns(id: string, tag: string, size: string, date: string, clock: string, icount: string): string {
  const left = `${id.padEnd(9)} ${tag.padEnd(16)}`;
  return `${left} ${size.padStart(8)} ${date.padStart(19)} ${clock.padStart(12)} ${icount.padStart(10)}`;
}

function row({ id, name, dateSeconds, clockNs, icount, vmStateBytes }: DiskSnapshot): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = new Date(dateSeconds * 1000);
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const ms = Math.floor(clockNs / 1e6);
  const seconds = Math.floor(ms / 1000);
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${String(ms % 1000).padStart(3, '0')}`;
  return columns(printable(id), printable(name), sizeText(vmStateBytes), `${day} ${time}`, clock, String(icount));
}

/** Three digits and a unit, as QEMU's size_to_str. */
function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toPrecision(3))} ${units[unit]}`;
}
