/** One VM exit: reason, qualification, information fields, and why it happened. */

import {
  describeAction,
  describeFields,
  explainExit,
  explainWithoutControls,
  instructionFields,
  qualificationFields,
} from '../../engine/debug/explain-exit.js';
import type { ExitRecord } from '../../engine/debugger.js';
import type { DecodedBits } from '../../spec/vmx/exit-qualifications.js';
import { describeInterruption } from '../../spec/vmx/interruption-info.js';
import { ENCODING, exitReason, exitReasonName } from '../facts.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { grouped, hex } from '../screen/text.js';
import { exitHelp, type SubjectHelp } from '../subject-help.js';
import { wrap } from './pane.js';
import { TextPane } from './text-pane.js';

export class ExitPane extends TextPane {
  readonly id = 'exit';
  override readonly keys = [['/', '/', 'find']] as const;

  override explain(): SubjectHelp | undefined {
    const exit = this.ui.exit();
    return exit && exitHelp(exit);
  }

  override title(): Segment[] {
    const exit = this.ui.exit();
    return [[exit ? ` VM exit #${exit.sequence} ` : ' VM exit '], [exit ? `${this.place(exit)} ` : '', this.theme.dim]];
  }

  private place(exit: ExitRecord): string {
    const { stop } = this.model;
    if (stop?.kind === 'exit' && stop.exit.sequence === exit.sequence) return 'stopped here';
    const newest = this.model.records.at(-1);
    const back = newest ? newest.sequence - exit.sequence : 0;
    return back > 0 ? `${back} before the newest` : 'the newest';
  }

  protected override lines(cells: CellPane): Segment[][] | undefined {
    const { stop } = this.model;
    const lines: Segment[][] = [];
    if (stop?.kind === 'entry-failed') lines.push(...this.entryFailure(stop.failures, stop.message, cells.width));
    if (stop?.kind === 'ended') lines.push(...this.end(stop, cells.width));
    const trace = this.model.trace();
    const exit = this.ui.exit();
    if (!exit) {
      if (trace.error) this.reason(cells, trace.error);
      else if (lines.length === 0) lines.push([[' no VM exit so far', this.theme.dim]]);
      return trace.error && lines.length === 0 ? undefined : lines;
    }
    lines.push(...this.record(exit, cells.width));
    return lines;
  }

  private record(exit: ExitRecord, width: number): Segment[][] {
    const { theme, model } = this;
    const row = exitReason(exit.reason);
    const lines: Segment[][] = [];
    const item = (label: string, text: string, attr = theme.normal) => {
      for (const [n, line] of wrap(text, width - 9).entries()) {
        lines.push([
          [` ${(n ? '' : label).padEnd(7)}`, theme.label],
          [line, attr],
        ]);
      }
    };
    item(
      'reason',
      `${exit.reason & 0xffff} ${exitReasonName(exit.reason)}${exit.reason >>> 31 ? ' (VM-entry failure)' : ''}`,
      theme.crit,
    );
    if (row) item('', row.title, theme.dim);
    const controls = model.controlsAt(exit);
    const { field } = controls;
    item('why', model.debug.vmcs ? explainExit(exit, field) : explainWithoutControls(exit), theme.warn);
    item('did', describeAction(exit), exit.action === 'stop' ? theme.crit : theme.normal);
    const qualification = qualificationFields(exit);
    if (!row || row.fields.includes('qualification') || exit.qualification)
      item('qual', valueAnd(exit.qualification, qualification));
    if (row?.fields.includes('gpa') || exit.gpa) item('gpa', hex(exit.gpa), theme.number);
    // Defined for string I/O only, among I/O instructions.
    if (exit.gla || (row?.fields.includes('gla') && row.fields.includes('gpa')))
      item('gla', hex(exit.gla), theme.number);
    const linear = exit.csBase + exit.rip;
    const label = model.symbols.label(linear) ?? model.symbols.label(exit.rip);
    item(
      'rip',
      `${hex(exit.rip)}${exit.csBase ? ` cs base ${hex(exit.csBase)}` : ''}${exit.instructionLength ? ` len ${exit.instructionLength}` : ''}${label ? ` ${label}` : ''}`,
    );
    const instruction = instructionFields(exit);
    if (instruction.length || exit.instructionInfo) item('insn', valueAnd(exit.instructionInfo, instruction));
    if (exit.interruptionInfo >>> 31)
      item('event', describeInterruption(exit.interruptionInfo, exit.interruptionError).join(', '));
    if (exit.vectoringInfo >>> 31)
      item('while', `delivering ${describeInterruption(exit.vectoringInfo, exit.vectoringError).join(', ')}`);
    item('regs', `rax ${hex(exit.rax)} rcx ${hex(exit.rcx)} cr3 ${hex(exit.cr3)}`);
    const time = model.counted ? `icount ${grouped(exit.icount)}` : `${(Number(exit.clock) / 1e6).toFixed(3)} ms`;
    item('time', `${time}  vcpu ${exit.vcpu}`);
    if (model.debug.vmcs) {
      const words = (['pin', 'primary', 'secondary', 'exitControls', 'entryControls', 'exceptionBitmap'] as const)
        .map((name) => [name, field(ENCODING[name])] as const)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${SHORT[name]} ${hex(value!)}`);
      item('ctls', `${words.join('  ')}${controls.now ? ' (as they are now)' : ''}`, theme.dim);
    } else item('ctls', model.unavailable('vmcs'), theme.dim);
    for (const field of qualification) lines.push(this.bits('qual', field));
    for (const field of instruction) lines.push(this.bits('insn', field));
    return lines;
  }

  /** One field with the bits where it stands. */
  private bits(word: string, { name, high, low, text }: DecodedBits): Segment[] {
    const range = high === low ? `${low}` : `${high}:${low}`;
    return [
      [` ${word}[${range}]`.padEnd(13), this.theme.dim],
      [`${name} `, this.theme.label],
      [text, text === 'no' ? this.theme.dim : this.theme.normal],
    ];
  }

  private entryFailure(
    failures: readonly { id: string; sdm: string; fields: { name: string; value: bigint }[] }[],
    message: string,
    width: number,
  ): Segment[][] {
    const { theme } = this;
    const lines: Segment[][] = wrap(message, width - 2).map((line) => [[` ${line}`, theme.crit]]);
    for (const failure of failures) {
      for (const [n, line] of wrap(failure.id, width - 4).entries())
        lines.push([[n ? '   ' : ' ✗ ', theme.crit], [line]]);
      for (const line of wrap(`SDM ${failure.sdm}`, width - 4)) lines.push([[`   ${line}`, theme.dim]]);
      for (const { name, value } of failure.fields) lines.push([[`     ${name} = ${hex(value)}`, theme.number]]);
    }
    return lines;
  }

  private end(
    stop: { end: unknown; faults?: { text: string; rip: bigint; name: string; icount?: bigint }[] },
    width: number,
  ): Segment[][] {
    const { theme, model } = this;
    const lines: Segment[][] = [];
    const { faults = [] } = stop;
    for (const [n, fault] of faults.entries()) {
      for (const [line, text] of wrap(`${fault.name} at ${hex(fault.rip)}: ${fault.text}`, width - 5).entries()) {
        lines.push([[line === 0 ? ` ↳ ${n + 1} ` : '     ', theme.crit], [text]]);
      }
    }
    const first = faults[0]?.icount;
    if (first !== undefined && model.info?.unavailable.history === undefined)
      lines.push([
        [' G fault 1', theme.key],
        [` goes to before it, instruction ${grouped(first)}`, theme.dim],
      ]);
    return lines;
  }

  override copy(): string | undefined {
    const exit = this.ui.exit();
    return (
      exit && JSON.stringify(exit, (_key, value) => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value))
    );
  }
}

const SHORT = {
  pin: 'pin',
  primary: 'pri',
  secondary: 'sec',
  exitControls: 'exit',
  entryControls: 'entry',
  exceptionBitmap: 'exc',
} as const;

/** A value and what its fields say. */
function valueAnd(value: bigint | number, fields: readonly DecodedBits[]): string {
  const text = describeFields(fields);
  return text ? `${hex(value)}: ${text}` : hex(value);
}
