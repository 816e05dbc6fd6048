/**
 * A guest's memory and vCPUs as an ELF core, in the form of QEMU's dump-guest-memory: for each vCPU NT_PRSTATUS and
 * QEMU's own note, the kernel's VMCOREINFO, and memory by guest-physical address. Where the system is known, segments
 * have its linear addresses too, as a kdump has them, so that debuggers which know no page tables find their way.
 * @qemu target/i386/arch_dump.c
 */
import { EFER } from '../../spec/masks.js';
import type { RegisterFile } from '../debugger.js';

/** A vCPU as it stands. */
export interface DumpCpu {
  registers: RegisterFile;
  /**
   * Number of what runs there: the process's where the system tells it (0: idle), as a kdump has it, by which drgn
   * knows whose registers these are. Otherwise threads count from 1.
   */
  thread?: number;
}

/** Memory of the guest in the file. */
export interface DumpRange {
  gpa: number;
  bytes: number;
  /** Where the system maps it; 0 where that is not known. */
  gva: bigint;
}

export interface CoreDump {
  /** Headers and notes: what the file starts with. */
  head: Uint8Array;
  /** Pieces of memory, each at its place in the file. */
  pieces: { offset: number; gpa: number; bytes: number }[];
  /** Bytes of the whole file. */
  bytes: number;
}

const PAGE = 4096;
const ET_CORE = 4;
const EM = { 32: 3, 64: 62 };
const PT = { load: 1, note: 4 };
const NT_PRSTATUS = 1;
const READ_WRITE_EXECUTE = 7;

/** Sizes of the ELF structures, and where NT_PRSTATUS has the thread's number and its registers. */
const FORMAT = {
  64: { head: 64, program: 56, status: 336, pid: 32, registers: 112 },
  32: { head: 52, program: 32, status: 144, pid: 24, registers: 72 },
};

/** `struct user_regs_struct`. @linux arch/x86/include/asm/user_64.h, user_32.h */
const USER_REGISTERS = {
  64: [
    'r15', 'r14', 'r13', 'r12', 'rbp', 'rbx', 'r11', 'r10', 'r9', 'r8', 'rax', 'rcx', 'rdx', 'rsi', 'rdi', 'orig_rax',
    'rip', 'cs', 'rflags', 'rsp', 'ss', 'fs_base', 'gs_base', 'ds', 'es', 'fs', 'gs',
  ],
  32: [
    'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rax', 'ds', 'es', 'fs', 'gs', 'orig_rax', 'rip', 'cs', 'rflags', 'rsp',
    'ss',
  ],
}; // biome-ignore format: as the structures
/** No system call is being restarted. */
const NO_SYSTEM_CALL = -1n;

/** QEMUCPUState: general registers, segments of 24 bytes, control registers. */
const QEMU_GENERAL = [
  'rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rsp', 'rbp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rip',
  'rflags',
]; // biome-ignore format: as the structure
const QEMU_SEGMENTS = ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'ldtr', 'tr', 'gdtr', 'idtr'];
const QEMU_CONTROL = ['cr0', 'cr1', 'cr2', 'cr3', 'cr4'];
const QEMU_SEGMENT_BYTES = 24;
const QEMU_BYTES =
  8 + QEMU_GENERAL.length * 8 + QEMU_SEGMENTS.length * QEMU_SEGMENT_BYTES + QEMU_CONTROL.length * 8 + 8;

const align = (value: number, to: number): number => Math.ceil(value / to) * to;

function note(owner: string, type: number, descriptor: Uint8Array): Buffer {
  const name = Buffer.from(`${owner}\0`);
  const head = Buffer.alloc(12);
  head.writeUInt32LE(name.length, 0);
  head.writeUInt32LE(descriptor.length, 4);
  head.writeUInt32LE(type, 8);
  const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes], align(bytes.length, 4));
  return Buffer.concat([head, padded(name), padded(descriptor)]);
}

function status({ registers: cpu, thread }: DumpCpu, index: number, bits: 32 | 64): Buffer {
  const { status: bytes, pid, registers } = FORMAT[bits];
  const out = Buffer.alloc(bytes);
  out.writeUInt32LE(thread ?? index + 1, pid);
  USER_REGISTERS[bits].forEach((name, at) => {
    const value = name === 'orig_rax' ? NO_SYSTEM_CALL : (cpu[name] ?? 0n);
    if (bits === 64) out.writeBigUInt64LE(BigInt.asUintN(64, value), registers + at * 8);
    else out.writeUInt32LE(Number(BigInt.asUintN(32, value)), registers + at * 4);
  });
  return out;
}

/** Access rights of the VMCS as the second word of a descriptor. */
const descriptorBits = (ar: bigint): number => ((ar & 0x10000n) !== 0n ? 0 : Number((ar & 0xf0ffn) << 8n));

function qemuState(cpu: RegisterFile): Buffer {
  const out = Buffer.alloc(QEMU_BYTES);
  let at = out.writeUInt32LE(1, 0);
  at = out.writeUInt32LE(QEMU_BYTES, at);
  const word = (value: bigint | undefined): void => {
    at = out.writeBigUInt64LE(BigInt.asUintN(64, value ?? 0n), at);
  };
  for (const name of QEMU_GENERAL) word(cpu[name]);
  for (const name of QEMU_SEGMENTS) {
    at = out.writeUInt32LE(Number(cpu[name] ?? 0n), at);
    at = out.writeUInt32LE(Number(BigInt.asUintN(32, cpu[`${name}_limit`] ?? 0n)), at);
    at = out.writeUInt32LE(descriptorBits(cpu[`${name}_ar`] ?? 0n), at);
    at = out.writeUInt32LE(0, at);
    word(cpu[`${name}_base`]);
  }
  for (const name of QEMU_CONTROL) word(cpu[name]);
  word(cpu.kernel_gs_base);
  return out;
}

/**
 * Lays a dump out.
 * @param ram ranges that are in the file; by guest-physical address, without overlap
 * @param aliases further linear addresses of parts of these ranges
 * @param vmcoreinfo what the kernel tells of itself
 */
export function layOutDump(
  cpus: readonly DumpCpu[],
  ram: readonly DumpRange[],
  aliases: readonly DumpRange[],
  vmcoreinfo: string | undefined,
): CoreDump {
  const bits = cpus.some(({ registers }) => ((registers.efer ?? 0n) & EFER.LMA) !== 0n) ? 64 : 32;
  const notes = Buffer.concat([
    ...cpus.map((cpu, index) => note('CORE', NT_PRSTATUS, status(cpu, index, bits))),
    ...cpus.map(({ registers }) => note('QEMU', 0, qemuState(registers))),
    ...(vmcoreinfo === undefined ? [] : [note('VMCOREINFO', 0, Buffer.from(vmcoreinfo, 'latin1'))]),
  ]);
  const { head, program } = FORMAT[bits];
  const notesAt = head + program * (1 + aliases.length + ram.length);
  let end = align(notesAt + notes.length, PAGE);
  const pieces = ram.map(({ gpa, bytes }) => {
    const offset = end;
    end = align(end + bytes, PAGE);
    return { offset, gpa, bytes };
  });
  const offsetOf = (gpa: number): number => {
    const piece = pieces.find((own) => gpa >= own.gpa && gpa < own.gpa + own.bytes);
    return piece === undefined ? 0 : piece.offset + gpa - piece.gpa;
  };
  const headers = [
    programHeader(bits, PT.note, notesAt, notes.length, 0n, 0),
    ...[...aliases, ...ram].map(({ gpa, bytes, gva }) => programHeader(bits, PT.load, offsetOf(gpa), bytes, gva, gpa)),
  ];
  return { head: Buffer.concat([fileHeader(bits, headers.length), ...headers, notes]), pieces, bytes: end };
}

function fileHeader(bits: 32 | 64, programs: number): Buffer {
  const { head, program } = FORMAT[bits];
  const out = Buffer.alloc(head);
  out.write(`\x7fELF${bits === 64 ? '\x02' : '\x01'}\x01\x01`, 'latin1');
  out.writeUInt16LE(ET_CORE, 16);
  out.writeUInt16LE(EM[bits], 18);
  out.writeUInt32LE(1, 20);
  if (bits === 64) out.writeBigUInt64LE(BigInt(head), 32);
  else out.writeUInt32LE(head, 28);
  const sizes = bits === 64 ? 52 : 40;
  out.writeUInt16LE(head, sizes);
  out.writeUInt16LE(program, sizes + 2);
  out.writeUInt16LE(programs, sizes + 4);
  return out;
}

function programHeader(bits: 32 | 64, type: number, offset: number, bytes: number, gva: bigint, gpa: number): Buffer {
  const out = Buffer.alloc(FORMAT[bits].program);
  const flags = type === PT.load ? READ_WRITE_EXECUTE : 0;
  if (bits === 64) {
    out.writeUInt32LE(type, 0);
    out.writeUInt32LE(flags, 4);
    [BigInt(offset), gva, BigInt(gpa), BigInt(bytes), BigInt(bytes), 0n].forEach((value, at) => {
      out.writeBigUInt64LE(BigInt.asUintN(64, value), 8 + at * 8);
    });
  } else {
    [type, offset, Number(BigInt.asUintN(32, gva)), gpa, bytes, bytes, flags, 0].forEach((value, at) => {
      out.writeUInt32LE(value, at * 4);
    });
  }
  return out;
}
