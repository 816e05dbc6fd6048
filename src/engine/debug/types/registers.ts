/** DWARF's numbers of x86's registers. @abi System V AMD64 "DWARF Register Number Mapping", i386 the same */

const AMD64 = [
  'rax',
  'rdx',
  'rcx',
  'rbx',
  'rsi',
  'rdi',
  'rbp',
  'rsp',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
];
const I386 = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'];

export const RETURN_ADDRESS = 'rip';

/** As the register file has it; undefined for those that are no numbers of 64 bits. */
export function registerName(number: number, addressBytes: number): string | undefined {
  if (addressBytes === 4) return number === 8 ? RETURN_ADDRESS : I386[number];
  return number === 16 ? RETURN_ADDRESS : AMD64[number];
}

/** Those that a function gives back as it found them. */
export const KEPT: Readonly<Record<number, readonly string[]>> = {
  8: ['rbx', 'rbp', 'r12', 'r13', 'r14', 'r15'],
  4: ['rbx', 'rbp', 'rsi', 'rdi'],
};
