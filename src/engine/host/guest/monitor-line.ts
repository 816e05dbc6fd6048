import { monitorCommand, number, shownCommand } from '../../debug/monitor.js';
import { balloonCommand } from '../../debug/monitor-balloon.js';
import { deviceCommand } from '../../debug/monitor-devices.js';
import { type MediaHost, mediaCommand } from '../../debug/monitor-media.js';
import { type ScreenServer, vncCommand } from '../../debug/monitor-vnc.js';
import type * as D from '../../debugger.js';
import { printableLines } from '../../printable.js';
import type { Machine } from '../../vmm/machine.js';
import { saveCommand } from '../monitor-save.js';
import type { KeptRun } from './kept-run.js';
import type { Moves } from './moves.js';
import type { RunLoop } from './run-loop.js';
import type { RunStatus } from './status.js';

/** What the guest itself brings to its monitor. */
export interface MonitorParts {
  readonly debugger: D.Debugger;
  readonly machine: Machine;
  readonly status: RunStatus;
  readonly kept: KeptRun;
  readonly loop: RunLoop;
  readonly moves: Moves;
  readonly screenServer: ScreenServer | undefined;
}

/** Commands that change what the run goes on with. */
const CHANGES = /^\s*(?:[io]\s*\/|nmi\b|sendkey\b|mouse_(?:move|button)\b|system_powerdown\b)/;

/** Answers a line of the machine's monitor; undefined where there is no such command. */
export async function monitorLine(parts: MonitorParts, line: string, vcpu: number): Promise<string | undefined> {
  const { machine, status, kept, loop, moves } = parts;
  const { vm, view } = machine;
  vm.irqchip?.refresh();
  const { index } = status.vcpuOf(vcpu);
  const read = (text: string): bigint => number(view, index, text);
  try {
    const answer =
      (/^\s*balloon\b/.test(line) ? kept.mustBeLive() : undefined) ??
      balloonCommand(machine, line) ??
      mediaCommand(mediaOf(parts), line) ??
      vncCommand(line, parts.screenServer) ??
      saveCommand(view, index, line, read, vm.memoryBytes) ??
      (await moves.command(line));
    if (answer !== undefined) return answer;
    const act = (): string | undefined => deviceCommand(machine, line, read);
    const device = CHANGES.test(line) ? await kept.make({ kind: 'monitor', vcpu: index, line }, act) : act();
    if (device !== undefined) {
      // a port that was written, a key or an NMI may wake who sleeps
      loop.wake();
      return device;
    }
  } catch (error) {
    return `${shownCommand(line)}: ${(error as Error).message}`;
  }
  const text = await monitorCommand(parts.debugger, view, index, line, machine.drives, machine.pc.pc, (chosen) => {
    status.monitorVcpu = chosen;
  });
  // names of tasks, messages of the kernel, names in images: a debugger's terminal shows them, and obeys none
  return text === undefined ? undefined : printableLines(text);
}

function mediaOf({ machine, kept, loop }: MonitorParts): MediaHost {
  const { pc, drives } = machine;
  return {
    drives,
    mediumDrives: pc.mediumDrives,
    mayChange: () => kept.mustBeLive(),
    changeMedium: (drive, file) => {
      pc.changeMedium(drive, file);
      loop.wake();
    },
    askForEjection: (drive) => pc.askForEjection(drive),
  };
}
