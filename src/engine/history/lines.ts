/**
 * The lines of a run: the trunk, and branches that leave it or another branch where somebody changed the machine. The
 * timeline holds the line that the machine is in; what is other in each of the rest hangs at the snapshot before the fork.
 */
import { BranchInputs, type InputKeeper } from '../time/input-keeper.js';
import { compareInstants, type Instant } from '../time/instant.js';
import type { Journal } from '../time/journal.js';
import type { Snapshot } from './snapshot.js';
import type { Tail, Timeline } from './timeline.js';

export const TRUNK = 'trunk';
/** So many branches are kept at once. */
const MAX_BRANCHES = 100;
const NAME = /^[A-Za-z0-9_.][\w.-]{0,39}$/;
/** Words of the commands. */
const RESERVED: readonly string[] = [TRUNK, 'delete', 'rename'];

export interface Line {
  name: string;
  /** The line that it leaves, and where; undefined for the trunk. */
  readonly parent: Line | undefined;
  readonly fork: Instant | undefined;
  readonly inputs: InputKeeper;
  /** What it has behind the fork while the machine is in another one. */
  tail: Tail | undefined;
  /** The last snapshot before the fork; undefined for the trunk. */
  readonly anchor: Snapshot | undefined;
}

export class Lines {
  readonly trunk: Line;
  #active: Line;
  readonly #branches: Line[] = [];
  #named = 0;

  constructor(
    private readonly timeline: Timeline,
    private readonly journal: Journal,
    private readonly inputBudget: number,
  ) {
    const inputs = journal.keeper;
    this.trunk = { name: TRUNK, parent: undefined, fork: undefined, inputs, tail: undefined, anchor: undefined };
    this.#active = this.trunk;
  }

  /** The one that the machine is in. */
  get active(): Line {
    return this.#active;
  }

  get onTrunk(): boolean {
    return this.#active === this.trunk;
  }

  /** In the order in which they were made. */
  get branches(): readonly Line[] {
    return this.#branches;
  }

  /** Memory that the inputs of branches take, in bytes. */
  get bytes(): number {
    return this.#branches.reduce((sum, { inputs }) => sum + (inputs as BranchInputs).bytes, 0);
  }

  /** @throws Error when there is no line of that name */
  get(name: string): Line {
    const line = name === TRUNK ? this.trunk : this.#branches.find((branch) => branch.name === name);
    if (line) return line;
    const names = [TRUNK, ...this.#branches.map((branch) => branch.name)].join(', ');
    throw new Error(`there is no branch ${name}; there is ${names}`);
  }

  has(line: Line): boolean {
    return line === this.trunk || this.#branches.includes(line);
  }

  /** A name for a new branch. @throws Error in one line */
  name(wanted: string | undefined): string {
    if (this.#branches.length >= MAX_BRANCHES)
      throw new Error(`there are ${MAX_BRANCHES} branches already: branch delete NAME takes one away`);
    if (wanted !== undefined) {
      this.#check(wanted);
      return wanted;
    }
    let name: string;
    do name = `branch-${++this.#named}`;
    while (this.#taken(name));
    return name;
  }

  rename(line: Line, name: string): void {
    if (line === this.trunk) throw new Error('the trunk keeps its name');
    if (line.name === name) return;
    this.#check(name);
    line.name = name;
  }

  #taken(name: string): boolean {
    return this.#branches.some((branch) => branch.name === name);
  }

  #check(name: string): void {
    if (!NAME.test(name)) throw new Error(`${name.slice(0, 60)}: a branch's name has 1 to 40 letters, digits, _ . -`);
    if (RESERVED.includes(name)) throw new Error(`${name}: a branch cannot be called so`);
    if (this.#taken(name)) throw new Error(`there is a branch ${name} already`);
  }

  /** A new line from where the machine stands, in the interval behind the timeline's base. The machine is in it. */
  fork(name: string, instant: Instant): Line {
    const { timeline, journal } = this;
    // up to its fork a branch is the line that it left
    while (this.#active.inputs instanceof BranchInputs && journal.position <= this.#active.inputs.fork)
      this.#toParent();
    const parent = this.#active;
    const inputs = new BranchInputs(parent.inputs, journal.position, this.inputBudget);
    const { anchor } = this.#suspend(timeline.base);
    const line: Line = { name, parent, fork: instant, inputs, tail: undefined, anchor };
    this.#branches.push(line);
    this.#enter(line);
    return line;
  }

  /** Puts the machine into a line, at or before where that parts from this one. Not at the live end. */
  enter(line: Line): void {
    const down: Line[] = [];
    for (let at: Line | undefined = line; at && !this.#isOn(at); at = at.parent) down.unshift(at);
    const common = down.length > 0 ? down[0].parent! : line;
    while (this.#active !== common) this.#toParent();
    for (const next of down) this.#hang(next, next);
  }

  /** Where two lines part; undefined: they are the same. */
  parting(a: Line, b: Line): Instant | undefined {
    const above = new Set(ancestors(a));
    let common: Line | undefined = b;
    while (common && !above.has(common)) common = common.parent;
    let first: Instant | undefined;
    for (const line of [a, b])
      for (let at: Line | undefined = line; at && at !== common; at = at.parent)
        if (!first || compareInstants(at.fork!, first) < 0) first = at.fork;
    return first;
  }

  /** Forgets a branch. @throws Error where the machine is in it, or another one leaves it */
  delete(line: Line): void {
    if (line === this.trunk) throw new Error('the trunk stays');
    if (line === this.#active) throw new Error(`the guest is on ${line.name}: switch trunk leaves it`);
    const child = this.#branches.find(({ parent }) => parent === line);
    if (child) throw new Error(`${child.name} leaves ${line.name}, and would go with it: delete that first`);
    this.#forget(line);
  }

  /** Gives up the oldest branch that nothing needs, for its memory. Answers its name. */
  giveUp(): string | undefined {
    const line = this.#branches.find((one) => !this.#isOn(one) && !this.#branches.some(({ parent }) => parent === one));
    if (line) this.#forget(line);
    return line?.name;
  }

  /** The timeline has forgotten all of them: the run begins anew, as the trunk. Answers their names. */
  restart(): string[] {
    this.trunk.tail = undefined;
    this.#enter(this.trunk);
    return this.#branches.splice(0).map(({ name }) => name);
  }

  #forget(line: Line): void {
    this.timeline.drop(line.tail!);
    this.#branches.splice(this.#branches.indexOf(line), 1);
  }

  /** The machine is in it or in a line that left it. */
  #isOn(line: Line): boolean {
    return ancestors(this.#active).includes(line);
  }

  #enter(line: Line): void {
    this.#active = line;
    this.journal.keeper = line.inputs;
  }

  #toParent(): void {
    this.#hang(this.#active.parent!, this.#active);
  }

  /** The rest of a line takes the place of what the timeline has behind the snapshot from which a branch parts. */
  #hang(line: Line, branch: Line): void {
    const { timeline } = this;
    const index = timeline.indexOf(branch.anchor!);
    if (timeline.base > index || this.#isBehindFork(branch)) timeline.moveTo(index);
    this.#suspend(index);
    timeline.attach(line.tail!);
    line.tail = undefined;
    this.#enter(line);
  }

  /** What the machine has done, or what was done to it, is of one line alone. */
  #isBehindFork({ fork, inputs }: Line): boolean {
    const { journal } = this;
    return journal.position > (inputs as BranchInputs).fork || compareInstants(journal.stamp(), fork!) > 0;
  }

  /** The active line gives away what the timeline has behind a snapshot. */
  #suspend(index: number): Tail {
    const tail = this.timeline.detach(index);
    this.#active.tail = tail;
    if (this.onTrunk) this.timeline.leaveTrunk(tail);
    return tail;
  }
}

/** A line and those that it comes from. */
function ancestors(line: Line): Line[] {
  const all: Line[] = [];
  for (let at: Line | undefined = line; at; at = at.parent) all.push(at);
  return all;
}
