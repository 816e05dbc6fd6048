import { readFileSync } from 'node:fs';
import * as L from '../../src/engine/core/layout.js';
import { GENERAL_64 } from '../../src/spec/registers.js';

/** What the tests of the core call. */
export interface Core {
  init(): void;
  run(skipBreakpoint: number): number;
  updateMode(): void;
  flushAllVcpus(): void;
  dropBlocks(): void;
  invalidatePageCode(hpaPage: number): void;
  addBreakpoint(linear: bigint): number;
  removeBreakpoint(linear: bigint): void;
  clearBreakpoints(): void;
  selectVcpu(index: number): void;
}

export type Mode = 'real' | 'protected16' | 'protected32' | 'long';

const GPRS: readonly string[] = GENERAL_64;

const WASM = new URL('../../build/core.wasm', import.meta.url);

/** A vCPU without VMCS (so without EPT: guest-physical 0 is RAM_BASE) and a few MiB of RAM. */
export class Machine {
  readonly memory: WebAssembly.Memory;
  readonly core: Core;
  readonly view: DataView;
  readonly bytes: Uint8Array;

  constructor(ramBytes = 4 << 20) {
    this.memory = new WebAssembly.Memory({ initial: Math.max(640, (L.RAM_BASE + ramBytes) >>> 16), maximum: 65536 });
    const asked = { firstWrite: () => {}, deviceAccess: () => L.ASKED_REFUSED };
    const instance = new WebAssembly.Instance(compiled(), { env: { memory: this.memory, ...asked } });
    (instance.exports as { _start?: () => void })._start?.();
    this.core = instance.exports as unknown as Core;
    this.view = new DataView(this.memory.buffer);
    this.bytes = new Uint8Array(this.memory.buffer);
    this.core.init();
  }

  get(address: number): bigint {
    return this.view.getBigUint64(address, true);
  }

  set(address: number, value: bigint | number): void {
    this.view.setBigUint64(address, BigInt.asUintN(64, BigInt(value)), true);
  }

  get32(address: number): number {
    return this.view.getUint32(address, true);
  }

  set32(address: number, value: number): void {
    this.view.setUint32(address, value, true);
  }

  reg(name: string): bigint {
    const index = GPRS.indexOf(name);
    if (index < 0) throw new Error(`register ${name}`);
    return this.get(L.GPR + index * 8);
  }

  setReg(name: string, value: bigint | number): void {
    const index = GPRS.indexOf(name);
    if (index < 0) throw new Error(`register ${name}`);
    this.set(L.GPR + index * 8, value);
  }

  get rip(): bigint {
    return this.get(L.RIP);
  }

  get icount(): bigint {
    return this.get(L.ICOUNT);
  }

  /** Guest-physical memory. */
  load(gpa: number, bytes: Uint8Array | number[] | string): void {
    const data = typeof bytes === 'string' ? Buffer.from(bytes.replace(/\s+/g, ''), 'hex') : bytes;
    this.bytes.set(data, L.RAM_BASE + gpa);
    for (let page = gpa & ~0xfff; page < gpa + data.length; page += 4096)
      this.core.invalidatePageCode(L.RAM_BASE + page);
  }

  ram(gpa: number, length: number): Uint8Array {
    return this.bytes.slice(L.RAM_BASE + gpa, L.RAM_BASE + gpa + length);
  }

  ram64(gpa: number): bigint {
    return this.get(L.RAM_BASE + gpa);
  }

  segment(index: number, selector: number, base: number, limit: number, access: number): void {
    const at = L.SEGMENTS + index * L.SEGMENT_BYTES;
    this.view.setUint16(at + L.SEG_SELECTOR, selector, true);
    this.set32(at + L.SEG_AR, access);
    this.set32(at + L.SEG_LIMIT, limit);
    this.set(at + L.SEG_BASE, base);
  }

  /** Flat segments at CPL 0 and, for long mode, identity page tables at 0x70000 (first GiB in 2-MiB pages). */
  mode(mode: Mode): void {
    const data = mode === 'real' || mode === 'protected16' ? 0x0093 : 0xc093;
    const code = mode === 'real' || mode === 'protected16' ? 0x009b : mode === 'long' ? 0xa09b : 0xc09b;
    const limit = mode === 'real' || mode === 'protected16' ? 0xffff : 0xffffffff;
    for (const seg of [L.SEG_ES, L.SEG_SS, L.SEG_DS, L.SEG_FS, L.SEG_GS]) this.segment(seg, 0x10, 0, limit, data);
    this.segment(L.SEG_CS, 8, 0, limit, code);
    this.segment(L.SEG_LDTR, 0, 0, 0, 0x10082);
    this.segment(L.SEG_TR, 0, 0, 0x67, 0x8b);
    this.set(L.CR0, mode === 'real' ? 0x30 : mode === 'long' ? 0x80000031 : 0x31);
    this.set(L.CR4, mode === 'long' ? 0x20 : 0);
    this.set(L.EFER, mode === 'long' ? 0x500 : 0);
    this.set(L.CR3, 0x70000);
    if (mode === 'long') {
      this.set(L.RAM_BASE + 0x70000, 0x71007);
      this.set(L.RAM_BASE + 0x71000, 0x72007);
      for (let n = 0; n < 512; n++) this.set(L.RAM_BASE + 0x72000 + n * 8, n * 0x200000 + 0x87);
    }
    this.set(L.RFLAGS, 2);
    this.core.updateMode();
    this.core.flushAllVcpus();
  }

  /** Runs `count` instructions from the current state; answers RUN_*. */
  run(count: number | bigint, skip = 0): number {
    this.set(L.LIMIT, this.icount + BigInt(count));
    return this.core.run(skip);
  }

  /** Runs code given as hexadecimal bytes at 0x1000 for `count` instructions. */
  exec(code: string, count: number): number {
    this.load(0x1000, code);
    this.set(L.RIP, 0x1000);
    return this.run(count);
  }
}

let module: WebAssembly.Module | undefined;

function compiled(): WebAssembly.Module {
  module ??= new WebAssembly.Module(readFileSync(WASM));
  return module;
}
