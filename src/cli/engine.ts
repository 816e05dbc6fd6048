/** Which engine runs a guest: --engine. */
import { probeKvm } from '../engine/host/kvm/probe.js';
import type { EngineName } from '../engine/vmm/hypervisor.js';

export type EngineOption = EngineName | 'auto';

/** The engine for `--engine`, and for `auto` one line that says which and why. */
export function chooseEngine(option: EngineOption, probe = probeKvm): { engine: EngineName; line?: string } {
  if (option !== 'auto') return { engine: option };
  const kvm = probe();
  if (!kvm.usable) return { engine: 'vtx', line: `engine vtx: ${kvm.reason}` };
  // stock kernels do not run on it, and the embedded engine runs whatever small guests it runs
  if (kvm.paravirtual)
    return {
      engine: 'vtx',
      line: 'engine vtx: the KVM of this host is paravirtual and runs small guests only (--engine kvm takes it)',
    };
  return { engine: 'kvm', line: `engine kvm: /dev/kvm works (${kvm.cpu.model})` };
}
