import { Disassembler } from '../disasm/index.js';
import { counted } from '../engine/counted.js';
import { describeFields, explainExit, instructionFields, qualificationFields } from '../engine/debug/explain-exit.js';
import { codeBase, codeBits, linearPc } from '../engine/debug/guest-mode.js';
import type { Debugger, ExitRecord, RegisterFile } from '../engine/debugger.js';
import { exitReasonName } from '../spec/vmx/exit-reasons.js';

const hex = (value: bigint | number, digits = 0): string => `0x${value.toString(16).padStart(digits, '0')}`;

/** The tour as text: the first exit of a guest, its registers, VMCS and translations, then the whole run. */
export async function printTour(target: Debugger, print: (line: string) => void): Promise<void> {
  const info = await target.info();
  print(
    `vmscope: guest ${info.name} on engine ${info.engine}, ${info.memoryBytes / 2 ** 20} MiB, ${counted(info.vcpus, 'vCPU')}`,
  );
  const state = await target.stepToExit();
  if (state.stop?.kind !== 'exit') throw new Error('the sample made no VM exit');
  print(`\nStopped at its first VM exit, after ${counted(state.icount, 'instruction')}.\n`);
  const registers = await target.readRegisters(0);
  await showExit(target, state.stop.exit, registers, print);
  showRegisters(registers, print);
  await showVmcs(target, print);
  await showWalk(target, registers, print);
  const output: Uint8Array[] = [];
  target.onEvent((event) => event.type === 'serial' && output.push(event.bytes));
  await runToEnd(target);
  print('\nIts serial output, once it runs on:\n');
  for (const line of Buffer.concat(output).toString('latin1').trimEnd().split(/\r?\n/)) print(`  ${line}`);
  print('\nVM exits of the whole run:\n');
  for (const [name, count] of Object.entries((await target.exits?.counts()) ?? {}))
    print(`  ${name.padEnd(24)} ${count}`);
  const end = (await target.state()).stop;
  if (end?.kind === 'ended') print(`\nThe guest ended: ${end.end.message}.`);
  print('On a terminal, `vmscope demo` shows this on the dashboard.');
}

async function showExit(
  target: Debugger,
  exit: ExitRecord,
  registers: RegisterFile,
  print: (line: string) => void,
): Promise<void> {
  print(`VM exit ${exit.reason & 0xffff} ${exitReasonName(exit.reason)}, qualification ${hex(exit.qualification)}`);
  const fields = await target.vmcs?.read(0);
  const say = (label: string, text: string) => text && print(`  ${label.padEnd(14)} ${text}`);
  say(
    'why',
    explainExit(exit, (encoding) => fields?.find((field) => field.encoding === encoding)?.value),
  );
  say('qualification', describeFields(qualificationFields(exit)));
  say('instruction', describeFields(instructionFields(exit)));
  const disassembler = await Disassembler.load();
  const pc = linearPc(registers);
  const bytes = await target.readMemory('gva', pc, 48);
  const options = { bits: codeBits(registers), segmentBase: codeBase(registers), count: 4 };
  for (const [i, line] of disassembler.disassemble(bytes, pc, options).entries()) {
    print(`  ${i === 0 ? '>' : ' '} ${hex(line.address, 8)}  ${line.text}`);
  }
}

function showRegisters(r: RegisterFile, print: (line: string) => void): void {
  print('\nRegisters');
  for (const row of [
    ['rax', 'rbx', 'rcx', 'rdx'],
    ['rsi', 'rdi', 'rbp', 'rsp'],
    ['rip', 'rflags', 'cr0', 'cr3'],
    ['cr4', 'efer', 'cs', 'ss'],
  ]) {
    print(`  ${row.map((name) => `${name.padStart(6)} ${hex(r[name], 8)}`).join('  ')}`);
  }
}

async function showVmcs(target: Debugger, print: (line: string) => void): Promise<void> {
  const shown = [
    'PIN_BASED_VM_EXEC_CONTROL',
    'CPU_BASED_VM_EXEC_CONTROL',
    'SECONDARY_VM_EXEC_CONTROL',
    'VM_EXIT_REASON',
    'GUEST_CR0',
    'EPT_POINTER',
  ];
  print('\nVMCS (excerpt)');
  for (const field of (await target.vmcs?.read(0)) ?? []) {
    if (shown.includes(field.name))
      print(`  ${field.name.padEnd(28)} ${hex(field.value, 8)}  ${field.decoded.join(', ')}`);
  }
}

async function showWalk(target: Debugger, registers: RegisterFile, print: (line: string) => void): Promise<void> {
  const gva = linearPc(registers);
  const guest = await target.walk(gva);
  print(
    `\nGVA ${hex(gva)} -> GPA ${guest.output === undefined ? guest.failure : hex(guest.output)} (paging ${guest.mode})`,
  );
  if (guest.output === undefined || !target.ept) return;
  const ept = await target.ept.walk(guest.output);
  print(`GPA ${hex(guest.output)} -> HPA ${ept.output === undefined ? ept.failure : hex(ept.output)}`);
  for (const level of ept.levels) {
    print(`  ${`${level.table}[${level.index}]`.padEnd(10)} ${hex(level.entry, 16)} ${level.flags.join(' ')}`);
  }
}

async function runToEnd(target: Debugger): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    target.onEvent((event) => {
      if (event.type === 'stopped') resolve();
    });
    target.resume().catch(reject);
  });
}
