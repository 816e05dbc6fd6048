/** Branches of the run: what would have been, and where that becomes other than what was. */
import { exitSubject } from '../engine/debug/explain-exit.js';
import type { Branch, BranchComparison, ExitRecord, RunState } from '../engine/debugger.js';
import { exitReasonName } from '../spec/vmx/exit-reasons.js';
import { type Command, command, need, words } from './command.js';
import { historyOf } from './history.js';
import { grouped, hex } from './numbers.js';
import { MOVING, nothing } from './running.js';

function branchText({ name, here, parent, fork, last, end }: Branch): string {
  const from = fork ? ` leaves ${parent} at instruction ${grouped(fork.icount)}, exit ${grouped(fork.exit)};` : '';
  const over = end ? `, ended: ${end.message || end.kind}` : '';
  return `${here ? '*' : ' '} ${name}:${from} up to instruction ${grouped(last.icount)}, exit ${grouped(last.exit)}${over}`;
}

/** `CPUID leaf 1.0 at RIP 0x10117a, qualification 0x0` */
function exitText(exit: ExitRecord, qualified: boolean): string {
  const subject = exitSubject(exit);
  const vcpu = exit.vcpu > 0 ? ` of vCPU ${exit.vcpu}` : '';
  const qualification = qualified ? `, qualification 0x${hex(exit.qualification)}` : '';
  return `${exitReasonName(exit.reason)}${subject ? ` ${subject}` : ''}${vcpu} at RIP 0x${hex(exit.rip)}${qualification}`;
}

/** The first difference, or that there is none, in a line. */
export function comparisonText({ a, b, fork, same, unseen, difference }: BranchComparison): string {
  const lost = unseen > 0 ? `, ${counted(unseen)} not compared: a reset took their records` : '';
  const alike = `${counted(same - fork.exit - unseen)} the same${lost}`;
  if (difference) {
    const { exit, fields } = difference;
    const qualified = fields.includes('qualification') || difference.a.reason !== difference.b.reason;
    const [one, other] = [exitText(difference.a, qualified), exitText(difference.b, qualified)];
    const rest = fields.filter((name) => !SHOWN.has(name));
    const more =
      difference.a.reason === difference.b.reason && rest.length > 0 ? `; they differ in ${rest.join(', ')}` : '';
    return `first difference at exit #${grouped(exit)}: ${one} (${a.name}) against ${other} (${b.name})${more}; ${alike}`;
  }
  const none = `no difference up to exit #${grouped(same)} (${alike})`;
  const [short, long] = a.last.exit <= b.last.exit ? [a, b] : [b, a];
  if (short.last.exit === long.last.exit)
    return `${none}, where both ${a.end && b.end ? 'end' : 'are'}${a.end && b.end ? endText(a, b) : ''}`;
  const next = `${long.name} goes on to exit #${grouped(long.last.exit)}`;
  return short.end
    ? `${none}: ${short.name} ended there (${short.end.message || short.end.kind}), ${next}`
    : `${none}, which is as far as ${short.name} has run; ${next}`;
}

const counted = (exits: number): string => (exits === 1 ? '1 exit' : `${grouped(exits)} exits`);

/** In each exit's text already. */
const SHOWN: ReadonlySet<string> = new Set(['reason', 'rip', 'qualification', 'vcpu']);

function endText(a: Branch, b: Branch): string {
  const [one, other] = [a, b].map(({ end }) => end?.message || end?.kind || '');
  return one === other ? `: ${one}` : `: ${a.name} with ${one}, ${b.name} with ${other}`;
}

export const BRANCH_COMMANDS: readonly Command[] = [
  command<Branch | undefined>({
    name: 'branch',
    usage: '[NAME] | delete NAME | rename NAME TO',
    help: 'leave the run here: what is changed from now on is on a branch, the trunk stays',
    effect: 'changes',
    words: ['delete', 'rename'],
    behind: { delete: ['branch'], rename: ['branch'] },
    run: async (session, text) => {
      const history = await historyOf(session);
      const [first, second, third, ...more] = words(text);
      if (more.length > 0) throw new Error('usage: branch [NAME], branch delete NAME or branch rename NAME TO');
      if (first === 'delete') {
        if (third !== undefined) throw new Error('usage: branch delete NAME');
        await history.deleteBranch(need(second ?? '', "the branch's name"));
        session.changed('values');
        return undefined;
      }
      if (first === 'rename') {
        const renamed = await history.renameBranch(
          need(second ?? '', "the branch's name"),
          need(third ?? '', 'its new name'),
        );
        session.changed('values');
        return renamed;
      }
      if (second !== undefined) throw new Error(`unexpected "${second}": a branch's name has no blanks`);
      const branch = await history.branch(first);
      session.changed('values');
      return branch;
    },
    text: (branch) => (branch ? branchText(branch).slice(2) : ''),
    json: async (branch) => branch ?? null,
  }),
  command<Branch[]>({
    name: 'branches',
    usage: '',
    help: 'the trunk and its branches; * is where the guest is',
    effect: 'looks',
    run: async (session, text) => {
      nothing(text);
      return (await historyOf(session)).branches();
    },
    text: (all) => all.map(branchText).join('\n'),
    page: true,
  }),
  command<RunState>({
    ...MOVING,
    name: 'switch',
    usage: 'NAME | trunk',
    help: 'go to the end of a branch, or of the trunk',
    words: ['trunk'],
    kinds: ['branch'],
    run: async (session, text) => (await historyOf(session)).switchTo(need(text, "a branch's name, or trunk,")),
  }),
  command<BranchComparison>({
    name: 'compare',
    usage: '[A [B]]',
    help: 'where the exits of two branches first differ; without names this one and the trunk',
    effect: 'runs',
    moves: true,
    words: ['trunk'],
    kinds: ['branch'],
    run: async (session, text) => {
      const history = await historyOf(session);
      const [a, b, ...more] = words(text);
      if (more.length > 0) throw new Error('usage: compare [A [B]]');
      return history.compare(a, b);
    },
    text: comparisonText,
  }),
];
