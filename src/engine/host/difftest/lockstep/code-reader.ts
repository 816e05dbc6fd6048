// Bytes of the instruction that comes next, by the guest's page tables, without stopping the guest for it.
import { translateGuest } from '../../../memory/guest-walk.js';
import { CR0, CR3, cplOf, linearRip, type Quick, toFile } from './state.js';

const PAGE = 4096;
/** @sdm 2A 2.3.11 "AVX Instruction Length": no instruction is longer */
const MAX_INSTRUCTION = 15;

/** Guest-physical address of a linear one; undefined where it is not mapped or beyond RAM. */
export function translate(quick: Quick, ram: Uint8Array, gva: bigint): number | undefined {
  const { cr0, cr3, cr4, efer } = toFile(quick);
  const view = new DataView(ram.buffer, ram.byteOffset, ram.byteLength);
  const output = translateGuest({ cr0, cr3, cr4, efer }, gva, (address, bytes) => {
    if (address + BigInt(bytes) > BigInt(ram.length)) return undefined;
    return bytes === 8 ? view.getBigUint64(Number(address), true) : BigInt(view.getUint32(Number(address), true));
  });
  return output === undefined || output >= BigInt(ram.length) ? undefined : Number(output);
}

export class CodeReader {
  private readonly bytes = new Uint8Array(MAX_INSTRUCTION);
  private page = -1n;
  private gpa = -1;
  private key = '';

  constructor(private readonly ram: Uint8Array) {}

  /** Page tables may have changed. */
  forget(): void {
    this.page = -1n;
  }

  /** The same array each time; zeros where there is no memory. */
  read(quick: Quick): Uint8Array {
    const linear = linearRip(quick);
    const offset = Number(linear & 0xfffn);
    const page = linear - BigInt(offset);
    const key = `${quick[CR3]} ${quick[CR3 + 1]} ${quick[CR0]} ${cplOf(quick)}`;
    if (page !== this.page || key !== this.key) {
      this.page = page;
      this.key = key;
      this.gpa = translate(quick, this.ram, page) ?? -1;
    }
    const { bytes, ram, gpa } = this;
    const here = gpa < 0 ? 0 : Math.min(MAX_INSTRUCTION, PAGE - offset, ram.length - gpa - offset);
    for (let i = 0; i < here; i++) bytes[i] = ram[gpa + offset + i];
    if (here < MAX_INSTRUCTION) {
      const next = gpa < 0 ? undefined : translate(quick, ram, page + BigInt(PAGE));
      for (let i = here; i < MAX_INSTRUCTION; i++) bytes[i] = next === undefined ? 0 : (ram[next + i - here] ?? 0);
    }
    return bytes;
  }
}
