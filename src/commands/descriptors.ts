/** `gdt`, `idt`, `tss`: the tables of segments, gates and stacks, each row decoded. */
import { readTable, TABLES, type TableName, type TableRow } from '../engine/debug/descriptor-tables.js';
import { type Command, command } from './command.js';
import { nothing } from './running.js';

const HELP: Readonly<Record<TableName, string>> = {
  gdt: 'the global descriptor table: segments, TSS, gates',
  idt: 'the interrupt descriptor table: where each vector leads to',
  tss: 'the task-state segment: stacks by privilege level, IST',
};

interface Named extends TableRow {
  readonly symbol?: string;
}

const row = (table: TableName): Command =>
  command<Named[]>({
    name: table,
    usage: '',
    help: HELP[table],
    effect: 'looks',
    page: true,
    run: async (session, text) => {
      nothing(text);
      const symbols = await session.symbols();
      return (await readTable(session.debug, session.vcpu, table)).map((entry) => {
        const symbol = entry.target !== undefined && entry.code ? symbols.label(entry.target) : undefined;
        return { ...entry, ...(symbol === undefined ? {} : { symbol }) };
      });
    },
    text: (rows) => {
      const width = Math.max(0, ...rows.map(({ name }) => name.length));
      return (
        rows.map(({ name, text, symbol }) => `${name.padEnd(width)}  ${text}  ${symbol ?? ''}`.trimEnd()).join('\n') ||
        'no entry'
      );
    },
    places: (rows) => rows.map(({ at, target }) => ({ space: 'gva' as const, address: target ?? at })),
  });

export const DESCRIPTOR_COMMANDS: readonly Command[] = TABLES.map(row);
