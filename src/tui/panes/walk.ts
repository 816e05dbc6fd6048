/** The walk of an address: guest page tables, then EPT, each entry shown. */
import type { PageWalk } from '../../engine/debugger.js';
import type { Source } from '../model.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { hex, size } from '../screen/text.js';
import type { MemoryPane } from './memory.js';
import type { Ui } from './pane.js';
import { TextPane } from './text-pane.js';

export class WalkPane extends TextPane {
  readonly id = 'walk';

  constructor(
    ui: Ui,
    private readonly memory: MemoryPane,
  ) {
    super(ui);
  }

  override title(): Segment[] {
    return [[' Walk '], [` ${this.memory.space} ${hex(this.memory.address)} `, this.theme.dim]];
  }

  protected override lines(cells: CellPane): Segment[][] {
    const { theme, memory } = this;
    const lines: Segment[][] = [];
    let gpa: bigint | undefined = memory.space === 'gpa' ? memory.address : undefined;
    // A short pane gets one line a walk, a tall one a line an entry.
    const brief = cells.height < 9;
    if (memory.space === 'hpa') return [[[' a host-physical address needs no walk', theme.dim]]];
    if (memory.space === 'gva') {
      const guest = this.model.walk(memory.address);
      lines.push(...this.walk('Guest', guest, brief));
      gpa = guest.value?.output;
      if (guest.value && gpa === undefined) return lines;
    }
    if (gpa === undefined) return lines;
    lines.push(...this.walk('EPT', this.model.eptWalk(gpa), brief));
    return lines;
  }

  private walk(label: string, source: Source<PageWalk>, brief: boolean): Segment[][] {
    const { theme } = this;
    const walk = source.value;
    if (!walk)
      return [
        [
          [` ${label.padEnd(5)} `, theme.label],
          [source.error ?? '…', theme.warn],
        ],
      ];
    const result: Segment[] =
      walk.output === undefined
        ? [
            ['✗ ', theme.crit],
            [walk.failure ?? 'not mapped', theme.crit],
          ]
        : [
            ['= ', theme.ok],
            [hex(walk.output), theme.number],
            [walk.pageBytes ? ` (${size(BigInt(walk.pageBytes))} page)` : '', theme.dim],
          ];
    if (brief) {
      const line: Segment[] = [[` ${label.padEnd(5)} `, theme.label]];
      if (walk.mode === 'none') line.push(['paging off ', theme.dim]);
      for (const level of walk.levels) {
        const arrow = level === walk.levels.at(-1) ? '' : '→ ';
        line.push([`${level.table}[${level.index}]`], [` ${shortFlags(level.flags)} `, theme.dim], [arrow]);
      }
      return [[...line, ...result]];
    }
    const mode = walk.mode === 'none' ? 'paging off' : walk.mode;
    const lines: Segment[][] = [
      [
        [` ${label} `, theme.title],
        [`${mode} walk of ${hex(walk.input)}`, theme.dim],
      ],
    ];
    for (const level of walk.levels) {
      lines.push([
        [`  ${level.table.padEnd(5)}`, theme.label],
        [`[${String(level.index).padStart(3)}] `],
        [`@${hex(level.entryAddress, 9)} `, theme.dim],
        [hex(level.entry, 16), theme.number],
        [` ${level.flags.join(' ')}`],
      ]);
    }
    lines.push([['  '], ...result]);
    return lines;
  }
}

/** Permissions in few letters, and the page size bit: `rwx`, `wu ps`. */
function shortFlags(flags: readonly string[]): string {
  const letters = flags.filter((flag) => /^[RWXU]$/.test(flag)).join('');
  const others = flags.filter((flag) => flag === 'PS' || flag === 'NX' || flag === 'UX');
  return [letters || '-', ...others].join(' ').toLowerCase();
}
