/** How long the engine may take to answer at the end of a run, in ms. */
export const ANSWER_MS = 5000;

/** Resolves after `ms` without keeping the process alive: raced against what may never answer. */
export function elapsed(ms: number): Promise<'late'> {
  return new Promise((resolve) => void setTimeout(() => resolve('late'), ms).unref());
}
