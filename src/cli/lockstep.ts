import type { Command } from 'commander';
import { toJson } from '../commands/json.js';
import { Disassembler } from '../disasm/index.js';
import { counted } from '../engine/counted.js';
import type { LockstepReport } from '../engine/difftest/lockstep-report.js';
import { KvmSide } from '../engine/host/difftest/lockstep/kvm-side.js';
import { type GuestToCompare, openKvm, openVtx } from '../engine/host/difftest/lockstep/open.js';
import { type RunOptions, runLockstep } from '../engine/host/difftest/lockstep/run.js';
import type { Judge } from '../engine/host/difftest/lockstep/side.js';
import { watchLockstep } from '../engine/host/difftest/lockstep/stuck-watch.js';
import type { VtxSide } from '../engine/host/difftest/lockstep/vtx-side.js';
import { probeKvm } from '../engine/host/kvm/probe.js';
import { GENERAL_REGISTERS } from '../engine/registers-view.js';
import { AR, EFER } from '../spec/masks.js';
import { readInput, resolveImage } from './files.js';
import { parseCount, parseMemory, parseTimeout, UsageError } from './options.js';
import { tell } from './tell.js';

interface LockstepCommandOptions {
  every: string;
  until?: string;
  singly?: string;
  limit?: string;
  memory: string;
  memoryEvery: string;
  append?: string;
  input?: string;
  json?: boolean;
  patience: string;
}

const MAX = Number.MAX_SAFE_INTEGER;
const PROGRESS_MS = 1000;

export function addLockstepCommand(program: Command): void {
  program
    .command('lockstep')
    .summary('compare the two engines, step by step')
    .description(
      "Run the same guest on the embedded CPU and on a vCPU of /dev/kvm side by side and show the first difference in registers, memory or device accesses. The devices are the embedded engine's: KVM is told what they answered.",
    )
    .argument('<image>', 'as for run')
    .option('--every <n>', 'instructions between two comparisons', '1')
    .option('--until <what>', 'exit: compare at each access to a device, and run freely between them')
    .option(
      '--singly <n>',
      'compare at most N instructions after an access to a device, then run to the next (default: 20000, and 200 once a million was compared)',
    )
    .option('--limit <n>', 'stop after N comparisons')
    .option('-m, --memory <size>', 'guest RAM: MiB, or with K, M, G', '128M')
    .option('--memory-every <n>', 'compare memory after N comparisons and at the end; 0 never', '10000')
    .option('--append <string>', 'kernel command line')
    .option('--patience <seconds>', 'wall-clock time that KVM may take from one access to a device to the next', '60')
    .option('--input <file>', 'bytes for the first serial port, given when the guest waits')
    .option('--json', 'the report as JSON')
    .action(async (image: string, options: LockstepCommandOptions) => {
      process.exitCode = await lockstepVerb(image, options);
    });
}

/** The `lockstep` verb: 0 no difference, 1 a difference, 3 a side that cannot go on. @throws UsageError, KvmError */
async function lockstepVerb(image: string, options: LockstepCommandOptions): Promise<number> {
  const file = resolveImage(image);
  if (options.until !== undefined && options.until !== 'exit')
    throw new UsageError(`--until ${options.until}: the only place to run to is exit`);
  const guest: GuestToCompare = {
    image: { name: file, bytes: readInput(file) },
    memoryBytes: parseMemory(options.memory),
    cpu: KvmSide.model(),
    ...(options.append === undefined ? {} : { append: options.append }),
  };
  const input = options.input === undefined ? undefined : readInput(options.input);
  const patienceMs = parseTimeout(options.patience, '--patience') * 1000;
  const cells = watchLockstep();
  const open = (): { core: VtxSide; judge: Judge } => {
    const core = openVtx(guest);
    return { core, judge: openKvm(core, cells) };
  };
  const { core, judge } = open();
  const given = new WeakSet<VtxSide>();
  const report = runLockstep(core, judge, {
    every: parseCount('--every', options.every, 1, MAX),
    ...paceOf(options),
    memoryEvery: parseCount('--memory-every', options.memoryEvery, 0, MAX),
    paravirtual: probeKvm().paravirtual,
    ...(options.limit === undefined ? {} : { limit: parseCount('--limit', options.limit, 1, MAX) }),
    progress: progressLine(),
    patienceMs,
    restart: open,
    input: (core) => {
      if (given.has(core) || !input) return false;
      given.add(core);
      core.machine.serialInput(input);
      return true;
    },
  });
  const lines = options.json ? [toJson(report)] : await describeLockstep(report);
  for (const line of lines) process.stdout.write(`${line}\n`);
  if (report.ended === 'cannot go on')
    tell('lockstep: --patience SECONDS gives KVM longer; run --engine vtx runs the guest');
  judge.close();
  core.close();
  return report.ended === 'difference' ? 1 : report.ended === 'cannot go on' ? 3 : 0;
}

function paceOf({ until, singly }: LockstepCommandOptions): Pick<RunOptions, 'singly' | 'tired'> {
  if (until === 'exit') return { singly: 0 };
  if (singly !== undefined) return { singly: parseCount('--singly', singly, 0, MAX) };
  return { singly: 20_000, tired: { compared: 1_000_000, singly: 200 } };
}

/** Says how far it is: rewritten in place on a terminal, a line every ten seconds elsewhere. */
function progressLine(): (compared: number, instructions: number, freelyAt?: bigint) => boolean {
  const { stderr } = process;
  const start = performance.now();
  let next = start + PROGRESS_MS;
  return (compared, instructions, freelyAt) => {
    const now = performance.now();
    if (now < next) return false;
    next = now + (stderr.isTTY ? PROGRESS_MS : 10 * PROGRESS_MS);
    const rate = Math.round(compared / ((now - start) / 1000));
    const where = freelyAt === undefined ? '' : `; KVM runs to the next access, at RIP ${hex(freelyAt)}`;
    const text = `lockstep: ${counted(instructions, 'instruction')}, ${compared} compared, ${rate} a second${where}`;
    stderr.write(stderr.isTTY ? `\r${text}\x1b[K` : `${text}\n`);
    return false;
  };
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** The report as text, the first difference side by side. */
export async function describeLockstep(report: LockstepReport): Promise<string[]> {
  const lines = [
    `lockstep: ${report.message}`,
    `  ${counted(report.instructions, 'instruction')}, ${counted(report.compared, 'comparison')}; ${counted(report.accesses, 'access', 'accesses')} to devices and ` +
      `${counted(report.interrupts, 'interrupt')} compared, memory ${counted(report.memories, 'time')} and ${counted(report.writtenPages, 'written page')}`,
  ];
  if (report.freely > 0)
    lines.push(`  ${counted(report.freely, 'instruction')} ran freely between two accesses to devices`);
  if (report.undefined > 0)
    lines.push(`  ${counted(report.undefined, 'instruction')} left flags or results undefined, by the SDM: taken over`);
  if (report.astray > 0)
    lines.push(`  started again ${counted(report.astray, 'time')}, since this KVM delivered an event more than once`);
  const disassembler = await Disassembler.load();
  for (const { reason, count, first, code, bits } of report.notCompared) {
    const [line] = disassembler.disassemble(code, first, { bits, count: 1 });
    lines.push(`  not compared: ${count} x ${line?.text ?? '?'}, first at ${hex(first)}: ${reason}`);
  }
  for (const mask of report.masks)
    lines.push(
      `  masked: ${mask.registers.join(' ')}${mask.bits === undefined ? '' : ` bits ${hex(mask.bits)}`}: ${mask.reason}`,
    );
  const { instruction, before, after, exits } = report;
  if (instruction && before) {
    const { efer, cs_ar } = before.left;
    const bits = (efer & EFER.LMA) !== 0n && (cs_ar & AR.L) !== 0n ? 64 : (cs_ar & AR['D/B']) !== 0n ? 32 : 16;
    const [line] = disassembler.disassemble(instruction.bytes, instruction.address, { bits, count: 1 });
    const text = line?.text ?? Buffer.from(instruction.bytes).toString('hex');
    lines.push('', `instruction  ${hex(instruction.address)}  ${text}`);
  }
  if (report.differences.length > 0) {
    lines.push('', `${'differs'.padEnd(16)} ${'vtx'.padEnd(34)} kvm`);
    for (const d of report.differences) lines.push(`${d.what.padEnd(16)} ${d.left.padEnd(34)} ${d.right}`);
  }
  if (before && after) {
    const titles = ['vtx before', 'vtx after', 'kvm before', 'kvm after'].map((title) => title.padEnd(20)).join('');
    lines.push('', `${''.padEnd(8)} ${titles}`.trimEnd());
    for (const name of ['rip', 'rflags', ...GENERAL_REGISTERS]) {
      const files = [before.left, after.left, before.right, after.right];
      const row = files.map((file) => hex(file[name]).padEnd(20)).join('');
      lines.push(`${name.padEnd(8)} ${row}`.trimEnd());
    }
  }
  for (const exit of exits ?? []) lines.push(`access to a device: ${exit}`);
  return lines;
}
