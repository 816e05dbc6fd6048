import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

/** What a handler decided: resume the guest, resume it with an event injected, or stop. */
export type Outcome = 'resume' | 'inject' | 'stop';

/** Handles one basic exit reason. `vcpu.vmcs` holds the exit's information. */
export type ExitHandler = (vcpu: Vcpu, vm: Vm) => Outcome;
