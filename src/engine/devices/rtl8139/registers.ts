/** Registers of the RTL8139C: places, widths, what software writes. @rtl8139 6 "Register Descriptions" */

export const MAC = 0x00;
export const MULTICAST = 0x08;
export const TX_STATUS = 0x10;
export const TX_ADDRESS = 0x20;
export const RX_BUFFER = 0x30;
export const COMMAND = 0x37;
export const READ_POINTER = 0x38;
export const WRITE_POINTER = 0x3a;
export const IMR = 0x3c;
export const ISR = 0x3e;
export const TX_CONFIG = 0x40;
export const RX_CONFIG = 0x44;
export const TIMER_COUNT = 0x48;
export const MISSED = 0x4c;
export const EEPROM_CONTROL = 0x50;
export const TIMER_INTERRUPT = 0x54;
export const TX_SUMMARY = 0x60;
export const MODE_CONTROL = 0x62;
export const REGISTER_BYTES = 0x100;
export const DESCRIPTORS = 4;

export const CMD = { empty: 0x01, transmit: 0x04, receive: 0x08, reset: 0x10 } as const;
export const CAUSE = {
  receiveOk: 0x0001,
  transmitOk: 0x0004,
  transmitError: 0x0008,
  overflow: 0x0010,
  timeout: 0x4000,
} as const;
export const CAUSE_NAMES = ['ROK', 'RER', 'TOK', 'TER', 'RXOVW', 'PUN', 'FOVW'] as const;

interface Row {
  at: number;
  bytes: 1 | 2 | 4;
  reset?: number;
  /** Bits that software changes; absent: all. */
  mask?: number;
}

/** The descriptor is the host's. */
export const TX_OWN = 0x2000;
const row = (at: number, bytes: 1 | 2 | 4, reset = 0, mask?: number): Row =>
  mask === undefined ? { at, bytes, reset } : { at, bytes, reset, mask };
const descriptors = [0, 4, 8, 12];

/** Those with effects are written through `Rtl8139.written`. */
export const ROWS: readonly Row[] = [
  ...Array.from({ length: 6 }, (_, i) => row(MAC + i, 1)),
  ...Array.from({ length: 8 }, (_, i) => row(MULTICAST + i, 1)),
  ...descriptors.map((at) => row(TX_STATUS + at, 4, TX_OWN, 0x003f_3fff)),
  ...descriptors.map((at) => row(TX_ADDRESS + at, 4)),
  row(RX_BUFFER, 4),
  row(0x36, 1, 0, 0),
  row(COMMAND, 1, CMD.empty, CMD.transmit | CMD.receive),
  row(READ_POINTER, 2),
  row(WRITE_POINTER, 2, 0, 0),
  row(IMR, 2, 0, 0xe07f),
  row(ISR, 2),
  // the identity of an RTL8139C is among its bits
  row(TX_CONFIG, 4, 0x7400_0000, 0x0307_07f0),
  row(RX_CONFIG, 4, 0, 0x0f0f_ffff),
  row(TIMER_COUNT, 4),
  row(MISSED, 4),
  row(EEPROM_CONTROL, 1, 0, 0xce),
  row(0x51, 1, 0, 0),
  row(0x52, 1, 0x0c),
  row(TIMER_INTERRUPT, 4),
  // link up at 100 Mb/s
  row(0x58, 1, 0xd0, 0),
  row(0x59, 1, 0x01),
  row(0x5a, 1),
  row(0x5c, 2),
  row(0x5e, 1, 0, 0),
  row(TX_SUMMARY, 2, 0, 0),
  row(MODE_CONTROL, 2, 0x1100, 0x7d00),
  row(0x64, 2, 0x782d, 0),
  row(0x66, 2, 0x05e1),
  row(0x68, 2, 0x05e1, 0),
  row(0x6a, 2, 0x0001, 0),
  row(0x6c, 2, 0, 0),
  row(0x6e, 2, 0, 0),
  row(0x70, 2),
  row(0x72, 2, 0, 0),
  row(0x74, 2),
  row(0x78, 4),
  row(0x7c, 4),
  row(0x80, 1),
];
