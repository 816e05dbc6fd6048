/** What stands above the command line while an argument is typed: for every argument of every command what it may be. */
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/tui/commands.js';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

/** The list for a line that is typed. */
async function listed(cells: Cells, line: string): Promise<string> {
  await cells.key('escape', ':', ...line);
  const rows = cells.text().split('\n');
  const head = rows.findLastIndex((row) => row.startsWith(` ${line.split(' ')[0]} `));
  return rows.slice(head, -1).join('\n');
}

describe('the list above the command line', () => {
  it.each([
    ['view ', /\n debug +exits +memory +vmcs +console +system/],
    ['break ', /\n vmexit +process +if +EXCEPTION_NMI/],
    ['break vmexit EPT', /\n EPT_VIOLATION +EPT_MISCONFIG$/],
    ['break vmexit CPUID if le', /\n leaf +level$/],
    ['next-exit CPUID if po', /\n port$/],
    ['break main process ', /\n kthreadd +sh$/],
    ['break main process 1', /\n 101$/],
    ['break uart', /\n uart_putc$/],
    ['set vmcs PIN', /\n PIN_BASED_VM_EXEC_CONTROL$/],
    ['vmcs guest_ri', /\n GUEST_RIP$/],
    ['info stack k', /\n kthreadd$/],
    ['vmmap pid ', /\n kthreadd +sh$/],
    ['vcpu ', /\n 0 +1$/],
    ['frame ', /\n 0( +\d)*$/],
    ['diff ', /\n #40 +#39 +#38/],
    ['diff #40 ', /\n #40 +#39 +#38/],
    ['delete ', /\n all +1$/],
    ['commands 1 unti', /\n until$/],
    ['undisplay ', /\n all +1$/],
    ['layout delete ', /\n mine$/],
    ['monitor sys', /\n system_powerdown +system_reset$/],
    ['eject ', /\n -f +ide1-cd0$/],
    ['save src/tui/chr', /\n src\/tui\/chrome\.ts$/],
    ['migrate ', /\n -d +tcp: +unix:$/],
  ] as const)('%j', async (line, shown) => {
    const debug = new FakeDebugger('full', 2);
    debug.monitor = async () => 'ide1-cd0: [not inserted]\n    Attached to: ide, cdrom';
    const cells = await Cells.open(debug, { columns: 120, rows: 40 });
    await cells.command('break 0x401000');
    await cells.command('display rax');
    await cells.command('layout save mine');
    expect(await listed(cells, line)).toMatch(shown);
  });

  it('says how many there is no room for, at any size', async () => {
    const cells = await Cells.open(new FakeDebugger(), { columns: 80, rows: 24 });
    expect(await listed(cells, 'vmcs ')).toMatch(/ \d+ more$/);
    for (const [columns, rows] of [
      [40, 12],
      [20, 5],
      [1, 1],
    ] as const) {
      Object.assign(cells, { columns, rows });
      await cells.settle();
    }
  });

  /** Their arguments are numbers, or words that nobody knows before they are typed. */
  const FREE = /^(\[N\]|\[REGEX\]|\[DIR\.\.\.\]|N COUNT|MIB|\/FMT PORT( VALUE)?|DX DY \[DZ\]|ADDRESS)$/;

  it('has something for the argument of every command', () => {
    const without = COMMANDS.filter(({ usage, words = [], kinds = [] }) => usage && words.length + kinds.length === 0);
    expect(without.filter(({ usage }) => !FREE.test(usage)).map(({ name, usage }) => `${name} ${usage}`)).toEqual([]);
  });
});
