import { setFlagsFromString } from 'node:v8';

/** The V8 of Node 20 and 21. Later ones count calls, print a complaint at a flag that they do not know, and are left alone. */
const V8_OF_BUDGETS = 11;
/** What V8 counts by itself before it optimizes a function: bytes of its code that have run. */
const V8_BUDGET = 132 * 1024;

/** For a process with a guest: a seventh of a Linux boot was V8 optimizing what then ran for another moment. */
export const GUEST_COMPILES_SELDOM = 5;
/** While a debugger is connected: V8 alone begins with what serves it after 10,000 packets. */
export const DEBUGGER_COMPILES_SELDOM = 0.25;

/**
 * Lets V8 optimize JavaScript that runs so many times longer than usual. A program whose work is done by WebAssembly, or that
 * looks twice a second, makes hundreds of functions warm and none hot, and compiling them takes a processor the time that
 * its own work would need. What does run long is compiled as ever.
 */
export function compileSeldom(times: number): void {
  for (const flag of flagsToCompileSeldom(process.versions.v8, times)) setFlagsFromString(flag);
}

/** @param v8 its version: `11.3.244.8-node.38` */
export const flagsToCompileSeldom = (v8: string, times: number): string[] =>
  Number.parseInt(v8, 10) === V8_OF_BUDGETS ? [`--interrupt-budget=${Math.round(V8_BUDGET * times)}`] : [];
