// The core's two ways to run an instruction, one as the other's oracle: by its handler, as single steps have it, and in a
// block with what follows, where many have code of their own in the dispatcher and some are fused with a branch.
import type { Case, CaseRunner, Outcome } from '../../difftest/case.js';
import { TF } from '../../difftest/flags.js';

const HLT = 0xf4;
const JO = 0x70;
/** Stands for "came to the HLT behind the block" among the vectors. */
const COMPLETED = 256;

/** The case's instruction, a conditional branch to the next one, and HLT; no trap in between. */
function asBlock(c: Case): Case {
  const condition = (c.address ^ c.rflags ^ (c.rflags >> 4)) & 15;
  return { ...c, rflags: c.rflags & ~TF, code: Uint8Array.of(...c.code, JO | condition, 0, HLT) };
}

export class BlockRunner implements CaseRunner {
  constructor(
    readonly name: string,
    private readonly inner: CaseRunner,
  ) {}

  run(cases: readonly Case[]): Outcome[] {
    return this.inner
      .run(cases.map(asBlock))
      .map((o) => (o.ending === 'halt' ? { ...o, ending: 'exception', vector: COMPLETED } : o));
  }

  close(): void {
    this.inner.close();
  }
}
