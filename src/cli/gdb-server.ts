import type { Guest } from '../engine/host/guest.js';
import { startStub } from '../gdbstub/server.js';
import { fileCause } from './files.js';
import { createGdbTarget } from './gdb-target.js';
import { UsageError } from './options.js';

/** Serves GDB over a guest of this thread; answers the port. @throws UsageError when the address is taken. */
export async function startGdbServer(guest: Guest, address: { host: string; port: number }): Promise<number> {
  try {
    const target = await createGdbTarget(guest);
    const stub = await startStub({ target, host: address.host, port: address.port });
    return stub.port;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const cause = code === 'EADDRINUSE' ? 'the port is in use' : fileCause(error);
    throw new UsageError(`--gdb ${address.host}:${address.port}: ${cause}`);
  }
}
