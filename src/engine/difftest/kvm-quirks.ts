// KVM's instruction emulator where it is wrong: it runs every mode but ring 3 of long mode on a host whose KVM is
// paravirtual. The evidence is the SDM, or the same bytes run by the host's CPU.
import type { Case, Outcome } from './case.js';
import type { Difference } from './compare.js';
import { ZF } from './flags.js';
import { emulated, fields, has66, is, isFault, type Quirk } from './quirk.js';

const STRING = /^(MOVS|STOS|LODS|SCAS|CMPS) [XYAr]/;
const repeats = (c: Case): boolean => c.code.subarray(0, 5).some((byte) => byte === 0xf2 || byte === 0xf3);
/** Instructions that the emulator has no row for. */
export const UNKNOWN_TO_KVM =
  /^(NOP|UD|[LMS]FENCE|BOUND|VERR|VERW|LAR|LSL|INT|INTO|AA[AS]|DA[AS]|SALC|MOVBE|CRC32|POPCNT|AD[CO]X|ANDN|BLS|BZHI|P(EXT|DEP)|MULX|BEXTR|S[HA][LR]X|RORX|CLFLUSH|CLWB|ARPL|IRET|PREFETCH|[LES]A?TR|SGDT|SIDT|SLDT|STR|SMSW|XADD|ENTER|CALL A|CALL M|JMP A|JMP M|L[DEFGS]S|RETF|POP|PAUSE|CMPXCHG|RDPID|MOVSXD)/;

/** A difference that KVM's emulated delivery makes of every case in real mode whose ESP has bits above SP. */
export const lostInRealDelivery = (c: Case, expected: Outcome, actual: Outcome, { field }: Difference): boolean =>
  c.mode === 'real' &&
  field === 'rsp' &&
  expected.gpr[4] <= 0xffffn &&
  ((expected.gpr[4] ^ actual.gpr[4]) & 0xffffn) === 0n;

export const REAL_ESP: Quirk = {
  id: 'kvm-real-esp',
  parties: ['kvm'],
  evidence: "KVM's emulated delivery in real mode clears ESP bits 31-16; a 16-bit stack leaves them. @sdm 1 6.2.3",
  applies: (c, expected, actual, differences) => differences.every((d) => lostInRealDelivery(c, expected, actual, d)),
};

export const KVM_QUIRKS: readonly Quirk[] = [
  {
    id: 'kvm-rep-trap',
    parties: ['kvm'],
    evidence:
      "KVM's emulator runs a repeated string instruction to its end before the single-step trap; a CPU traps after each iteration. @sdm 3B 18.3.1.4",
    applies: (c, expected, actual) =>
      emulated(c) && STRING.test(c.name) && repeats(c) && expected.vector >= 1 && actual.vector >= 1,
  },
  {
    id: 'kvm-int-trap',
    parties: ['kvm'],
    evidence: "KVM's emulator raises the single-step trap after INT n, INT3 and INTO, though delivery has cleared TF",
    applies: (c, expected) => emulated(c) && is(c, /^INT/) && expected.vector === 1,
  },
  {
    id: 'kvm-no-such-instruction',
    parties: ['kvm'],
    evidence:
      "KVM's emulator does not know the instruction and raises #UD (ring 3, real mode); the same bytes run natively on the same host",
    applies: (c, expected, actual) =>
      emulated(c) &&
      expected.vector === 6 &&
      actual.vector !== 6 &&
      is(c, UNKNOWN_TO_KVM) &&
      !(c.mode === 'long' && is(c, /^MOVSXD/)),
  },
  {
    id: 'kvm-bit-scan',
    parties: ['kvm'],
    evidence: "KVM's emulator runs TZCNT and LZCNT as BSF and BSR",
    applies: (c) => emulated(c) && is(c, /^(TZCNT|LZCNT)/),
  },
  REAL_ESP,
  {
    id: 'kvm-ascii-flags',
    parties: ['kvm'],
    evidence: 'KVM\'s emulator sets SF and ZF of AAM and AAD from AX, a CPU from AL. @sdm 2 "AAM", "AAD"',
    applies: (c, _expected, _actual, differences) =>
      emulated(c) && is(c, /^AA[MD]/) && fields(differences) === 'rflags',
  },
  {
    id: 'kvm-enter',
    parties: ['kvm'],
    evidence: 'KVM\'s emulator pushes EBP/RBP of ENTER in the stack\'s size, a CPU in the operand size. @sdm 2 "ENTER"',
    applies: (c) => emulated(c) && is(c, /^ENTER/) && has66(c),
  },
  {
    id: 'kvm-prefix-rules',
    parties: ['kvm'],
    evidence:
      "KVM's emulator ignores 66 where the SDM has NP (MOVNTI, fences, CLWB's group, which it runs as FXSAVE and the fences)",
    applies: (c, _expected, actual) => emulated(c) && is(c, /^(MOVNTI|[LMS]FENCE|CLWB)/) && actual.vector === 6,
  },
  {
    id: 'kvm-partial-write',
    parties: ['kvm'],
    evidence: "KVM's emulator writes the bytes before a page border though the next page faults; a CPU writes none",
    applies: (c, expected, _actual, differences) =>
      emulated(c) && expected.vector === 14 && fields(differences) === 'memory',
  },
  {
    id: 'kvm-code-segment-write',
    parties: ['kvm'],
    evidence:
      'KVM\'s emulator checks a write through CS after the page walk, a CPU before. @sdm 3A 5.5 "Type Checking"',
    applies: (c, expected, actual) =>
      emulated(c) &&
      !is(c, /^IRET/) &&
      c.mode !== 'long' &&
      c.code.subarray(0, 5).includes(0x2e) &&
      (isFault(expected) || expected.ending === 'mmio') &&
      actual.vector === 13,
  },
  {
    id: 'kvm-table-stores',
    parties: ['kvm'],
    evidence:
      "KVM's emulator, which runs them in ring 3 too, stores SLDT, STR, SGDT and SIDT in the operand size; to memory a CPU stores 16 bits (10 bytes in long mode)",
    applies: (c, expected, actual, differences) =>
      is(c, /^(SLDT|STR|SGDT|SIDT|SMSW)/) &&
      (emulated(c) || isFault(expected) || isFault(actual) || fields(differences) === 'memory'),
  },
  {
    id: 'kvm-prefetchw-register',
    parties: ['kvm'],
    evidence: "KVM's emulator takes 0f 0d with a register operand as NOP; the host CPU raises #UD for it",
    applies: (c, _expected, actual) => is(c, /^PREFETCHW/) && actual.vector === 6,
  },
  {
    id: 'kvm-null-override',
    parties: ['kvm'],
    evidence:
      "KVM's emulator takes the segment of a CS, DS, ES or SS override for the choice between #SS and #GP; 64-bit mode ignores them",
    applies: (c, expected, actual) =>
      c.mode === 'long' &&
      !is(c, /^IRET/) &&
      [expected, actual].every(({ vector }) => vector === 12 || vector === 13) &&
      c.code.subarray(0, 5).some((byte) => [0x26, 0x2e, 0x36, 0x3e].includes(byte)),
  },
  {
    id: 'kvm-mov-ss-trap',
    parties: ['kvm'],
    evidence:
      "KVM's emulator traps right after MOV SS and POP SS; a CPU holds the trap back for one instruction. @sdm 3A 6.8.3",
    applies: (c, expected) => (is(c, /^POP SS/) || is(c, /^MOV Sw/)) && expected.vector === 1 && emulated(c),
  },
  {
    id: 'kvm-two-pages',
    parties: ['kvm'],
    evidence:
      "KVM's emulator walks the pages of a read-modify-write for reading first; the host CPU reports the first page",
    applies: (c, expected, actual, differences) =>
      emulated(c) &&
      expected.vector === 14 &&
      actual.vector === 14 &&
      differences.every((d) => d.field === 'cr2' || d.field === 'error code'),
  },
  {
    id: 'kvm-mov-sreg',
    parties: ['kvm'],
    evidence:
      'KVM\'s emulator reads the operand of MOV to a segment register that cannot be loaded before it raises #UD, and stores 64 bits of a segment register with REX.W. @sdm 2 "MOV"',
    applies: (c, expected, actual, differences) =>
      (is(c, /^MOV Sw/) && actual.vector === 6 && (isFault(expected) || expected.ending === 'mmio')) ||
      (is(c, /^MOV Ev,Sw/) && (fields(differences) === 'memory' || expected.vector === 14)),
  },
  {
    id: 'kvm-hint-nop',
    parties: ['kvm'],
    evidence:
      "KVM's emulator takes some hint NOPs (0F 18-1F) for shorter than they are and runs their rest as the next instruction; in ring 3 of long mode it gets those that raise #UD (LOCK)",
    applies: (c, _expected, actual) => is(c, /^NOP Ev/) && (emulated(c) || actual.vector === 6),
  },
  {
    id: 'kvm-cmpxchg',
    parties: ['kvm'],
    evidence:
      "KVM's emulator clears bits 63:32 of the register destination of a CMPXCHG r32 that compares unequal; the host CPU leaves them",
    applies: (c, _expected, _actual, differences) =>
      emulated(c) &&
      c.mode === 'long' &&
      is(c, /^CMPXCHG Ev/) &&
      differences.length === 1 &&
      BigInt(differences[0].expected) === (BigInt(differences[0].actual) & 0xffff_ffffn),
  },
  {
    id: 'kvm-bit-scan-zero',
    parties: ['kvm'],
    evidence:
      "KVM's emulator clears bits 63:32 of the destination of a BSF or BSR r32 whose source is 0; the SDM leaves the " +
      'destination undefined, the host CPU leaves it alone. @sdm 2 "BSF", "BSR"',
    applies: (c, expected, actual, differences) =>
      emulated(c) &&
      c.mode === 'long' &&
      is(c, /^BS[FR]/) &&
      (expected.rflags & actual.rflags & ZF) !== 0 &&
      differences.length === 1 &&
      BigInt(differences[0].expected) === (BigInt(differences[0].actual) & 0xffff_ffffn),
  },
  {
    id: 'kvm-flags-at-fault',
    parties: ['kvm'],
    evidence: "KVM's emulator has changed the flags of an instruction whose store then faults; a CPU changes none",
    applies: (c, expected, _actual, differences) =>
      emulated(c) && isFault(expected) && fields(differences) === 'rflags',
  },
];
