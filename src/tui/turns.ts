/** The order of what is typed ahead: steps wait for each other, and for the changes typed before them. */

export class Turns {
  /** Settles when the step in hand is over; those of an older turn are dropped. */
  private moving: Promise<unknown> = Promise.resolve();
  private turn = 0;
  /** Settles when the commands before are done. */
  changes: Promise<unknown> = Promise.resolve();

  /** @param interrupted whether the guest stopped for something that was not asked for */
  constructor(private readonly interrupted: () => boolean) {}

  /** Drops the steps that still wait. */
  drop(): void {
    this.turn++;
  }

  change(run: () => Promise<string | undefined>): Promise<string | undefined> {
    const result = run();
    this.changes = Promise.allSettled([this.changes, result]);
    return result;
  }

  /** Runs when the steps before are over, unless one of them failed or was interrupted. */
  step(run: () => Promise<string | undefined>): Promise<string | undefined> {
    const { turn } = this;
    const result = this.moving.then(async () => {
      await this.changes;
      if (turn !== this.turn) return undefined;
      try {
        const text = await run();
        if (this.interrupted()) this.drop();
        return text;
      } catch (error) {
        this.drop();
        throw error;
      }
    });
    this.moving = result.catch(() => undefined);
    return result;
  }
}
