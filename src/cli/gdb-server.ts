import { Socket } from 'node:net';
import { fileCause } from '../engine/host/file-cause.js';
import type { Guest } from '../engine/host/guest.js';
import { type Stub, startStub } from '../gdbstub/server.js';
import type { Target } from '../gdbstub/target.js';
import { compileSeldom, DEBUGGER_COMPILES_SELDOM, GUEST_COMPILES_SELDOM } from './compile-seldom.js';
import { type GdbAddress, readGdbAddress, showGdbAddress, targetOf } from './gdb-address.js';
import { createGdbTarget } from './gdb-target.js';
import { UsageError } from './options.js';
import { removeStale } from './stale-socket.js';

const STDIN = 0;
const STDOUT = 1;

/** The GDB stubs of a guest of this thread: that of the command line, and those asked for while it runs. */
export class GdbServers {
  readonly #stubs = new Map<string, Stub>();
  #target: Promise<Target> | undefined;
  #clients = 0;

  /** @param onClient told whether any client is connected, when that changes */
  constructor(
    private readonly guest: Guest,
    private readonly onClient: (connected: boolean) => void,
    private readonly onPipeClosed: () => void,
  ) {}

  /** Answers where it listens, with the port that was picked for port 0. @throws UsageError when it cannot be had. */
  async open(address: GdbAddress): Promise<GdbAddress> {
    const { machine } = this.guest;
    this.#target ??= createGdbTarget(this.guest, {
      get held() {
        return machine.holdInterruptsOnStep;
      },
      set held(held) {
        machine.holdInterruptsOnStep = held;
      },
    });
    try {
      if (address.kind === 'unix') await removeStale(`--gdb unix:${address.path}`, address.path);
      const stub = await startStub({
        target: await this.#target,
        ...(address.kind === 'tcp' ? { host: address.host, port: address.port } : {}),
        ...(address.kind === 'unix' ? { path: address.path } : {}),
        onClient: (connected) => this.#count(connected),
        onMessage: (text) => machine.onMessage(text),
      });
      if (address.kind === 'stdio') attachStdio(stub, this.onPipeClosed);
      const opened = address.kind === 'tcp' ? { ...address, port: stub.port } : address;
      this.#stubs.set(showGdbAddress(opened), stub);
      return opened;
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw new UsageError(`--gdb ${showGdbAddress(address)}: ${fileCause(error)}`);
    }
  }

  /** QEMU's `gdbserver [ADDRESS | none]`. @returns where there are stubs */
  async command(argument: string): Promise<string> {
    if (argument === 'none') {
      for (const stub of this.#stubs.values()) await stub.close();
      this.#stubs.clear();
      return 'no GDB stub';
    }
    if (argument !== '') {
      const address = readGdbAddress(argument);
      if (address === undefined || address.kind === 'stdio') {
        return `gdbserver ${argument}: not [HOST:]PORT, unix:PATH or none`;
      }
      if (!this.#stubs.has(showGdbAddress(address))) {
        const opened = await this.open(address).catch((error: Error) => error.message);
        if (typeof opened === 'string') return opened.replace(/^--gdb/, 'gdbserver');
      }
    }
    const all = [...this.#stubs.keys()].map((text) => {
      const address = readGdbAddress(text);
      return `GDB stub on ${text}${address ? `; gdb: target remote ${targetOf(address)}` : ''}`;
    });
    return all.join('\n') || 'no GDB stub';
  }

  #count(connected: boolean): void {
    const before = this.#clients;
    this.#clients += connected ? 1 : -1;
    compileSeldom(this.#clients > 0 ? DEBUGGER_COMPILES_SELDOM : GUEST_COMPILES_SELDOM);
    if (before > 0 !== this.#clients > 0) this.onClient(connected);
  }
}

/** Serves whoever started this process with pipes, as `target remote | vmscope ...` does. @throws UsageError */
function attachStdio(stub: Stub, onClosed: () => void): void {
  try {
    const input = new Socket({ fd: STDIN, readable: true, writable: false });
    const output = new Socket({ fd: STDOUT, readable: false, writable: true });
    input.once('close', onClosed);
    input.once('end', onClosed);
    stub.attach(input, output, 'standard input');
  } catch {
    throw new UsageError(
      '--gdb stdio: standard input and output are not pipes; gdb makes them: target remote | vmscope run ... --gdb stdio',
    );
  }
}
