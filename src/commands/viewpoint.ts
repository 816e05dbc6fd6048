/** Whose registers and memory other commands are about. */
import { type Command, command, need } from './command.js';

export const VIEWPOINT_COMMANDS: readonly Command[] = [
  command({
    name: 'vcpu',
    usage: 'N',
    help: 'look at another vCPU',
    effect: 'looks',
    kinds: ['vcpu'],
    run: async (session, text) => {
      const count = (await session.info()).vcpus;
      const n = Number(need(text, 'a number'));
      if (!Number.isInteger(n) || n < 0 || n >= count) throw new Error(`vCPUs are 0 to ${count - 1}`);
      session.vcpu = n;
      session.changed('values');
      return { vcpu: n };
    },
    text: ({ vcpu }) => `vCPU ${vcpu}`,
    foot: () => undefined,
  }),
];
