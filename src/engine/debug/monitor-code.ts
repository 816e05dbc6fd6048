/** The monitor's `x/i` and `walk`: code, and the way from a linear to a host-physical address. */
import { EFER } from '../../spec/masks.js';
import type { Debugger, PageWalk } from '../debugger.js';
import type { MachineView } from '../machine-view.js';

const AR_LONG = 1n << 13n;
const AR_DEFAULT_32 = 1n << 14n;
const LONGEST = 15;
const MAX_INSTRUCTIONS = 256;

const hex = (value: bigint, digits = 16): string => value.toString(16).padStart(digits, '0');

function bitsOf(view: MachineView, vcpu: number): 16 | 32 | 64 {
  const { efer, cs_ar } = view.readRegisters(vcpu, ['efer', 'cs_ar']);
  if (efer & EFER.LMA && cs_ar & AR_LONG) return 64;
  return cs_ar & AR_DEFAULT_32 ? 32 : 16;
}

/** `count` instructions from an address on, in the mode that the vCPU is in. */
export async function codeText(
  view: MachineView,
  vcpu: number,
  space: 'gva' | 'gpa',
  start: bigint,
  count: number,
): Promise<string> {
  const { Disassembler } = await import('../../disasm/index.js');
  const disassembler = await Disassembler.load();
  const wanted = Math.min(count, MAX_INSTRUCTIONS);
  const bytes = view.readMemory(vcpu, space, start, wanted * LONGEST);
  if (bytes.length === 0) throw new Error('Cannot access memory');
  const options = { bits: bitsOf(view, vcpu), syntax: 'att' as const, count: wanted };
  return disassembler
    .disassemble(bytes, start, options)
    .map(({ address, bytes: code, text }) => {
      const shown = [...code].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
      return `0x${hex(address)}:  ${shown.padEnd(30)} ${text}`;
    })
    .join('\n');
}

function walkLines(name: string, walk: PageWalk): string[] {
  const levels = walk.levels.map(
    ({ table, index, entryAddress, entry, flags }) =>
      `  ${table.padEnd(4)} [${String(index).padStart(3)}] at ${hex(entryAddress)}: ${hex(entry)} ${flags.join(' ')}`,
  );
  const end = walk.output === undefined ? (walk.failure ?? 'not mapped') : hex(walk.output);
  return [`${name} ${hex(walk.input)}, ${walk.mode === 'none' ? 'no paging' : walk.mode}`, ...levels, `  -> ${end}`];
}

/** A linear address through the guest's tables and the EPT, an entry a line. */
export async function walkText(target: Debugger, view: MachineView, vcpu: number, gva: bigint): Promise<string> {
  const guest = view.walk(vcpu, gva);
  const lines = walkLines('linear', guest);
  if (guest.output !== undefined && target.ept) {
    lines.push(...walkLines('guest-physical', await target.ept.walk(guest.output, vcpu)));
  }
  return lines.join('\n');
}
