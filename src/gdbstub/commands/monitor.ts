import { decodeHex, encodeHexText } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import type { Permission } from '../permissions.js';
import { messageOf, type Session } from '../session.js';
import { ARCHITECTURE_SETTINGS } from '../settings.js';

/** Text bytes of one O packet; GDB prints them as they come. */
const CHUNK = 0x4000;

const OWN_HELP = `arch [auto|i8086|i386|x86-64] -- registers and disassembly of the gdb connection
registers [few|all] -- system registers and VMCS fields as variables ($lstar, info tvariables), or as registers that gdb prints and writes
linux-abi [on|off] -- gdb's catch syscall, which needs a guest whose programs are Linux's; modules are no libraries then
direction [back|forward] -- whether the client's continue and instruction steps go back, for one that has no word for that
lldb-calls [on|off] -- LLDB's expressions call functions of the guest
linear-pc [on|off|auto] -- show the program counter as cs base + ip outside 64-bit mode
`;

/** What the client must allow itself for a command. */
const NEEDED: Readonly<Record<'looks' | 'runs' | 'changes', readonly Permission[]>> = {
  looks: [],
  runs: ['Stop'],
  changes: ['WriteReg', 'WriteMem'],
};

function architecture(session: Session, argument: string | undefined): string {
  const { settings } = session;
  if (argument === undefined) return `arch ${session.registers.setting}\n`;
  const wanted = ARCHITECTURE_SETTINGS.find((setting) => setting === argument);
  if (wanted === undefined) return `arch: choose one of ${ARCHITECTURE_SETTINGS.join(', ')}\n`;
  settings.architecture = wanted;
  const when = session.followsModes ? 'at the next stop' : 'when you disconnect and connect again';
  return `arch ${wanted}, ${when}\n`;
}

function linearPc(session: Session, argument: string | undefined): string {
  const { settings } = session;
  if (argument === undefined) return `linear-pc ${settings.linearPc}\n`;
  if (argument !== 'on' && argument !== 'off' && argument !== 'auto') return 'linear-pc: choose on, off or auto\n';
  settings.linearPc = argument;
  return `linear-pc ${argument}; registers that gdb holds change at the next stop\n`;
}

function registersShown(session: Session, argument: string | undefined): string {
  const { settings } = session;
  if (argument === undefined) return `registers ${settings.registers}\n`;
  if (argument !== 'few' && argument !== 'all') return 'registers: choose few or all\n';
  settings.registers = argument;
  return `registers ${argument}, when you disconnect and connect again\n`;
}

function linuxAbi(session: Session, argument: string | undefined): string {
  const { settings } = session;
  if (argument === undefined) return `linux-abi ${settings.linuxAbi ? 'on' : 'off'}\n`;
  if (argument !== 'on' && argument !== 'off') return 'linux-abi: choose on or off\n';
  settings.linuxAbi = argument === 'on';
  return `linux-abi ${argument}, when you disconnect and connect again\n`;
}

function lldbCalls(session: Session, argument: string | undefined): string {
  const { settings } = session;
  if (argument === undefined) return `lldb-calls ${settings.calls ? 'on' : 'off'}\n`;
  if (argument !== 'on' && argument !== 'off') return 'lldb-calls: choose on or off\n';
  settings.calls = argument === 'on';
  return `lldb-calls ${argument}, when you disconnect and connect again\n`;
}

function direction(session: Session, argument: string | undefined): string {
  if (argument === undefined) return `direction ${session.backwards ? 'back' : 'forward'}\n`;
  if (argument !== 'back' && argument !== 'forward') return 'direction: choose back or forward\n';
  if (argument === 'back' && session.target.reverse === undefined)
    return 'direction: nothing is kept to go back to: start the guest with --history SIZE\n';
  if (argument === 'back' && session.nonStop) return 'direction: going back moves all threads: leave non-stop mode\n';
  session.backwards = argument === 'back';
  return `direction ${argument}\n`;
}

/** Runs a command of the machine's. LLDB reads nothing anew before it has seen a stop: its next step is to show it one. */
async function ofMachine(session: Session, line: string): Promise<string | undefined> {
  const { target, features } = session;
  const before = features.lldb ? await target.position?.() : undefined;
  const answer = await target.monitor?.(line, session.monitorThread);
  if (before === undefined || target.running()) return answer;
  const after = await target.position?.();
  if (after === undefined || (after.icount === before.icount && after.exit === before.exit)) return answer;
  session.moved = target.lastStop()?.thread ?? session.monitorThread;
  return `${(answer ?? '').trimEnd()}\nthread step-inst shows where the guest is, and runs nothing\n`;
}

async function execute(session: Session, line: string): Promise<string> {
  const [command, argument] = line.trim().split(/\s+/);
  if (command === 'arch') return architecture(session, argument);
  if (command === 'registers') return registersShown(session, argument);
  if (command === 'linux-abi') return linuxAbi(session, argument);
  if (command === 'direction') return direction(session, argument);
  if (command === 'lldb-calls') return lldbCalls(session, argument);
  if (command === 'linear-pc') return linearPc(session, argument);
  const forbidden = session.forbidden(...NEEDED[session.target.monitorEffect?.(line) ?? 'changes']);
  if (forbidden !== undefined) return `${command}: ${forbidden}\n`;
  const exit = command === 'why' && argument === undefined ? session.trace.frame?.frame.exit : undefined;
  const asked = exit === undefined ? line.trim() : `why ${exit.sequence}`;
  const answer = await ofMachine(session, asked);
  if (command === 'cpu' && answer === '') session.monitorThread = Number(argument);
  if ((command === 'help' || command === '?') && argument === undefined)
    return `${(answer ?? '').trimEnd()}\n${OWN_HELP}`;
  return answer ?? `unknown command: '${line.trim()}'; try 'monitor help'\n`;
}

/** `qRcmd,hex`: a `monitor` command. Its text goes out in O packets, then OK. */
export const monitor: Command = {
  name: 'qRcmd',
  async run(args, session) {
    const bytes = args[0] === ',' ? decodeHex(args.slice(1)) : undefined;
    if (bytes === undefined) return session.error(22, 'malformed command');
    let text: string;
    try {
      text = await execute(session, Buffer.from(bytes).toString('utf8'));
    } catch (error) {
      text = `${messageOf(error)}\n`;
    }
    if (text !== '' && !text.endsWith('\n')) text += '\n';
    for (let at = 0; at < text.length; at += CHUNK) session.send(`O${encodeHexText(text.slice(at, at + CHUNK))}`);
    return 'OK';
  },
};
