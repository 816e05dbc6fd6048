// Finishing a decoded block: micro-ops of handlers become the dispatcher's own cases where there is
// one, a compare and the branch behind it become one micro-op, and the last one leads on to the next block.
import { MODE_CODE64, MODE_FLAT, MODE_SINGLE, MODE_STACK32, REG_ZERO } from '../layout';
import {
  UF_DST_REG, UF_HIGH_R, UF_HIGH_RM, UF_IMM, UF_MEM, UF_OPCODE_SHIFT, UF_SIMPLE, UOP_BYTES, uAddrSize, uFlags, uImm, uImm2, uIndex, uLen, uModReg, uNext, uOp,
  uOperation, uOpSize, uOpcode, uReg, uRm, UV_L, UV_VEX,
} from '../uop';
import {
  H_ALU, H_BSWAP, H_CALL, H_CALL_NEAR, H_CBW, H_CMOV, H_CWD, H_IMUL2, H_IMUL3, H_INC_DEC, H_JCC, H_JMP, H_JMP_NEAR, H_LEA,
  H_LEAVE, H_MOV, H_MOVSX, H_MOVSXD, H_MOVZX, H_NEG, H_NOP, H_NOT, H_POP, H_PUSH, H_RET, H_SETCC, H_SHIFT, H_TEST, H_LEAN, H_VECTOR_LOAD, H_VECTOR_STORE, H_XCHG,
} from '../generated/handlers';
import {
  OP_ALU, OP_ALU_JZ, OP_BSWAP, OP_BYTE_JCC, OP_CBW, OP_CMOV, OP_CMPX_JCC, OP_CMP_JCC, OP_IMUL, OP_INC, OP_JCC, OP_JMP, OP_LEA, OP_MOV, OP_MOV_PLAIN, OP_MOVSX,
  OP_MOVZX, OP_NEG, OP_NEXT, OP_NOP, OP_NOT, OP_ROTATE_I, OP_SETCC, OP_SHIFT_CL, OP_SHIFT_I, OP_STACK32, OP_STACK64, OP_TEST,
  OP_TESTX_JCC, OP_TEST_JCC, OP_VECTOR, OP_VECTOR_MOVE, OP_XCHG,
} from '../generated/ops';
import { M_ALIGNED } from '../generated/vector-ops';

// Forms of two-operand families, in the order of tools/core-dispatch.ts.
const FORM_RR: u32 = 0;
const FORM_RM: u32 = 1;
const FORM_MR: u32 = 2;
const FORM_RI: u32 = 3;
const FORM_MI: u32 = 4;

const ALU_ADD: u32 = 0;
const ALU_AND: u32 = 4;
const ALU_SUB: u32 = 5;
const ALU_CMP: u32 = 7;

// Places in the stack families.
const STACK_PUSH_R: u32 = 0;
const STACK_PUSH_I: u32 = 1;
const STACK_PUSH_M: u32 = 2;
const STACK_POP_R: u32 = 3;
const STACK_LEAVE: u32 = 4;
const STACK_CALL_J: u32 = 5;
const STACK_CALL_R: u32 = 6;
const STACK_JMP_R: u32 = 8;
const STACK_RET: u32 = 10;

@inline function setOp(u: usize, op: u32): void { store<u16>(u, u16(op)); }
@inline function log2(bytes: u32): u32 { return ctz<u32>(bytes); }

/** Makes a register-register form `rm op= r` of one written `r op= rm`. */
function swapRegisters(u: usize): void {
  const r = uReg(u);
  const flags = uFlags(u);
  store<u8>(u, u8(uRm(u)), 2);
  store<u8>(u, u8(r), 3);
  let swapped = flags & ~(UF_HIGH_R | UF_HIGH_RM | UF_DST_REG);
  if (flags & UF_HIGH_R) swapped |= UF_HIGH_RM;
  if (flags & UF_HIGH_RM) swapped |= UF_HIGH_R;
  store<u32>(u, swapped, 24);
}

/** Form of a two-operand instruction; registers are brought into the order rm, r. */
function twoOperandForm(u: usize): u32 {
  const flags = uFlags(u);
  if (flags & UF_MEM) return flags & UF_IMM ? FORM_MI : flags & UF_DST_REG ? FORM_RM : FORM_MR;
  if (flags & UF_IMM) return FORM_RI;
  if (flags & UF_DST_REG) swapRegisters(u);
  return FORM_RR;
}

/** Stores a branch's distance from the block's start where the dispatcher looks for it; false: it does not fit. */
function setTarget(u: usize, from: usize): bool {
  const target = i64(uNext(from)) + i64(uImm(from));
  if (target != i64(i32(target))) return false;
  store<i32>(u, i32(target), 28);
  return true;
}

/** Gives the micro-op a case of the dispatcher's own when there is one for its form. */
function specialise(u: usize, mode: u32): void {
  const flags = uFlags(u);
  const inMemory = (flags & UF_MEM) != 0;
  if (uOp(u) >= H_LEAN) {
    specialiseVector(u, inMemory);
    return;
  }
  if (inMemory && !(flags & UF_SIMPLE) && (uOp(u) & ~1) != H_LEA) return;
  const bytes = uOpSize(u);
  const z = log2(bytes);
  const wide: u32 = bytes == 8 ? 1 : 0;
  const memory: u32 = inMemory ? 1 : 0;
  // Near branches and stack operations need the one width of a flat mode.
  const long = (mode & MODE_CODE64) != 0;
  const stack: u32 = long ? (bytes == 8 ? OP_STACK64 : 0) : (mode & MODE_FLAT && mode & MODE_STACK32 && bytes == 4 ? OP_STACK32 : 0);
  const near = long ? bytes == 8 : (mode & MODE_FLAT) != 0 && bytes == 4;
  switch (uOp(u) & ~1) {
    case H_ALU: {
      const operation = uOpcode(u) < 0x40 ? uOpcode(u) >> 3 : uModReg(u);
      setOp(u, OP_ALU + (operation * 5 + twoOperandForm(u)) * 4 + z);
      break;
    }
    case H_TEST: {
      const form: u32 = (inMemory ? 2 : 0) + (flags & UF_IMM ? 1 : 0);
      setOp(u, OP_TEST + form * 4 + z);
      break;
    }
    case H_MOV: {
      const form = twoOperandForm(u);
      const plain = (form == FORM_RM || form == FORM_MR) && z != 1 && uIndex(u) == REG_ZERO;
      setOp(u, plain ? OP_MOV_PLAIN + (z == 0 ? 0 : z - 1) * 2 + (form - FORM_RM) : OP_MOV + form * 4 + z);
      break;
    }
    case H_INC_DEC: {
      const opcode = uOpcode(u);
      const decrement: u32 = opcode < 0xf0 ? (opcode >> 3) & 1 : uModReg(u);
      setOp(u, OP_INC + decrement * 8 + memory * 4 + z);
      break;
    }
    case H_NOT: if (bytes >= 4 && !inMemory) setOp(u, OP_NOT + wide); break;
    case H_NEG: if (bytes >= 4 && !inMemory) setOp(u, OP_NEG + wide); break;
    case H_MOVZX: if (bytes >= 4) setOp(u, OP_MOVZX + (uOpcode(u) & 1) * 2 + memory); break;
    case H_MOVSX: if (bytes >= 4) setOp(u, OP_MOVSX + wide * 6 + (uOpcode(u) & 1) * 2 + memory); break;
    case H_MOVSXD: if (bytes >= 4) setOp(u, OP_MOVSX + wide * 6 + 4 + memory); break;
    case H_LEA:
      if (bytes >= 4 && uAddrSize(u) == (long ? 8 : 4)) setOp(u, OP_LEA + wide);
      break;
    case H_XCHG: if (bytes >= 4 && !inMemory) setOp(u, OP_XCHG + wide); break;
    case H_CBW: if (bytes >= 4) setOp(u, OP_CBW + wide); break;
    case H_CWD: if (bytes >= 4) setOp(u, OP_CBW + 2 + wide); break;
    case H_BSWAP: if (bytes >= 4) setOp(u, OP_BSWAP + wide); break;
    case H_NOP: setOp(u, OP_NOP); break;
    case H_CMOV: if (bytes >= 4) setOp(u, OP_CMOV + wide * 2 + memory); break;
    case H_SETCC: if (!inMemory) setOp(u, OP_SETCC); break;
    case H_SHIFT: specialiseShift(u, wide); break;
    case H_IMUL2: if (bytes >= 4) setOp(u, OP_IMUL + memory * 2 + wide); break;
    case H_IMUL3: if (bytes >= 4) setOp(u, OP_IMUL + 4 + memory * 2 + wide); break;
    case H_PUSH:
      if (stack) setOp(u, stack + (flags & UF_IMM ? STACK_PUSH_I : inMemory ? STACK_PUSH_M : STACK_PUSH_R));
      break;
    case H_POP: if (stack && !inMemory) setOp(u, stack + STACK_POP_R); break;
    case H_LEAVE: if (stack) setOp(u, stack + STACK_LEAVE); break;
    case H_CALL: if (stack && setTarget(u, u)) setOp(u, stack + STACK_CALL_J); break;
    case H_CALL_NEAR: if (stack) setOp(u, stack + STACK_CALL_R + memory); break;
    case H_JMP_NEAR: if (stack) setOp(u, stack + STACK_JMP_R + memory); break;
    case H_RET: if (stack) setOp(u, stack + STACK_RET); break;
    case H_JMP: if (near && setTarget(u, u)) setOp(u, OP_JMP); break;
    case H_JCC: if (near && setTarget(u, u)) setOp(u, OP_JCC + (uOpcode(u) & 15)); break;
  }
}

/** SSE moves of whole registers have cases; the other vector instructions are called from theirs. */
function specialiseVector(u: usize, inMemory: bool): void {
  const op = uOp(u);
  if (op == H_VECTOR_LOAD || op == H_VECTOR_STORE) {
    const writes: u32 = op == H_VECTOR_STORE ? 1 : 0;
    const aligned = uOperation(u) == M_ALIGNED;
    const vex = (uImm2(u) & UV_VEX) != 0;
    if (inMemory && uFlags(u) & UF_SIMPLE && !(vex && aligned)) {
      // SSE unaligned, SSE aligned, VEX.128, VEX.256
      const kind: u32 = vex ? (uImm2(u) & UV_L ? 3 : 2) : aligned ? 1 : 0;
      setOp(u, OP_VECTOR_MOVE + kind * 2 + writes);
      return;
    }
    if (!inMemory && !writes && !vex) {
      setOp(u, OP_VECTOR_MOVE + 8);
      return;
    }
  }
  setOp(u, OP_VECTOR + ((op - H_LEAN) >> 1));
}

/** Shifts of 32- and 64-bit registers; ROL and ROR by an immediate. A count of 0 stays with the handler. */
function specialiseShift(u: usize, wide: u32): void {
  const flags = uFlags(u);
  if (uOpSize(u) < 4 || flags & UF_MEM) return;
  const operation = uModReg(u);
  if (operation == 2 || operation == 3) return;
  if (flags & UF_IMM) {
    const count = uImm(u) & (wide ? 63 : 31);
    if (count == 0) return;
    store<u64>(u, count, 16);
    if (operation < 2) setOp(u, OP_ROTATE_I + operation * 2 + wide);
    else setOp(u, OP_SHIFT_I + shiftNumber(operation) * 2 + wide);
  } else if (operation >= 4) setOp(u, OP_SHIFT_CL + shiftNumber(operation) * 2 + wide);
}

/** 0 SHL (and SAL), 1 SHR, 2 SAR. */
@inline function shiftNumber(operation: u32): u32 { return operation == 5 ? 1 : operation == 7 ? 2 : 0; }

/** Number of the fused case for `u` followed by J<cc>, or 0. */
function fusedOp(u: usize, cc: u32): u32 {
  const op = uOp(u);
  if (op >= OP_ALU && op < OP_TEST) {
    const at = op - OP_ALU;
    const operation = at / 20;
    const form = (at / 4) % 5;
    const size = at & 3;
    if (operation == ALU_CMP) {
      if (size >= 2 && (form == FORM_RR || form == FORM_RI)) {
        return OP_CMP_JCC + ((form == FORM_RI ? 2 : 0) + (size - 2)) * 16 + cc;
      }
      // RR8 (RI8 has its conditions apart), then MR, MI and RM with 8, 32 and 64 bits
      if (size == 1) return 0;
      const place: u32 = size == 0 ? 0 : size - 1;
      if (form == FORM_RR) return OP_CMPX_JCC;
      if (form == FORM_RI) return OP_BYTE_JCC + cc;
      return OP_CMPX_JCC + 2 + (form == FORM_MR ? 0 : form == FORM_MI ? 3 : 6) + place;
    }
    if (form != FORM_RI || size < 2 || (cc != 4 && cc != 5)) return 0;
    const sense: u32 = cc == 4 ? 1 : 0;
    if (operation == ALU_ADD) return OP_ALU_JZ + (size - 2) * 2 + sense;
    if (operation == ALU_SUB) return OP_ALU_JZ + 4 + (size - 2) * 2 + sense;
    if (operation == ALU_AND) return OP_ALU_JZ + 8 + (size - 2) * 2 + sense;
    return 0;
  }
  if (op >= OP_TEST && op < OP_INC) {
    const at = op - OP_TEST;
    const form = at >> 2;
    const size = at & 3;
    if (size >= 2 && form < 2) return OP_TEST_JCC + (form * 2 + (size - 2)) * 16 + cc;
    if (size == 0 && form == 1) return OP_BYTE_JCC + 16 + cc;
    if (size == 0 && form == 0) return OP_TESTX_JCC;
    if (form == 3 && size == 0) return OP_TESTX_JCC + 2;
    if (form == 3 && size == 2) return OP_TESTX_JCC + 3;
    return 0;
  }
  if (op >= OP_INC && op < OP_NOT) {
    const at = op - OP_INC;
    const size = at & 3;
    if (at & 4 || size < 2 || (cc != 4 && cc != 5)) return 0;
    return OP_ALU_JZ + 12 + (at >> 3) * 4 + (size - 2) * 2 + (cc == 4 ? 1 : 0);
  }
  return 0;
}

/** Joins the last two micro-ops when they are a compare and its branch; answers the new end. */
function fuse(first: usize, end: usize): usize {
  const branch = end - UOP_BYTES;
  const compare = branch - UOP_BYTES;
  if (compare < first || uOp(branch) < OP_JCC || uOp(branch) >= OP_JCC + 16) return end;
  const cc = uOp(branch) - OP_JCC;
  const op = fusedOp(compare, cc);
  if (op == 0) return end;
  setOp(compare, op);
  store<i32>(compare, load<i32>(branch, 28), 28);
  store<u8>(compare, u8(uLen(compare) + uLen(branch)), 14);
  store<u16>(compare, u16(uNext(branch)), 12);
  store<u32>(compare, (uFlags(compare) & ~(0xff << UF_OPCODE_SHIFT)) | (cc << UF_OPCODE_SHIFT), 24);
  return branch;
}

/**
 * Finishes the micro-ops in [first, end) of a block of `count` instructions and `bytes` bytes. Blocks of
 * MODE_SINGLE keep their handlers. Answers the end of the block's micro-ops.
 */
export function finishBlock(first: usize, end: usize, ended: bool, mode: u32, bytes: u32, count: u32): usize {
  if (mode & MODE_SINGLE) return end;
  for (let u = first; u < end; u += UOP_BYTES) specialise(u, mode);
  if (ended) return fuse(first, end);
  memory.fill(end, 0, UOP_BYTES);
  store<u16>(end, OP_NEXT);
  store<u16>(end, u16(bytes), 12);
  store<u8>(end, u8(count), 15);
  return end + UOP_BYTES;
}
