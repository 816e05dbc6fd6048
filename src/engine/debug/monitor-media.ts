/** The monitor's commands for media, in QEMU's words: `change DEV FILE`, `eject [-f] DEV`. */
import type { Drive } from '../devices/block.js';
import type { MediumDrive } from '../devices/medium-bay.js';

/** QEMU's name of the drive that its pc always has. */
const QEMU_NAMES: Readonly<Record<string, string>> = { 'ide1-cd0': 'cdrom0' };

export interface MediaHost {
  readonly drives: readonly Drive[];
  readonly mediumDrives: readonly MediumDrive[];
  /** @throws Error where nothing of the run may change */
  mayChange(): void;
  changeMedium(drive: string, file: string | undefined): void;
  askForEjection(drive: string): void;
}

/** Answers a line; undefined when it is another one. @throws Error that says what is wrong with it */
export function mediaCommand(host: MediaHost, line: string): string | undefined {
  const change = /^\s*change\s+(?!vnc\b)(\S+)(?:\s+(.+?))?\s*$/s.exec(line);
  if (change) {
    const [, name, file] = change;
    if (file === undefined) throw new Error('usage: change DEV FILE, or change vnc password WORD');
    const drive = driveOf(host, name);
    const described = host.drives.find((it) => it.name === drive.bay.name);
    if (!described?.shelf) throw new Error(`${name}: this drive takes no other medium`);
    const path = unquoted(file);
    // a file that cannot be had changes nothing
    described.shelf.get(path, described.kind);
    refuseLocked(host, drive);
    host.mayChange();
    host.changeMedium(drive.bay.name, path);
    return '';
  }
  const eject = /^\s*eject(\s.*)?$/s.exec(line);
  if (!eject) return undefined;
  const words = (eject[1] ?? '').trim().split(/\s+/);
  const force = words.includes('-f');
  const [name, ...rest] = words.filter((word) => word !== '-f');
  if (!name || rest.length > 0) throw new Error('usage: eject [-f] DEV');
  const drive = driveOf(host, name);
  if (!force) refuseLocked(host, drive);
  host.mayChange();
  host.changeMedium(drive.bay.name, undefined);
  return '';
}

/** The guest hears that somebody wants the medium out. */
function refuseLocked(host: MediaHost, drive: MediumDrive): void {
  if (!drive.locked) return;
  host.mayChange();
  host.askForEjection(drive.bay.name);
  throw new Error(`${drive.bay.name} is locked by the guest, which has been asked; eject -f ${drive.bay.name} does it`);
}

function driveOf({ mediumDrives, drives }: MediaHost, name: string): MediumDrive {
  const own = QEMU_NAMES[name] ?? name;
  const drive = mediumDrives.find(({ bay }) => bay.name === own);
  if (drive) return drive;
  if (drives.some((it) => it.name === own)) throw new Error(`${name}: the disk of this drive cannot be changed`);
  const names = mediumDrives.map(({ bay }) => bay.name).join(', ');
  throw new Error(`there is no drive ${name}${names === '' ? ' whose medium can be changed' : `; there is ${names}`}`);
}

const unquoted = (file: string): string => /^"(.*)"$/s.exec(file)?.[1] ?? file;
