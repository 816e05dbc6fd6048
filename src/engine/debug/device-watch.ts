import type { MachineView, Watch } from '../machine-view.js';
import type { DeviceWatch } from '../memory/device-view.js';

const PAGE_BYTES = 4096n;

/** A watchpoint for the devices, which know physical addresses only: a linear range is where any vCPU has it now. */
export function deviceWatch(view: MachineView, { id, access, address, length, space }: Watch): DeviceWatch {
  return {
    ...{ id, access, address },
    *pieces() {
      const last = address + BigInt(length);
      if (space === 'gpa') {
        if (last <= BigInt(view.memoryBytes)) yield { gpa: Number(address), bytes: length, offset: 0 };
        return;
      }
      for (let at = address; at < last; ) {
        const next = at - (at % PAGE_BYTES) + PAGE_BYTES;
        const end = next < last ? next : last;
        const found = new Set<bigint>();
        for (let vcpu = 0; vcpu < view.vcpus; vcpu++) {
          const gpa = view.translate(vcpu, at);
          if (gpa !== undefined) found.add(gpa);
        }
        for (const gpa of found) yield { gpa: Number(gpa), bytes: Number(end - at), offset: Number(at - address) };
        at = end;
      }
    },
  };
}
