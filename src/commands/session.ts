/** Commands without a screen: of a script, a socket, gdb. */
import { Disassembler, SymbolTable } from '../disasm/index.js';
import { linearPc } from '../engine/debug/guest-mode.js';
import type { Debugger, TargetInfo } from '../engine/debugger.js';
import { exitReasonByName } from '../spec/vmx/exit-reasons.js';
import type { Session } from './command.js';
import type { Names } from './expression.js';

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
      const { stop } = state;
      const exit = stop?.kind === 'exit' && !state.running ? stop.exit : undefined;
      return {
        symbols: await session.symbols(),
        registers: { ...registers, pc: linearPc(registers) },
        facts: {
          icount: state.icount,
          ...(exit === undefined
            ? {}
            : {
                ...{ reason: BigInt(exit.reason), exit: BigInt(exit.sequence), qualification: exit.qualification },
                ...{ gpa: exit.gpa, gla: exit.gla },
              }),
        },
        constant: (name) => {
          const reason = exitReasonByName(name);
          return reason && BigInt(reason.number);
        },
      };
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
