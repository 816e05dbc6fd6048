/** The steps of the tour: what is to be seen, what to do, and how it shows that it was done. */
import type { Breakpoint, StopReason } from '../../engine/debugger.js';
import type { PaneId, View } from '../layout.js';

/** What a step looks at. */
export interface TourFacts {
  stop: StopReason | undefined;
  running: boolean;
  icount: bigint;
  /** Stops so far. */
  halts: number;
  view: View;
  focus: PaneId;
  /** Sequence number of the exit that was chosen in the trace. */
  chosenExit: number | undefined;
  rax: bigint | undefined;
  breakpoints: readonly Breakpoint[];
  /** Names of the commands that were given since the step began, by key, mouse or command line. */
  commands: ReadonlySet<string>;
  past: boolean;
  history: boolean;
}

export interface TourStep {
  title: string;
  text: string;
  /** In `[]` what is to be pressed or clicked: a key, or a command line after a colon. */
  todo: string;
  /** What the buttons of the step do, for those who would rather click: command lines. */
  commands?: readonly string[];
  /** @param before as it was when the step began */
  done(now: TourFacts, before: TourFacts): boolean;
  /** Why it cannot be done here; it counts as done then. */
  lacks?(now: TourFacts): string | undefined;
}

const stepped = (now: TourFacts, before: TourFacts): boolean => now.halts > before.halts;

export const TOUR: readonly TourStep[] = [
  {
    title: 'A stopped guest',
    text: 'A guest runs in non-root mode of the processor: its code at full speed, but the hypervisor, in root mode, has the last word. This one has just entered 64-bit mode; the marked line runs next.',
    todo: 'Run that one instruction: [s].',
    done: (now, before) => stepped(now, before) && now.stop?.kind === 'step',
  },
  {
    title: 'VM exits',
    text: 'What the guest must not do by itself makes a VM exit: the processor saves the guest, goes to root mode, and says why. "! will exit" beside an instruction means that the controls say so beforehand.',
    todo: 'Run to the next VM exit: [e].',
    done: (now, before) => stepped(now, before) && now.stop?.kind === 'exit',
  },
  {
    title: 'Why',
    text: 'The pane "VM exit" has the reason as a number, which control, bitmap or EPT entry caused it, and the exit qualification bit by bit, as the SDM has them.',
    todo: 'Go to that pane and read the line "why": [Tab] until its border is bright, or click it.',
    commands: ['focus exit'],
    done: (now) => now.focus === 'exit',
  },
  {
    title: 'The trace',
    text: 'Every exit is recorded. An older one is explained by the controls as they were then, and its code is shown as it was read then.',
    todo: 'Run to another exit and look back at the one before: [e], then [,].',
    commands: ['next-exit', 'look-back'],
    done: (now) => now.chosenExit !== undefined,
  },
  {
    title: 'Registers',
    text: 'While the guest is stopped in an exit, the hypervisor may change all of it: registers, memory, the VMCS. What changed since the last stop has a star.',
    todo: 'Set RAX: click here, or type [:set rax 0x1234].',
    commands: ['set rax 0x1234'],
    done: (now) => now.rax === 0x1234n,
  },
  {
    title: 'From an address to memory',
    text: 'An address of the guest goes through two sets of tables: the page tables of the guest, and then EPT, the extended page tables that only the hypervisor sees. Both walks are shown, entry by entry.',
    todo: 'Open the view of memory, [g] [m], and walk the address of the stack, [:memory rsp].',
    commands: ['view memory', 'memory rsp'],
    done: (now) => now.view === 'memory' && now.commands.has('memory'),
  },
  {
    title: 'The VMCS',
    text: 'The VMCS is the page of memory in which the processor keeps a guest: its state, the state of root mode to go back to, and the controls that say what makes an exit.',
    todo: 'Open it: [g] [v]. [o] shows the bits of the field under the cursor.',
    commands: ['view vmcs'],
    done: (now) => now.view === 'vmcs',
  },
  {
    title: 'A VM entry that fails',
    text: 'Before each entry the processor checks the VMCS by some hundred rules. A control that must be 1 and is 0 makes the entry fail, and the rule is named with its place in the SDM.',
    todo: 'Clear the pin-based controls, [:vmcs PIN_BASED_VM_EXEC_CONTROL 0], and go on, [e].',
    commands: ['vmcs PIN_BASED_VM_EXEC_CONTROL 0', 'next-exit'],
    done: (now, before) => stepped(now, before) && now.stop?.kind === 'entry-failed',
  },
  {
    title: 'And one that holds',
    text: 'Nothing is lost: the guest never ran. With the control set again the same entry succeeds.',
    todo: 'Set it, [:vmcs PIN_BASED_VM_EXEC_CONTROL 0x7f], and run to the next exit, [e].',
    commands: ['vmcs PIN_BASED_VM_EXEC_CONTROL 0x7f', 'next-exit'],
    done: (now, before) => stepped(now, before) && now.stop?.kind === 'exit',
  },
  {
    title: 'Breaking on exits',
    text: 'A breakpoint may be on a VM exit, with a condition on what the exit recorded. The guest stops before the exit is handled. Here: a byte written to the serial port, and it is a line feed.',
    todo: 'Set it, [:break vmexit IO_INSTRUCTION if port == 0x3f8 and al == 0xa], and run, [c].',
    commands: ['break vmexit IO_INSTRUCTION if port == 0x3f8 and al == 0xa', 'run'],
    done: (now, before) => stepped(now, before) && now.stop?.kind === 'exit' && now.stop.id !== undefined,
  },
  {
    title: 'Back in time',
    text: 'Runs repeat exactly, so the run can be gone back: by an instruction, to the exit before, to whoever wrote a byte.',
    todo: 'Go one instruction back: [S].',
    commands: ['back'],
    done: (now, before) => now.past || (stepped(now, before) && now.icount < before.icount),
    lacks: (now) => (now.history ? undefined : 'this guest keeps no history'),
  },
  {
    title: 'gdb',
    text: 'The same guest can be looked at with gdb at the same time: the stub listens on a port of this host, each vCPU is a thread, and `monitor help` lists what gdb cannot ask for.',
    todo: 'Open it, [:gdb 0], and in another terminal give gdb the line that the foot of the screen shows.',
    commands: ['gdb 0'],
    done: (now) => now.commands.has('gdb'),
  },
];
