import { afterEach } from 'vitest';
import { Guest } from '../../src/engine/host/guest.js';
import { KvmHypervisor } from '../../src/engine/host/kvm-engine/kvm-hypervisor.js';
import { Machine } from '../../src/engine/vmm/machine.js';

export interface FlatKvm {
  vm: KvmHypervisor;
  machine: Machine;
  guest: Guest;
}

/** A machine on /dev/kvm that starts in real mode at 0:7c00h on these bytes, given in hexadecimal. */
export function flatKvm(code: string): FlatKvm {
  const bytes = Uint8Array.from(Buffer.from(code.replace(/\s+/g, ''), 'hex'));
  const vm = KvmHypervisor.create({ memoryBytes: 4 << 20, vcpus: 1 });
  const image = { name: 'test', bytes };
  const machine = new Machine(vm, {
    name: 'test',
    image,
    at: 0x7c00,
    isaDebugExit: true,
    noReboot: true,
    wallSeconds: 0,
  });
  return { vm, machine, guest: new Guest(machine, { paced: false, waitForInput: false }) };
}

/** Makes flat guests for the tests of a suite, and ends them after each test. */
export function flatGuests(): (code: string) => FlatKvm {
  const open: FlatKvm[] = [];
  afterEach(async () => {
    for (const { guest } of open.splice(0)) await guest.quit();
  });
  return (code) => {
    const made = flatKvm(code);
    open.push(made);
    return made;
  };
}

/** Resumes and answers the stop; after `ms` the guest is paused. */
export async function runGuest(guest: Guest, ms = 5000): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => void guest.pause(), ms);
    const off = guest.onEvent((event) => {
      if (event.type !== 'stopped') return;
      clearTimeout(timer);
      off();
      resolve(event.stop.kind);
    });
    guest.resume().catch((error: Error) => {
      clearTimeout(timer);
      off();
      // a pause may come just when the guest has done its last
      if (/has ended/.test(error.message)) resolve('ended');
      else reject(error);
    });
  });
}
