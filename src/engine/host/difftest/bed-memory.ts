// The test bed's memory in a runner: the image of a seed with a case's bytes in it, what a case
// changed, and the way back. A case costs two comparisons of about 56 KiB, not a copy of 256 KiB.
import { bedImage, mayStray, RAM_BYTES, type Ranges, watched, watchedClosely } from '../../difftest/bed.js';
import type { Case, Outcome } from '../../difftest/case.js';
import type { SameBytes } from '../../difftest/outcome.js';

const PAGE = 4096;
/** Cases after which all of memory is looked at; in real mode one case in twenty writes outside its pages. */
const CLOSE_CASES = 8;

export class BedMemory {
  /** The image with the present case's code and pokes in it. */
  before = Buffer.alloc(RAM_BYTES);
  private image = Buffer.alloc(RAM_BYTES);
  private seed = -1;

  /**
   * @param ram the machine's memory
   * @param changed told of each page that the runner itself writes to
   */
  constructor(
    readonly ram: Buffer,
    private readonly changed: (page: number) => void = () => {},
  ) {}

  readonly same: SameBytes = (start, bytes) =>
    this.ram.compare(this.before, start, start + bytes, start, start + bytes) === 0;

  /** Puts the case in; answers true when the whole image is new. */
  load(c: Case): boolean {
    const fresh = c.seed !== this.seed;
    if (fresh) {
      this.seed = c.seed;
      this.image = Buffer.from(bedImage(c.seed));
      this.before = Buffer.from(this.image);
      this.ram.set(this.image);
      for (let page = 0; page < RAM_BYTES; page += PAGE) this.changed(page);
    }
    for (const buffer of [this.ram, this.before]) {
      buffer.set(c.code, c.address);
      for (const poke of c.pokes) buffer.set(poke.bytes, poke.address);
    }
    this.codeChanged(c);
    return fresh;
  }

  /** Takes the case out and brings back what it changed within `ranges`. */
  restore(c: Case, ranges: Ranges): void {
    for (const [start, bytes] of ranges) {
      if (this.same(start, bytes)) continue;
      for (let page = start; page < start + bytes; page += PAGE) {
        if (this.same(page, PAGE)) continue;
        this.before.copy(this.ram, page, page, page + PAGE);
        this.changed(page);
      }
    }
    const takeOut = (address: number, bytes: number): void => {
      for (const buffer of [this.ram, this.before]) this.image.copy(buffer, address, address, address + bytes);
    };
    takeOut(c.address, c.code.length);
    for (const { address, bytes } of c.pokes) takeOut(address, bytes.length);
    this.codeChanged(c);
  }

  /**
   * Runs cases, those of one mode and ring together, since a change of mode costs KVM more than a case. They
   * run with the close watch, and all of memory is looked at after a few: where one of them strayed, they
   * run once more with all of memory watched.
   */
  runAll(cases: readonly Case[], one: (c: Case, ranges: Ranges) => Outcome): Outcome[] {
    const outcomes = new Array<Outcome>(cases.length);
    const groups = new Map<string, number[]>();
    cases.forEach((c, i) => {
      const key = `${c.seed} ${c.mode}${c.cpl}`;
      const group = groups.get(key);
      if (group) group.push(i);
      else groups.set(key, [i]);
    });
    for (const group of groups.values()) {
      // what a stack pointer led astray wrote where its own mode was not watched
      this.cleanUp();
      for (let from = 0; from < group.length; from += CLOSE_CASES) {
        const some = group.slice(from, from + CLOSE_CASES);
        const { mode } = cases[some[0]];
        for (const i of some) outcomes[i] = one(cases[i], watchedClosely(mode));
        if (!mayStray(mode) || this.same(0, RAM_BYTES)) continue;
        this.restore(cases[some[0]], watched(mode));
        for (const i of some) outcomes[i] = one(cases[i], watched(mode));
      }
    }
    return outcomes;
  }

  /** Every byte is the image's again. */
  private cleanUp(): void {
    if (this.seed < 0 || this.same(0, RAM_BYTES)) return;
    for (let page = 0; page < RAM_BYTES; page += PAGE) {
      if (this.same(page, PAGE)) continue;
      this.before.copy(this.ram, page, page, page + PAGE);
      this.changed(page);
    }
  }

  private codeChanged(c: Case): void {
    const first = c.address & ~(PAGE - 1);
    const last = (c.address + c.code.length) & ~(PAGE - 1);
    this.changed(first);
    if (last !== first) this.changed(last);
  }
}
