import { describe, expect, it } from 'vitest';
import { OPCODES } from '../../src/spec/opcodes/index.js';
import type { Expression } from '../../src/spec/uops/expression.js';
import { factsOf, OP_END, UOP_ROWS, UOPS } from '../../src/spec/uops/index.js';
import { eachExpression } from '../../src/spec/uops/row.js';
import { caseText, functionText } from '../../tools/core-dispatch.js';

const uop = (name: string) => UOPS.find((one) => one.name === name)!;
const written = (name: string): string =>
  caseText(uop(name))
    .replace(/^ *case \d+: \{ .*\n */, '')
    .replace(/\n *\}$/, '');

describe('rows of micro-ops', () => {
  it('have names and numbers of their own', () => {
    expect(new Set(UOPS.map(({ name }) => name)).size).toBe(UOPS.length);
    expect(UOPS.map(({ number }) => number)).toEqual(UOPS.map((_, n) => OP_END - UOPS.length + n));
  });

  it('stand for handlers that the opcode table names', () => {
    const handlers = new Set(OPCODES.map(({ handler }) => handler));
    for (const { handler, name } of UOP_ROWS) expect(handlers.has(handler), name).toBe(true);
  });

  it('leave the flags as the opcode rows of their handler do', () => {
    const STATUS = /[oszapc]/;
    // these stand for several operations, or leave what the SDM leaves undefined as it was
    const apart = ['execFlagOp', 'execDiv', 'execIdiv'];
    for (const { name, handler, body } of UOP_ROWS) {
      if (apart.includes(handler)) continue;
      const rows = OPCODES.filter((row) => row.handler === handler);
      const writes = factsOf(body).writesFlags !== 'none';
      expect(
        rows.some((row) => STATUS.test(row.writes)),
        name,
      ).toBe(writes);
    }
  });

  it('write nothing before their last step that can fault', () => {
    for (const { name, body } of UOPS) {
      const stops = body
        .map(({ step }) => ['access', 'store', 'noncanonical', 'leaveIf'].includes(step))
        .lastIndexOf(true);
      const writes = body.findIndex(({ step }) => ['set', 'setVector', 'flags', 'commit'].includes(step));
      if (stops >= 0 && writes >= 0) expect(writes, name).toBeGreaterThan(stops);
    }
  });

  it('use variables that an earlier step of the same size defines', () => {
    for (const { name, body } of UOPS) {
      const known = new Map<string, number>();
      for (const step of body) {
        eachExpression([step], (e: Expression) => {
          if (e.op === 'var') expect(known.get(e.name), `${e.name} in ${name}`).toBe(e.size);
        });
        if (step.step === 'let') known.set(step.name, step.value.size);
      }
    }
  });

  it('tell what a body does', () => {
    expect(factsOf(uop('ADD MR 32').body)).toEqual({
      memory: 'modify',
      stops: true,
      ends: false,
      readsFlags: false,
      writesFlags: 'all',
    });
    expect(factsOf(uop('INC R 64').body)).toMatchObject({ memory: 'none', stops: false, writesFlags: 'some' });
    expect(factsOf(uop('ADC RR 64').body)).toMatchObject({ readsFlags: true, writesFlags: 'all' });
    expect(factsOf(uop('CMP RI 64, JL').body)).toMatchObject({ ends: true, readsFlags: false });
    expect(factsOf(uop('RET 64').body)).toMatchObject({ memory: 'read', ends: true });
  });
});

/** Without name and braces. */
const called = (name: string): string =>
  functionText(uop(name))
    .replace(/^\/\/ .*\nfunction row\d+\(u: usize, mask: u64\): i32 \{\n */, '')
    .replace(/\n\}$/, '');

describe('the text of a case', () => {
  it.each([
    [
      'ADD RR 8',
      'const a = load<u8>(byteRm(u), GPR); const b = load<u8>(byteR(u), GPR); const r = <u8>(a + b); store<u8>(byteRm(u), r, GPR); k = 4; fs = u64(a); fr = i64(<i8>r); u += 32; continue;',
    ],
    [
      'SBB MI 64',
      'const p = modifiable<u64>(address(u) & mask); if (!p) return stop(u, k, fr, fs); const a = load<u64>(p, 0); const b = load<u64>(u, 16); const c = <u64>(carryOf(k, fr, fs)); const r = ((a - b) - c); store<u64>(p, r); if (!wrote<u64>(p)) return stop(u, k, fr, fs); k = c ? 19 : 11; fs = u64(a); fr = i64(<i64>r); u += 32; continue;',
    ],
    [
      'MOV RM 64, no index',
      'const p = readable<u64>(addressPlain(u) & mask); if (!p) return stop(u, k, fr, fs); store<u64>((uReg(u) << 3), load<u64>(p, 0), GPR); u += 32; continue;',
    ],
    [
      'DEC R 32',
      'const r = (load<u32>((uRm(u) << 3), GPR) - <u32>1); store<u64>((uRm(u) << 3), u64(r), GPR); if (k < 20) keepCarry(k, fr, fs); k = 26; fr = i64(<i32>r); u += 32; continue;',
    ],
    [
      'CMP RI 32, JL',
      'const a = load<u32>((uRm(u) << 3), GPR); const b = load<u32>(u, 16); const r = (a - b); k = 10; fs = u64(a); fr = i64(<i32>r); rip = (load<u64>(RIP_BASE) + u64(i64((<i32>a < <i32>b) ? load<i32>(u, 28) : i32(uNext(u))))) & mask; break;',
    ],
    [
      'PUSH R 64',
      'const v = load<u64>((uRm(u) << 3), GPR); const sp = (load<u64>(GPR + 32) - <u64>8); if (!stored<u64>(sp, v)) { asStackFault(); return stop(u, k, fr, fs); } store<u64>(32, sp, GPR); u += 32; continue;',
    ],
    [
      'MOVAPS RM',
      'if (sseOff() | u32(address(u) & mask) & 15) return stopForHandler(u, k, fr, fs); const p = readable<v128>(address(u) & mask); if (!p) return stop(u, k, fr, fs); v128.store(uReg(u) << 5, v128.load(p, 0), YMM); u += 32; continue;',
    ],
  ])('of %s', (name, expected) => {
    expect(written(name)).toBe(expected);
  });
});

describe('the text of a function of its own', () => {
  it.each([
    [
      'SBB MI 64',
      'let k = load<u32>(JIT_KIND); let fr = load<i64>(JIT_RESULT); let fs = load<u64>(JIT_FIRST); const p = modifiable<u64>(address(u) & mask); if (!p) return ROW_FAILED; const a = load<u64>(p, 0); const b = load<u64>(u, 16); const c = <u64>(carryOf(k, fr, fs)); const r = ((a - b) - c); store<u64>(p, r); if (!wrote<u64>(p)) return ROW_FAILED; k = c ? 19 : 11; fs = u64(a); fr = i64(<i64>r); store<u32>(JIT_KIND, k); store<i64>(JIT_RESULT, fr); store<u64>(JIT_FIRST, fs); return ROW_GOES_ON;',
    ],
    [
      'MOVAPS RM',
      'if (sseOff() | u32(address(u) & mask) & 15) return ROW_FOR_HANDLER; const p = readable<v128>(address(u) & mask); if (!p) return ROW_FAILED; v128.store(uReg(u) << 5, v128.load(p, 0), YMM); return ROW_GOES_ON;',
    ],
    [
      'RET 32',
      'let rip: u64; const p = readable<u32>(load<u64>(RSP) & mask); if (!p) { asStackFault(); return ROW_FAILED; } const t = <u64>(load<u32>(p, 0)); store<u64>(32, u64(((load<u32>(GPR + 32) + <u32>4) + <u32>((load<u64>(u, 16) & 0xffff)))), GPR); rip = t; store<u64>(JIT_RIP, rip); return ROW_JUMPED;',
    ],
  ])('of %s', (name, expected) => {
    expect(called(name)).toBe(expected);
  });
});
