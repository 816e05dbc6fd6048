/** Virtual nanoseconds since power-on: retired instructions plus time warped over in HLT. */
export type Nanoseconds = number;

export interface Timer {
  /** Arms (or re-arms) the timer for an absolute virtual time. */
  arm(at: Nanoseconds): void;
  cancel(): void;
  /** Absolute expiry, or undefined when not armed. */
  readonly deadline: Nanoseconds | undefined;
}

export interface Clock {
  /** Virtual time of the instruction that runs now. */
  now(): Nanoseconds;
  timer(name: string, fire: () => void): Timer;
}
