/**
 * The core with rubbish in all of its mutable globals before every call from outside: what one call leaves in them may
 * tell the next one nothing, since no saved state holds it. The module is the built one with its globals exported.
 */
import { readFileSync } from 'node:fs';
import type { CoreExports } from '../../src/engine/core/core-exports.js';
import { createCore } from '../../src/engine/host/core-instance.js';
import type { HostMemory } from '../../src/engine/memory/host-memory.js';
import { framesBehindRam } from '../../src/engine/vmm/video-frames.js';

const SECTION = { import: 2, global: 6, export: 7 } as const;
const GLOBAL = 3;
const V128 = 0x7b;
const I32_CONST = 0x41;
const I64_CONST = 0x42;
const F32_CONST = 0x43;
const F64_CONST = 0x44;
const SIMD = 0xfd;
const END = 0x0b;
const PREFIX = 'global:';

class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
  ) {}

  byte(): number {
    return this.bytes[this.at++];
  }

  /** A LEB128 number, whose value matters below 2^32 only. */
  number(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  text(): string {
    const length = this.number();
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    bytes.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
    if (rest < 0x80) return bytes;
  }
}

function sections(bytes: Uint8Array): { id: number; body: Uint8Array }[] {
  const reader = new Reader(bytes, 8);
  const list: { id: number; body: Uint8Array }[] = [];
  while (reader.at < bytes.length) {
    const id = reader.byte();
    const length = reader.number();
    list.push({ id, body: bytes.subarray(reader.at, reader.at + length) });
    reader.at += length;
  }
  return list;
}

function importedGlobals(body: Uint8Array | undefined): number {
  if (!body) return 0;
  const reader = new Reader(body);
  let globals = 0;
  for (let n = reader.number(); n > 0; n--) {
    reader.text();
    reader.text();
    const kind = reader.byte();
    if (kind === 0) reader.number();
    else if (kind === GLOBAL) {
      reader.at += 2;
      globals++;
    } else {
      if (kind === 1) reader.byte();
      const limits = reader.byte();
      reader.number();
      if (limits & 1) reader.number();
    }
  }
  return globals;
}

/** Indices of the mutable globals that the module defines. */
function mutableGlobals(body: Uint8Array, first: number): number[] {
  const reader = new Reader(body);
  const found: number[] = [];
  const count = reader.number();
  for (let n = 0; n < count; n++) {
    const type = reader.byte();
    const mutable = reader.byte() === 1;
    for (let opcode = reader.byte(); opcode !== END; opcode = reader.byte()) {
      if (opcode === I32_CONST || opcode === I64_CONST) reader.number();
      else if (opcode === F32_CONST) reader.at += 4;
      else if (opcode === F64_CONST) reader.at += 8;
      else if (opcode === SIMD) reader.at += 17;
      else throw new Error(`global ${n} is initialized by opcode ${opcode}`);
    }
    // JavaScript reaches no vectors
    if (mutable && type !== V128) found.push(first + n);
  }
  return found;
}

function withGlobals(bytes: Uint8Array): { module: WebAssembly.Module; count: number } {
  const list = sections(bytes);
  const body = (id: number) => list.find((section) => section.id === id)?.body;
  const globals = mutableGlobals(body(SECTION.global)!, importedGlobals(body(SECTION.import)));
  const out = [...bytes.subarray(0, 8)];
  for (const { id, body } of list) {
    let content: number[] | Uint8Array = body;
    if (id === SECTION.export) {
      const reader = new Reader(body);
      const exports = reader.number();
      const more = globals.flatMap((index) => {
        const name = [...new TextEncoder().encode(`${PREFIX}${index}`)];
        return [...leb(name.length), ...name, GLOBAL, ...leb(index)];
      });
      content = [...leb(exports + globals.length), ...body.subarray(reader.at), ...more];
    }
    out.push(id, ...leb(content.length));
    for (const byte of content) out.push(byte);
  }
  return { module: new WebAssembly.Module(Uint8Array.from(out)), count: globals.length };
}

const BUILT = new URL('../../build/core.wasm', import.meta.url);
let made: ReturnType<typeof withGlobals> | undefined;

/** A core as `createCore` makes it, that forgets between calls what it has not put into memory. */
export function forgetfulCore(guestBytes: number): {
  core: CoreExports;
  host: HostMemory;
  globals: number;
  /** Globals in which some call has left something so far. */
  left(): number;
  fills(): number;
} {
  made ??= withGlobals(readFileSync(BUILT));
  const { core, host } = createCore(guestBytes, framesBehindRam(0), made.module);
  const exports = core as unknown as Record<string, unknown>;
  const globals = Object.entries(exports).flatMap(([name, value]) =>
    name.startsWith(PREFIX) ? [value as { value: number | bigint }] : [],
  );
  const initial = globals.map((global) => global.value);
  /** What a call has left behind; a global that every call leaves as it was at first tells the next one nothing. */
  const left = new Set<number>();
  let x = 0x2545_f491;
  let fills = 0;
  const spoil = (): void => {
    fills++;
    for (const n of left) {
      const global = globals[n];
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      global.value = typeof global.value === 'bigint' ? BigInt(x) * 0x1_0000_0001n : x;
    }
  };
  const look = (): void => {
    for (const [n, global] of globals.entries()) if (global.value !== initial[n]) left.add(n);
  };
  const forgetful: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(exports)) {
    forgetful[name] =
      typeof value !== 'function'
        ? value
        : (...args: unknown[]) => {
            spoil();
            const result = (value as (...args: unknown[]) => unknown)(...args);
            look();
            return result;
          };
  }
  return {
    core: forgetful as unknown as CoreExports,
    host,
    globals: made.count,
    left: () => left.size,
    fills: () => fills,
  };
}
