// Paravirtual KVM (no VT-x or SVM under it): what its way of running a guest shows.
import { CODE, isIa32e, mayStray, STACK } from './bed.js';
import { type Case, type Outcome, SELECTOR_NAMES } from './case.js';
import { emulated, fields, is, isFault, type Quirk } from './quirk.js';

const RSP = 4;

/** The stack pointer of ring 0 was moved off the stack: an event's frame lands on code or tables. */
function stackOnTables(c: Case, o: Outcome): boolean {
  const offset = isIa32e(c.mode) || c.mode === 'prot32' ? o.gpr[RSP] : o.gpr[RSP] & 0xffffn;
  const small = offset < 0x800n - 64n || offset >= 0x1000n;
  return small && (offset < BigInt(CODE) || offset < BigInt(STACK) || offset >= 0x4_0000n);
}

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
      is(c, /^(CALL M|JMP M|RETF)/) &&
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
      'paravirtual KVM runs ring 3 of long mode with segment selectors of its own (FS and GS read as 0, loads are checked late)',
    applies: (c, _expected, _actual, differences) =>
      !emulated(c) &&
      ((is(c, /Sw|[FG]S\b|^L[FG]S|^LSS|^ARPL|^LAR|^LSL|^VER/) && !is(c, /^MOV Sw/)) ||
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
      'paravirtual KVM fetches from EIP without CS.base when its emulator does not know a 16-bit ring-3 instruction',
    applies: (c, expected) =>
      c.mode === 'compat16' &&
      expected.vector === 14 &&
      (expected.errorCode & 0x10) !== 0 &&
      expected.cr2 === expected.rip,
  },
  {
    id: 'kvm-iret',
    parties: ['kvm'],
    evidence:
      "KVM's emulator knows IRET in real mode only; the paravirtual one's own IRET takes no 16-bit frames and loses error codes",
    applies: (c) => is(c, /^IRET/) && c.mode !== 'real',
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
    id: 'wrote-over-the-bed',
    parties: ['kvm'],
    evidence:
      'without paging the instruction wrote over the IDT, GDT or handlers of the bed: what comes of that depends on what each CPU has cached',
    applies: (c, expected, actual) =>
      mayStray(c.mode) &&
      [expected, actual].some((o) => o.ending !== 'exception') &&
      [expected, actual].some((o) => o.changes.some(({ address }) => address < CODE)),
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
