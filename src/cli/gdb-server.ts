import { fileCause } from '../engine/host/file-cause.js';
import type { Guest } from '../engine/host/guest.js';
import { startStub } from '../gdbstub/server.js';
import { createGdbTarget } from './gdb-target.js';
import { UsageError } from './options.js';

/**
 * Serves GDB over a guest of this thread; answers the port.
 * @param onClient told whether a client is connected, when that changes
 * @throws UsageError when the address is taken.
 */
export async function startGdbServer(
  guest: Guest,
  address: { host: string; port: number },
  onClient: (connected: boolean) => void,
): Promise<number> {
  try {
    const { machine } = guest;
    const target = await createGdbTarget(guest, {
      get held() {
        return machine.holdInterruptsOnStep;
      },
      set held(held) {
        machine.holdInterruptsOnStep = held;
      },
    });
    const stub = await startStub({
      target,
      host: address.host,
      port: address.port,
      onClient,
      onMessage: (text) => machine.onMessage(text),
    });
    return stub.port;
  } catch (error) {
    throw new UsageError(`--gdb ${address.host}:${address.port}: ${fileCause(error)}`);
  }
}
