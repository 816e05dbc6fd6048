// Finishing a decoded block: micro-ops of handlers become the dispatcher's own cases where the table of rows has
// one, a compare and the branch behind it become one micro-op, and the last one leads on to the next block.
import {
  GPR, MODE_CODE32, MODE_CODE64, MODE_FLAT, MODE_SINGLE, MODE_STACK32, READ_ROOMS, REG_ZERO, SEGMENTS, SEGMENT_BYTES, SEGMENT_LINEAR, SEG_BASE, SEG_FS,
  WRITE_ROOMS,
} from '../layout';
import {
  UF_DST_REG, UF_FUSED_SHIFT, UF_HIGH_R, UF_HIGH_RM, UF_IMM, UF_MEM, UF_MOFFS, UF_OPCODE_SHIFT, UF_REP, UF_REPNE, UF_SIMPLE, UOP_BYTES, uAddrSize, uBase, uFlags, uImm, uImm2, uIndex, uLen, uModReg, uNext, uOp,
  uOperation, uOpSize, uOpcode, uReg, uRm, uSeg, UV_L, UV_VEX,
} from '../uop';
import {
  H_ALU, H_BLS, H_BT, H_FENCE, H_FLAG_OP, H_LAHF, H_LODS, H_MOVS, H_SAHF, H_SHLD, H_SHRD, H_STOS, H_CALL, H_CALL_NEAR, H_FIRST, H_INC_DEC, H_JCC, H_JMP, H_JMP_NEAR, H_LEA, H_LEAN, H_LEAVE, H_LOOP, H_MOV, H_MOVSX, H_MOVZX, H_NOP, H_POP, H_PUSH, H_RET, H_SHIFT,
  H_TEST, H_VECTOR_LOAD, H_VECTOR_STORE, H_XCHG,
} from '../generated/handlers';
import {
  ACCESS_WRITES, DECODED_FORMS, FORM_MI, FORM_MR, FORM_RI, FORM_RM, FORM_RR, FUSED, FUSE_ALL, FUSE_EACH, OP_JCC, OP_NEXT, OP_SEGMENT_16, OP_SEGMENT_32, OP_VECTOR, OP_VECTOR_COPY, ROW_ACCESS, ROW_FIRST,
  ROW_OPERATIONS, ROW_PLACES, ROW_VEX, VECTOR_LOADS, VECTOR_STORES,
} from '../generated/ops';
import { M_ALIGNED } from '../generated/vector-ops';

const NO_OPERATION: u32 = 0xff;

/** Target of the direct branch that ends the block, as an offset from its start. */
let target: i32 = 0;
export function branchTarget(): i32 { return target; }

/** Near stack operations: with the one width of a flat mode, through SS with a stack of 16 bits, and of 32. */
const STACK_FLAT: u32 = 0;
const STACK_16: u32 = 1;
const STACK_32: u32 = 2;

function stackOf(mode: u32): u32 {
  if (mode & MODE_CODE64 || (mode & (MODE_FLAT | MODE_STACK32)) == (MODE_FLAT | MODE_STACK32)) return STACK_FLAT;
  return mode & MODE_STACK32 ? STACK_32 : STACK_16;
}

@inline function setOp(u: usize, op: u32): void { store<u16>(u, u16(op)); }

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

/** Operands as the rows' forms; one operand counts as the first of two. */
function formOf(flags: u32): u32 {
  if (flags & UF_MEM) return flags & UF_IMM ? FORM_MI : flags & UF_DST_REG ? FORM_RM : FORM_MR;
  return flags & UF_IMM ? FORM_RI : FORM_RR;
}

/** Which of its handler's operations the micro-op is; NO_OPERATION: one without row. */
function operationOf(u: usize, handler: u32, mode: u32): u32 {
  switch (handler) {
    case H_ALU: return uOpcode(u) < 0x40 ? uOpcode(u) >> 3 : uModReg(u);
    case H_INC_DEC: return uOpcode(u) < 0xf0 ? (uOpcode(u) >> 3) & 1 : uModReg(u);
    case H_MOVZX: case H_MOVSX: return uOpcode(u) & 1;
    case H_JCC: return uOpcode(u) & 15;
    case H_SHIFT: {
      const operation = uModReg(u);
      if (uFlags(u) & UF_IMM) {
        // a count of 0 changes nothing, and one above the operand's size has results of its own: the handler knows
        const count = uImm(u) & (uOpSize(u) == 8 ? 63 : 31);
        if (count == 0 || count >= u64(uOpSize(u) << 3)) return NO_OPERATION;
        if ((operation == 2 || operation == 3) && count != 1) return NO_OPERATION;
      }
      return operation == 6 ? 4 : operation;
    }
    case H_SHLD: case H_SHRD:
      return uFlags(u) & UF_IMM && (uImm(u) & (uOpSize(u) == 8 ? 63 : 31)) == 0 ? NO_OPERATION : 0;
    case H_BT: return uFlags(u) & UF_IMM ? uModReg(u) & 3 : (uOpcode(u) >> 3) & 3;
    case H_BLS: return uModReg(u);
    case H_PUSH: case H_POP: case H_CALL: case H_CALL_NEAR: case H_RET: {
      const stack = stackOf(mode);
      // 16 bits in a flat mode of 32
      return stack == STACK_FLAT && uOpSize(u) == 2 && !(mode & MODE_CODE64) ? STACK_32 : stack;
    }
    case H_JMP_NEAR: return mode & (MODE_CODE64 | MODE_FLAT) ? 0 : 1;
    case H_LEA: return uAddrSize(u) == 2 ? 1 : 0;
    case H_LOOP: return uOpcode(u) == 0xe2 ? ctz<u32>(uAddrSize(u)) - 1 : NO_OPERATION;
    case H_FLAG_OP: {
      // CMC, CLC, STC, CLD, STD
      const opcode = uOpcode(u);
      return opcode == 0xf5 ? 0 : opcode < 0xfc ? opcode - 0xf7 : opcode - 0xf9;
    }
    default: return 0;
  }
}

/** Near branches and stack operations need the one width of a flat mode. */
function widthFits(u: usize, handler: u32, mode: u32): bool {
  const bytes = uOpSize(u);
  const long = (mode & MODE_CODE64) != 0;
  switch (handler) {
    case H_LEAVE: return stackOf(mode) == STACK_FLAT && bytes == (long ? 8 : 4);
    case H_PUSH: case H_POP: return long ? bytes == 8 : true;
    case H_CALL: case H_CALL_NEAR: case H_RET: case H_JMP_NEAR: case H_JMP: case H_JCC: case H_LOOP:
      // a target of 16 bits needs code whose limit is looked at
      return long ? bytes == 8 : bytes == 4 || (mode & (MODE_FLAT | MODE_CODE32)) == 0;
    case H_LEA: return long ? uAddrSize(u) == 8 : uAddrSize(u) != 8;
    case H_LODS: case H_STOS: case H_MOVS:
      return (mode & MODE_FLAT) != 0 && !(uFlags(u) & (UF_REP | UF_REPNE)) && uAddrSize(u) == (long ? 8 : 4) && uSeg(u) < <u32>SEG_FS;
    default: return true;
  }
}

/** Stores a branch's distance from the block's start where the dispatcher looks for it; false: it does not fit. */
function setTarget(u: usize): bool {
  const to = i64(uNext(u)) + i64(uImm(u));
  if (to != i64(i32(to))) return false;
  target = i32(to);
  store<i32>(u, target, 28);
  return true;
}

/**
 * FS and GS in 64-bit mode have no limit: where one register of the address is free, the base of the segment takes its
 * place. It has a number as if it were a register, by where it lies behind them (uop.ts).
 */
function addSegment(u: usize, mode: u32): bool {
  if (!(mode & MODE_CODE64) || uSeg(u) < <u32>SEG_FS || uAddrSize(u) != 8 || uFlags(u) & UF_MOFFS) return false;
  const base = (SEGMENTS - GPR + uSeg(u) * SEGMENT_BYTES + SEG_BASE) >> 3;
  if (uIndex(u) == REG_ZERO) {
    store<u8>(u, u8(base), 5);
    store<u8>(u, 0, 6);
  } else if (uBase(u) == REG_ZERO) store<u8>(u, u8(base), 4);
  else return false;
  return true;
}

/**
 * Outside 64-bit mode a micro-op of its own finds the linear address of an operand in a segment that is not flat, and makes
 * way for its handler where the segment does not allow the access. Answers the end of the micro-ops.
 */
function insertSegment(u: usize, end: usize, op: u32): usize {
  const access: u32 = load<u8>(ROW_ACCESS + op);
  memory.copy(u + UOP_BYTES, u, end - u);
  const seg = uSeg(u);
  const own = u + UOP_BYTES;
  if (uFlags(u) & UF_MOFFS) store<i32>(u, i32(uImm(u)), 8);
  store<u16>(u, u16(uAddrSize(u) == 2 ? OP_SEGMENT_16 : OP_SEGMENT_32));
  store<u8>(u, u8((SEGMENTS - GPR + seg * SEGMENT_BYTES + SEG_BASE) >> 3), 2);
  store<u8>(u, u8(((access & ACCESS_WRITES ? WRITE_ROOMS : READ_ROOMS) - GPR + (seg << 3)) >> 3), 3);
  store<u16>(u, u16(uNext(own) - uLen(own)), 12);
  store<u8>(u, 0, 14);
  store<u64>(u, access & ~ACCESS_WRITES, 16);
  store<u64>(u, 0, 24);
  store<u8>(own, u8((SEGMENT_LINEAR - GPR) >> 3), 4);
  store<u8>(own, REG_ZERO, 5);
  store<u8>(own, 0, 6);
  store<i32>(own, 0, 8);
  return end + UOP_BYTES;
}

/** Gives the micro-op a case of the dispatcher's own when there is a row for it. Answers the end of the micro-ops. */
function specialise(u: usize, end: usize, mode: u32): usize {
  const inMemory = (uFlags(u) & UF_MEM) != 0;
  if (uOp(u) >= H_LEAN) {
    specialiseVector(u, inMemory);
    return end;
  }
  const handler = uOp(u) & ~1;
  const n = (handler - H_FIRST) >> 1;
  const operation = operationOf(u, handler, mode);
  if (operation >= u32(load<u8>(ROW_OPERATIONS + n)) || !widthFits(u, handler, mode)) return end;
  if (load<u8>(ROW_VEX + n) && !(mode & MODE_CODE64)) return end;
  if (!inMemory && uFlags(u) & UF_DST_REG && !(uFlags(u) & UF_IMM) && (handler == H_ALU || handler == H_MOV || handler == H_TEST || handler == H_XCHG)) {
    swapRegisters(u);
  }
  const bare = handler == H_NOP || handler == H_FENCE || handler == H_FLAG_OP || handler == H_LAHF || handler == H_SAHF;
  const form = bare ? FORM_RR : formOf(uFlags(u));
  const size = bare ? 0 : ctz<u32>(uOpSize(u));
  const place = ROW_PLACES + (u32(load<u16>(ROW_FIRST + (n << 1))) + ((operation * DECODED_FORMS + form) * 4 + size) * 2) * 2;
  let op: u32 = load<u16>(place);
  if (op == 0) return end;
  let far = false;
  if (inMemory && !(uFlags(u) & UF_SIMPLE) && handler != H_LEA && !bare) {
    far = !(mode & MODE_CODE64) && uAddrSize(u) != 8 && load<u8>(ROW_ACCESS + op) != 0;
    if (!far && !addSegment(u, mode)) return end;
  } else if (inMemory && uIndex(u) == REG_ZERO && load<u16>(place, 2)) op = load<u16>(place, 2);
  if (handler == H_CALL || handler == H_JMP || handler == H_JCC || handler == H_LOOP) {
    if (!setTarget(u)) return end;
  }
  if (handler == H_SHIFT && uFlags(u) & UF_IMM) store<u64>(u, uImm(u) & (uOpSize(u) == 8 ? 63 : 31), 16);
  setOp(u, op);
  return far ? insertSegment(u, end, op) : end;
}

/** SSE moves of whole registers have cases; the other vector instructions are called from theirs. */
function specialiseVector(u: usize, inMemory: bool): void {
  const op = uOp(u);
  if (op == H_VECTOR_LOAD || op == H_VECTOR_STORE) {
    const aligned = uOperation(u) == M_ALIGNED;
    const vex = (uImm2(u) & UV_VEX) != 0;
    if (inMemory && uFlags(u) & UF_SIMPLE && !(vex && aligned)) {
      // SSE unaligned, SSE aligned, VEX.128, VEX.256
      const kind: u32 = vex ? (uImm2(u) & UV_L ? 3 : 2) : aligned ? 1 : 0;
      setOp(u, load<u16>((op == H_VECTOR_STORE ? VECTOR_STORES : VECTOR_LOADS) + (kind << 1)));
      return;
    }
    if (!inMemory && op == H_VECTOR_LOAD && !vex) {
      setOp(u, OP_VECTOR_COPY);
      return;
    }
  }
  setOp(u, OP_VECTOR + ((op - H_LEAN) >> 1));
}

/** Number of the fused case for the micro-op `op` followed by J<cc>, or 0. */
function fusedOp(op: u32, cc: u32): u32 {
  if (op >= OP_VECTOR) return 0;
  const first: u32 = load<u16>(FUSED + (op << 2));
  if (first == 0) return 0;
  const kind: u32 = load<u16>(FUSED + (op << 2), 2);
  if (kind == FUSE_EACH) return first + cc;
  if (kind == FUSE_ALL) return first;
  return (cc & ~1) == 4 ? first + (cc & 1) : 0;
}

/** Joins the last two micro-ops when they are a compare and its branch; answers the new end. */
function fuse(first: usize, end: usize): usize {
  const branch = end - UOP_BYTES;
  const compare = branch - UOP_BYTES;
  if (compare < first || uOp(branch) < OP_JCC || uOp(branch) >= OP_JCC + 16) return end;
  const cc = uOp(branch) - OP_JCC;
  const op = fusedOp(uOp(compare), cc);
  if (op == 0) return end;
  setOp(compare, op);
  store<i32>(compare, load<i32>(branch, 28), 28);
  store<u8>(compare, u8(uLen(compare) + uLen(branch)), 14);
  store<u16>(compare, u16(uNext(branch)), 12);
  // of the comparison's opcode and ModRM.reg nobody asks any more
  const kept = uFlags(compare) & ~((0xff << UF_OPCODE_SHIFT) | (15 << UF_FUSED_SHIFT));
  store<u32>(compare, kept | (cc << UF_OPCODE_SHIFT) | (uLen(branch) << UF_FUSED_SHIFT), 24);
  return branch;
}

/**
 * Finishes the micro-ops in [first, end) of a block of `count` instructions and `bytes` bytes. Blocks of
 * MODE_SINGLE keep their handlers. Answers the end of the block's micro-ops.
 */
export function finishBlock(first: usize, end: usize, ended: bool, mode: u32, bytes: u32, count: u32): usize {
  target = 0;
  if (mode & MODE_SINGLE) return end;
  for (let u = first; u < end; u += UOP_BYTES) {
    const more = specialise(u, end, mode);
    if (more != end) u += UOP_BYTES;
    end = more;
  }
  if (ended) return fuse(first, end);
  memory.fill(end, 0, UOP_BYTES);
  store<u16>(end, OP_NEXT);
  store<u16>(end, u16(bytes), 12);
  store<u8>(end, u8(count), 15);
  return end + UOP_BYTES;
}
