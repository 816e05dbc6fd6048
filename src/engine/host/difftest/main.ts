// `npm run fuzz`: compares the core with this host's CPU and its KVM, prints what differs; status 1 if anything does.
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { MODES, type Mode } from '../../difftest/bed.js';
import { describeCoverage, systematicCoverage } from '../../difftest/coverage.js';
import { describeReport } from '../../difftest/fuzz.js';
import { QUIRKS } from '../../difftest/quirks.js';
import { type Vector, vectorFile } from '../../difftest/vector.js';
import { fuzzInJobs } from './jobs.js';
import type { OracleName } from './oracles.js';

const MANY = 50_000;
const USAGE = `usage: npm run fuzz -- [options]
  --oracle native|kvm|handlers  whom to believe (default: both that this host has); handlers: the core's own
                          single-step way, against its blocks
  --seed N                cases are a function of it (default 1)
  --cases N | --seconds N how long (default 20000 cases)
  --systematic N          every instruction in every mode and ring, N times each, instead of random cases;
                          0: once in each operand size, addressing form and kind of place
  --coverage              what the systematic cases meet, without running them
  --quirks                where the host's CPU and KVM are not believed, each with the evidence
  --jobs N                processes (default: the host's CPUs, for 50000 cases and more)
  --filter TEXT           instructions whose name contains TEXT ("ADD", "Ev,Gv")
  --modes real,long,...   of ${MODES.join(' ')}
  --rings 0,3
  --record FILE           write the shrunk failures as vectors
  --record-agreeing FILE  write one agreeing case per instruction and mode as vectors`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      oracle: { type: 'string' },
      seed: { type: 'string', default: '1' },
      cases: { type: 'string' },
      seconds: { type: 'string' },
      systematic: { type: 'string' },
      filter: { type: 'string' },
      coverage: { type: 'boolean', default: false },
      jobs: { type: 'string' },
      quirks: { type: 'boolean', default: false },
      modes: { type: 'string' },
      rings: { type: 'string' },
      record: { type: 'string' },
      'record-agreeing': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
  const modes = values.modes?.split(',') as Mode[] | undefined;
  const unknown = modes?.find((mode) => !MODES.includes(mode));
  if (unknown) throw new Error(`no mode '${unknown}'; modes are ${MODES.join(' ')}`);
  if (values.quirks) {
    for (const { id, parties, evidence } of QUIRKS) console.log(`${id} (${parties.join(', ')}): ${evidence}`);
    return 0;
  }
  if (values.coverage) {
    for (const line of describeCoverage(systematicCoverage(number(values.systematic) ?? 0))) console.log(line);
    return 0;
  }
  const many = values.seconds !== undefined || values.systematic !== undefined || Number(values.cases ?? 0) >= MANY;
  const jobs = number(values.jobs) ?? (many ? availableParallelism() : 1);
  const oracles = values.oracle ? [values.oracle as OracleName] : (['native', 'kvm'] as const);
  let failing = 0;
  let ran = 0;
  const vectors: Vector[] = [];
  const agreeing: Vector[] = [];
  for (const oracle of oracles) {
    try {
      const start = performance.now();
      const options = {
        seed: Number(values.seed),
        cases: number(values.cases),
        seconds: number(values.seconds),
        systematic: number(values.systematic),
        filter: values.filter,
        keep: values['record-agreeing'] !== undefined,
        ...(modes && { modes }),
        ...(values.rings && { rings: values.rings.split(',').map(Number) }),
      };
      const report = await fuzzInJobs(oracle, options, jobs);
      const seconds = (performance.now() - start) / 1000;
      ran++;
      failing += report.failing;
      for (const line of describeReport(report)) console.log(line);
      const asked = report.compared + Object.values(report.unsupported).reduce((sum, count) => sum + count, 0);
      console.log(
        `  ${asked} cases in ${seconds.toFixed(1)} s, ${Math.round(asked / seconds)} a second, ${jobs} processes`,
      );
      for (const f of report.failures) vectors.push({ case: f.case, expected: f.expected, recordedOn: oracle });
      agreeing.push(...report.kept);
    } catch (error) {
      if (values.oracle) throw error;
      console.log(`oracle ${oracle} left out: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (values.record) writeFileSync(values.record, vectorFile(vectors));
  if (values['record-agreeing']) writeFileSync(values['record-agreeing'], vectorFile(agreeing));
  return ran === 0 ? 2 : failing > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`fuzz: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
