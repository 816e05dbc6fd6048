/**
 * What is done to somebody else's guest, on disk while it lasts: when vmscope dies, the guest stands and its stub waits;
 * the next start reads the note and frees it.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startTicks } from './processes.js';

export interface ControlNote {
  version: 1;
  /** The vmscope that controls the guest. */
  owner: number;
  ownerStart: string;
  /** How `attach` names the guest. */
  target: string;
  /** Of this host, if it is known. */
  pid?: number;
  pidStart?: string;
  /** Unix socket or HOST:PORT of the stub. */
  stub: string;
  /** The stub was started by vmscope and is to be switched off. */
  startedStub: boolean;
  wasRunning: boolean;
  /** Single-step flags of the stub as they were. */
  sstep?: string;
}

const SUFFIX = '.json';

export class NoteFile {
  private constructor(private readonly path: string) {}

  /** Written before the guest is touched. */
  static write(folder: string, note: ControlNote): NoteFile {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = new NoteFile(join(folder, `${note.owner}-${Math.floor(performance.now())}${SUFFIX}`));
    file.update(note);
    return file;
  }

  update(note: ControlNote): void {
    // Whole or not at all: it is read after a crash.
    writeFileSync(`${this.path}.new`, JSON.stringify(note), { mode: 0o600 });
    renameSync(`${this.path}.new`, this.path);
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}

/** Notes of a vmscope that is not there any more. */
export function abandonedNotes(folder: string): { note: ControlNote; file: string }[] {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const file = join(folder, name);
    const note = parsed(file);
    if (!note) return [];
    return startTicks(note.owner) === note.ownerStart ? [] : [{ note, file }];
  });
}

/** Whether the guest of a note is still that one. */
export const isThere = (note: ControlNote): boolean => note.pid === undefined || startTicks(note.pid) === note.pidStart;

function parsed(file: string): ControlNote | undefined {
  try {
    const note = JSON.parse(readFileSync(file, 'utf8')) as ControlNote;
    const whole =
      note.version === 1 &&
      Number.isInteger(note.owner) &&
      typeof note.ownerStart === 'string' &&
      typeof note.target === 'string' &&
      typeof note.stub === 'string' &&
      typeof note.startedStub === 'boolean' &&
      typeof note.wasRunning === 'boolean';
    return whole ? note : undefined;
  } catch {
    return undefined;
  }
}
