/** Monitor commands about a Linux guest: what its own tools would print, read from its memory. */
import type { Debugger, OsTask, OsTaskStack, RegisterFile } from '../debugger.js';
import { formatLog } from './linux/log.js';

interface Context {
  target: Debugger;
  args: string[];
}

type Command = (context: Context) => Promise<string>;
type System = NonNullable<Debugger['os']>;

const NO_VIEW = 'this target does not look into operating systems';

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** Runs `show` if the target looks into systems and finds one. */
function withOs(show: (os: System, args: string[]) => Promise<string>): Command {
  return async ({ target, args }) => {
    if (target.os === undefined) return NO_VIEW;
    if ((await target.os.info()) === undefined) return target.os.absence();
    return show(target.os, args);
  };
}

function taskLine({ pid, ppid, state, threads, cr3, name }: OsTask): string {
  const table = cr3 === undefined ? '-' : hex(cr3);
  const title = cr3 === undefined ? `[${name}]` : name;
  return `${String(pid).padStart(7)} ${String(ppid).padStart(7)} ${state} ${String(threads ?? '-').padStart(4)} ${table.padEnd(14)} ${title}`;
}

/** A row of register names and values; four a line. */
function registersText(title: string, file: RegisterFile): string[] {
  const cells = Object.entries(file).map(
    ([name, value]) => `${name.padStart(8)} ${value.toString(16).padStart(16, '0')}`,
  );
  const lines: string[] = [];
  for (let at = 0; at < cells.length; at += 4) lines.push(cells.slice(at, at + 4).join(' '));
  return [title, ...lines];
}

/** As /proc/PID/stack shows it, the innermost frame first; and the registers that it waits with. */
function stackText({ task, vcpu, frames, registers }: OsTaskStack): string {
  const head = `${task.name} (pid ${task.pid}), state ${task.state}`;
  if (vcpu !== undefined) return `${head}: runs on CPU #${vcpu}, its stack is that CPU's`;
  if (frames.length === 0) return `${head}: no frames, as it runs now or has not run yet`;
  const sure = (found: string): string => (found === 'scan' ? '  ? (a guess)' : '');
  return [
    head,
    ...frames.map(({ address, name, found }) => `${hex(address)} ${name}${sure(found)}`),
    ...(registers ? registersText('registers where it was switched away:', registers.kernel) : []),
    ...(registers?.program
      ? registersText('registers of its program, where it entered the kernel:', registers.program)
      : []),
  ].join('\n');
}

export const LINUX_COMMANDS: Record<string, Command> = {
  'info os': withOs(async (os) => {
    const info = await os.info();
    if (info === undefined) return os.absence();
    const { banner, base, slide, bits, symbols } = info;
    return `${banner}\n${bits}-bit image at ${hex(base)}, moved by ${hex(slide)} (KASLR), ${symbols} symbols`;
  }),
  'info dmesg': withOs(async (os) => formatLog(await os.log())),
  'info ps': withOs(async (os) =>
    ['    PID    PPID S  THR CR3            NAME', ...(await os.processes()).map(taskLine)].join('\n'),
  ),
  'info stack': withOs(async (os, [pid, ...rest]) => {
    if (!/^\d{1,9}$/.test(pid ?? '') || rest.length > 0)
      return 'info stack PID: the number of a process or thread is missing';
    return stackText(await os.stack(Number(pid)));
  }),
  'info modules': withOs(async (os) =>
    (await os.modules()).map(({ name, bytes, address }) => `${name} ${bytes} ${hex(address)}`).join('\n'),
  ),
  'info current': async ({ target }) => {
    const { vcpus } = await target.info();
    await target.os?.info();
    const lines: string[] = [];
    for (let vcpu = 0; vcpu < vcpus; vcpu++) {
      const task = await target.os?.current(vcpu);
      lines.push(`CPU #${vcpu}: ${task === undefined ? 'not known' : `${task.name} (pid ${task.pid})`}`);
    }
    return lines.join('\n');
  },
};

/** Runs a guest that has not started its kernel yet to where that has unpacked itself and its symbols are known. */
const runToKernel: Command = async ({ target }) => {
  if (target.os === undefined) return NO_VIEW;
  if ((await target.os.info()) !== undefined) return 'the kernel runs already';
  const state = await target.runUntil({ kernel: true });
  const info = await target.os.info();
  if (info === undefined) return `stopped before a kernel was found: ${state.stop?.kind ?? 'running'}`;
  return `${info.kind} ${info.release} starts, image at ${hex(info.base)}
gdb has its symbols if it was connected since the reset; if not: symbol-file target:/${info.kind}-${info.release}`;
};
LINUX_COMMANDS.run_to_kernel = runToKernel;
