// The engine from the build: the threads of vCPUs start from there.
import { readFileSync } from 'node:fs';

const dist = new URL('../../dist/engine/', import.meta.url).pathname;
export const { KvmHypervisor } = (await import(
  `${dist}host/kvm-engine/kvm-hypervisor.js`
)) as typeof import('../../src/engine/host/kvm-engine/kvm-hypervisor.js');
const { Guest } = (await import(`${dist}host/guest.js`)) as typeof import('../../src/engine/host/guest.js');
const { Machine } = (await import(`${dist}vmm/machine.js`)) as typeof import('../../src/engine/vmm/machine.js');

type Options = Omit<Parameters<typeof KvmHypervisor.create>[0], 'memoryBytes'>;
export interface BuiltKvm {
  vm: ReturnType<typeof KvmHypervisor.create>;
  guest: InstanceType<typeof Guest>;
  /** What came out of COM1. */
  output(): string;
}

/** A machine of the built engine: an image by its path, or real-mode code in hexadecimal for 0:7c00h. */
export function builtKvm(what: { image: string; append?: string } | { code: string }, options: Options): BuiltKvm {
  const vm = KvmHypervisor.create({ memoryBytes: 16 << 20, ...options });
  const machine = new Machine(vm, {
    name: 'test',
    ...('code' in what
      ? {
          image: { name: 'test', bytes: Uint8Array.from(Buffer.from(what.code.replace(/\s+/g, ''), 'hex')) },
          at: 0x7c00,
        }
      : { image: { name: what.image, bytes: readFileSync(what.image) }, append: what.append ?? '' }),
    isaDebugExit: true,
    noReboot: true,
    wallSeconds: 0,
  });
  const guest = new Guest(machine, { paced: false, waitForInput: false });
  let text = '';
  guest.onEvent((event) => {
    if (event.type === 'serial') text += Buffer.from(event.bytes).toString('latin1');
  });
  return { vm, guest, output: () => text };
}
