// What a guest's kernel and hypervisors' tests do all the time, by kind, beside QEMU TCG: instructions that exit, accesses to
// devices, interrupts, faults, page tables and code that changes.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { guestOf, ownFolder } from './assembled.js';
import { format, type Measurement } from './measurement.js';
import { ROOT } from './paths.js';
import { QEMU, timed } from './processor-time.js';

interface Kind {
  /** Before the loop, and one turn of it; R12D counts, and is not to be changed. */
  readonly setup?: string;
  readonly turn: string;
  /** Instead of the loop around `turn`: where the way around is part of what is measured. */
  readonly whole?: true;
  /** Thousands of turns of the longer run. */
  readonly thousands: number;
  readonly vcpus?: number;
  readonly disk?: true;
  /** Why QEMU TCG's time is none to compare with. */
  readonly incomparable?: string;
}

const SELF_IPI = `
  mov $VECTOR, %edi
  mov $eoi_handler, %esi
  mov $GATE_INTERRUPT, %edx
  xor %ecx, %ecx
  call set_gate
  mov $LAPIC_EOI, %r14d
  mov $LAPIC_ICR_LOW, %r15d`;

const ONE_PAGE = `
  movq $page_table + 7, boot_pds + 0x1000
  mov $0x40000000, %ebx
  mov %cr3, %rax
  mov %rax, %cr3`;

/** A stub of MOV EAX, imm32 and RET at RBX. */
const STUB = `
  mov $0x500000, %ebx
  movb $0xb8, (%rbx)
  movl $0, 1(%rbx)
  movb $0xc3, 5(%rbx)`;

/** Code that counts in memory of its own page: in its own line of 128 bytes, or behind it. */
const counting = (distance: number): string => `
  call 8f
  jmp 7f
  .balign 128
8: incl 8b + ${distance}(%rip)
  ret
  .skip ${distance + 8} - (. - 8b)
7:`;

const KINDS: Record<string, Kind> = {
  pause: { turn: 'pause', thousands: 1000 },
  cpuid: { turn: 'xor %eax, %eax; cpuid', thousands: 20000 },
  'mov from cr8': { turn: 'mov %cr8, %rax', thousands: 12000 },
  'mov to cr8': { setup: 'xor %eax, %eax', turn: 'mov %rax, %cr8', thousands: 12000 },
  'pm timer': { setup: 'mov $0x608, %edx', turn: 'in %dx, %eax', thousands: 4000 },
  'in 3fdh': { setup: 'mov $0x3fd, %edx', turn: 'in %dx, %al', thousands: 6000 },
  'out 80h': { turn: 'out %al, $0x80', thousands: 8000 },
  'apic read': { setup: 'mov $LAPIC_TPR, %ebx', turn: 'mov (%rbx), %eax', thousands: 3000 },
  'apic eoi': { setup: 'mov $LAPIC_EOI, %ebx', turn: 'movl $0, (%rbx)', thousands: 4000 },
  'hpet read': { setup: 'mov $0xfed000f0, %ebx', turn: 'mov (%rbx), %eax', thousands: 3000 },
  'apic timer': {
    setup: 'mov $LAPIC_TIMER_INITIAL, %ebx',
    turn: 'movl $0x40000000, (%rbx)',
    thousands: 2000,
  },
  'tsc deadline': {
    setup: 'mov $LAPIC_LVT_TIMER, %eax; movl $0x40000 + VECTOR, (%rax)',
    turn: 'rdtsc; add $0x10000000, %eax; adc $0, %edx; mov $0x6e0, %ecx; wrmsr',
    thousands: 3000,
    incomparable: 'which has no TSC deadline',
  },
  'rdmsr, wrmsr': {
    setup: 'mov $0xc0000102, %ecx',
    turn: 'rdmsr; wrmsr',
    thousands: 6000,
  },
  'cr0.wp': { turn: 'mov %cr0, %rax; xor $1 << 16, %rax; mov %rax, %cr0', thousands: 1000 },
  'cr4.pge': { turn: 'mov %cr4, %rax; xor $1 << 7, %rax; mov %rax, %cr4', thousands: 500 },
  'cr3 and pages': {
    setup: `${ONE_PAGE}
  mov $page_table, %edi
  mov $0x400003, %eax
1: mov %rax, (%rdi)
  add $8, %rdi
  add $0x1000, %eax
  cmp $0x600003, %eax
  jb 1b`,
    turn: `mov %cr3, %rax; mov %rax, %cr3
  .irp page, 0, 1, 2, 3, 4, 5, 6, 7
  mov \\page * 0x1000(%rbx), %eax
  .endr`,
    thousands: 500,
  },
  invlpg: { setup: 'mov $0x600000, %ebx', turn: 'invlpg (%rbx); mov (%rbx), %eax', thousands: 1000 },
  'page fault': {
    setup: `${ONE_PAGE}
  mov $14, %edi
  mov $fault_handler, %esi
  mov $GATE_INTERRUPT, %edx
  xor %ecx, %ecx
  call set_gate`,
    turn: 'mov 8(%rbx), %eax; movq $0, page_table; invlpg (%rbx)',
    thousands: 375,
  },
  'int, iret': {
    setup: `
  mov $0x41, %edi
  mov $return_handler, %esi
  mov $GATE_INTERRUPT, %edx
  xor %ecx, %ecx
  call set_gate`,
    turn: 'int $0x41',
    thousands: 1000,
  },
  'syscall, sysret': {
    whole: true,
    turn: `
  mov $0xc0000080, %ecx           # EFER.SCE
  rdmsr
  or $1, %eax
  wrmsr
  mov $0xc0000081, %ecx           # STAR: the kernel's selectors and the users'
  xor %eax, %eax
  mov $0x00180008, %edx
  wrmsr
  mov $0xc0000082, %ecx           # LSTAR
  mov $5f, %eax
  xor %edx, %edx
  wrmsr
  mov $0xc0000084, %ecx           # FMASK
  xor %eax, %eax
  wrmsr
  mov %rsp, %r14
  mov $6f, %ecx
  xor %r11d, %r11d
  or $2, %r11d
  sysretq
6: syscall                        # the users' program
  jmp 6b
5: dec %r12d
  jz 7f
  sysretq
7: mov %r14, %rsp
  mov $0x10, %eax
  mov %eax, %ss`,
    thousands: 6000,
  },
  'self ipi': {
    setup: `${SELF_IPI}\n  sti`,
    turn: 'movl $0x40000 + ICR_ASSERT + VECTOR, (%r15); nop',
    thousands: 525,
  },
  'self ipi, hlt': {
    setup: SELF_IPI,
    turn: 'cli; movl $0x40000 + ICR_ASSERT + VECTOR, (%r15); sti; hlt',
    thousands: 375,
  },
  'timer, hlt': {
    setup: `${SELF_IPI}
  mov $LAPIC_LVT_TIMER, %eax
  movl $VECTOR, (%rax)
  mov $LAPIC_TIMER_INITIAL, %ebx`,
    turn: 'cli; movl $1000, (%rbx); sti; hlt',
    thousands: 38,
  },
  'rep insw, a sector': {
    setup: 'mov $0x3f6, %edx; mov $2, %al; out %al, %dx', // no interrupts
    turn: `
  mov $0x1f2, %edx
  mov $1, %al
  out %al, %dx
  inc %edx
  out %al, %dx
  xor %eax, %eax
  inc %edx
  out %al, %dx
  inc %edx
  out %al, %dx
  inc %edx
  mov $0xe0, %al
  out %al, %dx
  inc %edx
  mov $0x20, %al                  # READ SECTORS
  out %al, %dx
8: in %dx, %al
  test $0x88, %al
  jle 8b                          # BSY, or no DRQ yet
  mov $0x1f0, %edx
  mov $0x400000, %edi
  mov $256, %ecx
  rep insw`,
    thousands: 8,
    disk: true,
  },
  'rep outsb 64': {
    setup: 'mov $0x80, %edx',
    turn: 'mov $0x400000, %esi; mov $64, %ecx; rep outsb',
    thousands: 25,
  },
  'code that changes': { setup: STUB, turn: 'incl 1(%rbx); call *%rbx', thousands: 250 },
  'data in a line of code': { turn: counting(16), thousands: 3000 },
  'data in a page of code': { turn: counting(256), thousands: 3000 },
  'data in a page of code, 2 vCPUs': { turn: counting(256), thousands: 3000, vcpus: 2 },
};

const SHARED = `
.equ VECTOR, 0x40
.equ GATE_INTERRUPT, 0x8e
.balign 64
func return_handler
  iretq
endfunc return_handler
func eoi_handler
  movl $0, (%r14)
  iretq
endfunc eoi_handler
func fault_handler
  movq $0x400003, page_table
  add $8, %rsp
  iretq
endfunc fault_handler
# Pages for users, a table of descriptors with theirs, gates, and the local APIC switched on.
func prepare
  mov $boot_pml4, %eax
  orl $4, (%rax)
  mov $boot_pdpt, %eax
  mov $boot_pds, %ebx
1: orl $4, (%rax)
  add $8, %eax
  cmp $boot_pdpt + 32, %eax
  jb 1b
2: orl $4, (%rbx)
  add $8, %ebx
  cmp $boot_pds + 0x4000, %ebx
  jb 2b
  mov %cr3, %rax
  mov %rax, %cr3
  lgdt users_gdtr(%rip)
  call idt_init
  call pic_init
  ret
endfunc prepare
.data
.balign 8
users_gdt:
  .quad 0
  .quad 0x00af9b000000ffff        # 08: 64-bit code
  .quad 0x00cf93000000ffff        # 10: data
  .quad 0x00cffb000000ffff        # 18: 32-bit code of users
  .quad 0x00cff3000000ffff        # 20: data of users
  .quad 0x00affb000000ffff        # 28: 64-bit code of users
users_gdtr:
  .word . - users_gdt - 1
  .quad users_gdt
.bss
.balign 4096
page_table: .skip 4096
`;

const routine = ({ setup = '', turn, whole }: Kind): string => {
  const body = whole ? turn : `${setup}\n9: ${turn}\n  dec %r12d\n  jnz 9b`;
  return `  call prepare\n  imul $1000, %r12d, %r12d\n${body}\n  xor %eax, %eax\n  ret`;
};

interface Built {
  readonly elf: string;
  readonly disk: string;
}

let built: Built | undefined;

function guests(): Built {
  if (!built) {
    const folder = ownFolder();
    const routines = Object.values(KINDS).map((kind, n) => ({ name: `x${n}`, code: routine(kind) }));
    const disk = join(folder, 'disk.img');
    writeFileSync(disk, Buffer.alloc(1 << 20));
    built = { elf: guestOf(folder, 'vmexits', routines, SHARED, ['idt64', 'pic64']), disk };
  }
  return built;
}

const ROUNDS = 2;

/** Seconds of the longer run less those of a short one, by turns, the least of each: others on the machine only add time. */
function seconds(run: (thousands: number) => number | undefined, thousands: number): number | undefined {
  const least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [n, count] of [1, 1 + thousands].entries()) {
      const taken = run(count);
      if (taken === undefined) return undefined;
      least[n] = Math.min(least[n], taken);
    }
  }
  return least[1] - least[0];
}

function measure(name: string): Measurement[] {
  const { thousands, vcpus = 1, disk, incomparable } = KINDS[name];
  const { elf, disk: image } = guests();
  const append = (count: number): string => `x${Object.keys(KINDS).indexOf(name)} ${count}`;
  const own = seconds((count) => {
    const more = ['--vcpus', String(vcpus), ...(disk ? ['--disk', `${image},if=ide`] : [])];
    const args = ['run', elf, '--append', append(count), '--headless', ...more];
    return timed(`${ROOT}bin/vmscope`, args)?.seconds;
  }, thousands);
  if (own === undefined) throw new Error(`${name}: the guest did not come to its end`);
  const tcg = seconds((count) => {
    const drive = disk ? ['-drive', `file=${image},format=raw,if=ide`] : [];
    const args = [...QEMU, '-serial', 'stdio', '-kernel', elf, '-append', append(count), '-smp', String(vcpus)];
    return timed('qemu-system-x86_64', [...args, ...drive])?.seconds;
  }, thousands);
  const ns = (of: number): number => (of / (thousands * 1000)) * 1e9;
  const beside =
    tcg === undefined
      ? ''
      : `QEMU TCG ${format(ns(tcg))}${incomparable ? `, ${incomparable}` : `, ratio ${format(own / tcg)}`}`;
  return [{ name: `vmexits.${name}`, value: ns(own), unit: 'ns', note: beside }];
}

/** Processor time of a turn by kind, in ns, and as a multiple of QEMU TCG's. */
export const vmexits = Object.keys(KINDS).map((name) => () => measure(name));
