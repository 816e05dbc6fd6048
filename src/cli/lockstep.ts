import { basename } from 'node:path';
import type { Command } from 'commander';
import { Disassembler } from '../disasm/index.js';
import type { RegisterFile } from '../engine/debugger.js';
import { type LockstepReport, lockstep, type Pace } from '../engine/difftest/lockstep.js';
import { GENERAL_REGISTERS } from '../engine/registers-view.js';
import { exitReasonName } from '../spec/vmx/exit-reasons.js';
import { resolveImage } from './files.js';
import type { GuestWorkerData } from './guest-options.js';
import { type RunningGuest, startGuest } from './guest-process.js';
import { parseCount, parseMemory } from './options.js';

interface LockstepCommandOptions {
  step: string;
  exits?: boolean;
  limit?: string;
  memory: string;
  memoryEvery: string;
  append?: string;
}

const MAX = Number.MAX_SAFE_INTEGER;

export function addLockstepCommand(program: Command): void {
  program
    .command('lockstep')
    .summary('compare the two engines, step by step')
    .description(
      'Run the same guest on engine vtx and engine kvm side by side and show the first difference in registers or memory.',
    )
    .argument('<image>', 'as for run')
    .option('--step <n>', 'instructions between two comparisons', '1')
    .option('--exits', 'compare at each VM exit instead')
    .option('--limit <n>', 'stop after N comparisons')
    .option('-m, --memory <size>', 'guest RAM: MiB, or with K, M, G', '16M')
    .option('--memory-every <n>', 'compare memory at every n-th comparison and at the end; 0 never', '10000')
    .option('--append <string>', 'kernel command line')
    .action(async (image: string, options: LockstepCommandOptions) => {
      process.exitCode = await runLockstep(image, options);
    });
}

/** The `lockstep` verb: 0 no difference, 1 a difference, 3 a side that cannot go on. @throws UsageError, StartError */
export async function runLockstep(image: string, options: LockstepCommandOptions): Promise<number> {
  const file = resolveImage(image);
  const memoryBytes = parseMemory(options.memory);
  const data: GuestWorkerData = {
    engine: 'vtx',
    name: basename(file),
    image: file,
    memoryBytes,
    vcpus: 1,
    ...(options.append === undefined ? {} : { append: options.append }),
    isaDebugExit: true,
    noReboot: true,
    noParavirtual: true,
    rtcSeconds: 0,
    paced: false,
    waitForInput: false,
  };
  const pace: Pace = options.exits ? { exits: true } : { instructions: parseCount('--step', options.step, 1, MAX) };
  const guests: RunningGuest[] = [];
  try {
    for (const engine of ['vtx', 'kvm'] as const) guests.push(await startGuest({ ...data, engine }));
    const [vtx, kvm] = guests.map(({ target }, i) => ({ name: i === 0 ? 'vtx' : 'kvm', target }));
    const report = await lockstep(vtx, kvm, {
      pace,
      memoryBytes,
      memoryEvery: parseCount('--memory-every', options.memoryEvery, 0, MAX),
      ...(options.limit === undefined ? {} : { limit: parseCount('--limit', options.limit, 1, MAX) }),
    });
    for (const line of await describeLockstep(report)) process.stdout.write(`${line}\n`);
    return report.ended === 'difference' ? 1 : report.ended === 'cannot go on' ? 3 : 0;
  } finally {
    for (const guest of guests) await guest.terminate();
  }
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** The report as text, the first difference side by side. */
export async function describeLockstep(report: LockstepReport): Promise<string[]> {
  const lines = [`lockstep: ${report.message} (${report.compared} comparisons)`];
  if (report.caughtUp > 0)
    lines.push(`  kvm went further than one instruction ${report.caughtUp} times; vtx was stepped to the same place`);
  for (const mask of report.masks)
    lines.push(
      `  not compared: ${mask.registers.join(' ')}${mask.bits === undefined ? '' : ` bits ${hex(mask.bits)}`}: ${mask.reason}`,
    );
  const { instruction, before, after, exits } = report;
  if (instruction && before) {
    const { efer, cs_ar } = before.left;
    const bits = (efer & 0x400n) !== 0n && (cs_ar & 0x2000n) !== 0n ? 64 : (cs_ar & 0x4000n) !== 0n ? 32 : 16;
    const disassembler = await Disassembler.load();
    const [line] = disassembler.disassemble(instruction.bytes, instruction.address, { bits, count: 1 });
    lines.push(
      '',
      `instruction  ${hex(instruction.address)}  ${line?.text ?? Buffer.from(instruction.bytes).toString('hex')}`,
    );
  }
  if (report.differences.length > 0) {
    lines.push('', `${'differs'.padEnd(16)} ${'vtx'.padEnd(34)} kvm`);
    for (const d of report.differences) lines.push(`${d.what.padEnd(16)} ${d.left.padEnd(34)} ${d.right}`);
  }
  if (before && after) {
    lines.push(
      '',
      `${''.padEnd(8)} ${'vtx before'.padEnd(20)}${'vtx after'.padEnd(20)}${'kvm before'.padEnd(20)}kvm after`,
    );
    const cell = (file: RegisterFile, name: string): string => hex(file[name]).padEnd(20);
    for (const name of ['rip', 'rflags', ...GENERAL_REGISTERS]) {
      const row = [before.left, after.left, before.right, after.right].map((file) => cell(file, name)).join('');
      lines.push(`${name.padEnd(8)} ${row}`.trimEnd());
    }
  }
  for (const [side, exit] of [
    ['vtx', exits?.left],
    ['kvm', exits?.right],
  ] as const) {
    if (exit) {
      const what = `${exitReasonName(exit.reason & 0xffff)} qualification ${hex(exit.qualification)} rip ${hex(exit.rip)} gpa ${hex(exit.gpa)}`;
      lines.push(`last exit on ${side}: ${what}`);
    }
  }
  return lines;
}
