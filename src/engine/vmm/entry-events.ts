import { bitsOf } from '../../spec/flags.js';
import { INTERRUPTION_INFO, INTERRUPTION_TYPES } from '../../spec/vmx/interruption-info.js';

const type = (name: (typeof INTERRUPTION_TYPES)[number]): number => INTERRUPTION_TYPES.indexOf(name);

/** VM-entry interruption types. */
export const EVENT_TYPE = {
  externalInterrupt: type('external interrupt'),
  nmi: type('NMI'),
  hardwareException: type('hardware exception'),
  softwareInterrupt: type('software interrupt'),
  privilegedSoftwareException: type('privileged software exception'),
  softwareException: type('software exception'),
} as const;

export const EVENT_VALID = bitsOf(INTERRUPTION_INFO, 'valid') >>> 0;
export const EVENT_ERROR_CODE = bitsOf(INTERRUPTION_INFO, 'error code');
