// System instructions in compiled code, in their common case: CPL 0 or real-address mode, no VM exit, no fault. Whatever is not
// usual is the handler's.
import { bitsOf, CR0 as CR0_BITS, CR4 as CR4_BITS, RFLAGS as RFLAGS_BITS, STATUS_FLAGS } from '../../spec/flags.js';
import { ADDRESS } from '../../spec/uops/expression.js';
import { CONTROLS } from '../../spec/vmx/controls.js';
import { VMCS_FIELDS } from '../../spec/vmx/vmcs-fields.js';
import {
  CLOCK_OFFSET,
  CLOCK_SHIFT,
  CPL,
  CR0,
  CR2,
  CR3,
  CR4,
  CR8,
  KERNEL_GS_BASE,
  LINEAR_SHIFT,
  RFLAGS,
  SEG_BASE,
  SEG_FS,
  SEG_GS,
  SEGMENT_BYTES,
  SEGMENTS,
  SHADOW_ICOUNT,
  TLB_READ,
  TLB_WRITE,
  TSC_ADJUST,
  TSC_AUX,
  VMCS_PTR,
  XCR0,
} from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import { stackPlace } from './stack-place.js';
import { inMemory, inPlace, type VectorCode, type VectorScope } from './vector-code.js';
import { I32, I64 } from './wasm-writer.js';

const [RAX, RCX, RDX, RSP] = [0, 1, 2, 4];
const [TF, IF, IOPL, RF, VM, AC] = (['TF', 'IF', 'IOPL', 'RF', 'VM', 'AC'] as const).map((name) =>
  bitsOf(RFLAGS_BITS, name),
);
const STATUS = bitsOf(STATUS_FLAGS);
/** What POPF always changes; wider ones AC and ID too. */
const POPPED_16 = STATUS | bitsOf(RFLAGS_BITS, 'TF', 'DF', 'NT');
const POPPED = POPPED_16 | bitsOf(RFLAGS_BITS, 'AC', 'ID');
const CR0_ET = BigInt(bitsOf(CR0_BITS, 'ET'));
const [CR4_TSD, CR4_FSGSBASE, CR4_OSXSAVE] = (['TSD', 'FSGSBASE', 'OSXSAVE'] as const).map((name) =>
  bitsOf(CR4_BITS, name),
);

const OFFSETS = new Map(VMCS_FIELDS.map(({ name, offset }) => [name, offset]));
const BITS = new Map(
  Object.values(CONTROLS)
    .flat()
    .map(({ constant, bit }) => [constant, 1 << bit]),
);

function offsetOf(field: string): number {
  const offset = OFFSETS.get(field);
  if (offset === undefined) throw new Error(`no VMCS field ${field}`);
  return offset;
}

/** By the control's name in the core. */
function bitOf(constant: string): number {
  const bit = BITS.get(constant);
  if (bit === undefined) throw new Error(`no control ${constant}`);
  return bit;
}

const operandBytes = ({ flags }: DecodedUop): number => flags & 15;
/** ModRM.reg as encoded. */
const operationOf = ({ flags }: DecodedUop): number => (flags >>> 24) & 7;
const baseAt = (segment: number): number => SEGMENTS + segment * SEGMENT_BYTES + SEG_BASE;

const made = (
  write: VectorCode['write'],
  reads: readonly number[],
  writes: readonly number[],
  more: Partial<VectorCode> = {},
): VectorCode => inPlace(8, write, { readsGeneral: reads, writesGeneral: writes, findsOwn: true, ...more });

/** Pushes a field of the current VMCS. */
function field({ code }: VectorScope, name: string, type: 'i32.load' | 'i64.load'): void {
  code.i32(0).memory('i32.load', VMCS_PTR).memory(type, offsetOf(name));
}

const primary = (scope: VectorScope): void => field(scope, 'CPU_BASED_VM_EXEC_CONTROL', 'i32.load');

/** Not CPL 0, as in virtual-8086 mode. */
function giveUpUnlessSupervisor({ code, giveUpIf }: VectorScope): void {
  code.i32(0).memory('i32.load', CPL);
  giveUpIf();
}

/** One of these bits of a word in memory is set. */
function giveUpIfAny({ code, giveUpIf }: VectorScope, at: number, bits: number): void {
  code.i32(0).memory('i32.load', at).i32(bits).op('i32.and');
  giveUpIf();
}

function giveUpIfControlled(scope: VectorScope, ...controls: readonly string[]): void {
  primary(scope);
  scope.code.i32(controls.reduce((bits, name) => bits | bitOf(name), 0)).op('i32.and');
  scope.giveUpIf();
}

/** Gives up while a secondary control is clear, or all of them are off. */
function giveUpUnless2(scope: VectorScope, control: string): void {
  const { code, giveUpIf } = scope;
  primary(scope);
  code.i32(bitOf('CPU_ACTIVATE_SECONDARY_CONTROLS')).op('i32.and', 'i32.eqz');
  giveUpIf();
  field(scope, 'SECONDARY_VM_EXEC_CONTROL', 'i32.load');
  code.i32(bitOf(control)).op('i32.and', 'i32.eqz');
  giveUpIf();
}

/** RDTSC, RDTSCP. The clock follows from ICOUNT; a scaled TSC is the handler's. */
const timeStamp = (withProcessor: boolean): VectorCode =>
  made(
    (scope) => {
      const { code, gpr: own, temporary, giveUpIf, icount } = scope;
      const [tsc, controls] = [temporary('element', I64), temporary('low', I32)];
      giveUpIfAny(scope, CR4, CR4_TSD);
      if (withProcessor) giveUpUnless2(scope, 'CPU2_ENABLE_RDTSCP');
      primary(scope);
      code.tee(controls).i32(bitOf('CPU_RDTSC_EXITING')).op('i32.and');
      giveUpIf();
      icount();
      code.i32(0).memory('i32.load', CLOCK_SHIFT).op('i64.extend_u', 'i64.shl');
      for (const at of [CLOCK_OFFSET, TSC_ADJUST]) code.i32(0).memory('i64.load', at).op('i64.add');
      code.set(tsc).get(controls).i32(bitOf('CPU_USE_TSC_OFFSETTING')).op('i32.and').open('if');
      code.get(controls).i32(31).op('i32.shr_u');
      field(scope, 'SECONDARY_VM_EXEC_CONTROL', 'i32.load');
      code.i32(bitOf('CPU2_USE_TSC_SCALING')).op('i32.and', 'i32.eqz', 'i32.eqz', 'i32.and');
      giveUpIf();
      code.get(tsc);
      field(scope, 'TSC_OFFSET', 'i64.load');
      code.op('i64.add').set(tsc).close();
      code.get(tsc).i64(0xffffffffn).op('i64.and').set(own(RAX));
      code.get(tsc).i64(32n).op('i64.shr_u').set(own(RDX));
      if (withProcessor) code.i32(0).memory('i32.load', TSC_AUX).op('i64.extend_u').set(own(RCX));
    },
    [],
    withProcessor ? [RAX, RDX, RCX] : [RAX, RDX],
  );

const processorId = (uop: DecodedUop): VectorCode =>
  made(
    (scope) => {
      giveUpUnless2(scope, 'CPU2_ENABLE_RDTSCP');
      scope.code.i32(0).memory('i32.load', TSC_AUX).op('i64.extend_u').set(scope.gpr(uop.rm));
    },
    [],
    [uop.rm],
  );

const swapGs = (): VectorCode =>
  made(
    (scope) => {
      const { code, temporary } = scope;
      const base = temporary('element', I64);
      giveUpUnlessSupervisor(scope);
      code.i32(0).memory('i64.load', KERNEL_GS_BASE).set(base);
      code.i32(0).i32(0).memory('i64.load', baseAt(SEG_GS)).memory('i64.store', KERNEL_GS_BASE);
      code.i32(0).get(base).memory('i64.store', baseAt(SEG_GS));
    },
    [],
    [],
  );

/** PUSHF: in virtual-8086 mode it is the handler's. */
function pushFlags(uop: DecodedUop): VectorCode {
  const bytes = operandBytes(uop);
  return made(
    (scope) => {
      const { code, pointer, status, temporary } = scope;
      const image = temporary('low', I32);
      giveUpIfAny(scope, RFLAGS, VM);
      code
        .i32(0)
        .memory('i32.load', RFLAGS)
        .i32(~(STATUS | RF))
        .op('i32.and');
      status();
      code.op('i32.or').set(image);
      const place = stackPlace(scope, bytes, TLB_WRITE);
      code.get(pointer).get(image);
      if (bytes === 8) code.op('i64.extend_u').memory('i64.store', 0);
      else code.memory(bytes === 4 ? 'i32.store' : 'i32.store16', 0);
      place.commit();
    },
    [RSP],
    [RSP],
  );
}

/** POPF where it changes nothing that the mode depends on, nor opens a window for interrupts that wait. */
function popFlags(uop: DecodedUop): VectorCode {
  const bytes = operandBytes(uop);
  const taken = bytes === 2 ? POPPED_16 : POPPED;
  return made(
    (scope) => {
      const { code, pointer, temporary, giveUpIf, flagsAreStored } = scope;
      const [old, image] = [temporary('low', I32), temporary('answer', I32)];
      giveUpUnlessSupervisor(scope);
      const place = stackPlace(scope, bytes, TLB_READ);
      code
        .get(pointer)
        .memory(bytes === 2 ? 'i32.load16_u' : 'i32.load', 0)
        .set(image);
      code.i32(0).memory('i32.load', RFLAGS).set(old);
      // what stays as it is, and RF, which it clears
      code
        .get(image)
        .get(old)
        .op('i32.xor')
        .i32(bytes === 2 ? TF | IOPL : TF | IOPL | AC)
        .op('i32.and');
      code.get(old).i32(RF).op('i32.and', 'i32.or');
      giveUpIf();
      code.get(image).get(old).i32(-1).op('i32.xor', 'i32.and').i32(IF).op('i32.and').open('if');
      giveUpIfControlled(scope, 'CPU_NMI_WINDOW_EXITING', 'CPU_INTERRUPT_WINDOW_EXITING');
      code.close();
      code.i32(0);
      code
        .get(old)
        .i32(~(taken | IF))
        .op('i32.and');
      code
        .get(image)
        .i32(taken | IF)
        .op('i32.and', 'i32.or')
        .memory('i32.store', RFLAGS);
      place.commit();
      flagsAreStored();
    },
    [RSP],
    [RSP],
  );
}

const clearInterrupts = (): VectorCode =>
  made(
    (scope) => {
      giveUpUnlessSupervisor(scope);
      scope.code.i32(0).i32(0).memory('i32.load', RFLAGS).i32(~IF).op('i32.and').memory('i32.store', RFLAGS);
    },
    [],
    [],
  );

/** STI. Where interrupts were off the region goes on only if nobody sees the shadow, and nothing waits for its end. */
const setInterrupts = (): VectorCode =>
  made(
    (scope) => {
      const { code, giveUpIf, shadow, left, icount } = scope;
      giveUpUnlessSupervisor(scope);
      code.i32(0).memory('i32.load', RFLAGS).i32(IF).op('i32.and', 'i32.eqz');
      if (shadow === undefined) {
        giveUpIf();
        return;
      }
      code.open('if');
      left();
      code.i32(shadow.ahead).op('i32.lt_s');
      giveUpIf();
      // CLI in the shadow keeps the window for interrupts shut
      giveUpIfControlled(scope, 'CPU_NMI_WINDOW_EXITING', ...(shadow.isCli ? [] : ['CPU_INTERRUPT_WINDOW_EXITING']));
      code.i32(0).i32(0).memory('i32.load', RFLAGS).i32(IF).op('i32.or').memory('i32.store', RFLAGS);
      code.i32(0);
      icount();
      code.i64(1n).op('i64.add').memory('i64.store', SHADOW_ICOUNT).close();
    },
    [],
    [],
  );

/** XGETBV of XCR0. */
const extendedControl = (): VectorCode =>
  made(
    (scope) => {
      const { code, gpr: own, giveUpIf } = scope;
      code.i32(0).memory('i32.load', CR4).i32(CR4_OSXSAVE).op('i32.and', 'i32.eqz');
      code.get(own(RCX)).op('i32.wrap', 'i32.or');
      giveUpIf();
      code.i32(0).memory('i32.load', XCR0).op('i64.extend_u').set(own(RAX));
      code
        .i32(0)
        .memory('i32.load', XCR0 + 4)
        .op('i64.extend_u')
        .set(own(RDX));
    },
    [RCX],
    [RAX, RDX],
  );

/** Pushes CR0 or CR4 as the guest reads it. */
function visible(scope: VectorScope, at: number, name: 'CR0' | 'CR4'): void {
  const { code } = scope;
  code.i32(0).memory('i64.load', at);
  code.i32(0).memory('i64.load', at);
  field(scope, `${name}_READ_SHADOW`, 'i64.load');
  code.op('i64.xor');
  field(scope, `${name}_GUEST_HOST_MASK`, 'i64.load');
  code.op('i64.and', 'i64.xor');
}

function fromControl(uop: DecodedUop): VectorCode | undefined {
  const { r: cr, rm } = uop;
  if (![0, 2, 3, 4, 8].includes(cr)) return undefined;
  return made(
    (scope) => {
      const { code, long } = scope;
      giveUpUnlessSupervisor(scope);
      if (cr === 0) visible(scope, CR0, 'CR0');
      else if (cr === 4) visible(scope, CR4, 'CR4');
      else {
        if (cr === 3) giveUpIfControlled(scope, 'CPU_CR3_STORE_EXITING');
        if (cr === 8) giveUpIfControlled(scope, 'CPU_CR8_STORE_EXITING', 'CPU_USE_TPR_SHADOW');
        code.i32(0).memory('i64.load', cr === 2 ? CR2 : cr === 3 ? CR3 : CR8);
      }
      if (!long) code.i64(0xffffffffn).op('i64.and');
      code.set(scope.gpr(rm));
    },
    [],
    [rm],
  );
}

/** To CR2; to CR0 what stands there. */
function toControl(uop: DecodedUop): VectorCode | undefined {
  const { r: cr, rm } = uop;
  if (cr !== 0 && cr !== 2) return undefined;
  return made(
    (scope) => {
      const { code, long, gpr: own, giveUpIf, temporary } = scope;
      const value = temporary('element', I64);
      giveUpUnlessSupervisor(scope);
      code.get(own(rm));
      if (!long) code.i64(0xffffffffn).op('i64.and');
      code.set(value);
      if (cr === 2) {
        code.i32(0).get(value).memory('i64.store', CR2);
        return;
      }
      code.get(value).i64(CR0_ET).op('i64.or');
      visible(scope, CR0, 'CR0');
      code.i64(CR0_ET).op('i64.or', 'i64.ne');
      giveUpIf();
    },
    [rm],
    [],
  );
}

/** RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE. */
function segmentBase(uop: DecodedUop): VectorCode {
  const operation = operationOf(uop);
  const at = baseAt(operation & 1 ? SEG_GS : SEG_FS);
  const wide = operandBytes(uop) === 8;
  const reads = operation < 2;
  return made(
    (scope) => {
      const { code, long, gpr: own, giveUpIf, temporary } = scope;
      code
        .i32(0)
        .memory('i32.load', CR4)
        .i32(CR4_FSGSBASE)
        .op('i32.and', 'i32.eqz')
        .i32(long ? 0 : 1)
        .op('i32.or');
      giveUpIf();
      if (reads) code.i32(0).memory('i64.load', at);
      else code.get(own(uop.rm));
      if (!wide) code.i64(0xffffffffn).op('i64.and');
      if (reads) {
        code.set(own(uop.rm));
        return;
      }
      const [base, shift] = [temporary('element', I64), temporary('count', I64)];
      code.set(base).i32(0).memory('i32.load', LINEAR_SHIFT).op('i64.extend_u').set(shift);
      code.get(base).get(shift).op('i64.shl').get(shift).op('i64.shr_s').get(base).op('i64.ne');
      giveUpIf();
      code.i32(0).get(base).memory('i64.store', at);
    },
    reads ? [] : [uop.rm],
    reads ? [uop.rm] : [],
  );
}

/** INVLPG of a page that no code was fetched from: the core does it. */
const invalidate = (uop: DecodedUop): VectorCode | undefined =>
  inMemory(uop)
    ? made(
        ({ code, put, giveUpIf, forgetPages }) => {
          put(ADDRESS);
          code.callImport('callInvlpg').op('i32.eqz');
          giveUpIf();
          forgetPages();
        },
        [],
        [],
      )
    : undefined;

/** PAUSE takes time: the slice may end sooner. */
const pause = (): VectorCode =>
  made(
    ({ code, left, setLeft, giveUpIf, temporary }) => {
      const rest = temporary('low', I32);
      left();
      code.callImport('callPause').tee(rest).i32(0).op('i32.lt_s');
      giveUpIf();
      code.get(rest);
      setLeft();
    },
    [],
    [],
  );

export function systemCode(name: string, uop: DecodedUop): VectorCode | undefined {
  switch (name) {
    case 'execRdtsc':
      return timeStamp(false);
    case 'execRdtscp':
      return timeStamp(true);
    case 'execRdpid':
      return processorId(uop);
    case 'execSwapgs':
      return swapGs();
    case 'execPushf':
      return pushFlags(uop);
    case 'execPopf':
      return popFlags(uop);
    case 'execCli':
      return clearInterrupts();
    case 'execSti':
      return setInterrupts();
    case 'execXgetbv':
      return extendedControl();
    case 'execMovFromCr':
      return fromControl(uop);
    case 'execMovToCr':
      return toControl(uop);
    case 'execFsGsBase':
      return segmentBase(uop);
    case 'execInvlpg':
      return invalidate(uop);
    case 'execPause':
      return pause();
    default:
      return undefined;
  }
}
