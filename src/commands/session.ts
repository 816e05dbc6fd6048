/** Commands without a screen: of a script, a socket, gdb. */
import { Disassembler, SymbolTable } from '../disasm/index.js';
import type { Names } from '../engine/debug/expression/names.js';
import type { Debugger, TargetInfo } from '../engine/debugger.js';
import type { Session } from './command.js';
import { namesOf } from './names.js';

export interface OpenSession extends Session {
  /** Symbols that the guest may have got meanwhile are taken; answers whether there are new ones. */
  moreNames(): Promise<boolean>;
  close(): void;
}

/** @param vcpu whose registers are meant; absent: that of the last stop */
export function openSession(debug: Debugger, options: { waits: boolean; vcpu?: number }): OpenSession {
  let info: Promise<TargetInfo> | undefined;
  let symbols: Promise<SymbolTable> | undefined;
  let disassembler: Promise<Disassembler> | undefined;
  let foreseen = false;
  let vcpu = options.vcpu;
  const off = debug.onEvent((event) => {
    if (event.type === 'symbols') symbols = undefined;
    else if (event.type === 'stopped' && options.vcpu === undefined) vcpu = event.vcpu;
  });
  const session: OpenSession = {
    debug,
    waits: options.waits,
    get vcpu() {
      return vcpu ?? 0;
    },
    set vcpu(index) {
      vcpu = index;
    },
    disassembler: () => (disassembler ??= Disassembler.load()),
    symbols: () => (symbols ??= debug.symbols().then((list) => new SymbolTable(list))),
    info: () => (info ??= debug.info()),
    state: () => debug.state(),
    async names(): Promise<Names> {
      const state = await debug.state();
      if (vcpu === undefined) vcpu = state.vcpu;
      const registers = await debug.readRegisters(vcpu);
      return namesOf(await session.symbols(), registers, state);
    },
    changed: () => {},
    async moreNames() {
      if (foreseen || !debug.os) return false;
      foreseen = true;
      symbols = undefined;
      return (await debug.os.foresee().catch(() => undefined)) !== undefined;
    },
    close: off,
  };
  return session;
}
