import { basename } from 'node:path';
import type { Debugger } from '../engine/debugger.js';
import { heartbeatCells, watchHeartbeat } from '../engine/host/kvm-engine/heartbeat.js';
import { connectDebugger } from '../engine/host/rpc.js';
import { activityCells, watchEngine } from '../engine/host/watchdog.js';
import { elapsed } from './elapsed.js';
import { engineThread } from './engine-thread.js';
import { exitWithoutThreads } from './exit-without-threads.js';
import { flushDrives } from './flush-drives.js';
import type { GdbAddress } from './gdb-address.js';
import type { GuestWorkerData, WorkerHello, WorkerNotice } from './guest-options.js';
import { removeSockets } from './guest-socket.js';
import { tell } from './tell.js';

const QUIT_MS = 10_000;
/** Far beyond what a busy host or a slow disk makes of a turn. */
const WATCHDOG_SECONDS = 60;

/** A guest could not start; `status` is the process status. */
export class StartError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export interface RunningGuest {
  target: Debugger;
  /** By which `attach` and `send` find it; undefined where it has no socket. */
  published: string | undefined;
  /** Where its GDB stub listens. */
  gdb: GdbAddress | undefined;
  /** Resolves with the reason when the engine's thread is no more, or no longer answers. */
  closed: Promise<string>;
  /** Resolves when no GDB client is connected; undefined when none is now. */
  gdbClientLeft(): Promise<void> | undefined;
  /** It has come from another process where it stood. */
  stands: boolean;
  /** Resolves when the debugger at standard input has gone. */
  pipeClosed: Promise<void>;
  /** Ends the engine's thread. */
  terminate(): Promise<void>;
}

/** How long a turn of the guest may take, which is milliseconds, before the engine counts as hung. */
function watchdogSeconds(): number {
  const asked = Number(process.env.VMSCOPE_WATCHDOG_SECONDS);
  return asked > 0 ? asked : WATCHDOG_SECONDS;
}

/** Starts the engine's thread with a guest. @throws StartError */
export async function startGuest(data: GuestWorkerData): Promise<RunningGuest> {
  const heartbeat = data.engine === 'kvm' ? heartbeatCells() : undefined;
  const activity = data.engine === 'vtx' ? activityCells() : undefined;
  const worker = engineThread({ ...data, heartbeat, activity });
  let stuck = false;
  const closed = new Promise<string>((resolve) => {
    if (activity) {
      watchEngine(activity, watchdogSeconds(), (message) => {
        stuck = true;
        const flushed = flushDrives(data.drives ?? []);
        exitWithoutThreads();
        resolve(flushed === undefined ? message : `${message}; ${flushed}`);
      });
    }
    if (heartbeat) {
      const timer = watchHeartbeat(heartbeat, (message) => {
        stuck = true;
        exitWithoutThreads();
        resolve(message);
      });
      timer.unref();
    }
    worker.once('error', (error) => resolve(`the engine failed: ${error.message}`));
    worker.once('exit', () => resolve('the engine has ended'));
  });
  const hello = await Promise.race([
    new Promise<WorkerHello>((resolve) => {
      // a GDB client may be there before the guest is ready
      worker.on('message', (message: Partial<WorkerHello> & { tell?: string }) => {
        if (message.tell !== undefined) tell(message.tell);
        if (message.ready !== undefined) resolve(message as WorkerHello);
      });
    }),
    closed.then((message): WorkerHello => ({ ready: false, message, status: 3 })),
  ]);
  if (!hello.ready) {
    if (!stuck) await worker.terminate();
    if (hello.stack && process.env.VMSCOPE_DEBUG) process.stderr.write(`${hello.stack}\n`);
    throw new StartError(hello.message, hello.status);
  }
  const { socket } = hello;
  // The thread cannot tidy up when it is ended from here, nor when the process exits.
  if (socket !== undefined) process.once('exit', () => removeSockets(socket));
  let left: { promise: Promise<void>; resolve: () => void } | undefined;
  let closePipe = (): void => {};
  const pipeClosed = new Promise<void>((resolve) => {
    closePipe = resolve;
  });
  worker.on('message', (notice: WorkerNotice) => {
    if ('pipeClosed' in notice) closePipe();
    if (!('gdbClient' in notice)) return;
    left?.resolve();
    left = undefined;
    if (!notice.gdbClient) return;
    let resolve = (): void => {};
    const promise = new Promise<void>((settle) => {
      resolve = settle;
    });
    left = { promise, resolve };
  });
  void closed.then(() => left?.resolve());
  for (const line of hello.warnings ?? []) tell(line);
  const target = await connectDebugger(worker, closed);
  return {
    target,
    published: socket === undefined ? undefined : basename(socket, '.sock'),
    gdb: hello.gdb,
    stands: hello.stands === true,
    closed,
    gdbClientLeft: () => left?.promise,
    pipeClosed,
    terminate: async () => {
      // disks are written back before the thread goes; one that hangs is not waited for
      if (stuck) return;
      const late = elapsed(QUIT_MS);
      const failed = (error: Error) => tell(error.message);
      await Promise.race([target.quit().catch(failed), closed, late]);
      // a thread that hangs in the host's kernel would be waited for at the end of the process
      if ((await Promise.race([worker.terminate(), late])) === 'late') exitWithoutThreads();
      if (socket !== undefined) removeSockets(socket);
    },
  };
}
