import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { guestOf, ownFolder } from './assembled.js';
import { runImage } from './engine.js';
import { format, type Measurement } from './measurement.js';
import { QEMU, timed } from './processor-time.js';

/** Kinds of instruction in 64-bit code: RBX and RSI point to memory, doubles at 32 and 48 of it, RCX counts. A number divides the turns of slow ones. */
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
  'div r': ['xor %edx, %edx; div %r9', 4],
  'rol imm': ['rol $3, %rax'],
  bsf: ['bsf %rdi, %rax'],
  bswap: ['bswap %rax'],
  inc: ['inc %rax'],
  'xchg r,r': ['xchg %rax, %rdx'],
  movzx: ['movzbl %al, %eax'],
  movsx: ['movslq %eax, %rax'],
  'add high byte': ['add %dh, %ah'],
  'add r16': ['add %dx, %ax'],
  shld: ['shld $5, %rdx, %rax', 2],
  rcl: ['rcl $1, %rax', 2],
  crc32: ['crc32q %rdx, %rax', 4],
  andn: ['andn %rdx, %rax, %rax'],
  mulx: ['mulx %rdi, %rax, %r8'],
  pdep: ['pdep %rdi, %rax, %rax', 2],
  'load byte': ['movzbl 9(%rbx), %eax'],
  'load across lines': ['mov 61(%rbx), %rax'],
  'load across pages': ['mov 0xffc(%rbx), %rax', 10],
  'load gs': ['mov %gs:0x400100, %rax'],
  'push mem, pop': ['push 8(%rbx); pop %rdx', 2],
  'jmp r': ['lea 9f(%rip), %rax; jmp *%rax; 9:', 2],
  'call r, ret': ['lea 8f(%rip), %rax; call *%rax; jmp 9f; 8: ret; 9:', 4],
  'enter, leave': ['enter $16, $0; leave', 2],
  'bt mem': ['bt %rdx, 8(%rbx)', 2],
  'bts mem imm': ['btsl $5, 8(%rbx)', 2],
  'xchg mem': ['xchg %rax, 8(%rbx)', 2],
  cmpxchg16b: ['lock cmpxchg16b 16(%rbx)', 8],
  mfence: ['mfence', 2],
  'lahf, sahf': ['lahf; sahf', 2],
  cld: ['cld'],
  'pushf, popf': ['pushf; popf', 16],
  'sti, cli': ['sti; cli', 16],
  rdtsc: ['rdtsc', 8],
  swapgs: ['swapgs; swapgs', 16],
  'mov ds': ['mov %ds, %eax; mov %eax, %ds', 16],
  rdmsr: ['mov %rcx, %r8; mov $0xc0000102, %ecx; rdmsr; mov %r8, %rcx', 40],
  'wrmsr gsbase': ['mov %rcx, %r8; mov $0xc0000102, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr; mov %r8, %rcx', 40],
  xgetbv: ['mov %rcx, %r8; xor %ecx, %ecx; xgetbv; mov %r8, %rcx', 16],
  'lock xadd': ['lock xadd %rax, 8(%rbx)', 2],
  'lock cmpxchg': ['lock cmpxchg %rdx, 8(%rbx)', 2],
  'lodsb, stosb': ['lodsb; stosb; mov %rbx, %rsi; mov %rbx, %rdi', 4],
  'rep movsb 64': [
    'mov %rcx, %r8; mov $64, %ecx; mov $0x400000, %esi; mov $0x600000, %edi; rep movsb; mov %r8, %rcx',
    40,
  ],
  movsq: ['movsq; mov %rbx, %rsi; mov %rbx, %rdi', 4],
  addsd: ['addsd %xmm1, %xmm0', 4],
  'addsd inexact': ['addsd %xmm2, %xmm0', 4],
  mulsd: ['mulsd %xmm1, %xmm0', 4],
  'mulsd inexact': ['movaps %xmm2, %xmm4; mulsd %xmm2, %xmm4', 4],
  divsd: ['divsd %xmm1, %xmm0', 4],
  'divsd inexact': ['movaps %xmm2, %xmm4; divsd %xmm3, %xmm4', 4],
  sqrtsd: ['sqrtsd %xmm1, %xmm4', 4],
  'sqrtsd inexact': ['sqrtsd %xmm2, %xmm4', 4],
  addss: ['addss %xmm6, %xmm5', 4],
  ucomisd: ['ucomisd %xmm1, %xmm0', 4],
  cvtsi2sd: ['cvtsi2sd %edx, %xmm4', 4],
  cvttsd2si: ['cvttsd2si %xmm1, %eax', 4],
  'cvttsd2si inexact': ['cvttsd2si %xmm3, %eax', 4],
  'cvtsd2ss, cvtss2sd': ['cvtsd2ss %xmm1, %xmm4; cvtss2sd %xmm4, %xmm4', 4],
  minsd: ['minsd %xmm1, %xmm4', 4],
  cmpltsd: ['movaps %xmm2, %xmm4; cmpltsd %xmm1, %xmm4', 8],
  addps: ['addps %xmm1, %xmm4', 16],
  addpd: ['addpd %xmm1, %xmm4', 16],
  'addpd inexact': ['movaps %xmm3, %xmm4; addpd %xmm2, %xmm4', 16],
  unpcklpd: ['unpcklpd %xmm1, %xmm4', 4],
  'movsd load': ['movsd 32(%rbx), %xmm4', 4],
  'movsd store': ['movsd %xmm1, 32(%rbx)', 4],
  paddd: ['paddd %xmm1, %xmm0', 4],
  pxor: ['pxor %xmm1, %xmm4', 4],
  pshufb: ['pshufb %xmm1, %xmm4', 4],
  pshufd: ['pshufd $27, %xmm1, %xmm4', 4],
  pcmpeqb: ['pcmpeqb %xmm1, %xmm4', 4],
  pmovmskb: ['pmovmskb %xmm1, %eax', 4],
  pmuludq: ['pmuludq %xmm1, %xmm4', 4],
  psllq: ['psllq $3, %xmm4', 4],
  'movq x,r': ['movq %rax, %xmm4', 4],
  'movq r,x': ['movq %xmm1, %rax', 4],
  aesenc: ['aesenc %xmm1, %xmm4', 16],
  pclmulqdq: ['pclmulqdq $0, %xmm1, %xmm4', 16],
  'pmovmskb, tzcnt': ['pcmpeqb %xmm1, %xmm4; pmovmskb %xmm4, %eax; tzcnt %eax, %eax', 8],
  palignr: ['palignr $5, %xmm1, %xmm4', 4],
  pminub: ['pminub %xmm1, %xmm4', 4],
  'pcmpeqb mem': ['pcmpeqb 16(%rbx), %xmm4', 4],
  'movdqu load, store': ['movdqu 3(%rbx), %xmm4; movdqu %xmm4, 35(%rbx)', 8],
  pcmpistri: ['movd %ecx, %xmm4; mov %rcx, %r8; pcmpistri $0x1a, %xmm1, %xmm4; mov %r8, %rcx', 16],
  pcmpistrm: ['movaps %xmm0, %xmm4; pcmpistrm $0x40, %xmm1, %xmm4; movaps %xmm4, %xmm0', 16],
  pcmpestri: ['mov %rcx, %r8; mov $5, %eax; pcmpestri $0x0c, %xmm1, %xmm4; mov %r8, %rcx', 16],
  vpbroadcastb: ['vpbroadcastb %xmm1, %ymm4', 8],
  'vpcmpeqb ymm': ['vpcmpeqb %ymm1, %ymm4, %ymm4', 8],
  'vpcmpeqb ymm mem': ['vpcmpeqb (%rbx), %ymm4, %ymm4', 8],
  'vpminub ymm': ['vpminub %ymm1, %ymm4, %ymm4', 8],
  'vpmovmskb ymm': ['vpmovmskb %ymm1, %eax', 8],
  'vpor, vptest ymm': ['vpor %ymm1, %ymm4, %ymm4; vptest %ymm4, %ymm4', 8],
  'vmovdqu ymm store': ['vmovdqu %ymm4, (%rbx)', 8],
  vzeroupper: ['vzeroupper', 4],
  tzcnt: ['tzcnt %rdi, %rax', 4],
  bzhi: ['bzhi %rdx, %rdi, %rax', 4],
  pext: ['pext %rdi, %rax, %rax', 2],
  'movups load': ['movups (%rbx), %xmm0', 4],
  'movaps load': ['movaps (%rbx), %xmm0', 4],
  'movups store': ['movups %xmm0, (%rbx)', 4],
  vaddsd: ['vaddsd %xmm1, %xmm4, %xmm4', 8],
  'vaddpd ymm': ['vaddpd %ymm1, %ymm4, %ymm4', 16],
  'vpaddd ymm': ['vpaddd %ymm1, %ymm4, %ymm4', 8],
  'vmovdqu ymm load': ['vmovdqu (%rbx), %ymm4', 8],
  'vpxor xmm': ['vpxor %xmm1, %xmm4, %xmm4', 8],
  vfmadd: ['vfmadd231sd %xmm1, %xmm2, %xmm4', 16],
  ldmxcsr: ['stmxcsr (%rbx); ldmxcsr (%rbx)', 16],
  fxsave: ['fxsave (%rbx)', 40],
  'fadd st': ['fadd %st(1), %st', 16],
  'fsub st': ['fsub %st(1), %st', 16],
  'fmul st': ['fmul %st(1), %st', 16],
  'fdiv st': ['fdiv %st(1), %st', 16],
  'fadd m64': ['faddl 32(%rbx)', 16],
  'fld, fstp m64': ['fldl 32(%rbx); fstpl 40(%rbx)', 16],
  'fild, fistp m32': ['fildl (%rbx); fistpl 4(%rbx)', 16],
  'fld st, fstp st': ['fld %st(1); fstp %st(1)', 16],
  fchs: ['fchs', 16],
  fld1: ['fld1; fstp %st', 16],
  'fmul m64': ['fmull 48(%rbx)', 16],
  fsqrt: ['fld %st(1); fsqrt; fstp %st', 16],
  fsin: ['fld %st(1); fsin; fstp %st', 40],
  'fnstcw, fldcw': ['fnstcw (%rbx); fldcw (%rbx)', 16],
  fxch: ['fxch', 16],
  fcomi: ['fcomi %st(1), %st', 16],
  'fcom, fnstsw': ['fcom %st(1); fnstsw %ax', 16],
  'fld, fstp m32': ['flds (%rbx); fstps 4(%rbx)', 16],
  'fld, fstp m80': ['fldt 64(%rbx); fstpt 80(%rbx)', 16],
  'fadd inexact': ['faddl values+16(%rip)', 16],
  'fld, faddp': ['fld %st(1); faddp', 16],
  'fild, fistp m64': ['fildll (%rbx); fistpll 8(%rbx)', 16],
  'fucomi, fxch': ['fucomi %st(1), %st; fxch', 16],
  'fstp m64, fldcw': ['fnstcw (%rbx); fldl 32(%rbx); fldcw (%rbx); fistpl 4(%rbx); fldcw (%rbx)', 40],
  pause: ['pause', 16],
  cpuid: ['mov %rcx, %r8; xor %eax, %eax; cpuid; mov %r8, %rcx; mov $0x400000, %ebx', 40],
  'out 80h': ['out %al, $0x80', 40],
  'mov cr0': ['mov %cr0, %rax; mov %rax, %cr0', 40],
  invlpg: ['invlpg (%rbx)', 40],
};

/** In real mode with segments of their own: BX and SI point to memory, ECX counts, BP is 3, interrupt 60h returns at once. */
const KINDS_16: Record<string, [string, number?]> = {
  'registers 16': ['addw %dx, %ax; xorw %ax, %dx; shlw $1, %ax', 3],
  'load, store 16': ['movw 8(%bx), %ax; movw %ax, 4(%bx,%si)', 2],
  'other segment 16': ['movw %es:8(%bx), %ax; addw %ax, %gs:2(%si)', 2],
  'branches 16': ['cmpw %dx, %ax; jb 9f; incw %ax; 9: testb $1, %al; jz 9f; incw %dx; 9:', 5],
  'push, pop 16': ['pushw %ax; popw %dx', 2],
  'call, ret 16': ['call 8f; jmp 9f; 8: ret; 9:', 2],
  'registers 32 in 16': ['addl %edx, %eax; xorl %eax, %edx; shll $1, %eax', 3],
  'mul, div 16': ['mulw %bp; divw %bp', 4],
  'lodsb, stosb 16': ['lodsb; stosb; movw %bx, %si; movw %bx, %di', 4],
  'mov es 16': ['movw %ds, %ax; movw %ax, %es', 4],
  'lcall, lret 16': ['lcall $0x7c0, $far', 8],
  'int, iret 16': ['int $0x60', 40],
  'protected and back 16': ['movl %cr0, %eax; orb $1, %al; movl %eax, %cr0; andb $0xfe, %al; movl %eax, %cr0', 40],
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
    code: `  mov %cr4, %rax
  or $0x40600, %eax
  mov %rax, %cr4
  xor %ecx, %ecx
  mov $7, %eax
  xor %edx, %edx
  xsetbv
  imul $1000, %r12d, %ecx
  mov $0x400000, %ebx
  mov %rbx, %rsi
  mov $3, %edx
  mov %cr0, %rax
  and $~4, %al
  mov %rax, %cr0
  mov $3, %r9d
  movsd values+8(%rip), %xmm0
  movsd values+8(%rip), %xmm1
  movsd values+16(%rip), %xmm2
  movsd values+24(%rip), %xmm3
  movss values+32(%rip), %xmm5
  movss values+32(%rip), %xmm6
  fninit
  fld1
  fldl values(%rip)
  fldl values(%rip)
  fstpl 32(%rbx)
  fld %st(1)
  fstpl 48(%rbx)
1: .rept ${COPIES}
  ${code}
  .endr
  dec %ecx
  jnz 1b
  xor %eax, %eax
  ret`,
  }));
  return guestOf(
    folder,
    'kinds',
    routines,
    '.data\n.balign 8\ntarget0: .quad 1\nvalues: .double 1.0000001, 1, 0.1, 0.7\n.float 1\n.text',
  );
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
  xorw %ax, %ax
  movw %ax, %ds
  movl $0x7c00000 + inner, 0x60 * 4
  movw $3, %bp
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
far: lret
inner: iret
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
