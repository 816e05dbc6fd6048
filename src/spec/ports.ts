// What a PC has at its fixed I/O ports.

type Row = readonly [first: number, last: number, name: string];

/** The ISA ports of a PC and its chipset, as the chips' data sheets and ACPI place them. */
const ROWS: readonly Row[] = [
  [0x00, 0x0f, 'DMA controller 1 (8237)'],
  [0x20, 0x21, 'interrupt controller 1 (8259): command, mask'],
  [0x40, 0x43, 'interval timer (8254): counters 0 to 2, control'],
  [0x60, 0x60, 'keyboard controller (8042): data'],
  [0x61, 0x61, 'speaker, NMI status, gate of timer 2'],
  [0x64, 0x64, 'keyboard controller (8042): status, command'],
  [0x70, 0x71, 'CMOS RAM and clock (MC146818): index and NMI mask, data'],
  [0x80, 0x80, 'POST code; writes only take time'],
  [0x81, 0x8f, 'DMA page registers'],
  [0x92, 0x92, 'system control port A: fast A20, reset'],
  [0xa0, 0xa1, 'interrupt controller 2 (8259): command, mask'],
  [0xb2, 0xb3, 'advanced power management: SMI command, status'],
  [0xc0, 0xdf, 'DMA controller 2 (8237)'],
  [0xf0, 0xf1, 'x87 error: clear busy, reset'],
  [0xf4, 0xf4, 'debug exit (isa-debug-exit)'],
  [0x170, 0x177, 'secondary ATA: command block'],
  [0x1f0, 0x1f7, 'primary ATA: command block'],
  [0x2e8, 0x2ef, 'serial port COM4 (16550)'],
  [0x2f8, 0x2ff, 'serial port COM2 (16550)'],
  [0x376, 0x376, 'secondary ATA: alternate status, control'],
  [0x378, 0x37a, 'parallel port'],
  [0x3b0, 0x3df, 'VGA registers'],
  [0x3e8, 0x3ef, 'serial port COM3 (16550)'],
  [0x3f0, 0x3f5, 'floppy controller'],
  [0x3f6, 0x3f6, 'primary ATA: alternate status, control'],
  [0x3f7, 0x3f7, 'floppy controller: input, configuration'],
  [0x3f8, 0x3ff, 'serial port COM1 (16550)'],
  [0x402, 0x402, 'debug console of firmware'],
  [0x4d0, 0x4d1, 'interrupt controllers: edge or level'],
  [0x510, 0x51b, 'firmware configuration (fw_cfg)'],
  [0xcf8, 0xcfb, 'PCI configuration: address'],
  [0xcf9, 0xcf9, 'reset control'],
  [0xcfc, 0xcff, 'PCI configuration: data'],
];

/** Registers of a 16550 by offset; read and written ones are others. */
const UART = [
  'RBR/THR: data, or divisor',
  'IER: interrupt enable, or divisor',
  'IIR/FCR',
  'LCR: line control',
  'MCR: modem control',
  'LSR: line status',
  'MSR: modem status',
  'SCR: scratch',
];

/** What answers at a port; undefined: nothing well-known. */
export function portName(port: number): string | undefined {
  const row = ROWS.find(([first, last]) => port >= first && port <= last);
  if (!row) return undefined;
  return row[2].includes('16550') ? `${row[2]}: ${UART[port - row[0]]}` : row[2];
}
