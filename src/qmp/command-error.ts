/** What an error reply says. @see "QEMU QMP Reference Manual", QapiErrorClass */
export class CommandError extends Error {
  constructor(
    message: string,
    readonly kind: 'GenericError' | 'CommandNotFound' | 'DeviceNotActive' | 'DeviceNotFound' = 'GenericError',
  ) {
    super(message);
  }
}
