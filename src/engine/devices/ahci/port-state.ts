/** What a port of the controller keeps: its registers, and how far the command under way has got. */
import { address, flag, int, optional, record, type StateOf, time, u8, u32 } from '../../state/schema.js';
import { CMD, NO_SIGNATURE, NO_STATUS } from './registers.js';

const REGISTERS = record({
  ...{ clb: u32, clbu: u32, fb: u32, fbu: u32, is: u32, ie: u32, cmd: u32, sig: u32 },
  ...{ sctl: u32, serr: u32, sact: u32, ci: u32, tfd: u32 },
});
export const OWN = record({
  registers: REGISTERS,
  /** The device's first FIS is in memory. */
  greeted: flag,
  /** Slot that the drive works on; it ended with an error: nothing runs until ST is cleared. */
  slot: optional(u8),
  stopped: flag,
  table: record({ gpa: address, entries: u32 }),
  position: record({ entry: u32, offset: u32 }),
  moved: int(0, 2 ** 48),
  packetSent: flag,
  goesOnAt: optional(time),
});
export type OwnState = StateOf<typeof OWN>;

export interface PortState {
  own: OwnState;
  drive: object;
  queued: object;
}

/** At power-on. */
export function powerOn(): OwnState {
  const none = { clb: 0, clbu: 0, fb: 0, fbu: 0, is: 0, ie: 0, sctl: 0, serr: 0, sact: 0, ci: 0 };
  return {
    registers: { ...none, cmd: CMD.spinUp | CMD.powerOn, sig: NO_SIGNATURE, tfd: NO_STATUS },
    ...{ greeted: false, slot: undefined, stopped: false, table: { gpa: 0, entries: 0 } },
    ...{ position: { entry: 0, offset: 0 }, moved: 0, packetSent: false, goesOnAt: undefined },
  };
}
