/** Every pane, one of each; the views show some of them. */
import type { Disassembler } from '../../disasm/index.js';
import { RateChart, SpentChart, TimesChart } from '../charts/panes.js';
import type { PaneId } from '../layout.js';
import { BreakpointsPane } from './breakpoints.js';
import { ConsolePane } from './console.js';
import { DevicesPane } from './devices.js';
import { DisassemblyPane } from './disassembly.js';
import { EptPane } from './ept.js';
import { ExitPane } from './exit.js';
import { HeatPane } from './heat.js';
import { LogPane } from './log.js';
import { MemoryPane } from './memory.js';
import { ModulesPane } from './modules.js';
import type { Pane, Ui } from './pane.js';
import { ProcessesPane } from './processes.js';
import { ProfilePane } from './profile.js';
import { ReasonsPane } from './reasons.js';
import { RegistersPane } from './registers.js';
import { SourcePane } from './source.js';
import { StackPane } from './stack.js';
import { DescriptorPane, VectorsPane, X87Pane } from './tables.js';
import { TimelinePane } from './timeline.js';
import { TracePane } from './trace.js';
import { VariablesPane } from './variables.js';
import { VcpusPane } from './vcpus.js';
import { VmcsPane } from './vmcs.js';
import { WalkPane } from './walk.js';
import { WatchesPane } from './watches.js';

export type Panes = Record<PaneId, Pane> & {
  disassembly: DisassemblyPane;
  memory: MemoryPane;
  reasons: ReasonsPane;
  profile: ProfilePane;
  watches: WatchesPane;
};

export function createPanes(ui: Ui, disassembler: Disassembler): Panes {
  const memory = new MemoryPane(ui);
  return {
    disassembly: new DisassemblyPane(ui, disassembler),
    registers: new RegistersPane(ui),
    memory,
    walk: new WalkPane(ui, memory),
    exit: new ExitPane(ui),
    stack: new StackPane(ui),
    trace: new TracePane(ui),
    breakpoints: new BreakpointsPane(ui),
    console: new ConsolePane(ui),
    serial: new ConsolePane(ui, 'serial'),
    vga: new ConsolePane(ui, 'vga'),
    devices: new DevicesPane(ui),
    processes: new ProcessesPane(ui),
    modules: new ModulesPane(ui),
    log: new LogPane(ui),
    reasons: new ReasonsPane(ui),
    vcpus: new VcpusPane(ui),
    vmcs: new VmcsPane(ui),
    ept: new EptPane(ui),
    timeline: new TimelinePane(ui),
    rates: new RateChart(ui),
    spent: new SpentChart(ui),
    times: new TimesChart(ui),
    heat: new HeatPane(ui),
    gdt: new DescriptorPane(ui, 'gdt'),
    idt: new DescriptorPane(ui, 'idt'),
    tss: new DescriptorPane(ui, 'tss'),
    vectors: new VectorsPane(ui),
    x87: new X87Pane(ui),
    source: new SourcePane(ui),
    variables: new VariablesPane(ui),
    watches: new WatchesPane(ui),
    profile: new ProfilePane(ui),
  };
}
