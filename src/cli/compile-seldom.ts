import { setFlagsFromString } from 'node:v8';

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
  setFlagsFromString(`--interrupt-budget=${Math.round(V8_BUDGET * times)}`);
}
