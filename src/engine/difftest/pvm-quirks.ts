// Paravirtual KVM (no VT-x or SVM under it): what its way of running a guest shows.
import { CODE, GDT, HANDLERS, isIa32e, mayStray, STACK, TSS64 } from './bed.js';
import { type Case, type Outcome, SELECTOR_NAMES } from './case.js';
import { UNKNOWN_TO_KVM } from './kvm-quirks.js';
import { emulated, fields, is, isFault, type Quirk } from './quirk.js';

const RSP = 4;
const SS = 2;
/** With REX.W right before the opcode. */
const isIretq = (c: Case): boolean => (c.code[c.code.length - 2] & 0xf8) === 0x48;
const isIret = (c: Case): boolean => is(c, /^IRET/);

/** The stack pointer of ring 0 was moved off the stack: an event's frame lands on code or tables. */
function stackOnTables(c: Case, o: Outcome): boolean {
  const offset = isIa32e(c.mode) || c.mode === 'prot32' ? o.gpr[RSP] : o.gpr[RSP] & 0xffffn;
  const small = offset < 0x800n - 64n || offset >= 0x1000n;
  return small && (offset < BigInt(CODE) || offset < BigInt(STACK) || offset >= 0x4_0000n);
}

/** P, S and accessed of a descriptor's access byte. */
const LOADED = 0x91;
/** A store into the tables below the handlers' end, but for the accessed bit that a load of a segment sets. */
const wroteTables = (o: Outcome): boolean =>
  o.changes.some(({ address, bytes }) => {
    const inAccess = address >= GDT && address < TSS64 && bytes.length === 1 && (address & 7) === 5;
    return address < HANDLERS + 256 && !(inAccess && (bytes[0] & LOADED) === LOADED);
  });

export const PVM_QUIRKS: readonly Quirk[] = [
  {
    id: 'pvm-fsgsbase',
    parties: ['kvm', 'native'],
    evidence: 'the host kernel has CR4.FSGSBASE on, and ring 3 runs natively under it whatever the guest set',
    applies: (c) => is(c, /^(RD|WR)[FG]SBASE/),
  },
  {
    id: 'pvm-far-transfer',
    parties: ['kvm'],
    evidence:
      'far CALL, JMP and RETF of ring 3: paravirtual KVM raises #UD when they fault in long mode, and pushes without SS.base in compatibility mode',
    applies: (c, expected, actual) =>
      is(c, /^(CALL [AM]|JMP [AM]|RETF)/) &&
      (!emulated(c) || (c.mode === 'compat16' && expected.vector === 14 && actual.vector !== 14)),
  },
  {
    id: 'pvm-based-stack',
    parties: ['kvm'],
    evidence: 'paravirtual KVM delivers exceptions in protected mode without adding SS.base',
    applies: (c, expected, actual) =>
      (c.mode === 'prot16' || c.mode === 'prot32') &&
      c.cpl === 0 &&
      (is(c, /SS|Sw|^LSS/) || expected.selectors[2] !== actual.selectors[2]),
  },
  {
    id: 'pvm-pushf',
    parties: ['kvm'],
    evidence: 'paravirtual KVM runs ring 3 of long mode with IF 1 and IOPL 0, which PUSHF shows and POPF obeys',
    applies: (c, _expected, _actual, differences) =>
      !emulated(c) && is(c, /^(PUSHF|POPF)/) && /^(memory|rflags)$/.test(fields(differences)),
  },
  {
    id: 'pvm-selectors',
    parties: ['kvm'],
    evidence:
      "paravirtual KVM runs ring 3 of long mode with segment selectors of its own (FS and GS read as 0), and loads them from the host's GDT (after MOV SS the INT3 of the bed comes before the trap)",
    applies: (c, expected, actual, differences) =>
      !emulated(c) &&
      ((is(c, /Sw|[FG]S\b|^L[FG]S|^LSS|^ARPL|^LAR|^LSL|^VER/) &&
        (!is(c, /^MOV Sw/) || ((expected.vector === 1 || expected.vector === 3) && actual.vector !== 6))) ||
        differences.every((d) => SELECTOR_NAMES.includes(d.field))),
  },
  {
    id: 'pvm-software-interrupts',
    parties: ['kvm'],
    evidence: 'paravirtual KVM answers INT n and INTO of ring 3 with #UD',
    applies: (c, expected) => is(c, /^INT/) && expected.vector === 6,
  },
  {
    id: 'pvm-compat16-fetch',
    parties: ['kvm'],
    evidence:
      'paravirtual KVM fetches from EIP without CS.base when its emulator does not know a 16-bit instruction of compatibility ' +
      'mode: a page fault there in ring 3, and in rings 1 and 2 whatever the bytes of that page make',
    applies: (c, expected) =>
      c.mode === 'compat16' &&
      ((expected.vector === 14 && (expected.errorCode & 0x10) !== 0 && expected.cr2 === expected.rip) ||
        (c.cpl !== 3 && isFault(expected) && is(c, UNKNOWN_TO_KVM))),
  },
  {
    id: 'kvm-iret-unknown',
    parties: ['kvm'],
    evidence: "KVM's emulator knows IRET in real mode only and raises #UD in protected mode",
    applies: (c, expected) => isIret(c) && (c.mode === 'prot16' || c.mode === 'prot32') && expected.vector === 6,
  },
  {
    id: 'pvm-iret-frames',
    parties: ['kvm'],
    evidence:
      "the paravirtual KVM's own IRET refuses compatibility mode and a stack segment other than the flat " +
      'one of its ring with #GP(0), and in 64-bit mode all frames but IRETQ\'s; the same frames return on any CPU. @sdm 2 "IRET"',
    applies: (c, expected, actual) =>
      isIret(c) &&
      isIa32e(c.mode) &&
      expected.vector === 13 &&
      expected.errorCode === 0 &&
      (c.mode !== 'long' || !isIretq(c) || actual.vector === 12 || expected.selectors[SS] !== actual.selectors[SS]),
  },
  {
    id: 'pvm-iret-error-code',
    parties: ['kvm'],
    evidence: 'the #GP of the paravirtual KVM\'s own IRET has the error code 0, not the selector. @sdm 2 "IRET"',
    applies: (c, expected, _actual, differences) =>
      isIret(c) && isIa32e(c.mode) && expected.errorCode === 0 && fields(differences) === 'error code',
  },
  {
    id: 'pvm-iret-order',
    parties: ['kvm'],
    evidence:
      "the paravirtual KVM's own IRET checks SS (#SS, #NP) before CS, and LOCK not at all; the SDM has CS first. " +
      '@sdm 2 "IRET"',
    applies: (c, expected, actual, differences) =>
      isIret(c) &&
      c.mode === 'long' &&
      (((expected.vector === 11 || expected.vector === 12) && actual.vector === 13) ||
        (expected.errorCode !== 0 && fields(differences) === 'error code') ||
        (actual.vector === 6 && c.code.includes(0xf0))),
  },
  {
    id: 'pvm-iret-unchecked',
    parties: ['kvm'],
    evidence:
      "the paravirtual KVM's own IRET goes on without the single-step trap and without a check of the types of CS and " +
      'SS: the return is through, and what is there runs or faults. @sdm 2 "IRET"',
    applies: (c, expected, actual) =>
      isIret(c) &&
      c.mode === 'long' &&
      [1, 11, 12, 13].includes(actual.vector) &&
      (expected.ending === 'stuck' || [1, 3, 6, 14].includes(expected.vector)),
  },
  {
    id: 'frame-in-the-hole',
    parties: ['kvm'],
    evidence:
      'the handler was entered with a stack outside memory, or in ring 0 on top of the tables of the bed, where the two machines differ by design',
    applies: (c, expected, actual) =>
      actual.detail.startsWith('frame outside') ||
      (expected.ending === 'shutdown' && actual.ending === 'mmio') ||
      (c.cpl === 0 && [expected, actual].some((o) => o.ending === 'shutdown' || stackOnTables(c, o))),
  },
  {
    id: 'outside-ram',
    parties: ['kvm'],
    evidence:
      'without paging the operand lies above RAM: KVM leaves the access to user space, while the core without EPT has frames of its own there',
    applies: (c, expected, actual) => mayStray(c.mode) && expected.ending === 'mmio' && actual.ending === 'exception',
  },
  {
    id: 'wrote-over-the-bed',
    parties: ['kvm'],
    evidence:
      'the instruction wrote over the IDT, GDT, TSS or handlers of the bed: what comes of that depends on what each CPU has cached',
    applies: (_c, expected, actual) => wroteTables(expected) || wroteTables(actual),
  },
  {
    id: 'pvm-fault-emulated',
    parties: ['kvm'],
    evidence:
      'paravirtual KVM gives an instruction of ring 3 that faults to its emulator, which raises #UD for those that it does not know (VEX, ADCX)',
    applies: (c, expected, actual) =>
      !emulated(c) &&
      expected.vector === 6 &&
      isFault(actual) &&
      is(c, /^(MULX|RORX|AD[CO]X|ANDN|BLS|BZHI|PEXT|PDEP|BEXTR|S[HA][LR]X)/),
  },
  {
    id: 'pvm-iopl',
    parties: ['kvm'],
    evidence: 'paravirtual KVM runs ring 3 of long mode with IOPL 0, so CLI and STI fault whatever the guest set',
    applies: (c, expected) => !emulated(c) && is(c, /^(CLI|STI)/) && expected.vector === 13,
  },
  {
    id: 'vmx-instructions',
    parties: ['kvm'],
    evidence: '0F 01 C1-C4 are VMX instructions, which exit on the core and are #UD or a hypercall on KVM',
    applies: (c, _expected, actual) => is(c, /^SGDT/) && actual.ending === 'other',
  },
];
