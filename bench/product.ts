import { ROOT } from './paths.js';

/** The finished build, as `vmscope` runs it: what is measured is what users get. Types come from the sources. */
const built = (module: string): Promise<unknown> => import(`${ROOT}dist/${module}`);

export const { TRACE_ENABLED } = (await built(
  'engine/core/layout.js',
)) as typeof import('../src/engine/core/layout.js');
export const { createCore } = (await built(
  'engine/host/core-instance.js',
)) as typeof import('../src/engine/host/core-instance.js');
export const { Guest } = (await built('engine/host/guest.js')) as typeof import('../src/engine/host/guest.js');
export const { Jit } = (await built('engine/jit/jit.js')) as typeof import('../src/engine/jit/jit.js');
export const { Machine } = (await built('engine/vmm/machine.js')) as typeof import('../src/engine/vmm/machine.js');
export const { viewOfVm } = (await built(
  'engine/debug/vtx-view.js',
)) as typeof import('../src/engine/debug/vtx-view.js');
export const { Vm } = (await built('engine/vmm/vm.js')) as typeof import('../src/engine/vmm/vm.js');
export const { loadImage } = (await built('engine/boot/detect.js')) as typeof import('../src/engine/boot/detect.js');
export const { KvmHypervisor } = (await built(
  'engine/host/kvm-engine/kvm-hypervisor.js',
)) as typeof import('../src/engine/host/kvm-engine/kvm-hypervisor.js');
export const { probeKvm } = (await built(
  'engine/host/kvm/probe.js',
)) as typeof import('../src/engine/host/kvm/probe.js');
export const { InputLog } = (await built(
  'engine/time/input-keeper.js',
)) as typeof import('../src/engine/time/input-keeper.js');
