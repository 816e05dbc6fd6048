/** A stub that vmscope is connected to: its guest stands meanwhile, which a note on disk says until it is let go. */
import { chmodSync, mkdirSync } from 'node:fs';
import { type ControlNote, NoteFile } from '../qemu/note.js';
import { startTicks } from '../qemu/processes.js';
import { connectStub, StubControl } from '../stub-control.js';

export class StubHold {
  #left: Promise<void> | undefined;

  private constructor(
    readonly stub: StubControl,
    private readonly file: NoteFile,
    private readonly flags: string | undefined,
  ) {}

  /** Connecting stops the guest. @throws Error in one line */
  static async take({ target, where, folder }: { target: string; where: string; folder: string }): Promise<StubHold> {
    const stream = await connectStub(where);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    const note: ControlNote = {
      version: 1,
      owner: process.pid,
      ownerStart: startTicks(process.pid) ?? '',
      ...{ target, stub: where, startedStub: false, wasRunning: true },
    };
    const file = NoteFile.write(folder, note);
    try {
      const stub = await StubControl.open(stream);
      const flags = await stub.stepFlags();
      if (flags !== undefined) {
        note.sstep = flags;
        file.update(note);
      }
      return new StubHold(stub, file, flags);
    } catch (error) {
      stream.destroy();
      file.remove();
      throw error;
    }
  }

  /** Lets the guest run on, without breakpoints. */
  leave(): Promise<void> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  async #leave(): Promise<void> {
    const { stub } = this;
    stub.onStop = () => {};
    try {
      if (stub.running) await stub.pause();
      await stub.clearAll();
      if (this.flags !== undefined) await stub.setStepFlags(this.flags).catch(() => {});
      await stub.leave(true);
    } finally {
      stub.close();
      this.file.remove();
    }
  }
}

/** Lets go the guest of a stub whose vmscope has died; a stub that is not there any more holds nothing. */
export async function freeStub(note: ControlNote): Promise<void> {
  const stream = await connectStub(note.stub).catch(() => undefined);
  if (!stream) return;
  // The question `?` of the opening takes all breakpoints out of QEMU's.
  const stub = await StubControl.open(stream);
  if (note.sstep !== undefined) await stub.setStepFlags(note.sstep).catch(() => {});
  await stub.leave(true);
}
