/** Letting the guest run, for one instruction or until something happens. */

import { parseExitCondition } from '../../engine/debug/exit-condition.js';
import type { Dashboard } from '../dashboard.js';
import { grouped } from '../screen/text.js';
import { stepOut, stepOver } from '../stepping.js';
import { type Command, need, value } from './command.js';

async function untilCommand(d: Dashboard, text: string): Promise<undefined> {
  const argument = need(text, 'an address, "icount N" or "vmexit REASON"');
  d.mustBeAlive();
  const icount = /^icount\s+(.+)$/i.exec(argument);
  const exit = /^(?:vmexit|exit)\b(.*)$/is.exec(argument);
  if (icount) {
    const wanted = value(d, icount[1]!);
    if (wanted <= d.model.state.icount)
      throw new Error(`icount ${grouped(wanted)} is past: the guest stands at ${grouped(d.model.state.icount)}`);
    await d.debug.runUntil({ icount: wanted });
  } else if (exit) await d.debug.runUntil({ exit: parseExitCondition(exit[1]!, (term) => value(d, term)) });
  else await d.debug.runUntil({ gva: value(d, argument) });
  return undefined;
}

export const RUN_COMMANDS: readonly Command[] = [
  {
    name: 'run',
    usage: '',
    help: 'let the guest run',
    key: 'c',
    run: async (d) => {
      d.mustBeAlive();
      await d.debug.resume();
      return undefined;
    },
  },
  {
    name: 'pause',
    usage: '',
    help: 'stop the guest',
    key: 'c',
    run: async (d) => {
      await d.debug.pause();
      return undefined;
    },
  },
  {
    name: 'step',
    moves: true,
    usage: '[N]',
    help: 'N instructions',
    key: 's',
    run: async (d, text) => {
      const count = text.trim() ? Number(text) : 1;
      if (!Number.isSafeInteger(count) || count < 1)
        throw new Error(`"${text.trim()}" is not a number of instructions`);
      d.mustBeAlive();
      const before = d.model.state.icount;
      const after = await d.debug.step(d.model.vcpu, count);
      if (!d.model.counted || after.stop?.kind !== 'step' || after.icount !== before) return undefined;
      throw new Error('no instruction ran: the vCPU is halted and waits for an interrupt');
    },
  },
  {
    name: 'over',
    moves: true,
    usage: '',
    help: 'one instruction, calls as one',
    key: 'n',
    run: async (d) => {
      d.mustBeAlive();
      await stepOver(d.debug, d.disassembler, d.model.vcpu);
      return undefined;
    },
  },
  {
    name: 'out',
    moves: true,
    usage: '',
    help: 'until the function returns',
    key: 'f',
    run: async (d) => {
      d.mustBeAlive();
      await stepOut(d.debug, d.disassembler, d.model.vcpu, d.model.symbols);
      return undefined;
    },
  },
  {
    name: 'until',
    moves: true,
    usage: 'ADDR | SYMBOL | icount N | vmexit REASON [if ...]',
    help: 'run until then',
    key: 'u',
    run: untilCommand,
  },
  {
    name: 'next-exit',
    moves: true,
    usage: '[REASON [if FIELD OP VALUE]]',
    help: 'run to the next VM exit',
    key: 'e',
    run: async (d, text) => {
      if (!d.debug.exits) throw new Error(d.model.unavailable('exits'));
      d.mustBeAlive();
      await d.debug.stepToExit(text.trim() ? parseExitCondition(text, (term) => value(d, term)) : undefined);
      return undefined;
    },
  },
];
