// The debugger's registers from KVM's structures, and back.
import { maskOf, RFLAGS } from '../../../spec/flags.js';
import { ALWAYS_ONE, CR0 } from '../../../spec/masks.js';
import { MSR } from '../../../spec/msrs.js';
import type { InitialSegment, InitialState } from '../../boot/image.js';
import type { RegisterFile } from '../../debugger.js';
import { GENERAL_REGISTERS, SEGMENT_REGISTERS } from '../../registers-view.js';
import type { KvmStruct } from '../kvm/structs.js';
import type { KvmVcpu } from '../kvm/vcpu.js';

const SEGMENT_FIELDS: Record<string, string> = { ldtr: 'ldt' };
const field = (segment: string): string => SEGMENT_FIELDS[segment] ?? segment;

/** MSR numbers. @sdm 4 2.1 "Architectural MSRs" */
const MSRS: Record<string, number> = {
  sysenter_cs: MSR.IA32_SYSENTER_CS,
  sysenter_esp: MSR.IA32_SYSENTER_ESP,
  sysenter_eip: MSR.IA32_SYSENTER_EIP,
  star: MSR.IA32_STAR,
  lstar: MSR.IA32_LSTAR,
  cstar: MSR.IA32_CSTAR,
  fmask: MSR.IA32_FMASK,
  kernel_gs_base: MSR.IA32_KERNEL_GS_BASE,
  tsc: MSR.IA32_TIME_STAMP_COUNTER,
  tsc_aux: MSR.IA32_TSC_AUX,
  pat: MSR.IA32_PAT,
  debugctl: MSR.IA32_DEBUGCTL,
};
const DEFINED_FLAGS = maskOf(RFLAGS);
const CONTROL = ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer'];
/** FXSAVE area: name, offset, bytes. @sdm 2A 3.3 "FXSAVE", table 3-47 */
const FX_WORDS: [name: string, offset: number, bytes: number][] = [
  ['fctrl', 0, 2],
  ['fstat', 2, 2],
  ['fop', 6, 2],
  ['fioff', 8, 4],
  ['fiseg', 12, 2],
  ['fooff', 16, 4],
  ['foseg', 20, 2],
  ['mxcsr', 24, 4],
];
const FX_TAG = 4;
const FX_ST = 32;
const FX_XMM = 160;
const XSTATE_BV = 512;
/** AVX state in the standard format. @sdm 1 13.5.3 "AVX State" */
const YMM_HIGH = 576;

function segmentAccess(sregs: KvmStruct, name: string): bigint {
  const get = (part: string): number => sregs.get(`${name}.${part}`);
  return BigInt(
    get('type') |
      (get('s') << 4) |
      (get('dpl') << 5) |
      (get('present') << 7) |
      (get('avl') << 12) |
      (get('l') << 13) |
      (get('db') << 14) |
      (get('g') << 15) |
      ((get('unusable') | (get('present') ^ 1)) << 16),
  );
}

function setAccess(sregs: KvmStruct, name: string, access: number): void {
  const put = (part: string, shift: number, mask: number): void =>
    void sregs.set(`${name}.${part}`, (access >> shift) & mask);
  put('type', 0, 15);
  put('s', 4, 1);
  put('dpl', 5, 3);
  put('present', 7, 1);
  put('avl', 12, 1);
  put('l', 13, 1);
  put('db', 14, 1);
  put('g', 15, 1);
  put('unusable', 16, 1);
}

const littleEndian = (bytes: number[]): number => bytes.reduceRight((value, byte) => value * 256 + byte, 0);

function putBig(bytes: Uint8Array, value: bigint): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

/** General, segment, control and table registers: those that the shared page has. */
export function basicRegisters(regs: KvmStruct, sregs: KvmStruct): RegisterFile {
  const file: RegisterFile = {};
  for (const name of [...GENERAL_REGISTERS, 'rip', 'rflags']) file[name] = regs.getBig(name);
  for (const name of SEGMENT_REGISTERS) {
    const from = field(name);
    file[name] = BigInt(sregs.get(`${from}.selector`));
    file[`${name}_base`] = sregs.getBig(`${from}.base`);
    file[`${name}_limit`] = BigInt(sregs.get(`${from}.limit`));
    file[`${name}_ar`] = segmentAccess(sregs, from);
  }
  for (const name of CONTROL) file[name] = sregs.getBig(name);
  for (const name of ['gdt', 'idt']) {
    file[`${name}r_base`] = sregs.getBig(`${name}.base`);
    file[`${name}r_limit`] = BigInt(sregs.get(`${name}.limit`));
  }
  return file;
}

/** The others, which cost a request each; those of the FPU are dear to take apart. */
export function otherRegisters(vcpu: KvmVcpu, withFpu = true): RegisterFile {
  const file: RegisterFile = {};
  const debug = vcpu.debugRegs();
  for (let i = 0; i < 4; i++) file[`dr${i}`] = debug.getBig('db', i);
  file.dr6 = debug.getBig('dr6');
  file.dr7 = debug.getBig('dr7');
  const names = Object.keys(MSRS);
  vcpu.msrs(Object.values(MSRS)).forEach((value, i) => {
    file[names[i]] = value ?? 0n;
  });
  const events = vcpu.events();
  // blocking by STI and by MOV SS: KVM has the bits the other way round
  const shadow = events.get('interrupt.shadow');
  file.interruptibility = BigInt(((shadow >> 1) & 1) | ((shadow & 1) << 1) | (events.get('nmi.masked') << 3));
  file.activity = 0n;
  file.xcr0 = vcpu.xcr0();
  if (withFpu) readFpu(vcpu.xsave().bytes, file);
  return file;
}

function readFpu(area: Uint8Array, file: RegisterFile): void {
  const view = new DataView(area.buffer, area.byteOffset, area.byteLength);
  const wide = (offset: number): bigint =>
    (view.getBigUint64(offset + 8, true) << 64n) | view.getBigUint64(offset, true);
  for (const [name, offset, bytes] of FX_WORDS) {
    file[name] = BigInt(littleEndian([...area.subarray(offset, offset + bytes)]));
  }
  const top = Number((file.fstat >> 11n) & 7n);
  let tags = 0;
  for (let i = 0; i < 8; i++) {
    const value = BigInt.asUintN(80, wide(FX_ST + i * 16));
    file[`st${i}`] = value;
    const physical = (top + i) & 7;
    const used = (area[FX_TAG] >> physical) & 1;
    const exponent = (value >> 64n) & 0x7fffn;
    const significand = value & 0xffff_ffff_ffff_ffffn;
    const special = exponent === 0x7fffn || exponent === 0n || significand >> 63n === 0n;
    tags |= (used === 0 ? 3 : exponent === 0n && significand === 0n ? 1 : special ? 2 : 0) << (physical * 2);
  }
  file.ftag = BigInt(tags);
  const avx = (area[XSTATE_BV] & 4) !== 0;
  for (let i = 0; i < 16; i++) {
    file[`xmm${i}`] = wide(FX_XMM + i * 16);
    file[`ymm${i}h`] = avx ? wide(YMM_HIGH + i * 16) : 0n;
  }
}

/** Which set of state a register belongs to. */
export type Home = 'regs' | 'sregs' | 'other';

/**
 * Writes one register into the structures, or by a request of its own.
 * @throws Error naming the register when there is none of that name or KVM refuses the value
 */
export function putRegister(vcpu: KvmVcpu, regs: KvmStruct, sregs: KvmStruct, name: string, value: bigint): Home {
  if ((GENERAL_REGISTERS as readonly string[]).includes(name) || name === 'rip' || name === 'rflags') {
    regs.set(name, name === 'rflags' ? (value & DEFINED_FLAGS) | ALWAYS_ONE.RFLAGS : value);
    return 'regs';
  }
  const [, segment, part] = /^([a-z]+?)(?:_(base|limit|ar))?$/.exec(name) ?? [];
  if ((SEGMENT_REGISTERS as readonly string[]).includes(segment)) {
    const to = field(segment);
    if (part === 'ar') setAccess(sregs, to, Number(value));
    else sregs.set(`${to}.${part ?? 'selector'}`, value);
    return 'sregs';
  }
  const table = /^(gdt|idt)r_(base|limit)$/.exec(name);
  if (table) sregs.set(`${table[1]}.${table[2]}`, value);
  else if (CONTROL.includes(name)) sregs.set(name, value);
  else {
    putOther(vcpu, name, value);
    return 'other';
  }
  return 'sregs';
}

function putOther(vcpu: KvmVcpu, name: string, value: bigint): void {
  if (/^dr[0-367]$/.test(name)) {
    const debug = vcpu.debugRegs();
    if (name === 'dr6' || name === 'dr7') debug.set(name, value);
    else debug.setBig('db', value, Number(name[2]));
    vcpu.setDebugRegs(debug);
  } else if (name in MSRS) {
    if (vcpu.setMsrs([[MSRS[name], value]]) !== undefined)
      throw new Error(`KVM refuses 0x${value.toString(16)} for ${name}`);
  } else if (name === 'xcr0') vcpu.setXcr0(value);
  else if (!putFpu(vcpu, name, value)) throw new Error(`no register ${name}`);
}

function putFpu(vcpu: KvmVcpu, name: string, value: bigint): boolean {
  const area = vcpu.xsave();
  const { bytes } = area;
  const word = FX_WORDS.find(([other]) => other === name);
  const match = /^(st|xmm|ymm)(\d+)(h?)$/.exec(name);
  const index = Number(match?.[2] ?? 0);
  if (word) putBig(bytes.subarray(word[1], word[1] + word[2]), value);
  else if (name === 'ftag') {
    let abridged = 0;
    for (let i = 0; i < 8; i++) if (((value >> BigInt(i * 2)) & 3n) !== 3n) abridged |= 1 << i;
    bytes[FX_TAG] = abridged;
  } else if (match?.[1] === 'st' && index < 8)
    putBig(bytes.subarray(FX_ST + index * 16, FX_ST + index * 16 + 10), value);
  else if (match?.[1] === 'xmm' && index < 16)
    putBig(bytes.subarray(FX_XMM + index * 16, FX_XMM + index * 16 + 16), value);
  else if (match?.[1] === 'ymm' && match[3] === 'h' && index < 16) {
    putBig(bytes.subarray(YMM_HIGH + index * 16, YMM_HIGH + index * 16 + 16), value);
    bytes[XSTATE_BV] |= 4;
  } else return false;
  bytes[XSTATE_BV] |= 3;
  vcpu.setXsave(area);
  return true;
}

/** The state after INIT with what a boot protocol wants in it. @sdm 3A 9.1.4 "First Instruction Executed" */
export function putInitialState(regs: KvmStruct, sregs: KvmStruct, state: InitialState): void {
  regs.bytes.fill(0);
  regs.set('rip', state.rip).set('rsp', state.rsp ?? 0n);
  regs.set('rflags', (state.rflags ?? 0n) | ALWAYS_ONE.RFLAGS);
  for (const [name, value] of Object.entries(state.registers ?? {})) regs.set(name, value);
  sregs
    .set('cr0', (state.cr0 ?? CR0.CD | CR0.NW) | CR0.ET)
    .set('cr2', 0)
    .set('cr3', state.cr3 ?? 0n);
  sregs
    .set('cr4', state.cr4 ?? 0n)
    .set('efer', state.efer ?? 0n)
    .set('cr8', 0);
  sregs.slice('interrupt_bitmap').fill(0);
  for (const name of SEGMENT_REGISTERS) {
    const given: InitialSegment | undefined = state.segments?.[name];
    const code = name === 'cs';
    const segment = given ?? {
      selector: code ? 0xf000 : 0,
      base: code ? 0xffff0000n : 0n,
      limit: 0xffff,
      accessRights: name === 'tr' ? 0x8b : name === 'ldtr' ? 0x82 : code ? 0x9b : 0x93,
    };
    const to = field(name);
    sregs.set(`${to}.selector`, segment.selector).set(`${to}.base`, segment.base).set(`${to}.limit`, segment.limit);
    setAccess(sregs, to, segment.accessRights);
  }
  for (const table of ['gdt', 'idt'] as const) {
    const given = state[`${table}r`];
    sregs.set(`${table}.base`, given?.base ?? 0n).set(`${table}.limit`, given?.limit ?? 0xffff);
  }
}
