import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

/** What a handler decided: resume the guest, resume it with an event injected, or stop. */
export type Outcome = 'resume' | 'inject' | 'stop';

/** Handles one basic exit reason. `vcpu.vmcs` holds the exit's information. */
export type ExitHandler = (vcpu: Vcpu, vm: Vm) => Outcome;

/** VM-entry interruption types. @sdm 3C 24.8.3 "VM-Entry Controls for Event Injection" */
export const EVENT_TYPE = {
  externalInterrupt: 0,
  nmi: 2,
  hardwareException: 3,
  softwareInterrupt: 4,
  privilegedSoftwareException: 5,
  softwareException: 6,
} as const;

export const EVENT_VALID = 0x80000000;
export const EVENT_ERROR_CODE = 0x800;
