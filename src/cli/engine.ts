/** Which engine runs a guest: --engine auto. */
import type { KvmProbe } from '../engine/host/kvm/probe.js';
import type { EngineName } from '../engine/vmm/hypervisor.js';

/** The engine for `--engine auto`, and one line that says which and why. */
export function chooseEngine(kvm: KvmProbe): { engine: EngineName; line: string } {
  if (!kvm.usable) return { engine: 'vtx', line: `engine vtx: ${kvm.reason}` };
  // stock kernels do not run on it, and the embedded engine runs whatever small guests it runs
  if (kvm.paravirtual)
    return {
      engine: 'vtx',
      line: 'engine vtx: the KVM of this host is paravirtual and runs small guests only (--engine kvm takes it)',
    };
  return { engine: 'kvm', line: `engine kvm: /dev/kvm works (${kvm.cpu.model})` };
}
