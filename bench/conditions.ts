import type { Measurement } from './measurement.js';
import { createCore, Guest, Machine, Vm, viewOfVm } from './product.js';

const MEMORY_BYTES = 64 << 20;
const LOAD = 0x7c00;
/** inc eax; inc dword [1000h]; jmp: a loop of three instructions in real mode. */
const CODE = Buffer.from('66ffc066ff060010ebf6', 'hex');
const INSTRUCTIONS = 3;
const MEASURED_MS = 1500;

/** Agent expressions as GDB sends them; none of them ever holds. */
const CONDITIONS: [name: string, code: string][] = [
  // reg 0; ext 32; const8 5; equal; end: $ebx == 5
  ['register', '260000162022051327'],
  // const16 1000h; ref32; const8 0; less_signed; end: memory is below 0
  ['memory', '2310001922001427'],
];

/**
 * What a condition that does not hold costs: how many instructions the interpreter runs in the time of one. A ratio, since
 * the host's speed is in both.
 */
export async function conditionCosts(): Promise<Measurement[]> {
  const { core, host } = createCore(MEMORY_BYTES, 0);
  const machine = new Machine(new Vm(core, host, MEMORY_BYTES, 1, viewOfVm), {
    ...{ name: 'bench', image: { name: 'loop.bin', bytes: CODE }, at: LOAD },
    ...{ isaDebugExit: false, noReboot: true, wallSeconds: 0, drives: [] },
  });
  const guest = new Guest(machine, { paced: false, waitForInput: true });
  const rate = async (): Promise<number> => {
    await guest.resume();
    await new Promise((resolve) => setTimeout(resolve, MEASURED_MS / 3));
    const before = (await guest.state()).icount;
    const start = performance.now();
    await new Promise((resolve) => setTimeout(resolve, MEASURED_MS));
    const count = Number((await guest.state()).icount - before);
    const seconds = (performance.now() - start) / 1000;
    await guest.pause();
    return count / seconds;
  };
  const free = await rate();
  const result: Measurement[] = [];
  for (const [name, code] of CONDITIONS) {
    const { id } = await guest.addBreakpoint({
      kind: 'execute',
      gva: BigInt(LOAD),
      condition: { expressions: [Buffer.from(code, 'hex')], registers: ['rbx'], space: 'gva' },
    });
    const evaluations = (await rate()) / INSTRUCTIONS;
    await guest.removeBreakpoint(id);
    result.push({
      name: `conditions.${name}`,
      value: free / evaluations,
      unit: 'ratio',
      note: `instructions in the time of an evaluation; ${Math.round(evaluations / 1000)} k/s`,
    });
  }
  await guest.quit();
  return result;
}
