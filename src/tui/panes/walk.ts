/** The walk of an address: guest page tables, then EPT, each entry shown and, with room, taken apart. */

import type { AddressSpace, PageWalk, PageWalkLevel } from '../../engine/debugger.js';
import { PAGING_LEVELS } from '../../spec/paging.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { hex, size } from '../screen/text.js';
import type { Source } from '../sources.js';
import { type SubjectHelp, walkHelp } from '../subject-help.js';
import type { MemoryPane } from './memory.js';
import type { Ui } from './pane.js';
import { TextPane } from './text-pane.js';

/** A pane of fewer rows gets a line a walk; of fewer than the second, a line an entry; else two. */
const BRIEF_ROWS = 9;
const FULL_ROWS = 22;

const EPT_VIOLATION = 48;
const GLA_VALID = 0x80n;

export class WalkPane extends TextPane {
  readonly id = 'walk';

  constructor(
    ui: Ui,
    private readonly memory: MemoryPane,
  ) {
    super(ui);
  }

  /** The memory pane's address; while that just follows the stack, the address of an EPT violation that is looked at. */
  private target(): { space: AddressSpace; address: bigint; why: string } {
    const exit = this.ui.exit();
    if (!this.memory.chosen && exit && (exit.reason & 0xffff) === EPT_VIOLATION && !this.model.state.running) {
      const linear = (exit.qualification & GLA_VALID) !== 0n;
      return {
        space: linear ? 'gva' : 'gpa',
        address: linear ? exit.gla : exit.gpa,
        why: ` of exit #${exit.sequence}`,
      };
    }
    return { space: this.memory.space, address: this.memory.address, why: '' };
  }

  override explain(): SubjectHelp | undefined {
    const { space, address } = this.target();
    const guest = space === 'gva' ? this.model.walk(address).value : undefined;
    const gpa = space === 'gpa' ? address : guest?.output;
    const ept = gpa === undefined || space === 'hpa' ? undefined : this.model.eptWalk(gpa).value;
    return walkHelp(
      `${space} ${hex(address)}`,
      [guest, ept].filter((walk) => walk !== undefined),
    );
  }

  override title(): Segment[] {
    const { space, address, why } = this.target();
    return [[' Walk '], [` ${space} ${hex(address)}${why} `, this.theme.dim]];
  }

  protected override lines(cells: CellPane): Segment[][] {
    const { theme } = this;
    const { space, address } = this.target();
    const lines: Segment[][] = [];
    let gpa: bigint | undefined = space === 'gpa' ? address : undefined;
    if (space === 'hpa') return [[[' a host-physical address needs no walk', theme.dim]]];
    if (space === 'gva') {
      const guest = this.model.walk(address);
      lines.push(...this.walk('Guest', guest, cells.height));
      gpa = guest.value?.output;
      if (guest.value && gpa === undefined) return lines;
    }
    if (gpa === undefined) return lines;
    lines.push(...this.walk('EPT', this.model.eptWalk(gpa), cells.height));
    return lines;
  }

  private walk(label: 'Guest' | 'EPT', source: Source<PageWalk>, height: number): Segment[][] {
    const { theme } = this;
    const walk = source.value;
    if (!walk) {
      return [
        [
          [` ${label.padEnd(5)} `, theme.label],
          [source.error ?? '…', theme.warn],
        ],
      ];
    }
    if (height < BRIEF_ROWS) return [this.brief(label, walk)];
    const [from, to] = label === 'EPT' ? ['gpa', 'hpa'] : ['gva', 'gpa'];
    const mode = label === 'EPT' ? 'EPT' : `${walk.mode} page tables`;
    const lines: Segment[][] = [
      [
        [` ${from} ${hex(walk.input)} → ${to}`, theme.title],
        [walk.mode === 'none' ? '  unchanged, paging is off' : `  by ${mode}`, theme.dim],
      ],
    ];
    for (const level of walk.levels) {
      lines.push(this.entry(level));
      if (height >= FULL_ROWS) lines.push(this.meaning(walk, level, label));
    }
    const last = walk.levels.at(-1);
    if (height >= FULL_ROWS && last && walk.output !== undefined && walk.pageBytes) {
      const offset = walk.output % BigInt(walk.pageBytes);
      lines.push([
        [`         offset ${hex(offset)} in the ${size(BigInt(walk.pageBytes))} page at ${to} `, theme.dim],
        [hex(walk.output - offset), theme.dim],
      ]);
    }
    lines.push([['  '], ...this.result(walk, to!)]);
    return lines;
  }

  private entry(level: PageWalkLevel): Segment[] {
    const { theme } = this;
    return [
      [`  ${level.table.padEnd(5)}`, theme.label],
      [`[${String(level.index).padStart(3)}] `],
      [`@${hex(level.entryAddress, 9)} `, theme.dim],
      [hex(level.entry, 16), theme.number],
      [` ${level.flags.join(' ')}`],
    ];
  }

  /** Which bits of the address chose the entry, what it points at, and where a guest's entry itself lies. */
  private meaning(walk: PageWalk, level: PageWalkLevel, label: 'Guest' | 'EPT'): Segment[] {
    const { theme } = this;
    const row = PAGING_LEVELS[walk.mode].find(({ table }) => table === level.table);
    const index = row ? `bits ${row.shift + row.bits - 1}:${row.shift} of the address` : '';
    const next = walk.levels[walk.levels.indexOf(level) + 1];
    const space = label === 'EPT' ? 'hpa' : 'gpa';
    const leads = next
      ? ` → ${next.table} at ${space} ${hex(next.entryAddress & ~0xfffn)}`
      : walk.output === undefined
        ? ''
        : ' → the page';
    const segments: Segment[] = [[`         ${index}${leads}`, theme.dim]];
    if (label === 'Guest' && this.model.debug.ept) {
      const lies = this.model.eptWalk(level.entryAddress).value;
      if (lies)
        segments.push(
          lies.output === undefined
            ? [`; EPT does not map the entry: ${lies.failure}`, theme.crit]
            : [`; entry at hpa ${hex(lies.output)}`, theme.dim],
        );
    }
    return segments;
  }

  private result(walk: PageWalk, space: string): Segment[] {
    const { theme } = this;
    if (walk.output === undefined)
      return [
        ['✗ ', theme.crit],
        [walk.failure ?? 'not mapped', theme.crit],
      ];
    const page = walk.pageBytes ? ` (${size(BigInt(walk.pageBytes))} page)` : '';
    return [
      [`= ${space} `, theme.ok],
      [hex(walk.output), theme.number],
      [page, theme.dim],
    ];
  }

  private brief(label: string, walk: PageWalk): Segment[] {
    const { theme } = this;
    const line: Segment[] = [[` ${label.padEnd(5)} `, theme.label]];
    if (walk.mode === 'none') line.push(['paging is off ', theme.dim]);
    for (const level of walk.levels) {
      const arrow = level === walk.levels.at(-1) ? ' ' : '→';
      line.push([`${level.table}[${level.index}]`], [` ${shortFlags(level.flags)}`, theme.dim], [arrow]);
    }
    if (walk.output === undefined) return [...line, ['✗ ', theme.crit], [walk.failure ?? 'not mapped', theme.crit]];
    const page = walk.pageBytes ? ` ${size(BigInt(walk.pageBytes))}` : '';
    return [...line, ['= ', theme.ok], [hex(walk.output), theme.number], [page, theme.dim]];
  }
}

/** Permissions in few letters, and the page size bit: `rwx`, `wu ps`. */
function shortFlags(flags: readonly string[]): string {
  const letters = flags.filter((flag) => /^[RWXU]$/.test(flag)).join('');
  const others = flags.filter((flag) => flag === 'PS' || flag === 'NX' || flag === 'UX');
  return [letters || '-', ...others].join(' ').toLowerCase();
}
