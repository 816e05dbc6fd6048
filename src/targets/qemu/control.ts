/**
 * The second level of attaching: QEMU's stub is started, the guest is stopped, stepped and let run. All of it is noted
 * on disk before it happens and taken back at the end, so that the guest is left as it was found.
 */
import { chmodSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { freeStub } from '../gdb/hold.js';
import { connectStub, StubControl, type StubStop } from '../stub-control.js';
import { abandonedNotes, type ControlNote, isThere, NoteFile } from './note.js';
import { startTicks } from './processes.js';
import type { Monitor } from './qmp.js';

/** Opens the monitor that a note names. */
export type OpenMonitor = (target: string) => Promise<Monitor>;

export interface ControlOptions {
  monitor: Monitor;
  /** How `attach` names the guest. */
  target: string;
  /** QEMU's process, where it is one of this host. */
  pid?: number;
  /** For notes and sockets: only this user looks into it. */
  folder: string;
}

interface Chardev {
  label?: unknown;
  filename?: unknown;
}

/** Where the stub of QEMU listens, if it has one, and whether it is free. */
export async function findStub(monitor: Monitor): Promise<{ where: string; free: boolean } | undefined> {
  const all = await monitor.execute('query-chardev');
  const gdb = (Array.isArray(all) ? (all as Chardev[]) : []).find(({ label }) => label === 'gdb');
  if (!gdb || typeof gdb.filename !== 'string') return undefined;
  const free = gdb.filename.startsWith('disconnected:');
  const name = gdb.filename.replace(/^disconnected:/, '');
  const unix = /^unix:([^,]+)/.exec(name)?.[1];
  const tcp = /^tcp:(?:\[([^\]]+)\]|([\w.-]+)):(\d+)/.exec(name);
  const host = tcp?.[1] ?? tcp?.[2] ?? '';
  const where = unix ?? (tcp ? `${host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host}:${tcp[3]}` : undefined);
  return where === undefined ? undefined : { where, free };
}

export class QemuControl {
  #left: Promise<void> | undefined;
  /** Whether the guest ran before vmscope took control. */
  readonly foundRunning: boolean;

  private constructor(
    readonly stub: StubControl,
    private readonly options: ControlOptions,
    private readonly note: ControlNote,
    private readonly file: NoteFile,
    private readonly socket: string | undefined,
  ) {
    this.foundRunning = note.wasRunning;
  }

  /** Takes control: the guest stands afterwards. @param running whether it runs now. @throws Error in one line */
  static async take(options: ControlOptions, running: boolean): Promise<QemuControl> {
    const { monitor, pid, folder, target } = options;
    const found = await findStub(monitor);
    if (found && !found.free) throw new Error('another debugger has the guest (its gdbserver is in use)');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    const own = found ? undefined : ownSocket(folder, pid);
    const note: ControlNote = {
      version: 1,
      owner: process.pid,
      ownerStart: startTicks(process.pid) ?? '',
      target,
      ...(pid === undefined ? {} : { pid, pidStart: startTicks(pid) }),
      stub: found?.where ?? own ?? '',
      startedStub: found === undefined,
      wasRunning: running,
    };
    const file = NoteFile.write(folder, note);
    try {
      if (!found) {
        const where = own === undefined ? 'tcp:127.0.0.1:0' : `unix:${own.replaceAll(',', ',,')},server=on,wait=off`;
        const said = await monitor.human(`gdbserver ${where}`);
        const started = await findStub(monitor);
        if (!started) throw new Error(`QEMU does not start its stub: ${said.trim().split('\n')[0] || 'no reason'}`);
        note.stub = started.where;
        file.update(note);
      }
      const stub = await StubControl.open(await connectStub(note.stub));
      const control = new QemuControl(stub, options, note, file, own);
      const flags = await stub.stepFlags();
      if (flags !== undefined) {
        note.sstep = flags;
        file.update(note);
      }
      return control;
    } catch (error) {
      if (!found) await monitor.human('gdbserver none').catch(() => {});
      // What the connection has stopped runs again.
      if (running) await monitor.execute('cont').catch(() => {});
      file.remove();
      if (own !== undefined) rmSync(own, { force: true });
      throw error;
    }
  }

  /** As it was found, but for one that was found standing and runs since the user has let it. */
  set leaveRunning(running: boolean) {
    if (this.note.wasRunning === running) return;
    this.note.wasRunning = running;
    this.file.update(this.note);
  }

  /** Gives the guest back: breakpoints out, running or standing as it was, the stub off. Once, however often it is asked. */
  leave(): Promise<void> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  async #leave(): Promise<void> {
    const { stub, note, options } = this;
    stub.onStop = () => {};
    try {
      if (stub.running) await stub.pause();
      await stub.clearAll();
      if (note.sstep !== undefined) await stub.setStepFlags(note.sstep).catch(() => {});
      await stub.leave(note.wasRunning);
    } finally {
      stub.close();
    }
    if (note.startedStub) await options.monitor.human('gdbserver none').catch(() => {});
    this.file.remove();
    if (this.socket !== undefined) rmSync(this.socket, { force: true });
  }
}

/** A socket that only its owner may connect to; undefined where QEMU is another user, who could not make it. */
function ownSocket(folder: string, pid: number | undefined): string | undefined {
  const path = join(folder, `stub-${process.pid}-${Math.floor(performance.now())}`);
  if (Buffer.byteLength(path) > 100) return undefined;
  if (pid === undefined) return undefined;
  try {
    return statSync(`/proc/${pid}`).uid === process.getuid?.() ? path : undefined;
  } catch {
    return undefined;
  }
}

/** Guests that a vmscope which has died left under its control, by their names; notes of those that have gone are removed. */
export function abandonedGuests(folder: string): { target: string; owner: number }[] {
  return abandonedNotes(folder).flatMap(({ note, file }) => {
    if (isThere(note)) return [{ target: note.target, owner: note.owner }];
    rmSync(file, { force: true });
    return [];
  });
}

/**
 * Frees guests that a vmscope which has died left under its control.
 * @param only the name of one of them; absent: all
 * @returns a line for each: what was done, or why it was not
 */
export async function freeAbandoned(folder: string, open: OpenMonitor, only?: string): Promise<string[]> {
  const lines: string[] = [];
  for (const { note, file } of abandonedNotes(folder)) {
    if (!isThere(note)) {
      rmSync(file, { force: true });
      continue;
    }
    if (only !== undefined && note.target !== only) continue;
    try {
      await free(note, open);
      rmSync(file, { force: true });
      const how = note.wasRunning ? 'it runs again' : 'it is stopped, as it was before';
      lines.push(`${note.target}: freed of vmscope ${note.owner}, which died; ${how}`);
    } catch (error) {
      lines.push(`${note.target}: vmscope ${note.owner} died and left it stopped: ${(error as Error).message}`);
    }
  }
  return lines;
}

async function free(note: ControlNote, open: OpenMonitor): Promise<void> {
  if (note.target.startsWith('gdb:')) return await freeStub(note);
  const monitor = await open(note.target);
  try {
    const found = await findStub(monitor);
    // It died before the stub was there, or after it was off: nothing was done to the guest.
    if (!found) return;
    if (!found.free) throw new Error('another debugger has it now');
    const stub = await StubControl.open(await connectStub(found.where));
    // The question `?` of the opening has taken all breakpoints out.
    if (note.sstep !== undefined) await stub.setStepFlags(note.sstep).catch(() => {});
    await stub.leave(note.wasRunning);
    if (note.startedStub) await monitor.human('gdbserver none');
    if (note.stub.startsWith('/') && note.startedStub) rmSync(note.stub, { force: true });
  } finally {
    monitor.close();
  }
}

export type { StubStop };
