// One instruction's bytes to one micro-op, by the generated opcode table.
import {
  ABSENT_FEATURES, MODE_CODE32, MODE_CODE64, MODE_FLAT, REG_RIP, REG_ZERO, SEG_CS, SEG_DS, SEG_FS, SEG_SS,
} from '../layout';
import {
  UF_ADDR_SHIFT, UF_DST_REG, UF_HIGH_R, UF_HIGH_RM, UF_IMM, UF_LOCK, UF_MAP_0F, UF_MEM, UF_MOFFS, UF_OPCODE_SHIFT, UF_PREFIX_66, UF_REP,
  UF_REPNE, UF_REX, UF_SIMPLE, UV_FORM_SHIFT, UV_L, UV_OPERATION_SHIFT, UV_VEX, UV_VEX_W, UV_W,
} from '../uop';
import { H_GENERAL_PROTECTION, H_NOP, H_UD, H_XCHG } from '../generated/handlers';
import {
  ATTR_D64, ATTR_END, ATTR_F64, ATTR_LOCK, ATTR_MODRM, ATTR_REGISTER, ATTR_REP, ATTR_W0, ATTR_W1, KIND_A, KIND_ACC, KIND_B, KIND_E, KIND_G, KIND_I, KIND_J,
  KIND_O, KIND_ONE, KIND_S, KIND_C, KIND_D, KIND_SREG, KIND_Z, OPCODE_INDEX, OPCODE_ROWS, ROW_BYTES, RULE_66, RULE_F2, RULE_F3,
  RULE_NFX, RULE_NP, SIZE_B, SIZE_D, SIZE_Q, SIZE_V, SIZE_W, SIZE_Y, SIZE_Z,
  VEX_L1, VEX_LIG, VEX_LV, VEX_REGISTER, VEX_VECTOR, VEX_VSIB,
} from '../generated/opcode-table';
import { fetch16, fetch32, fetch64, fetch8, fetchStopped, fetchedBytes, STOP_LENGTH, STOP_NONE, unfetch } from './fetch';

export const DECODED = 0; // the block may go on
export const DECODED_END = 1; // the block ends after it
export const DECODE_STOPPED = 2; // bytes ran out (page or segment limit): nothing was written

const NO_SEGMENT: u32 = 0xff;

// Of the instruction that is being decoded.
let modrm: u32 = 0;
let rex: u32 = 0;
let flags: u32 = 0;
let regNumber: u32 = 0;
let rmNumber: u32 = 0;
let base: u32 = 0;
let index: u32 = 0;
let scale: u32 = 0;
let segment: u32 = 0;
let disp: i32 = 0;
let ripRelative: bool = false;

/** Reads SIB and displacement of a memory operand with 32- or 64-bit addresses. @sdm 2A 2.1.5 "Addressing-Mode Encoding of ModR/M and SIB Bytes" */
function decodeAddress32(long: bool, overrideSegment: u32, vectorIndex: bool): void {
  const mod = modrm >> 6;
  const rm = modrm & 7;
  let defaultSegment: u32 = SEG_DS;
  base = rm | ((rex & 1) << 3);
  if (rm == 4) {
    const sib = fetch8();
    scale = sib >> 6;
    index = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (index == 4 && !vectorIndex) {
      index = REG_ZERO;
      scale = 0;
    }
    base = (sib & 7) | ((rex & 1) << 3);
    if ((sib & 7) == 5 && mod == 0) {
      base = REG_ZERO;
      disp = i32(fetch32());
    }
  } else if (rm == 5 && mod == 0) {
    base = REG_ZERO;
    disp = i32(fetch32());
    ripRelative = long;
  }
  if (mod == 1) disp = i32(i8(fetch8()));
  else if (mod == 2) disp = i32(fetch32());
  if (base == 4 || base == 5) defaultSegment = SEG_SS;
  segment = overrideSegment == NO_SEGMENT ? defaultSegment : overrideSegment;
}

function decodeAddress16(overrideSegment: u32): void {
  const mod = modrm >> 6;
  const rm = modrm & 7;
  let defaultSegment: u32 = SEG_DS;
  switch (rm) {
    case 0: base = 3; index = 6; break;
    case 1: base = 3; index = 7; break;
    case 2: base = 5; index = 6; defaultSegment = SEG_SS; break;
    case 3: base = 5; index = 7; defaultSegment = SEG_SS; break;
    case 4: base = 6; break;
    case 5: base = 7; break;
    case 6:
      if (mod == 0) disp = i32(i16(fetch16()));
      else {
        base = 5;
        defaultSegment = SEG_SS;
      }
      break;
    default: base = 3;
  }
  if (mod == 1) disp = i32(i8(fetch8()));
  else if (mod == 2) disp = i32(i16(fetch16()));
  segment = overrideSegment == NO_SEGMENT ? defaultSegment : overrideSegment;
}

/** Does a row's prefix rule allow these prefixes? pp: 0 none, 1 66, 2 F3, 3 F2 (the last of F3 and F2 wins over 66). */
function prefixAllowed(rule: u32, pp: u32): bool {
  switch (rule) {
    case RULE_NP: return pp == 0;
    case RULE_66: return pp == 1;
    case RULE_F3: return pp == 2;
    case RULE_F2: return pp == 3;
    case RULE_NFX: return pp < 2;
    default: return true;
  }
}

/** Do VEX.L and VEX.W choose this row? */
function vexAllowed(rules: u32, attributes: u32, l: bool, w: bool): bool {
  if (attributes & (w ? ATTR_W0 : ATTR_W1)) return false;
  if (rules & (VEX_LIG | VEX_LV)) return true;
  return l == ((rules & VEX_L1) != 0);
}

/** Features that a row comes with, as bits of ABSENT_FEATURES; bit 0 is no feature's. */
function featuresOf(row: usize, l: bool): u64 {
  return (<u64>1 << load<u8>(row, 14) | <u64>1 << (l ? load<u8>(row, 15) : 0)) & ~(<u64>1);
}

function sizeInBytes(size: u32, operandSize: u32, rexW: bool): u32 {
  switch (size) {
    case SIZE_B: return 1;
    case SIZE_W: return 2;
    case SIZE_D: return 4;
    case SIZE_Q: return 8;
    case SIZE_V: return operandSize;
    case SIZE_Y: return rexW ? 8 : 4;
    case SIZE_Z: return operandSize == 2 ? 2 : 4;
    default: return 0;
  }
}

/** Writes a micro-op without operands at u that runs `op`, and tells that the block ends. */
function writeBare(u: usize, op: u32, offset: u32, nth: u32): i32 {
  memory.fill(u, 0, 32);
  store<u16>(u, u16(op + 1));
  const length = fetchedBytes();
  store<u8>(u, REG_ZERO, 4);
  store<u8>(u, REG_ZERO, 5);
  store<u16>(u, u16(offset + length), 12);
  store<u8>(u, u8(length), 14);
  store<u8>(u, u8(nth), 15);
  return DECODED_END;
}

/**
 * Decodes the instruction that fetch.ts stands on into the micro-op at u. `offset` is its distance from the
 * block's start, `nth` its number in the block. Answers DECODED, DECODED_END or DECODE_STOPPED.
 */
export function decodeInstruction(u: usize, mode: u32, offset: u32, nth: u32): i32 {
  const long = (mode & MODE_CODE64) != 0;
  const default32 = (mode & (MODE_CODE64 | MODE_CODE32)) != 0;
  let overrideSegment: u32 = NO_SEGMENT;
  let prefix66 = false;
  let prefix67 = false;
  let repeat: u32 = 0;
  let lock = false;
  let opcode: u32;
  rex = 0;
  while (true) {
    opcode = fetch8();
    let prefix = true;
    switch (opcode) {
      case 0x66: prefix66 = true; break;
      case 0x67: prefix67 = true; break;
      case 0xf0: lock = true; break;
      case 0xf2: repeat = UF_REPNE; break;
      case 0xf3: repeat = UF_REP; break;
      case 0x26: case 0x2e: case 0x36: case 0x3e:
        // In 64-bit mode these four are null prefixes.
        if (!long) overrideSegment = (opcode >> 3) & 3;
        break;
      case 0x64: overrideSegment = SEG_FS; break;
      case 0x65: overrideSegment = SEG_FS + 1; break;
      default: prefix = false;
    }
    if (prefix) {
      rex = 0;
      if (fetchStopped() != STOP_NONE) break;
      continue;
    }
    if (long && (opcode & 0xf0) == 0x40) {
      rex = opcode;
      if (fetchStopped() != STOP_NONE) break;
      continue;
    }
    break;
  }

  let map: u32 = 0;
  let vex = false;
  let vexRegister: u32 = 0;
  let vexL = false;
  let vexW = false;
  let vexUnused = false;
  let pp: u32 = repeat == UF_REPNE ? 3 : repeat == UF_REP ? 2 : prefix66 ? 1 : 0;
  let undefined = false;
  if (opcode == 0x0f) {
    map = 1;
    opcode = fetch8();
    if (opcode == 0x38 || opcode == 0x3a) {
      map = opcode == 0x38 ? 2 : 3;
      opcode = fetch8();
    }
  } else if (opcode == 0xc4 || opcode == 0xc5) {
    const next = fetch8();
    if (long || (next & 0xc0) == 0xc0) {
      undefined = pp != 0 || lock || rex != 0;
      vex = true;
      rex = 0x40 | (next & 0x80 ? 0 : 4);
      let last = next;
      if (opcode == 0xc4) {
        last = fetch8();
        rex |= (next & 0x40 ? 0 : 2) | (next & 0x20 ? 0 : 1) | (last & 0x80 ? 8 : 0);
        map = next & 0x1f;
        vexW = (last & 0x80) != 0;
      } else map = 1;
      if (!long) rex &= 0x40;
      // Outside 64-bit mode there are eight registers.
      vexRegister = (~last >> 3) & (long ? 15 : 7);
      vexL = (last & 4) != 0;
      vexUnused = vexRegister == 0;
      const vexPrefix = last & 3;
      pp = vexPrefix;
      if (map < 1 || map > 3) undefined = true;
      map += 3;
      opcode = fetch8();
    } else unfetch();
  }
  if (fetchStopped() != STOP_NONE) return stopped(u, offset, nth);
  // With REX.B it is XCHG r8,rAX, which F3 does not make a PAUSE.
  if (map == 0 && opcode == 0x90 && rex & 1) pp = 0;
  if (undefined) return writeBare(u, H_UD, offset, nth);

  let row: usize = load<u16>(OPCODE_INDEX + ((map << 8) + opcode) * 2);
  if (row == 0) {
    // Undefined opcodes of the two-byte map take a ModRM byte into their length in no documented way: #UD at once.
    return writeBare(u, H_UD, offset, nth);
  }
  row = OPCODE_ROWS + row * ROW_BYTES;
  let haveModrm = false;
  const absentFeatures = load<u64>(ABSENT_FEATURES);
  while (true) {
    const rule: u32 = load<u8>(row, 2);
    const attributes = load<u16>(row, 8);
    let match = prefixAllowed(rule & 7, pp);
    const when = (rule >> 5) & 3;
    if (when == 1 && long) match = false;
    if (when == 2 && !long) match = false;
    if (match && attributes & ATTR_MODRM) {
      if (!haveModrm) {
        modrm = fetch8();
        haveModrm = true;
        if (fetchStopped() != STOP_NONE) return stopped(u, offset, nth);
      }
      const register = (modrm & 0xc0) == 0xc0;
      const mod = (rule >> 3) & 3;
      if (mod == 1 && register) match = false;
      if (mod == 2 && !register) match = false;
      const reg: u32 = load<u8>(row, 3);
      if (reg != 0xff && reg != ((modrm >> 3) & 7)) match = false;
      const exact: u32 = load<u8>(row, 4);
      if (exact != 0 && exact != modrm) match = false;
    }
    if (match && vex) match = vexAllowed(load<u16>(row, 12), attributes, vexL, vexW);
    if (match && absentFeatures) match = !(absentFeatures & featuresOf(row, vexL));
    if (match) break;
    if (rule & 0x80) return writeBare(u, H_UD, offset, nth);
    row += ROW_BYTES;
  }

  const attributes: u32 = load<u16>(row, 8);
  const rules: u32 = load<u16>(row, 12);
  const rexW = (rex & 8) != 0;
  let operandSize: u32 = rexW ? 8 : prefix66 != default32 ? 4 : 2;
  if (long) {
    if (attributes & ATTR_F64) operandSize = 8;
    else if (attributes & ATTR_D64 && operandSize == 4) operandSize = 8;
  }
  if (vex && !rexW) operandSize = 4;
  const addressSize: u32 = long ? (prefix67 ? 4 : 8) : prefix67 != default32 ? 4 : 2;

  flags = 0;
  base = REG_ZERO;
  index = REG_ZERO;
  scale = 0;
  disp = 0;
  ripRelative = false;
  regNumber = 0;
  rmNumber = 0;
  segment = overrideSegment == NO_SEGMENT ? SEG_DS : overrideSegment;
  let memoryOperand = false;
  if (attributes & ATTR_MODRM) {
    regNumber = ((modrm >> 3) & 7) | ((rex & 4) << 1);
    flags |= ((modrm >> 3) & 7) << 24;
    if ((modrm & 0xc0) == 0xc0 || attributes & ATTR_REGISTER) rmNumber = (modrm & 7) | ((rex & 1) << 3);
    else {
      memoryOperand = true;
      if (addressSize == 2) decodeAddress16(overrideSegment);
      else decodeAddress32(long, overrideSegment, (rules & VEX_VSIB) != 0);
    }
  } else flags |= (opcode & 7) << 24;

  let size: u32 = 0;
  let immediate: u64 = 0;
  let second: u32 = 0;
  for (let n: usize = 0; n < 3; n++) {
    const operand: u32 = load<u8>(row + n, 5);
    if (operand == 0) break;
    const kind = operand >> 3;
    const bytes = sizeInBytes(operand & 7, operandSize, rexW);
    if (size == 0 && kind != KIND_I && kind != KIND_J && kind != KIND_A) size = bytes;
    switch (kind) {
      case KIND_G:
        if (n == 0) flags |= UF_DST_REG;
        if (bytes == 1 && rex == 0 && regNumber >= 4) flags |= UF_HIGH_R;
        break;
      case KIND_E:
        if (bytes == 1 && !memoryOperand && rex == 0 && rmNumber >= 4) flags |= UF_HIGH_RM;
        break;
      case KIND_Z:
        rmNumber = (opcode & 7) | ((rex & 1) << 3);
        if (bytes == 1 && rex == 0 && rmNumber >= 4) flags |= UF_HIGH_RM;
        break;
      case KIND_ACC:
        // The accumulator is rm where the rest is an immediate, r beside a register or a memory offset.
        if (n == 0) flags |= load<u8>(row, 6) >> 3 == KIND_O ? UF_DST_REG : 0;
        break;
      case KIND_I:
        flags |= UF_IMM;
        if ((operand & 7) == SIZE_B) {
          if (n > 0 && load<u8>(row + n, 4) >> 3 == KIND_I) second = fetch8();
          else immediate = u64(i64(i8(fetch8())));
        } else if ((operand & 7) == SIZE_W) immediate = fetch16();
        else if ((operand & 7) == SIZE_V && operandSize == 8) immediate = fetch64();
        else immediate = operandSize == 2 ? u64(i64(i16(fetch16()))) : u64(i64(i32(fetch32())));
        break;
      case KIND_ONE:
        flags |= UF_IMM;
        immediate = 1;
        break;
      case KIND_J:
        flags |= UF_IMM;
        if ((operand & 7) == SIZE_B) immediate = u64(i64(i8(fetch8())));
        else immediate = operandSize == 2 ? u64(i64(i16(fetch16()))) : u64(i64(i32(fetch32())));
        break;
      case KIND_A:
        immediate = operandSize == 2 ? fetch16() : fetch32();
        second = fetch16();
        break;
      case KIND_O:
        flags |= UF_MOFFS;
        memoryOperand = true;
        immediate = addressSize == 8 ? fetch64() : addressSize == 4 ? fetch32() : fetch16();
        break;
      case KIND_S:
        regNumber &= 7;
        if (n == 0) flags |= UF_DST_REG;
        break;
      case KIND_C: case KIND_D:
        // ModRM.mod is ignored: the operand is always a register.
        if (n == 0) flags |= UF_DST_REG;
        break;
      case KIND_SREG:
        regNumber = map == 1 ? (opcode >> 3) & 1 ? 5 : 4 : opcode >> 3;
        break;
      case KIND_B:
        second = vexRegister;
        break;
    }
  }
  if (size == 0) size = operandSize;
  // FOP keeps the ModRM byte of x87 instructions
  if (map == 0 && (opcode & 0xf8) == 0xd8) second = modrm;
  if (fetchStopped() != STOP_NONE) return stopped(u, offset, nth);

  let op: u32 = load<u16>(row);
  // 90 is NOP and keeps the upper half of RAX, unless REX.B names another register.
  if (map == 0 && opcode == 0x90 && rmNumber == 0 && op == H_XCHG) op = H_NOP;
  if (lock && !(attributes & ATTR_LOCK && memoryOperand)) return writeBare(u, H_UD, offset, nth);
  if (vex && !(rules & VEX_REGISTER) && !vexUnused) return writeBare(u, H_UD, offset, nth);
  if (rules & VEX_VSIB && (addressSize == 2 || (modrm & 7) != 4)) return writeBare(u, H_UD, offset, nth);
  if (rules & VEX_VECTOR) {
    second = vexRegister | (pp << UV_FORM_SHIFT) | (load<u16>(row, 10) << UV_OPERATION_SHIFT);
    if (vex) second |= UV_VEX;
    if (vexL && !(rules & VEX_LIG)) second |= UV_L;
    if (rexW) second |= UV_W;
    if (vexW) second |= UV_VEX_W;
  }
  const length = fetchedBytes();
  const next = offset + length;
  if (ripRelative) {
    base = REG_RIP;
    disp += i32(next);
  }
  flags |= size | (addressSize << UF_ADDR_SHIFT) | (opcode << UF_OPCODE_SHIFT) | repeat;
  if (map != 0) flags |= UF_MAP_0F;
  if (memoryOperand) flags |= UF_MEM;
  if (lock) flags |= UF_LOCK;
  if (rex) flags |= UF_REX;
  if (prefix66) flags |= UF_PREFIX_66;
  // CS is left out of the flat segments: a write through it faults.
  const flatSegment = segment < u32(SEG_FS) && (long || segment != SEG_CS);
  if (flatSegment && addressSize == (long ? 8 : 4) && mode & (MODE_FLAT | MODE_CODE64) && !(flags & UF_MOFFS)) flags |= UF_SIMPLE;

  let end = (attributes & ATTR_END) != 0;
  if (attributes & ATTR_REP && repeat != 0) end = true;
  if (end) op++;
  store<u16>(u, u16(op));
  store<u8>(u, u8(regNumber), 2);
  store<u8>(u, u8(rmNumber), 3);
  store<u8>(u, u8(base), 4);
  store<u8>(u, u8(index), 5);
  store<u8>(u, u8(scale), 6);
  store<u8>(u, u8(segment), 7);
  store<i32>(u, disp, 8);
  store<u16>(u, u16(next), 12);
  store<u8>(u, u8(length), 14);
  store<u8>(u, u8(nth), 15);
  store<u64>(u, immediate, 16);
  store<u32>(u, flags, 24);
  store<u32>(u, second, 28);
  return end ? DECODED_END : DECODED;
}

/** Bytes ran out: longer than 15 bytes is #GP(0) of its own, the rest is the caller's. */
function stopped(u: usize, offset: u32, nth: u32): i32 {
  if (fetchStopped() == STOP_LENGTH) return writeBare(u, H_GENERAL_PROTECTION, offset, nth);
  return DECODE_STOPPED;
}
