/** kvm_exit and kvm_entry as three kernels describe them, and pages and perf records built to those formats. */
const COMMON = `	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;
`;
const VMX =
  '{ 0, "EXCEPTION_NMI" }, { 1, "EXTERNAL_INTERRUPT" }, { 10, "CPUID" }, { 12, "HLT" }, { 30, "IO_INSTRUCTION" }, { 48, "EPT_VIOLATION" }';
const SVM = '{ 0x040, "excp_de" }, { 0x072, "cpuid" }, { 0x078, "hlt" }, { 0x07b, "io" }, { 0x400, "npf" }';
const reason = (mask: string): string =>
  `(REC->isa == 1) ? __print_symbolic(REC->exit_reason${mask}, ${VMX}) : __print_symbolic(REC->exit_reason, ${SVM})`;

export interface Kernel {
  release: string;
  exit: string;
  entry: string;
  /** Bytes of a record, and where its fields lie. */
  exitBytes: number;
  reasonAt: number;
  isaAt: number;
  vcpuAt?: number;
  entryBytes: number;
}

export const KERNELS: readonly Kernel[] = [
  {
    // Up to 5.9: no interruption information, no vCPU.
    release: '4.19',
    exit: `name: kvm_exit
ID: 1410
format:
${COMMON}
	field:unsigned int exit_reason;	offset:8;	size:4;	signed:0;
	field:unsigned long guest_rip;	offset:16;	size:8;	signed:0;
	field:u32 isa;	offset:24;	size:4;	signed:0;
	field:u64 info1;	offset:32;	size:8;	signed:0;
	field:u64 info2;	offset:40;	size:8;	signed:0;

print fmt: "reason %s rip 0x%lx info %llx %llx", ${reason('')}, REC->guest_rip, REC->info1, REC->info2
`,
    entry: `name: kvm_entry
ID: 1415
format:
${COMMON}
	field:unsigned int vcpu_id;	offset:8;	size:4;	signed:0;

print fmt: "vcpu %u", REC->vcpu_id
`,
    ...{ exitBytes: 48, reasonAt: 8, isaAt: 24, entryBytes: 12 },
  },
  {
    release: '5.10',
    exit: `name: kvm_exit
ID: 1702
format:
${COMMON}
	field:unsigned int exit_reason;	offset:8;	size:4;	signed:0;
	field:unsigned long guest_rip;	offset:16;	size:8;	signed:0;
	field:u32 isa;	offset:24;	size:4;	signed:0;
	field:u64 info1;	offset:32;	size:8;	signed:0;
	field:u64 info2;	offset:40;	size:8;	signed:0;
	field:u32 intr_info;	offset:48;	size:4;	signed:0;
	field:u32 error_code;	offset:52;	size:4;	signed:0;
	field:unsigned int vcpu_id;	offset:56;	size:4;	signed:0;

print fmt: "vcpu %u reason %s%s%s rip 0x%lx", REC->vcpu_id, ${reason(' & 0xffff')}, (REC->isa == 1 && REC->exit_reason & ~0xffff) ? " " : "", (REC->isa == 1) ? __print_flags(REC->exit_reason & ~0xffff, " ", { 0x80000000, "FAILED_VMENTRY" }) : "", REC->guest_rip
`,
    entry: `name: kvm_entry
ID: 1707
format:
${COMMON}
	field:unsigned int vcpu_id;	offset:8;	size:4;	signed:0;
	field:unsigned long rip;	offset:16;	size:8;	signed:0;

print fmt: "vcpu %u, rip 0x%lx", REC->vcpu_id, REC->rip
`,
    ...{ exitBytes: 60, reasonAt: 8, isaAt: 24, vcpuAt: 56, entryBytes: 24 },
  },
  {
    release: '6.18',
    exit: `name: kvm_exit
ID: 103
format:
${COMMON}
	field:unsigned int exit_reason;	offset:8;	size:4;	signed:0;
	field:unsigned long guest_rip;	offset:16;	size:8;	signed:0;
	field:u32 isa;	offset:24;	size:4;	signed:0;
	field:u64 info1;	offset:32;	size:8;	signed:0;
	field:u64 info2;	offset:40;	size:8;	signed:0;
	field:u32 intr_info;	offset:48;	size:4;	signed:0;
	field:u32 error_code;	offset:52;	size:4;	signed:0;
	field:unsigned int vcpu_id;	offset:56;	size:4;	signed:0;
	field:u64 requests;	offset:64;	size:8;	signed:0;

print fmt: "vcpu %u reason %s%s%s rip 0x%lx requests 0x%016llx", REC->vcpu_id, ${reason(' & 0xffff')}, REC->guest_rip, REC->requests
`,
    entry: `name: kvm_entry
ID: 115
format:
${COMMON}
	field:unsigned int vcpu_id;	offset:8;	size:4;	signed:0;
	field:unsigned long rip;	offset:16;	size:8;	signed:0;
	field:bool immediate_exit;	offset:24;	size:1;	signed:0;
	field:u32 intr_info;	offset:28;	size:4;	signed:0;
	field:u32 error_code;	offset:32;	size:4;	signed:0;

print fmt: "vcpu %u, rip 0x%lx", REC->vcpu_id, REC->rip
`,
    ...{ exitBytes: 72, reasonAt: 8, isaAt: 24, vcpuAt: 56, entryBytes: 36 },
  },
];

const idOf = (format: string): number => Number(/^ID: (\d+)$/m.exec(format)![1]);

export function exitRecord(kernel: Kernel, tid: number, vcpu: number, code: number, isa = 1): Buffer {
  const record = Buffer.alloc(kernel.exitBytes);
  record.writeUInt16LE(idOf(kernel.exit), 0);
  record.writeInt32LE(tid, 4);
  record.writeUInt32LE(code >>> 0, kernel.reasonAt);
  record.writeUInt32LE(isa, kernel.isaAt);
  if (kernel.vcpuAt !== undefined) record.writeUInt32LE(vcpu, kernel.vcpuAt);
  return record;
}

export function entryRecord(kernel: Kernel, tid: number, vcpu: number): Buffer {
  const record = Buffer.alloc(kernel.entryBytes);
  record.writeUInt16LE(idOf(kernel.entry), 0);
  record.writeInt32LE(tid, 4);
  record.writeUInt32LE(vcpu, 8);
  return record;
}

/** kvm_pio and kvm_mmio of 4.19 to 6.18: the same in all of them. */
const ACCESS = `	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;
`;
export const PIO = `name: kvm_pio
ID: 90
format:
${ACCESS}	field:unsigned int rw;	offset:8;	size:4;	signed:0;
	field:unsigned int port;	offset:12;	size:4;	signed:0;
	field:unsigned int size;	offset:16;	size:4;	signed:0;
	field:unsigned int count;	offset:20;	size:4;	signed:0;
	field:unsigned int val;	offset:24;	size:4;	signed:0;

print fmt: "pio_%s"
`;
export const MMIO = `name: kvm_mmio
ID: 91
format:
${ACCESS}	field:u32 type;	offset:8;	size:4;	signed:0;
	field:u32 len;	offset:12;	size:4;	signed:0;
	field:u64 gpa;	offset:16;	size:8;	signed:0;
	field:u64 val;	offset:24;	size:8;	signed:0;

print fmt: "mmio"
`;

/** @param way direction of a port, type of MMIO. @param address of the port or guest-physical */
export function accessRecord(format: string, tid: number, way: number, address: number): Buffer {
  const isPort = format === PIO;
  const record = Buffer.alloc(isPort ? 28 : 32);
  record.writeUInt16LE(idOf(format), 0);
  record.writeInt32LE(tid, 4);
  record.writeUInt32LE(way, 8);
  record.writeUInt32LE(address, isPort ? 12 : 16);
  return record;
}

export interface Timed {
  ns: bigint;
  record: Buffer;
}

/** A page of the ring buffer with these events, as the kernel lays it out. @param lost told in the commit field */
export function ringPage(events: readonly Timed[], lost: 'none' | 'some' | number = 'none', large = false): Buffer {
  const page = Buffer.alloc(4096);
  let last = events[0]?.ns ?? 0n;
  page.writeBigUInt64LE(last, 0);
  let at = 16;
  for (const { ns, record } of events) {
    let delta = ns - last;
    last = ns;
    if (delta >= 1n << 27n) {
      // TIME_EXTEND: 27 low bits in the head, the rest behind it.
      page.writeUInt32LE(Number(((delta & 0x7ff_ffffn) << 5n) | 30n), at);
      page.writeUInt32LE(Number(delta >> 27n), at + 4);
      at += 8;
      delta = 0n;
    }
    const words = Math.ceil(record.length / 4);
    if (words <= 28 && !large) {
      page.writeUInt32LE(Number((delta << 5n) | BigInt(words)), at);
      at += 4;
    } else {
      page.writeUInt32LE(Number(delta << 5n), at);
      page.writeUInt32LE(words * 4 + 4, at + 4);
      at += 8;
    }
    record.copy(page, at);
    at += words * 4;
  }
  const length = at - 16;
  const flags = lost === 'none' ? 0 : lost === 'some' ? 0x8000_0000 : 0xc000_0000;
  page.writeUInt32LE((length | flags) >>> 0, 8);
  if (typeof lost === 'number') page.writeBigUInt64LE(BigInt(lost), at);
  return page;
}

/** A PERF_RECORD_SAMPLE with thread, time and raw data. */
export function perfSample(tid: number, { ns, record }: Timed): Buffer {
  // The raw data with its length is padded to eight bytes.
  const raw = Math.ceil((4 + record.length) / 8) * 8 - 4;
  const bytes = Buffer.alloc(8 + 8 + 8 + 4 + raw);
  bytes.writeUInt32LE(9, 0);
  bytes.writeUInt16LE(bytes.length, 6);
  bytes.writeUInt32LE(tid, 8);
  bytes.writeUInt32LE(tid, 12);
  bytes.writeBigUInt64LE(ns, 16);
  bytes.writeUInt32LE(raw, 24);
  record.copy(bytes, 28);
  return bytes;
}

export function perfLost(count: number): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32LE(2, 0);
  bytes.writeUInt16LE(24, 6);
  bytes.writeBigUInt64LE(BigInt(count), 16);
  return bytes;
}
