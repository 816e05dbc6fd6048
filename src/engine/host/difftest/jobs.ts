// The tester on several of the host's CPUs: processes that each take a part of the cases, and one report of all.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FuzzOptions, FuzzReport } from '../../difftest/fuzz.js';
import { fuzz, type OracleName } from './oracles.js';

type Options = Omit<FuzzOptions, 'now' | 'referee'>;

interface Order {
  oracle: OracleName;
  options: Options;
}

type Answer = { report: FuzzReport } | { error: string };

/** As fuzz(), in `jobs` processes. @throws Error with the reason when this host has no such oracle */
export async function fuzzInJobs(oracle: OracleName, options: Options, jobs: number): Promise<FuzzReport> {
  if (jobs === 1) return fuzz(oracle, options);
  const reports = await Promise.all(
    Array.from({ length: jobs }, (_, index) => {
      const share = options.cases === undefined ? {} : { cases: Math.ceil(options.cases / jobs) };
      return job({ oracle, options: { ...options, ...share, part: { index, of: jobs } } });
    }),
  );
  return reports.reduce(merge);
}

function job(order: Order): Promise<FuzzReport> {
  const child = fork(fileURLToPath(import.meta.url), { serialization: 'advanced' });
  return new Promise((resolve, reject) => {
    child.once('message', (answer: Answer) => {
      if ('report' in answer) resolve(answer.report);
      else reject(new Error(answer.error));
    });
    child.once('error', reject);
    child.once('exit', (status, signal) => reject(new Error(`a job of the tester ended: ${signal ?? status}`)));
    child.send(order);
  });
}

function merge(a: FuzzReport, b: FuzzReport): FuzzReport {
  const sum = (x: Record<string, number>, y: Record<string, number>): Record<string, number> => {
    const counts = { ...x };
    for (const [key, count] of Object.entries(y)) counts[key] = (counts[key] ?? 0) + count;
    return counts;
  };
  const failures = a.failures.map((failure) => ({ ...failure }));
  for (const failure of b.failures) {
    const same = failures.find(({ signature }) => signature === failure.signature);
    if (same) same.count += failure.count;
    else failures.push(failure);
  }
  return {
    ...a,
    compared: a.compared + b.compared,
    unsupported: sum(a.unsupported, b.unsupported),
    excused: sum(a.excused, b.excused),
    failing: a.failing + b.failing,
    failures,
    kept: [...a.kept, ...b.kept],
  };
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  process.once('message', ({ oracle, options }: Order) => {
    let answer: Answer;
    try {
      answer = { report: fuzz(oracle, options) };
    } catch (error) {
      answer = { error: error instanceof Error ? error.message : String(error) };
    }
    process.send?.(answer, () => process.disconnect());
  });
}
