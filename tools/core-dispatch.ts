// Text of generated/dispatch.ts: the interpreter's one big switch, case by case from templates.
//
// A case reads its micro-op at u and either goes on (`u += 32; continue`), ends the block with the next
// RIP in `rip` (`break`), or leaves it by stop() before it has changed anything. Flags live in locals: kind k
// with result fr and first operand fs. Few locals go round the loop: V8 shuffles them on each of its 480 back edges,
// so what is needed once per block is in memory.
import { CONDITIONS } from '../src/spec/opcodes/index.js';

const TYPES = ['u8', 'u16', 'u32', 'u64'] as const;
const SIGNED = ['i8', 'i16', 'i32', 'i64'] as const;
const ALU = ['ADD', 'OR', 'ADC', 'SBB', 'AND', 'SUB', 'XOR', 'CMP'] as const;

const NEXT = 'u += 32; continue;';
const SZP = 1;
const ADD = 4;
const SUB = 8;
const ADC = 12;
const SBB = 16;
const INC = 20;
const DEC = 24;

interface Case {
  number: number;
  label: string;
  body: string;
}

const cases: Case[] = [];
const bases: { name: string; number: number }[] = [];
let nextNumber = 2;

/** Begins a family: exports its first number as OP_<name>. */
function family(name: string): void {
  bases.push({ name, number: nextNumber });
}

function emit(label: string, body: string): void {
  cases.push({ number: nextNumber++, label, body });
}

const pointer = (what: 'r' | 'rm', z: number): string =>
  z === 0 ? (what === 'r' ? 'byteR(u)' : 'byteRm(u)') : `(${what === 'r' ? 'uReg' : 'uRm'}(u) << 3)`;
const read = (what: 'r' | 'rm', z: number): string => `load<${TYPES[z]}>(${pointer(what, z)}, GPR)`;
const write = (what: 'r' | 'rm', z: number, value: string): string =>
  z === 2
    ? `store<u64>(${pointer(what, z)}, u64(${value}), GPR);`
    : `store<${TYPES[z]}>(${pointer(what, z)}, ${value}, GPR);`;
const immediate = (z: number): string => `load<${TYPES[z]}>(u, 16)`;
const extended = (z: number, value: string): string => `i64(<${SIGNED[z]}>${value})`;
const FAIL = 'return stop(u, k, fr, fs);';
const STACK_FAIL = '{ asStackFault(); return stop(u, k, fr, fs); }';
const loadFrom = (z: number): string => `const p = readable<${TYPES[z]}>(address(u) & mask); if (!p) ${FAIL}`;
const modify = (z: number): string => `const p = modifiable<${TYPES[z]}>(address(u) & mask); if (!p) ${FAIL}`;
const commit = (z: number, value: string): string =>
  `store<${TYPES[z]}>(p, ${value}); if (!wrote<${TYPES[z]}>(p)) ${FAIL}`;

/** Result of an ALU operation and, separately, its flags (to be set when nothing can fault any more). */
function alu(o: number, z: number): { result: string; flags: string } {
  const type = TYPES[z];
  const name = ALU[o];
  switch (name) {
    case 'ADD':
      return { result: `const r = <${type}>(a + b);`, flags: `k = ${ADD + z}; fs = u64(a); fr = ${extended(z, 'r')};` };
    case 'SUB':
    case 'CMP':
      return { result: `const r = <${type}>(a - b);`, flags: `k = ${SUB + z}; fs = u64(a); fr = ${extended(z, 'r')};` };
    case 'ADC':
    case 'SBB': {
      const sign = name === 'ADC' ? '+' : '-';
      const [plain, carried] = name === 'ADC' ? [ADD, ADC] : [SUB, SBB];
      return {
        result: `const c = <${type}>carryOf(k, fr, fs); const r = <${type}>(a ${sign} b ${sign} c);`,
        flags: `k = c ? ${carried + z} : ${plain + z}; fs = u64(a); fr = ${extended(z, 'r')};`,
      };
    }
    default: {
      const sign = name === 'OR' ? '|' : name === 'AND' ? '&' : '^';
      return { result: `const r = <${type}>(a ${sign} b);`, flags: `k = ${SZP}; fs = 0; fr = ${extended(z, 'r')};` };
    }
  }
}

function aluCases(): void {
  family('ALU');
  ALU.forEach((name, o) => {
    for (const form of ['RR', 'RM', 'MR', 'RI', 'MI']) {
      for (let z = 0; z < 4; z++) {
        const { result, flags } = alu(o, z);
        const compare = name === 'CMP';
        const b = form.endsWith('I') ? immediate(z) : form === 'RM' ? `load<${TYPES[z]}>(p)` : read('r', z);
        const label = `${name} ${form} ${8 << z}`;
        if (form === 'RR' || form === 'RI') {
          emit(
            label,
            `const a = ${read('rm', z)}, b = ${b}; ${result} ${compare ? '' : write('rm', z, 'r')} ${flags} ${NEXT}`,
          );
        } else if (form === 'RM') {
          emit(
            label,
            `${loadFrom(z)} const a = ${read('r', z)}, b = ${b}; ${result} ${compare ? '' : write('r', z, 'r')} ${flags} ${NEXT}`,
          );
        } else {
          const access = compare ? loadFrom(z) : modify(z);
          emit(
            label,
            `${access} const a = load<${TYPES[z]}>(p), b = ${b}; ${result} ${compare ? '' : commit(z, 'r')} ${flags} ${NEXT}`,
          );
        }
      }
    }
  });
  family('TEST');
  for (const form of ['RR', 'RI', 'MR', 'MI']) {
    for (let z = 0; z < 4; z++) {
      const b = form.endsWith('I') ? immediate(z) : read('r', z);
      const a = form.startsWith('M') ? `load<${TYPES[z]}>(p)` : read('rm', z);
      emit(
        `TEST ${form} ${8 << z}`,
        `${form.startsWith('M') ? loadFrom(z) : ''} k = ${SZP}; fs = 0; fr = ${extended(z, `(${a} & ${b})`)}; ${NEXT}`,
      );
    }
  }
  family('INC');
  for (const [name, kind, sign] of [
    ['INC', INC, '+'],
    ['DEC', DEC, '-'],
  ] as const) {
    for (const form of ['R', 'M']) {
      for (let z = 0; z < 4; z++) {
        const keep = `if (k < ${INC}) keepCarry(k, fr, fs);`;
        const flags = `${keep} k = ${kind + z}; fr = ${extended(z, 'r')};`;
        const compute = (from: string): string => `const r = <${TYPES[z]}>(${from} ${sign} 1);`;
        emit(
          `${name} ${form} ${8 << z}`,
          form === 'R'
            ? `${compute(read('rm', z))} ${write('rm', z, 'r')} ${flags} ${NEXT}`
            : `${modify(z)} ${compute(`load<${TYPES[z]}>(p)`)} ${commit(z, 'r')} ${flags} ${NEXT}`,
        );
      }
    }
  }
  family('NOT');
  for (const z of [2, 3]) emit(`NOT R ${8 << z}`, `${write('rm', z, `<${TYPES[z]}>(~${read('rm', z)})`)} ${NEXT}`);
  family('NEG');
  for (const z of [2, 3]) {
    emit(
      `NEG R ${8 << z}`,
      `const r = <${TYPES[z]}>(0 - ${read('rm', z)}); ${write('rm', z, 'r')} k = ${SUB + z}; fs = 0; fr = ${extended(z, 'r')}; ${NEXT}`,
    );
  }
}

function moveCases(): void {
  family('MOV');
  for (const form of ['RR', 'RM', 'MR', 'RI', 'MI']) {
    for (let z = 0; z < 4; z++) {
      const label = `MOV ${form} ${8 << z}`;
      const source = form.endsWith('I') ? immediate(z) : read('r', z);
      if (form === 'RM') emit(label, `${loadFrom(z)} ${write('r', z, `load<${TYPES[z]}>(p)`)} ${NEXT}`);
      else if (form.startsWith('R')) emit(label, `${write('rm', z, source)} ${NEXT}`);
      else emit(label, `if (!stored<${TYPES[z]}>(address(u) & mask, ${source})) ${FAIL} ${NEXT}`);
    }
  }
  // Base and displacement only: what most loads and stores are.
  family('MOV_PLAIN');
  for (const z of [0, 2, 3]) {
    emit(
      `MOV RM ${8 << z}, no index`,
      `${loadFrom(z).replace('address(u)', 'addressPlain(u)')} ${write('r', z, `load<${TYPES[z]}>(p)`)} ${NEXT}`,
    );
    emit(
      `MOV MR ${8 << z}, no index`,
      `if (!stored<${TYPES[z]}>(addressPlain(u) & mask, ${read('r', z)})) ${FAIL} ${NEXT}`,
    );
  }
  family('MOVZX');
  for (const z of [0, 1]) {
    emit(`MOVZX RR ${8 << z}`, `store<u64>(uReg(u) << 3, u64(${read('rm', z)}), GPR); ${NEXT}`);
    emit(`MOVZX RM ${8 << z}`, `${loadFrom(z)} store<u64>(uReg(u) << 3, u64(load<${TYPES[z]}>(p)), GPR); ${NEXT}`);
  }
  family('MOVSX');
  for (const to of [2, 3]) {
    for (const z of [0, 1, 2]) {
      const widen = (value: string): string =>
        to === 2 ? `u64(u32(i32(<${SIGNED[z]}>${value})))` : `u64(i64(<${SIGNED[z]}>${value}))`;
      emit(`MOVSX RR ${8 << z} to ${8 << to}`, `store<u64>(uReg(u) << 3, ${widen(read('rm', z))}, GPR); ${NEXT}`);
      emit(
        `MOVSX RM ${8 << z} to ${8 << to}`,
        `${loadFrom(z)} store<u64>(uReg(u) << 3, ${widen(`load<${TYPES[z]}>(p)`)}, GPR); ${NEXT}`,
      );
    }
  }
  family('LEA');
  emit('LEA 32', `store<u64>(uReg(u) << 3, address(u) & 0xffffffff, GPR); ${NEXT}`);
  emit('LEA 64', `store<u64>(uReg(u) << 3, address(u), GPR); ${NEXT}`);
  family('XCHG');
  for (const z of [2, 3]) {
    emit(
      `XCHG RR ${8 << z}`,
      `const a = ${read('rm', z)}, b = ${read('r', z)}; ${write('rm', z, 'b')} ${write('r', z, 'a')} ${NEXT}`,
    );
  }
  family('CBW');
  emit('CWDE', `store<u64>(RAX, u64(u32(i32(load<i16>(RAX))))); ${NEXT}`);
  emit('CDQE', `store<u64>(RAX, u64(i64(load<i32>(RAX)))); ${NEXT}`);
  emit('CDQ', `store<u64>(RDX, u64(u32(load<i32>(RAX) >> 31))); ${NEXT}`);
  emit('CQO', `store<u64>(RDX, u64(load<i64>(RAX) >> 63)); ${NEXT}`);
  family('BSWAP');
  emit('BSWAP 32', `store<u64>(uRm(u) << 3, u64(bswap<u32>(load<u32>(uRm(u) << 3, GPR))), GPR); ${NEXT}`);
  emit('BSWAP 64', `store<u64>(uRm(u) << 3, bswap<u64>(load<u64>(uRm(u) << 3, GPR)), GPR); ${NEXT}`);
  family('NOP');
  emit('NOP', NEXT);
  family('CMOV');
  const test = 'testCondition(uOpcode(u) & 15, k, fr, fs)';
  for (const z of [2, 3]) {
    emit(`CMOV RR ${8 << z}`, `${write('r', z, `${test} ? ${read('rm', z)} : ${read('r', z)}`)} ${NEXT}`);
    emit(
      `CMOV RM ${8 << z}`,
      `${loadFrom(z)} ${write('r', z, `${test} ? load<${TYPES[z]}>(p) : ${read('r', z)}`)} ${NEXT}`,
    );
  }
  family('SETCC');
  emit('SETCC R', `store<u8>(byteRm(u), u8(${test}), GPR); ${NEXT}`);
}

function shiftCases(): void {
  for (const by of ['I', 'CL']) {
    family(`SHIFT_${by}`);
    for (const name of ['SHL', 'SHR', 'SAR'] as const) {
      for (const z of [2, 3]) {
        const type = TYPES[z];
        const signed = SIGNED[z];
        const top = (8 << z) - 1;
        const count = by === 'I' ? `load<${type}>(u, 16)` : `<${type}>load<u8>(RCX) & ${top}`;
        const zero = by === 'CL' ? `if (!n) { ${z === 2 ? write('rm', z, 'a') : ''} ${NEXT} }` : '';
        const compute = {
          SHL: `const r = a << n; const c = u32(a >> (${top + 1} - n)) & 1; fs = u64(c | (c ^ u32(r >> ${top})) << 11);`,
          SHR: `const r = a >> n; fs = u64((u32(a >> (n - 1)) & 1) | (u32(r >> ${top - 1}) & 1) << 11);`,
          SAR: `const r = <${type}>(<${signed}>a >> <${signed}>n); fs = u64(u32(<${signed}>a >> <${signed}>(n - 1)) & 1);`,
        }[name];
        emit(
          `${name} ${by} ${8 << z}`,
          `const a = ${read('rm', z)}, n = ${count}; ${zero} ${compute} ${write('rm', z, 'r')} k = ${SZP}; fr = ${extended(z, 'r')}; ${NEXT}`,
        );
      }
    }
  }
  family('ROTATE_I');
  for (const name of ['ROL', 'ROR'] as const) {
    for (const z of [2, 3]) {
      const top = (8 << z) - 1;
      const bits =
        name === 'ROL'
          ? `const c = u32(r) & 1; const o = c ^ u32(r >> ${top});`
          : `const c = u32(r >> ${top}); const o = c ^ (u32(r >> ${top - 1}) & 1);`;
      emit(
        `${name} I ${8 << z}`,
        `const r = ${name === 'ROL' ? 'rotl' : 'rotr'}<${TYPES[z]}>(${read('rm', z)}, ${immediate(z)}); ${write('rm', z, 'r')}
      if (k) { storeStatus(k, fr, fs); k = 0; } ${bits} store<u32>(RFLAGS, (load<u32>(RFLAGS) & ~0x801) | c | o << 11); ${NEXT}`,
      );
    }
  }
  family('IMUL');
  for (const form of ['RR', 'RM', 'RRI', 'RMI']) {
    for (const z of [2, 3]) {
      const fromMemory = form.startsWith('RM');
      const b = fromMemory ? `load<${SIGNED[z]}>(p)` : `load<${SIGNED[z]}>(uRm(u) << 3, GPR)`;
      const a = form.endsWith('I') ? `load<${SIGNED[z]}>(u, 16)` : `load<${SIGNED[z]}>(uReg(u) << 3, GPR)`;
      const product =
        z === 2
          ? 'const w = i64(a) * i64(b); const r = i32(w); const o = w != i64(r);'
          : 'const r = a * b; const o = !(i64(i32(a)) == a && i64(i32(b)) == b) && signedOverflow(a, b, 8);';
      emit(
        `IMUL ${form} ${8 << z}`,
        `${fromMemory ? loadFrom(z) : ''} const a = ${a}, b = ${b}; ${product} store<u64>(uReg(u) << 3, ${z === 2 ? 'u64(u32(r))' : 'u64(r)'}, GPR); k = ${SZP}; fs = o ? 0x801 : 0; fr = i64(r); ${NEXT}`,
      );
    }
  }
}

function stackCases(): void {
  const push = (z: number, value: string, then: string): string =>
    `const v = ${value}; const sp = (load<u64>(RSP) - ${1 << z}) & mask; if (!stored<${TYPES[z]}>(sp, v)) ${STACK_FAIL} store<u64>(RSP, sp); ${then}`;
  const noncanonical = (z: number): string =>
    z === 3 ? 'if (u64(i64(t << 16) >> 16) != t) return stopNonCanonical(u, k, fr, fs);' : '';
  const stackTop = (z: number): string =>
    `const p = readable<${TYPES[z]}>(load<u64>(RSP) & mask); if (!p) ${STACK_FAIL}`;
  const bump = (by: string): string => `store<u64>(RSP, (load<u64>(RSP) + ${by}) & mask);`;
  for (const z of [2, 3]) {
    const type = TYPES[z];
    const bits = 8 << z;
    family(`STACK${bits}`);
    emit(`PUSH R ${bits}`, push(z, read('rm', z), NEXT));
    emit(`PUSH I ${bits}`, push(z, immediate(z), NEXT));
    emit(`PUSH M ${bits}`, `${loadFrom(z)} ${push(z, `load<${type}>(p)`, NEXT)}`);
    emit(
      `POP R ${bits}`,
      `${stackTop(z)} const v = load<${type}>(p); ${bump(String(1 << z))} ${write('rm', z, 'v')} ${NEXT}`,
    );
    emit(
      `LEAVE ${bits}`,
      `const p = readable<${type}>(load<u64>(RBP) & mask); if (!p) ${STACK_FAIL} store<u64>(RSP, (load<u64>(RBP) + ${1 << z}) & mask); store<u64>(RBP, u64(load<${type}>(p))); ${NEXT}`,
    );
    const back = `<${type}>((load<u64>(RIP_BASE) + uNext(u)) & mask)`;
    emit(`CALL J ${bits}`, push(z, back, 'rip = (load<u64>(RIP_BASE) + u64(i64(load<i32>(u, 28)))) & mask; break;'));
    emit(`CALL R ${bits}`, `const t = u64(${read('rm', z)}); ${noncanonical(z)} ${push(z, back, 'rip = t; break;')}`);
    emit(
      `CALL M ${bits}`,
      `${loadFrom(z)} const t = u64(load<${type}>(p)); ${noncanonical(z)} ${push(z, back, 'rip = t; break;')}`,
    );
    emit(`JMP R ${bits}`, `const t = u64(${read('rm', z)}); ${noncanonical(z)} rip = t; break;`);
    emit(`JMP M ${bits}`, `${loadFrom(z)} const t = u64(load<${type}>(p)); ${noncanonical(z)} rip = t; break;`);
    emit(
      `RET ${bits}`,
      `${stackTop(z)} const t = u64(load<${type}>(p)); ${noncanonical(z)} ${bump(`${1 << z} + (load<u64>(u, 16) & 0xffff)`)} rip = t; break;`,
    );
  }
}

/** Direct comparison for a condition after CMP a, b; undefined for the conditions that are not fused. */
function compared(cc: number, z: number): string | undefined {
  const s = (x: string): string => `<${SIGNED[z]}>${x}`;
  const table: Record<string, string> = {
    B: 'a < b',
    AE: 'a >= b',
    Z: 'a == b',
    NZ: 'a != b',
    BE: 'a <= b',
    A: 'a > b',
    S: `${s('(a - b)')} < 0`,
    NS: `${s('(a - b)')} >= 0`,
    L: `${s('a')} < ${s('b')}`,
    GE: `${s('a')} >= ${s('b')}`,
    LE: `${s('a')} <= ${s('b')}`,
    G: `${s('a')} > ${s('b')}`,
  };
  return table[CONDITIONS[cc] ?? ''];
}

/** Condition on a logical result fr (CF = OF = 0). */
function tested(cc: number): string {
  const table: Record<string, string> = {
    O: 'false',
    NO: 'true',
    B: 'false',
    AE: 'true',
    Z: 'fr == 0',
    NZ: 'fr != 0',
    BE: 'fr == 0',
    A: 'fr != 0',
    S: 'fr < 0',
    NS: 'fr >= 0',
    P: '!(popcnt<u32>(u32(fr) & 0xff) & 1)',
    NP: '(popcnt<u32>(u32(fr) & 0xff) & 1) != 0',
    L: 'fr < 0',
    GE: 'fr >= 0',
    LE: 'fr <= 0',
    G: 'fr > 0',
  };
  return table[CONDITIONS[cc] ?? ''] ?? 'false';
}

const branchIf = (condition: string): string =>
  `rip = (load<u64>(RIP_BASE) + u64(i64(${condition} ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;`;

function branchCases(): void {
  family('JMP');
  emit('JMP J', 'rip = (load<u64>(RIP_BASE) + u64(i64(load<i32>(u, 28)))) & mask; break;');
  family('JCC');
  CONDITIONS.forEach((name, cc) => {
    const quick: Record<string, string> = {
      Z: 'k ? fr == 0 : (load<u32>(RFLAGS) & 0x40) != 0',
      NZ: 'k ? fr != 0 : (load<u32>(RFLAGS) & 0x40) == 0',
      S: 'k ? fr < 0 : (load<u32>(RFLAGS) & 0x80) != 0',
      NS: 'k ? fr >= 0 : (load<u32>(RFLAGS) & 0x80) == 0',
    };
    emit(`J${name}`, branchIf(`(${quick[name] ?? `testCondition(${cc}, k, fr, fs)`})`));
  });
  family('CMP_JCC');
  for (const form of ['RR', 'RI']) {
    for (const z of [2, 3]) {
      CONDITIONS.forEach((name, cc) => {
        const condition = compared(cc, z) ?? `testCondition(${cc}, k, fr, fs)`;
        const b = form === 'RI' ? immediate(z) : read('r', z);
        emit(
          `CMP ${form} ${8 << z}, J${name}`,
          `const a = ${read('rm', z)}, b = ${b}; k = ${SUB + z}; fs = u64(a); fr = ${extended(z, '(a - b)')}; ${branchIf(`(${condition})`)}`,
        );
      });
    }
  }
  family('TEST_JCC');
  for (const form of ['RR', 'RI']) {
    for (const z of [2, 3]) {
      CONDITIONS.forEach((name, cc) => {
        const b = form === 'RI' ? immediate(z) : read('r', z);
        emit(
          `TEST ${form} ${8 << z}, J${name}`,
          `k = ${SZP}; fs = 0; fr = ${extended(z, `(${read('rm', z)} & ${b})`)}; ${branchIf(`(${tested(cc)})`)}`,
        );
      });
    }
  }
  family('BYTE_JCC');
  for (const test of [false, true]) {
    CONDITIONS.forEach((name, cc) => {
      const operands = `const a = ${read('rm', 0)}, b = ${immediate(0)};`;
      emit(
        `${test ? 'TEST' : 'CMP'} RI 8, J${name}`,
        test
          ? `${operands} k = ${SZP}; fs = 0; fr = ${extended(0, '(a & b)')}; ${branchIf(`(${tested(cc)})`)}`
          : `${operands} k = ${SUB}; fs = u64(a); fr = ${extended(0, '(a - b)')}; ${branchIf(`(${compared(cc, 0) ?? `testCondition(${cc}, k, fr, fs)`})`)}`,
      );
    });
  }
  // Byte compares and compares with memory: the condition is a second, inner switch.
  const inner = 'fusedTaken(uFusedCondition(u), k, fr, fs)';
  family('CMPX_JCC');
  for (const form of ['RR', 'RI', 'MR', 'MI', 'RM']) {
    for (const z of [0, 2, 3]) {
      if (z !== 0 && (form === 'RR' || form === 'RI')) continue;
      const memory = form.includes('M');
      const b = form.endsWith('I') ? immediate(z) : form === 'RM' ? `load<${TYPES[z]}>(p)` : read('r', z);
      const a = form === 'RM' ? read('r', z) : memory ? `load<${TYPES[z]}>(p)` : read('rm', z);
      emit(
        `CMP ${form} ${8 << z}, Jcc`,
        `${memory ? loadFrom(z) : ''} const a = ${a}, b = ${b}; k = ${SUB + z}; fs = u64(a); fr = ${extended(z, '(a - b)')}; ${branchIf(inner)}`,
      );
    }
  }
  family('TESTX_JCC');
  for (const form of ['RR', 'RI', 'MI']) {
    for (const z of form === 'MI' ? [0, 2] : [0]) {
      const a = form === 'MI' ? `load<${TYPES[z]}>(p)` : read('rm', z);
      const b = form.endsWith('I') ? immediate(z) : read('r', z);
      emit(
        `TEST ${form} ${8 << z}, Jcc`,
        `${form === 'MI' ? loadFrom(z) : ''} k = ${SZP}; fs = 0; fr = ${extended(z, `(${a} & ${b})`)}; ${branchIf(inner)}`,
      );
    }
  }
  // ADD, SUB, AND, INC, DEC of a register, then JZ or JNZ.
  family('ALU_JZ');
  for (const name of ['ADD', 'SUB', 'AND', 'INC', 'DEC']) {
    for (const z of [2, 3]) {
      for (const sense of ['!=', '==']) {
        const o = ALU.indexOf(name as 'ADD');
        const body =
          o >= 0
            ? (({ result, flags }) =>
                `const a = ${read('rm', z)}, b = ${immediate(z)}; ${result} ${write('rm', z, 'r')} ${flags}`)(alu(o, z))
            : `const r = <${TYPES[z]}>(${read('rm', z)} ${name === 'INC' ? '+' : '-'} 1); ${write('rm', z, 'r')} if (k < ${INC}) keepCarry(k, fr, fs); k = ${(name === 'INC' ? INC : DEC) + z}; fr = ${extended(z, 'r')};`;
        emit(`${name} ${8 << z}, J${sense === '==' ? 'Z' : 'NZ'}`, `${body} ${branchIf(`(fr ${sense} 0)`)}`);
      }
    }
  }
}

/** A handler that needs nothing of the dispatcher's state: only a fault or a retry puts that into memory. */
export interface LeanHandler {
  name: string;
  /** Folder and file that export it. */
  file: string;
}

/** Loads and stores of XMM registers by SSE instructions: unaligned, then aligned forms; register to register. */
function vectorMoveCases(): void {
  const through = (handler: string): string =>
    `{ const status = ${handler}(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); ${NEXT} }`;
  family('VECTOR_MOVE');
  for (const aligned of [false, true]) {
    const unfit = aligned ? 'sseOff() | u32(la) & 15' : 'sseOff()';
    emit(
      `${aligned ? 'MOVAPS' : 'MOVUPS'} RM`,
      `const la = address(u) & mask; if (${unfit}) ${through('execVectorLoad')}
      const p = readable<v128>(la); if (!p) ${FAIL} v128.store(uReg(u) << 5, v128.load(p), YMM); ${NEXT}`,
    );
    emit(
      `${aligned ? 'MOVAPS' : 'MOVUPS'} MR`,
      `const la = address(u) & mask; if (${unfit}) ${through('execVectorStore')}
      const p = writable<v128>(la); if (!p) ${FAIL} v128.store(p, v128.load(uReg(u) << 5, YMM)); if (!wrote<v128>(p)) ${FAIL} ${NEXT}`,
    );
  }
  for (const whole of [false, true]) {
    const bytes = whole ? 32 : 16;
    const upper = whole ? 'v128.load(p, 16)' : 'i64x2.splat(0)';
    emit(
      `VMOVUPS RM ${bytes * 8}`,
      `const la = address(u) & mask; if (vexOff()) ${through('execVectorLoad')}
      const p = readable${whole ? '32' : '<v128>'}(la); if (!p) ${FAIL}
      v128.store(uReg(u) << 5, v128.load(p), YMM); v128.store(uReg(u) << 5, ${upper}, YMM + 16); ${NEXT}`,
    );
    emit(
      `VMOVUPS MR ${bytes * 8}`,
      `const la = address(u) & mask; if (vexOff()) ${through('execVectorStore')}
      const p = writable${whole ? '32' : '<v128>'}(la); if (!p) ${FAIL} v128.store(p, v128.load(uReg(u) << 5, YMM));
      ${whole ? 'v128.store(p, v128.load(uReg(u) << 5, YMM + 16), 16);' : ''} if (!wrote${whole ? '32' : '<v128>'}(p)) ${FAIL} ${NEXT}`,
    );
  }
  emit(
    'MOVAPS RR',
    `if (sseOff()) ${through('execVectorLoad')} v128.store(uReg(u) << 5, v128.load(uRm(u) << 5, YMM), YMM); ${NEXT}`,
  );
}

function vectorCases(lean: readonly LeanHandler[]): void {
  family('VECTOR');
  for (const { name } of lean) {
    emit(name, `const status = ${name}(u); if (status != XS_OK) return stopWith(u, k, fr, fs, status); ${NEXT}`);
  }
}

export function dispatchText(header: string, lean: readonly LeanHandler[]): { dispatch: string; ops: string } {
  aluCases();
  moveCases();
  shiftCases();
  stackCases();
  branchCases();
  vectorMoveCases();
  vectorCases(lean);
  const files = [...new Set(lean.map(({ file }) => file))];
  const imports = files
    .map((file) => {
      const names = lean.filter((handler) => handler.file === file).map(({ name }) => name);
      return `import { ${names.join(', ')} } from '../${file}';\n`;
    })
    .join('');
  const body = cases
    .map(
      ({ number, label, body: text }) =>
        `      case ${number}: { // ${label}\n        ${text.replace(/\s+/g, ' ')}\n      }`,
    )
    .join('\n');
  const ops = `${header}// Micro-op numbers of the dispatcher's own cases: first of each family.\nexport const OP_ENTER: u32 = 0;\nexport const OP_NEXT: u32 = 1;\n${bases
    .map(({ name, number }) => `export const OP_${name}: u32 = ${number};`)
    .join('\n')}\nexport const OP_END: u32 = ${nextNumber};\n`;
  return { dispatch: `${header}${imports}${PROLOGUE}${body}\n${EPILOGUE}`, ops };
}

const PROLOGUE = `import {
  ATTENTION, BLOCK_UOPS, BREAKPOINT_COUNT, CODE_BASE, CODE_CAREFUL, CODE_MODE, CTX_GEN, GPR, ICOUNT, JUMP_CACHE, MODE,
  MODE_CODE64, MODE_FLAT, NEXT_RIP, RAX, RBP, RCX, RDX, RFLAGS, RIP, RIP_BASE, RSP, SEG_CS, SEG_SS, SLICE_END, XS_LIMIT, XS_OK,
  XS_RETRY, XS_SINGLE, YMM,
} from '../layout';
import { segBase, segLimit } from '../state';
import { uImm2, uLen, uNext, uNth, uOpcode, uReg, uRm, uSeg } from '../uop';
import { BLOCK_HEADER, blockBytes, blockStatus, findBlock } from '../decode/cache';
import { carryOf, fusedTaken, keepCarry, storeStatus, testCondition } from '../exec/lazy-flags';
import { signedOverflow } from '../exec/muldiv';
import { accessStatus, asStackFault, modifiable, readable, readable32, writable, writable32, wrote, wrote32 } from '../mmu/access';
import { address, addressPlain, byteR, byteRm, stored, uFusedCondition } from '../exec/inline-operand';
import { sseOff, vexOff } from '../simd/operand';
import { breakpointsNear } from '../exec/breakpoint-pages';
import { callHandler } from './handlers';

/** Stands before the first block: a block of no instructions, then the transition. */
const ENTER: usize = memory.data<u64>([0, 0, 0, 0, 0, 0, 0, 0]);

/** Leaves between two blocks. */
function leave(rip: u64, k: u32, fr: i64, fs: u64, status: i32): i32 {
  if (k) storeStatus(k, fr, fs);
  store<u64>(RIP, rip);
  return status;
}

/** RIP of the instruction at u. */
@inline function instructionRip(u: usize): u64 {
  const rip = load<u64>(RIP_BASE) + uNext(u) - uLen(u);
  return load<u32>(CODE_MODE) & MODE_CODE64 ? rip : rip & 0xffffffff;
}

/** The instruction at u faulted, exits or must run again: nothing of it was done. */
function stop(u: usize, k: u32, fr: i64, fs: u64): i32 {
  if (k) storeStatus(k, fr, fs);
  if (uSeg(u) == SEG_SS) asStackFault();
  store<u64>(RIP, instructionRip(u));
  store<u64>(ICOUNT, load<u64>(ICOUNT) + uNth(u));
  return accessStatus();
}

/** Not canonical with 48 bits: the handler knows whether there are more. */
/** As stop(), with the status of a handler that the dispatcher called directly. */
function stopWith(u: usize, k: u32, fr: i64, fs: u64, status: i32): i32 {
  if (k) storeStatus(k, fr, fs);
  store<u64>(RIP, instructionRip(u));
  store<u64>(ICOUNT, load<u64>(ICOUNT) + uNth(u));
  return status;
}

function stopNonCanonical(u: usize, k: u32, fr: i64, fs: u64): i32 {
  stop(u, k, fr, fs);
  return XS_RETRY;
}

/** Begins at a RIP after something that may have changed mode and code segment; no block is running. */
function enterAt(rip: u64): void {
  const mode = load<u32>(MODE);
  const flat = (mode & (MODE_CODE64 | MODE_FLAT)) != 0;
  store<u32>(CODE_MODE, mode);
  store<u64>(CODE_BASE, mode & MODE_CODE64 ? 0 : segBase(SEG_CS));
  store<u32>(CODE_CAREFUL, flat && load<u32>(BREAKPOINT_COUNT) == 0 ? 0 : 1);
  store<u32>(BLOCK_UOPS, u32(ENTER + BLOCK_HEADER));
  store<u64>(RIP_BASE, ~rip);
}

/** Does the block pass the code segment's limit, or lie in a page with a breakpoint? */
function mustStop(block: usize, rip: u64, linear: u64): bool {
  if (!(load<u32>(CODE_MODE) & (MODE_CODE64 | MODE_FLAT)) && rip + blockBytes(block) - 1 > u64(segLimit(SEG_CS))) return true;
  return breakpointsNear(linear);
}

/** Instructions of the block whose micro-ops begin here. */
@inline function uopsCount(own: usize): u32 { return load<u16>(own - BLOCK_HEADER, 12); }

/** Runs a handler with everything in memory. */
function runHandler(u: usize): i32 {
  const rip = load<u64>(RIP_BASE) + uNext(u);
  const mask: u64 = load<u32>(CODE_MODE) & MODE_CODE64 ? ~u64(0) : 0xffffffff;
  store<u64>(RIP, (rip - uLen(u)) & mask);
  store<u64>(NEXT_RIP, rip & mask);
  store<u64>(ICOUNT, load<u64>(ICOUNT) + uNth(u));
  return callHandler(load<u16>(u), u);
}

/** Finds the block of the jump cache's slot anew; 0: see blockStatus(). */
function fillSlot(slot: u32, linear: u64, rip: u64): usize {
  const block = findBlock(linear, rip, load<u32>(CODE_MODE));
  if (!block) return 0;
  store<u64>(slot, linear, JUMP_CACHE);
  store<u32>(slot, load<u32>(CTX_GEN), JUMP_CACHE + 8);
  store<u32>(slot, u32(block), JUMP_CACHE + 12);
  return block;
}

/**
 * Runs blocks from RIP on. Answers XS_LIMIT when the next block would pass SLICE_END, XS_OK for attention,
 * XS_SINGLE when the next instruction must run alone, or the status of the instruction at RIP.
 */
// budget: dispatch 1 load and a br_table; to another block 11 loads, 3 stores, 5 compares; to itself 4 loads, 1 store
export function execBlocks(): i32 {
  let k: u32 = 0;
  let fr: i64 = 0;
  let fs: u64 = 0;
  let u: usize = ENTER + BLOCK_HEADER;
  enterAt(load<u64>(RIP));
  let mask: u64 = load<u32>(CODE_MODE) & MODE_CODE64 ? ~u64(0) : 0xffffffff;
  while (true) {
    let rip: u64;
    switch (load<u16>(u)) {
      case 0: rip = load<u64>(RIP); break;
      case 1: rip = (load<u64>(RIP_BASE) + uNext(u)) & mask; break;
`;

const EPILOGUE = `      default: {
        if (k) {
          storeStatus(k, fr, fs);
          k = 0;
        }
        const status = runHandler(u);
        if (status != XS_OK) return status;
        if (!(load<u16>(u) & 1)) {
          store<u64>(ICOUNT, load<u64>(ICOUNT) - uNth(u));
          u += 32;
          continue;
        }
        store<u64>(ICOUNT, load<u64>(ICOUNT) + 1);
        rip = load<u64>(NEXT_RIP);
        if (load<u32>(ATTENTION)) return leave(rip, 0, 0, 0, XS_OK);
        enterAt(rip);
        mask = load<u32>(CODE_MODE) & MODE_CODE64 ? ~u64(0) : 0xffffffff;
      }
    }
    let own: usize = load<u32>(BLOCK_UOPS);
    const ic = load<u64>(ICOUNT) + uopsCount(own);
    store<u64>(ICOUNT, ic);
    if (rip != load<u64>(RIP_BASE)) {
      const linear = (rip + load<u64>(CODE_BASE)) & mask;
      const slot = (u32(linear ^ (linear >> 12)) & 4095) << 4;
      let block: usize = load<u32>(slot, JUMP_CACHE + 12);
      if (load<u64>(slot, JUMP_CACHE) != linear || load<u32>(slot, JUMP_CACHE + 8) != load<u32>(CTX_GEN)) {
        if (ic >= load<u64>(SLICE_END)) return leave(rip, k, fr, fs, XS_LIMIT);
        // a breakpoint stops before the fetch, which may find no page
        if (load<u32>(CODE_CAREFUL) && breakpointsNear(linear)) return leave(rip, k, fr, fs, XS_SINGLE);
        // A fetch may exit, which saves the guest's state at once.
        leave(rip, k, fr, fs, XS_OK);
        k = 0;
        block = fillSlot(slot, linear, rip);
        if (!block) return blockStatus();
      }
      if (load<u32>(CODE_CAREFUL) && mustStop(block, rip, linear)) {
        return leave(rip, k, fr, fs, ic < load<u64>(SLICE_END) ? XS_SINGLE : XS_LIMIT);
      }
      own = block + BLOCK_HEADER;
      store<u64>(RIP_BASE, rip);
      store<u32>(BLOCK_UOPS, u32(own));
    }
    if (ic + uopsCount(own) > load<u64>(SLICE_END)) return leave(rip, k, fr, fs, XS_LIMIT);
    u = own;
  }
}
`;
