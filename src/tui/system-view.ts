/** What the dashboard shows of the guest's operating system. */
import type { Debugger, OsInfo, OsLogRecord, OsModule, OsTask } from '../engine/debugger.js';

export interface SystemView {
  info: OsInfo;
  processes: OsTask[];
  /** Why there are no processes. */
  problem?: string;
  modules: OsModule[];
  log: OsLogRecord[];
  /** What each vCPU runs. */
  current: (OsTask | undefined)[];
}

/** Parts that cannot be read, as in a kernel that is just starting, are empty. */
export async function readSystem(os: NonNullable<Debugger['os']>, vcpus: number): Promise<SystemView | null> {
  const info = await os.info();
  if (info === undefined) return null;
  const list = <T>(read: Promise<T[]>): Promise<T[]> => read.catch(() => []);
  let problem: string | undefined;
  const [processes, modules, log, current] = await Promise.all([
    list(
      os.processes().catch((error: Error) => {
        problem = error.message;
        throw error;
      }),
    ),
    list(os.modules()),
    list(os.log()),
    Promise.all(Array.from({ length: vcpus }, (_, vcpu) => os.current(vcpu).catch(() => undefined))),
  ]);
  return { info, processes, modules, log, current, ...(problem === undefined ? {} : { problem }) };
}
