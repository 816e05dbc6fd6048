import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { guestOf, ownFolder } from './assembled.js';
import { runImage } from './engine.js';
import { format, type Measurement } from './measurement.js';
import { QEMU, timed } from './processor-time.js';

/** Kinds of instruction in 64-bit code: RBX and RSI point to memory, a double at 32 of it, RCX counts. A number divides the turns of slow ones. */
const KINDS_64: Record<string, [string, number?]> = {
  'add r,r': ['add %rdx, %rax'],
  lea: ['lea 7(%rdx,%rax,2), %rax'],
  'imul r,r': ['imul %rdx, %rax'],
  'mul r': ['mul %rdi'],
  'shl cl': ['shl %cl, %rax'],
  'cmp, jcc': ['cmp %rdx, %rax; jb 9f; 9:', 2],
  'test, setcc': ['test %edx, %edx; setne %al', 2],
  cmov: ['cmp %edx, %edi; cmovb %rdi, %rax', 2],
  adc: ['adc %rdx, %rax'],
  popcnt: ['popcnt %rax, %rax'],
  load: ['mov 8(%rbx), %rax'],
  store: ['mov %rax, 8(%rbx)'],
  'add mem': ['add %rax, 8(%rbx)'],
  'load rip': ['mov target0(%rip), %rax'],
  'load fs': ['mov %fs:0x400100, %rax'],
  'inc gs': ['incl %gs:0x400100'],
  'push, pop': ['push %rax; pop %rdx', 2],
  'call, ret': ['call 8f; jmp 9f; 8: ret; 9:', 2],
  'inc beside code': ['call 8f; jmp 9f; .balign 128; 7: .quad 0; .balign 128; 8: incl 7b(%rip); ret; 9:', 40],
  'inc among code': ['call 8f; jmp 9f; .balign 8; 7: .quad 0; 8: incl 7b(%rip); ret; 9:', 40],
  'lock xadd': ['lock xadd %rax, 8(%rbx)', 2],
  'lock cmpxchg': ['lock cmpxchg %rdx, 8(%rbx)', 2],
  'lodsb, stosb': ['lodsb; stosb; mov %rbx, %rsi; mov %rbx, %rdi', 4],
  'rep movsb 64': [
    'mov %rcx, %r8; mov $64, %ecx; mov $0x400000, %esi; mov $0x600000, %edi; rep movsb; mov %r8, %rcx',
    40,
  ],
  addsd: ['addsd %xmm1, %xmm0', 8],
  mulsd: ['mulsd %xmm1, %xmm0', 8],
  ucomisd: ['ucomisd %xmm1, %xmm0', 8],
  paddd: ['paddd %xmm1, %xmm0', 4],
  'movups load': ['movups (%rbx), %xmm0', 4],
  'fadd st': ['fadd %st(1), %st', 16],
  'fsub st': ['fsub %st(1), %st', 16],
  'fmul st': ['fmul %st(1), %st', 16],
  'fdiv st': ['fdiv %st(1), %st', 16],
  'fadd m64': ['faddl 32(%rbx)', 16],
  'fld, fstp m64': ['fldl 32(%rbx); fstpl 40(%rbx)', 16],
  'fild, fistp m32': ['fildl (%rbx); fistpl 4(%rbx)', 16],
  'fld st, fstp st': ['fld %st(1); fstp %st(1)', 16],
  fxch: ['fxch', 16],
  fcomi: ['fcomi %st(1), %st', 16],
  'fcom, fnstsw': ['fcom %st(1); fnstsw %ax', 16],
  pause: ['pause', 16],
  cpuid: ['mov %rcx, %r8; xor %eax, %eax; cpuid; mov %r8, %rcx; mov $0x400000, %ebx', 40],
  'out 80h': ['out %al, $0x80', 40],
  'mov cr0': ['mov %cr0, %rax; mov %rax, %cr0', 40],
  invlpg: ['invlpg (%rbx)', 40],
};

/** In real mode with segments of their own: BX and SI point to memory, CX counts turns of DI. */
const KINDS_16: Record<string, [string, number?]> = {
  'registers 16': ['addw %dx, %ax; xorw %ax, %dx; shlw $1, %ax', 3],
  'load, store 16': ['movw 8(%bx), %ax; movw %ax, 4(%bx,%si)', 2],
  'other segment 16': ['movw %es:8(%bx), %ax; addw %ax, %gs:2(%si)', 2],
  'branches 16': ['cmpw %dx, %ax; jb 9f; incw %ax; 9: testb $1, %al; jz 9f; incw %dx; 9:', 5],
  'push, pop 16': ['pushw %ax; popw %dx', 2],
  'call, ret 16': ['call 8f; jmp 9f; 8: ret; 9:', 2],
  'rep movsw 32 in 16': [
    'pushw %cx; movw $32, %cx; movw $0x100, %si; movw $0x800, %di; rep movsw; popw %cx; movw $0x100, %si',
    40,
  ],
};

const COPIES = 20;
const TURNS = 2_000_000;

interface Guest {
  readonly name: string;
  /** Instructions or groups that `turns` turns run. */
  readonly turns: number;
  readonly options: (turns: number) => Parameters<typeof runImage>[0];
  readonly qemu: (turns: number) => string[];
}

function build64(folder: string): string {
  const routines = Object.values(KINDS_64).map(([code], n) => ({
    name: `k${n}`,
    code: `  imul $1000, %r12d, %ecx
  mov $0x400000, %ebx
  mov %rbx, %rsi
  mov $3, %edx
  mov %cr0, %rax
  and $~4, %al
  mov %rax, %cr0
  mov %cr4, %rax
  or $0x600, %eax
  mov %rax, %cr4
  fninit
  fld1
  fldl values(%rip)
  fldl values(%rip)
  fstpl 32(%rbx)
1: .rept ${COPIES}
  ${code}
  .endr
  dec %ecx
  jnz 1b
  xor %eax, %eax
  ret`,
  }));
  return guestOf(folder, 'kinds', routines, '.data\n.balign 8\ntarget0: .quad 1\nvalues: .double 1.0000001\n.text');
}

/** A boot sector that ends by the debug-exit port. */
function build16(folder: string, name: string, code: string, turns: number): string {
  const source = join(folder, 'kind16.S');
  const [object, image] = ['kind16.o', `${name.replace(/\W+/g, '-')}-${turns}.img`].map((file) => join(folder, file));
  writeFileSync(
    source,
    `.code16
  cli
  ljmp $0x7c0, $start
start:
  movw $0x2000, %ax
  movw %ax, %ds
  movw %ax, %es
  movw $0x3000, %ax
  movw %ax, %ss
  movw %ax, %gs
  movw $0x8000, %sp
  cld
  movw $0x100, %bx
  movw $0x100, %si
  movw $3, %dx
  movl $${turns}, %ecx
1: .rept ${COPIES}
  ${code}
  .endr
  decl %ecx
  jnz 1b
  movb $0, %al
  outb %al, $0xf4
  hlt
  .org 510
  .word 0xaa55
`,
  );
  execFileSync('as', ['--32', '-o', object, source]);
  execFileSync('objcopy', ['-O', 'binary', object, image]);
  return image;
}

function guests(folder: string): Guest[] {
  const elf = build64(folder);
  const long = Object.entries(KINDS_64).map(([name, [, slow = 1]], n): Guest => {
    const append = (turns: number): string => `k${n} ${Math.max(1, Math.round(turns / 1000))}`;
    return {
      name,
      turns: 2000 * Math.round(TURNS / slow / 2000),
      options: (turns) => ({ name: elf, bytes: readFileSync(elf), append: append(turns) }),
      qemu: (turns) => ['-kernel', elf, '-append', append(turns), '-serial', 'null'],
    };
  });
  const real = Object.entries(KINDS_16).map(([name, [code, slow = 1]]): Guest => {
    const image = (turns: number): string => build16(folder, name, code, turns);
    return {
      name,
      turns: 2000 * Math.round(TURNS / slow / 2000),
      options: (turns) => ({ name: 'kind', bytes: readFileSync(image(turns)), at: 0x7c00 }),
      qemu: (turns) => [
        '-drive',
        `file=${image(turns)},format=raw,if=floppy`,
        '-device',
        'isa-debug-exit,iobase=0xf4',
        '-serial',
        'null',
      ],
    };
  });
  return [...long, ...real];
}

const tcgSeconds = (args: readonly string[]): number | undefined =>
  timed('qemu-system-x86_64', [...QEMU, ...args], [0, 1])?.seconds;

/** Compiled code runs so much longer: V8 takes its time to optimize it. */
const COMPILED = 8;

let built: Guest[] | undefined;

/** Builds them once, in a folder that goes with the process. */
function allGuests(): Guest[] {
  built ??= guests(ownFolder());
  return built;
}

function measure(wanted: string): Measurement {
  const { name, turns, options, qemu } = allGuests().find((guest) => guest.name === wanted)!;
  // what a start and two compilers cost, V8's included, is in both runs
  const each = (less: number, more: number, of: number): number => ((more - less) / ((of / 2) * COPIES)) * 1e9;
  const own = (jit: boolean, of: number): number =>
    each(runImage(options(of / 2), jit), runImage(options(of), jit), of);
  const [compiled, interpreted] = [own(true, turns * COMPILED), own(false, turns)];
  const [less, more] = [turns * COMPILED * 0.5, turns * COMPILED].map((of) => tcgSeconds(qemu(of)));
  const tcg = less === undefined || more === undefined ? undefined : each(less, more, turns * COMPILED);
  const beside = tcg === undefined ? '' : `, QEMU TCG ${format(Math.max(tcg, 0))}`;
  return { name: `kinds.${name}`, value: compiled, unit: 'ns', note: `interpreted ${format(interpreted)}${beside}` };
}

/** Processor time of an instruction by kind, compiled and interpreted, in ns, beside QEMU TCG's; the loop's own counted in. */
export const kinds = [...Object.keys(KINDS_64), ...Object.keys(KINDS_16)].map((name) => () => [measure(name)]);
