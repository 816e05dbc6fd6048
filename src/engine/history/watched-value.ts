/** From what a user asks about to where that is in the embedded engine. */

import { CR0, EFER } from '../../spec/masks.js';
import { MSR, msrName, msr as msrRow } from '../../spec/msrs.js';
import { vmcsFieldByEncoding } from '../../spec/vmx/vmcs-fields.js';
import { fieldWords, type RegisterWords, registerWords } from '../debug/register-words.js';
import type { PageWalk, Written } from '../debugger.js';
import { SECTOR_BYTES } from '../devices/block.js';
import type { RewindableStore } from '../disk/rewindable-store.js';
import type { MachineView } from '../machine-view.js';
import { readMsr } from '../vmm/msrs.js';
import type { Vm } from '../vmm/vm.js';
import type { Piece, Watched } from './watched.js';

const PAGE = 4096n;
/** Accessed and dirty, which the processor sets at each access. */
const EPT_ACCESSED_DIRTY = 0x300n;

/** Registers that are MSRs. @sdm 4 2.1 "Architectural MSRs" */
const MSR_REGISTERS = new Map([
  [MSR.IA32_SYSENTER_CS, 'sysenter_cs'],
  [MSR.IA32_SYSENTER_ESP, 'sysenter_esp'],
  [MSR.IA32_SYSENTER_EIP, 'sysenter_eip'],
  [MSR.IA32_DEBUGCTL, 'debugctl'],
  [MSR.IA32_PAT, 'pat'],
  [MSR.IA32_EFER, 'efer'],
  [MSR.IA32_STAR, 'star'],
  [MSR.IA32_LSTAR, 'lstar'],
  [MSR.IA32_CSTAR, 'cstar'],
  [MSR.IA32_FMASK, 'fmask'],
  [MSR.IA32_FS_BASE, 'fs_base'],
  [MSR.IA32_GS_BASE, 'gs_base'],
  [MSR.IA32_KERNEL_GS_BASE, 'kernel_gs_base'],
  [MSR.IA32_TSC_AUX, 'tsc_aux'],
]);

/** A disk whose writes can be told of. */
export interface WatchedDisk {
  readonly name: string;
  readonly store: RewindableStore;
}

/** Where something is now. @throws Error when it is nowhere, or nobody can tell who writes it */
export function watchedValue(
  vm: Vm,
  view: MachineView,
  disks: readonly WatchedDisk[],
  what: Written,
  vcpu: number,
): Watched {
  const owner = vm.vcpus[vcpu];
  const register = ({ words, read }: RegisterWords): Watched => ({
    ...{ kind: 'register', vcpu, words },
    read: () => read(vm, owner),
  });
  switch (what.kind) {
    case 'memory':
      return memory(vm, piecesOf(vm, view, vcpu, what.space, what.address, what.length));
    case 'register': {
      const words = registerWords(what.name);
      if (words) return register(words);
      if (what.name === 'tsc') throw new Error('tsc counts time: nobody writes it');
      throw new Error(`there is no register ${what.name}`);
    }
    case 'msr': {
      const name = MSR_REGISTERS.get(what.number);
      const words = name === undefined ? undefined : registerWords(name);
      if (words) return register(words);
      const label = msrName(what.number);
      if (what.number === MSR.IA32_TIME_STAMP_COUNTER) throw new Error(`${label} counts time: nobody writes it`);
      if (!msrRow(what.number) && !/^IA32/.test(label)) throw new Error(`${label}: this CPU has no such MSR`);
      if (readMsr(owner, vm, what.number) === undefined) throw new Error(`${label}: this CPU has no such MSR`);
      return { kind: 'structure', read: () => readMsr(owner, vm, what.number) };
    }
    case 'vmcs': {
      const field = vmcsFieldByEncoding(what.encoding);
      if (!field) throw new Error(`there is no VMCS field 0x${what.encoding.toString(16)}`);
      const words = fieldWords(field.name);
      return words ? register(words) : { kind: 'structure', read: () => owner.vmcs.readField(field) };
    }
    case 'pte': {
      const walk = view.walk(vcpu, what.gva);
      if (walk.levels.length === 0) throw new Error('paging is off: there is no entry');
      const { entryAddress } = levelOf(walk, what.level);
      return memory(vm, piecesOf(vm, view, vcpu, 'gpa', entryAddress, walk.mode === '32-bit' ? 4 : 8));
    }
    case 'ept': {
      const walk = view.ept?.walk(vcpu, what.gpa);
      if (!walk) throw new Error('there is no EPT');
      if (walk.levels.length === 0) throw new Error(walk.failure ?? 'there is no entry');
      const at = Number(levelOf(walk, what.level).entryAddress);
      return { kind: 'structure', read: () => vm.host.get64(at) & ~EPT_ACCESSED_DIRTY };
    }
    case 'idt':
    case 'gdt':
    case 'ldt': {
      const { efer, ...file } = view.readRegisters(vcpu, ['efer', `${what.kind}r_base`, `${what.kind}r_limit`, 'cr0']);
      const [base, limit] = [file[`${what.kind}r_base`], file[`${what.kind}r_limit`]];
      const real = what.kind === 'idt' && (file.cr0 & CR0.PE) === 0n;
      const bytes = what.kind !== 'idt' ? 8 : real ? 4 : (efer & EFER.LMA) !== 0n ? 16 : 8;
      const name = `${what.kind.toUpperCase()} entry ${what.index}`;
      if (BigInt((what.index + 1) * bytes - 1) > limit)
        throw new Error(`${name}: the table ends at byte 0x${limit.toString(16)}`);
      return memory(vm, piecesOf(vm, view, vcpu, 'gva', base + BigInt(what.index * bytes), bytes));
    }
    case 'sector': {
      const disk = disks.find(({ name }) => name === what.disk);
      if (!disk) {
        const names = disks.map(({ name }) => name).join(', ');
        throw new Error(
          `${what.disk}: ${names ? `the disks that can be written are ${names}` : 'no disk can be written'}`,
        );
      }
      const { store } = disk;
      if (what.sector >= store.sectors) throw new Error(`${what.disk} has sectors 0 to ${store.sectors - 1}`);
      return {
        ...{ kind: 'sector', store, sector: what.sector, device: disk.name },
        read: () => {
          const bytes = Buffer.alloc(SECTOR_BYTES);
          const { accesses } = store;
          store.accesses = undefined;
          try {
            store.read(what.sector, bytes);
            return littleEndian(bytes);
          } finally {
            store.accesses = accesses;
          }
        },
      };
    }
  }
}

function memory({ host }: Vm, pieces: readonly Piece[]): Watched {
  return {
    ...{ kind: 'memory', pieces },
    read: () => littleEndian(Buffer.concat(pieces.map(({ hpa, bytes }) => host.u8.subarray(hpa, hpa + bytes)))),
  };
}

/** Of bytes in the order of memory. */
function littleEndian(bytes: Buffer): bigint {
  if (bytes.length === 8) return bytes.readBigUInt64LE();
  return bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

/** The entry of a level by the name or number that it has in a walk: the last one where none is named. */
function levelOf({ levels, input }: PageWalk, level: string | undefined): PageWalk['levels'][number] {
  if (level === undefined) return levels[levels.length - 1];
  const found = levels.find(({ table }) => table === level);
  if (found) return found;
  const names = levels.map(({ table }) => table).join(', ');
  throw new Error(`${level}: the walk of 0x${input.toString(16)} has ${names}`);
}

function piecesOf(
  vm: Vm,
  view: MachineView,
  vcpu: number,
  space: 'gva' | 'gpa',
  address: bigint,
  length: number,
): Piece[] {
  const pieces: Piece[] = [];
  const end = address + BigInt(length);
  for (let at = address; at < end; ) {
    const next = at - (at % PAGE) + PAGE;
    const bytes = Number((next < end ? next : end) - at);
    const gpa = space === 'gpa' ? at : view.translate(vcpu, at);
    if (gpa === undefined) throw new Error(`0x${at.toString(16)} is not mapped: wrote pte tells who took it away`);
    const hpa = vm.frameOf(gpa);
    if (hpa === undefined) throw new Error(`guest-physical 0x${gpa.toString(16)} is not memory`);
    pieces.push({ gpa: Number(gpa), bytes, hpa });
    at += BigInt(bytes);
  }
  return pieces;
}
