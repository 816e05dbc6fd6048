// Reads of device registers that the core answers by itself while no device changes: core/vmx/steady.ts.
import type { CoreExports } from '../core/core-exports.js';
import {
  DEVICE_DATA,
  SE_KIND,
  SE_MASK,
  SE_RATE,
  SE_SHIFT,
  SE_SINCE,
  SE_VALUE,
  STEADY_CYCLES,
  STEADY_GENERATION,
  STEADY_ICOUNT,
  STEADY_READS,
  STEADY_SAME,
  STEADY_TICKS,
  STEADY_TOLD,
} from '../core/layout.js';
import type { SteadyAnswer } from '../devices/device.js';
import type { Vcpu } from './vcpu.js';

const KINDS = { ticks: STEADY_TICKS, cycles: STEADY_CYCLES } as const;

export class SteadyReads {
  readonly #host;
  readonly #core;

  constructor(host: Vcpu['host'], core: CoreExports) {
    this.#host = host;
    this.#core = core;
  }

  /** A device may have changed, or another vCPU's registers are read. */
  unsettle(): void {
    const { u32 } = this.#host;
    u32[STEADY_GENERATION >>> 2]++;
  }

  /** What was read last, which is in DEVICE_DATA, will be answered so from now on. */
  keep(kind: number, address: number, bytes: number, answer: SteadyAnswer): void {
    const host = this.#host;
    const entry = this.#core.keepSteady(kind, address, bytes);
    if (answer === 'same') {
      host.set32(entry + SE_KIND, STEADY_SAME);
      host.set32(entry + SE_VALUE, host.get32(DEVICE_DATA));
      host.set32(entry + SE_VALUE + 4, host.get32(DEVICE_DATA + 4));
      host.setNumber(entry + SE_SHIFT, 0);
      host.set32(entry + SE_MASK, bytes >= 4 ? 0xffffffff : 2 ** (8 * bytes) - 1);
      host.set32(entry + SE_MASK + 4, bytes > 4 ? 2 ** (8 * (bytes - 4)) - 1 : 0);
      return;
    }
    const { count, value = 0n, since = 0, rate, shift, mask } = answer;
    host.set32(entry + SE_KIND, KINDS[count]);
    host.set64(entry + SE_VALUE, value);
    host.setNumber(entry + SE_SINCE, since);
    host.setNumber(entry + SE_RATE, rate);
    host.setNumber(entry + SE_SHIFT, shift);
    host.set64(entry + SE_MASK, mask & ((1n << BigInt(bytes * 8)) - 1n));
  }

  /** Exits that have retired nothing count for the vCPU's standstill whoever has answered them. */
  tell(vcpu: Vcpu): void {
    const host = this.#host;
    const news = host.get32(STEADY_READS) - host.get32(STEADY_TOLD);
    if (news === 0) return;
    const icount = host.getNumber(STEADY_ICOUNT);
    const { fruitless } = vcpu;
    vcpu.fruitless = { icount, exits: (fruitless.icount === icount ? fruitless.exits : 0) + news };
    host.set32(STEADY_TOLD, host.get32(STEADY_READS));
  }
}
