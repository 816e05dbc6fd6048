/** Arguments and variables of the chosen frame. */
import { chosenFrame } from '../../commands/chosen-frame.js';
import type { Segment } from '../screen/cell-pane.js';
import type { Source } from '../sources.js';
import type { PaneKey } from './pane.js';
import { ValueTreePane } from './value-tree.js';

export class VariablesPane extends ValueTreePane {
  readonly id = 'variables';
  override readonly keys = [
    ['Enter', 'enter', 'unfold, or fold'],
    ['e', 'e', 'change it'],
    ['w', 'w', 'among the watched expressions'],
    ['<', '<', "the caller's frame"],
    ['>', '>', "the callee's frame"],
  ] as const;
  protected readonly none = 'no variables here';

  override title(): Segment[] {
    const frame = this.frame().value;
    const where = frame ? `#${frame.level} ${frame.name}` : '';
    return [[' Variables '], [` ${where}  Enter unfolds  w watch  < > frame `, this.theme.dim]];
  }

  private frame(): Source<{ level: number; name: string; roots: { name: string; expression: string }[] }> {
    return this.model.ask(`variables ${this.model.vcpu}`, async () => {
      const frame = await chosenFrame(this.ui.session);
      if (frame === undefined || frame.blocks.length === 0)
        throw new Error('no debug information for this code: use an image with DWARF, or --symbols FILE');
      const seen = new Set<string>();
      const roots: { name: string; expression: string }[] = [];
      const [func] = frame.blocks;
      const order = [
        ...func!.variables.filter(({ parameter }) => parameter),
        ...[...frame.blocks].reverse().flatMap(({ variables }) => variables.filter(({ parameter }) => !parameter)),
      ];
      // of two with one name the inner one is meant
      for (const { name } of order) {
        if (seen.has(name)) continue;
        seen.add(name);
        roots.push({ name, expression: name });
      }
      return { level: frame.level, name: frame.name ?? '', roots };
    });
  }

  protected override roots(): Source<readonly { name: string; expression: string }[]> {
    const source = this.frame();
    return { ...source, value: source.value?.roots };
  }

  override key(key: PaneKey): boolean {
    const line = this.chosen;
    if (key.name === 'w' && line) {
      this.ui.command(`display ${line.expression}`);
      return true;
    }
    if (key.name === '<' || key.name === '>') {
      this.ui.command(key.name === '<' ? 'up' : 'down');
      return true;
    }
    return super.key(key);
  }
}
