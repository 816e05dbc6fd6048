/** Registers of the 82540EM: places, names, what they hold after a reset. @8254x 13 "Register Descriptions" */
import { type Schema, words } from '../../state/schema.js';

export const CTRL = 0x0000;
export const STATUS = 0x0008;
export const EECD = 0x0010;
export const EERD = 0x0014;
export const CTRL_EXT = 0x0018;
export const MDIC = 0x0020;
export const VET = 0x0038;
export const ICR = 0x00c0;
export const ITR = 0x00c4;
export const ICS = 0x00c8;
export const IMS = 0x00d0;
export const IMC = 0x00d8;
export const RCTL = 0x0100;
export const TCTL = 0x0400;
export const PBA = 0x1000;
export const RDBAL = 0x2800;
export const RDBAH = 0x2804;
export const RDLEN = 0x2808;
export const RDH = 0x2810;
export const RDT = 0x2818;
export const TDBAL = 0x3800;
export const TDBAH = 0x3804;
export const TDLEN = 0x3808;
export const TDH = 0x3810;
export const TDT = 0x3818;
export const STATISTICS = 0x4000;
export const STATISTICS_END = 0x4128;
export const RXCSUM = 0x5000;
export const MTA = 0x5200;
export const RAL = 0x5400;
export const RAH = 0x5404;
export const VFTA = 0x5600;
export const RECEIVE_ADDRESSES = 16;

export const CTRL_SLU = 0x0000_0040;
export const CTRL_RST = 0x0400_0000;
export const CTRL_VME = 0x4000_0000;
export const CTRL_PHY_RST = 0x8000_0000;
export const STATUS_LU = 0x2;
/** Full duplex, 1000 Mb/s, detected so; the transmit clock runs, PCI bus mastering is on. */
const STATUS_ALWAYS = 0x8008_0781;

/** Causes of interrupts. @8254x 13.4.17 "Interrupt Cause Read Register" */
export const CAUSE = {
  txdw: 0x0001,
  txqe: 0x0002,
  lsc: 0x0004,
  rxdmt0: 0x0010,
  rxo: 0x0040,
  rxt0: 0x0080,
  mdac: 0x0200,
} as const;
export const CAUSE_NAMES = ['TXDW', 'TXQE', 'LSC', 'RXSEQ', 'RXDMT0', '', 'RXO', 'RXT0', '', 'MDAC'] as const;

/** A register or a row of them: which bits software writes, and the value after a reset. */
interface Row {
  name: string;
  at: number;
  count?: number;
  mask?: number;
  reset?: number;
  /** Bytes between the registers of a row. */
  stride?: number;
}

const BASE_LOW = 0xffff_fff0;
const LENGTH = 0x000f_ff80;
const INDEX = 0xffff;

/** What only keeps what was written is here too: drivers read it back. */
const ROWS: readonly Row[] = [
  { name: 'CTRL', at: CTRL, reset: 0x0014_0240 },
  { name: 'STATUS', at: STATUS, mask: 0, reset: STATUS_ALWAYS },
  { name: 'EECD', at: EECD },
  { name: 'EERD', at: EERD },
  { name: 'CTRL_EXT', at: CTRL_EXT },
  { name: 'MDIC', at: MDIC },
  { name: 'FCAL', at: 0x28 },
  { name: 'FCAH', at: 0x2c },
  { name: 'FCT', at: 0x30 },
  { name: 'VET', at: VET, reset: 0x8100 },
  { name: 'ICR', at: ICR },
  { name: 'ITR', at: ITR, mask: 0xffff },
  { name: 'IMS', at: IMS },
  { name: 'RCTL', at: RCTL, mask: 0x07ff_fffe },
  { name: 'FCTTV', at: 0x170 },
  { name: 'TXCW', at: 0x178 },
  { name: 'RXCW', at: 0x180, mask: 0 },
  { name: 'TCTL', at: TCTL },
  { name: 'TIPG', at: 0x410 },
  { name: 'AIT', at: 0x458 },
  { name: 'LEDCTL', at: 0xe00, reset: 0x602 },
  { name: 'PBA', at: PBA, reset: 0x0010_0030 },
  { name: 'FCRTL', at: 0x2160 },
  { name: 'FCRTH', at: 0x2168 },
  { name: 'RDFH', at: 0x2410, count: 5, stride: 8 },
  { name: 'RDBAL', at: RDBAL, mask: BASE_LOW },
  { name: 'RDBAH', at: RDBAH },
  { name: 'RDLEN', at: RDLEN, mask: LENGTH },
  { name: 'RDH', at: RDH, mask: INDEX },
  { name: 'RDT', at: RDT, mask: INDEX },
  { name: 'RDTR', at: 0x2820, mask: 0xffff },
  { name: 'RXDCTL', at: 0x2828 },
  { name: 'RADV', at: 0x282c, mask: 0xffff },
  { name: 'RSRPD', at: 0x2c00 },
  { name: 'TXDMAC', at: 0x3000 },
  { name: 'TDFH', at: 0x3410, count: 5, stride: 8 },
  { name: 'TDBAL', at: TDBAL, mask: BASE_LOW },
  { name: 'TDBAH', at: TDBAH },
  { name: 'TDLEN', at: TDLEN, mask: LENGTH },
  { name: 'TDH', at: TDH, mask: INDEX },
  { name: 'TDT', at: TDT, mask: INDEX },
  { name: 'TIDV', at: 0x3820, mask: 0xffff },
  { name: 'TXDCTL', at: 0x3828 },
  { name: 'TADV', at: 0x382c, mask: 0xffff },
  { name: 'TSPMT', at: 0x3830 },
  { name: 'statistics', at: STATISTICS, count: (STATISTICS_END - STATISTICS) / 4, mask: 0 },
  { name: 'RXCSUM', at: RXCSUM },
  { name: 'MTA', at: MTA, count: 128 },
  { name: 'RA', at: RAL, count: 2 * RECEIVE_ADDRESSES },
  { name: 'VFTA', at: VFTA, count: 128 },
  { name: 'WUC', at: 0x5800 },
  { name: 'WUFC', at: 0x5808 },
  { name: 'WUS', at: 0x5810 },
  { name: 'MANC', at: 0x5820 },
  { name: 'IPAV', at: 0x5838 },
  { name: 'IP4AT', at: 0x5840, count: 4, stride: 8 },
  { name: 'IP6AT', at: 0x5880, count: 4 },
  { name: 'WUPM', at: 0x5a00, count: 32 },
  { name: 'FFLT', at: 0x5f00, count: 4, stride: 8 },
  { name: 'FFMT', at: 0x9000, count: 128, stride: 8 },
  { name: 'FFVT', at: 0x9800, count: 128, stride: 8 },
];

interface Place {
  index: number;
  mask: number;
}

const PLACES = new Map<number, Place>();
for (const { at, count = 1, stride = 4, mask = 0xffff_ffff } of ROWS)
  for (let i = 0; i < count; i++) PLACES.set(at + stride * i, { index: PLACES.size, mask });
const COUNT = PLACES.size;

/** The registers by their offset; places without one read as zeros and keep nothing. */
export class Registers {
  private readonly values = new Uint32Array(COUNT);
  readonly shape: Schema<Uint32Array> = words(COUNT);

  get(offset: number): number {
    const place = PLACES.get(offset);
    return place === undefined ? 0 : this.values[place.index];
  }

  set(offset: number, value: number): void {
    const place = PLACES.get(offset);
    if (place) this.values[place.index] = value;
  }

  /** Software's write: bits that are not its own stay. */
  write(offset: number, value: number): void {
    const place = PLACES.get(offset);
    if (!place) return;
    const { index, mask } = place;
    this.values[index] = (this.values[index] & ~mask) | (value & mask);
  }

  /** A 64-bit base of a ring. */
  base(low: number): number {
    return this.get(low) + this.get(low + 4) * 2 ** 32;
  }

  reset(): void {
    this.values.fill(0);
    for (const { at, reset } of ROWS) if (reset !== undefined) this.set(at, reset);
  }

  save(): Uint32Array {
    return this.values;
  }

  load(values: Uint32Array): void {
    this.values.set(values);
  }
}
