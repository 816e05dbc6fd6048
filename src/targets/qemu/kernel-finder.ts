/** A thread that looks for the Linux kernel in the memory of one process after another: it takes a second each. */
import { parentPort } from 'node:worker_threads';
import { LinuxKernel } from '../../engine/debug/linux/kernel.js';
import { type PageCounters, pageCounters } from '../../engine/debug/linux/memory-use.js';
import { ProcessRam } from './process-ram.js';
import type { VmProcess } from './processes.js';

export type Found = { counters: PageCounters } | { why: string };

function find(vm: VmProcess): Found {
  let ram: ProcessRam | undefined;
  try {
    ram = ProcessRam.open(vm);
    const search = LinuxKernel.search(ram);
    for (;;) {
      const { done, value } = search.next();
      if (!done) continue;
      return value ? { counters: pageCounters(value) } : { why: 'no Linux is found in its memory' };
    }
  } catch (error) {
    return { why: (error as Error).message };
  } finally {
    ram?.close();
  }
}

parentPort!.on('message', (vm: VmProcess) => parentPort!.postMessage(find(vm)));
