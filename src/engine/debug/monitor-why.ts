/** The monitor's `why`: what the guest stands for, or what its last VM exit was about, and what made it exit. */
import { exitReasonName } from '../../spec/vmx/exit-reasons.js';
import type { Debugger, ExitRecord, StopReason } from '../debugger.js';
import { describeAction, exitSubject, explainExit, explainWithoutControls } from './explain-exit.js';

/** Of the newest exits, those among which one of the vCPU is looked for. */
const LOOKED_AT = 4096;

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** The exit that a vCPU stands at, or else its newest. */
export async function lastExit(target: Debugger, vcpu: number): Promise<ExitRecord | undefined> {
  const { stop } = await target.state();
  if (stop?.kind === 'exit' && stop.exit.vcpu === vcpu) return stop.exit;
  const records = (await target.exits?.records(-1, LOOKED_AT)) ?? [];
  return records.findLast((exit) => exit.vcpu === vcpu);
}

const controlsAt = (target: Debugger, exit: ExitRecord) =>
  target.exits?.controls?.(exit.sequence).catch(() => undefined);

/** @param which of the exits it is, for the user */
async function exitText(target: Debugger, exit: ExitRecord, which: string): Promise<string> {
  // a guest of an older release does not know the first question
  const fields = target.vmcs && ((await controlsAt(target, exit)) ?? (await target.vmcs.read(exit.vcpu)));
  const field = (encoding: number): bigint | undefined => fields?.find((it) => it.encoding === encoding)?.value;
  const name = exitReasonName(exit.reason);
  const subject = exitSubject(exit);
  const place = `at rip ${hex(exit.rip)}, instruction ${exit.icount}, CPU#${exit.vcpu}`;
  return [
    `VM exit #${exit.sequence}, ${which}: ${exit.reason & 0xffff} ${name}${exit.reason >>> 31 ? ' (VM-entry failure)' : ''} ${place}`,
    ...(subject === '' ? [] : [`what: ${subject}`]),
    `why:  ${fields ? explainExit(exit, field) : explainWithoutControls(exit)}`,
    `did:  ${describeAction(exit)}`,
  ].join('\n');
}

/** An exit by its number, as long as it is kept. */
async function olderText(target: Debugger, text: string): Promise<string> {
  const number = /^#?(\d{1,15})$/.exec(text)?.[1];
  if (number === undefined) throw new Error('usage: why, or why and the number of a VM exit');
  const sequence = Number(number);
  const [exit] = ((await target.exits?.records(sequence - 1, 1 << 20)) ?? []).slice(0, 1);
  if (exit?.sequence === sequence) return exitText(target, exit, 'an earlier one');
  const kept = exit === undefined ? 'it has not happened' : `the oldest that is kept is #${exit.sequence}`;
  throw new Error(`no VM exit #${sequence}: ${kept}`);
}

/** What a stop says beyond its last exit. */
function stopText(stop: StopReason | undefined): string[] {
  if (stop?.kind === 'entry-failed') return [`VM entry failed: ${stop.message}`];
  if (stop?.kind === 'ended') {
    const { end, faults = [] } = stop;
    return [end.message, ...faults.map(({ text }, n) => `fault ${n + 1}: ${text}`)];
  }
  return [];
}

export const WHY_COMMANDS = {
  why: async ({ target, vcpu, args }: { target: Debugger; vcpu: number; args: readonly string[] }): Promise<string> => {
    if (args.length > 0) return olderText(target, args.join(' '));
    const { stop } = await target.state();
    const exit = await lastExit(target, vcpu);
    const here = stop?.kind === 'exit' && stop.exit.sequence === exit?.sequence;
    const last = exit
      ? await exitText(target, exit, here ? 'where the guest is stopped' : 'the last one')
      : `CPU#${vcpu} has made no VM exit so far`;
    return [...stopText(stop), last].join('\n');
  },
};
