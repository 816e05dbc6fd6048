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
