/** Long work of a command: it tells how far it is, and ends early when its user says so. */
import type { Session, Work } from './command.js';

const SILENT: Work = { share: () => {}, cancelled: false, done: () => {} };

/** Does something that may take long. */
export async function working<T>(session: Session, task: string, run: (work: Work) => Promise<T>): Promise<T> {
  const work = session.work?.(task) ?? SILENT;
  try {
    return await run(work);
  } finally {
    work.done();
  }
}
