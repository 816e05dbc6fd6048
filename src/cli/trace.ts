import { closeSync, openSync, readSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { SymbolTable } from '../disasm/index.js';
import { TRACE_RECORD_BYTES } from '../engine/core/layout.js';
import { counted } from '../engine/counted.js';
import { parseExitCondition } from '../engine/debug/exit-condition.js';
import { EXPORT_FORMATS, type ExportFormat, exitWriter } from '../engine/debug/exit-export.js';
import { EXIT_GROUP_KEYS, type LabelOf } from '../engine/debug/exit-groups.js';
import { ExitHints, hintsText } from '../engine/debug/exit-hints.js';
import { ExitReport, reportJson, reportText, type TimedExit, withTimes } from '../engine/debug/exit-report.js';
import { parseSymbolFile } from '../engine/debug/symbol-file.js';
import { decodeRecord, exitMatches } from '../engine/debug/trace-reader.js';
import type { ExitGroupKey, ExitRecord } from '../engine/debugger.js';
import { fileCause } from '../engine/host/file-cause.js';
import { type ReadAt, readTraceBlocks, readTraceHeader, TraceFileError } from '../formats/exit-trace-file.js';
import { readInput, regularFileBytes, resolveImage } from './files.js';
import { parseCount, UsageError } from './options.js';
import { openOutput, writeOutput } from './output-file.js';
import { tell } from './tell.js';

interface TraceOptions {
  format: 'report' | 'hints' | ExportFormat;
  json?: boolean;
  by: ExitGroupKey;
  histogram?: boolean;
  if?: string;
  symbols?: string;
  output: string;
  rows: string;
}

export function addTraceCommand(program: Command): void {
  program
    .command('trace')
    .summary('read a trace of VM exits')
    .description(
      'Read a file of `vmscope run --trace`: what the exits cost as `perf kvm stat report` prints it (in virtual time), or each ' +
        "exit as text, CSV, JSON lines, or as trace events for Perfetto's viewer; or the exits that could be avoided (hints).",
    )
    .argument('<file>', 'the trace')
    .addOption(
      new Option('--format <format>', 'what to print')
        .choices(['report', 'hints', ...EXPORT_FORMATS])
        .default('report'),
    )
    .addOption(new Option('--by <key>', 'rows of the report').choices([...EXIT_GROUP_KEYS]).default('reason'))
    .option('--rows <n>', 'rows of the report at most', '50')
    .option('--histogram', "how long a row's exits took, by length")
    .option('--json', 'the report, or the hints, as JSON')
    .option('--if <condition>', 'exits that meet it only, as `IO_INSTRUCTION|CPUID if rcx == 1`')
    .option('--symbols <file>', "names of addresses: the guest's ELF image or System.map")
    .option('-o, --output <file>', 'where to', '/dev/stdout')
    .action((file: string, options: TraceOptions) => {
      process.exitCode = printTrace(file, options);
    });
}

/** How much text is written at once. */
const CHUNK_CHARACTERS = 65_536;

/** Answers the process status: 1 for a trace that is damaged behind what was printed. @throws UsageError */
function printTrace(file: string, options: TraceOptions): number {
  if (options.json && options.format !== 'report' && options.format !== 'hints')
    throw new UsageError(`--json gives the report, not --format ${options.format}; --format json gives each exit`);
  const rows = parseCount('--rows', options.rows, 1, 1_000_000);
  const meets = conditionOf(options.if);
  const label = labelsOf(options.symbols);
  const trace = openTrace(file);
  const output = openOutput('--output', options.output);
  const write = (text: string) => writeOutput('--output', options.output, output, Buffer.from(text));
  if (options.format === 'report') {
    const report = new ExitReport(options.by);
    for (const exit of trace.exits()) if (meets(exit.record)) report.add(exit);
    const { data } = report;
    write(
      options.json
        ? `${JSON.stringify(reportJson(data, label, rows))}\n`
        : reportText(data, label, rows, options.histogram),
    );
  } else if (options.format === 'hints') {
    const hints = new ExitHints();
    for (const exit of trace.exits()) if (meets(exit.record)) hints.add(exit);
    write(`${options.json ? JSON.stringify(hints.found) : hintsText(hints.found)}\n`);
  } else {
    const writer = exitWriter(options.format, label);
    let text = writer.head;
    for (const exit of trace.exits()) {
      if (meets(exit.record)) text += writer.record(exit);
      if (text.length < CHUNK_CHARACTERS) continue;
      write(text);
      text = '';
    }
    write(text + writer.tail);
  }
  closeSync(trace.fd);
  if (trace.lost > 0)
    tell(`${file}: ${counted(trace.lost, 'exit is', 'exits are')} missing: they came faster than they were taken`);
  if (trace.damage === undefined) return 0;
  tell(`${file}: ${trace.damage}; the exits before it are whole`);
  return 1;
}

function conditionOf(text: string | undefined): (record: ExitRecord) => boolean {
  if (text === undefined) return () => true;
  try {
    const condition = parseExitCondition(text, {});
    return (record) => exitMatches(record, condition);
  } catch (error) {
    throw new UsageError(`--if ${text}: ${(error as Error).message}`);
  }
}

function labelsOf(file: string | undefined): LabelOf {
  if (file === undefined) return () => undefined;
  const image = resolveImage(file);
  let symbols: SymbolTable;
  try {
    symbols = new SymbolTable(parseSymbolFile(image, readInput(image)));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  return (address) => symbols.label(address);
}

interface OpenTrace {
  readonly fd: number;
  exits(): Iterable<TimedExit>;
  /** Why reading ended before the end of the file. */
  damage?: string;
  lost: number;
}

/** @throws UsageError for what is no trace */
function openTrace(file: string): OpenTrace {
  regularFileBytes(file);
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    throw new UsageError(`${file}: ${fileCause(error)}`);
  }
  const read: ReadAt = (at, bytes) => {
    const buffer = Buffer.alloc(bytes);
    return buffer.subarray(0, readSync(fd, buffer, 0, bytes, at));
  };
  try {
    const { about, blocksAt } = readTraceHeader(read, TRACE_RECORD_BYTES);
    const exits = () => withTimes(records(trace, read, blocksAt), about.instructionNs);
    const trace: OpenTrace = { fd, lost: 0, exits };
    return trace;
  } catch (error) {
    closeSync(fd);
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
}

function* records(trace: OpenTrace, read: ReadAt, blocksAt: number): Generator<ExitRecord> {
  let next = 1;
  try {
    for (const { first, count, records: bytes } of readTraceBlocks(read, blocksAt, TRACE_RECORD_BYTES)) {
      if (first > next) trace.lost += first - next;
      for (let at = 0; at < count; at++) {
        const record = decodeRecord(bytes.subarray(at * TRACE_RECORD_BYTES, (at + 1) * TRACE_RECORD_BYTES));
        yield { ...record, sequence: first + at };
      }
      next = first + count;
    }
  } catch (error) {
    if (!(error instanceof TraceFileError)) throw error;
    trace.damage = error.message;
  }
}
