/** `--clock`: what the guest's time goes by. */
import type { EngineName } from '../engine/vmm/hypervisor.js';
import type { GuestWorkerData } from './guest-options.js';
import { UsageError } from './options.js';

/** As QEMU's `-icount` has it. @see qemu system/cpu-timers.c MAX_ICOUNT_SHIFT */
export const MAX_CLOCK_SHIFT = 10;

/** @throws UsageError */
export function parseClock(
  clock: string | undefined,
  engine: EngineName,
): Pick<GuestWorkerData, 'followsHost' | 'clockShift'> {
  if (clock === undefined) return {};
  const refuse = (why: string): never => {
    throw new UsageError(`--clock ${clock}: ${why}`);
  };
  const [kind, ...settings] = clock.split(',');
  if (kind === 'wall') {
    if (settings.length > 0) refuse("wall follows the host's clock, and takes no settings");
    return engine === 'kvm' ? {} : { followsHost: true };
  }
  if (kind !== 'icount') refuse('use icount[,shift=N] or wall');
  if (engine === 'kvm') refuse("time on engine kvm is the host's; --engine vtx counts instructions");
  if (settings.length === 0) return {};
  const [, value] = /^shift=(.*)$/s.exec(settings[0]) ?? [];
  if (value === undefined || settings.length > 1) refuse('icount takes shift=N, and nothing else');
  if (value === 'auto') refuse("shift=auto keeps up with the host's clock, which wall does here");
  const shift = /^\d+$/.test(value!) ? Number(value) : Number.NaN;
  if (!(shift <= MAX_CLOCK_SHIFT)) refuse(`shift is 0 to ${MAX_CLOCK_SHIFT}: an instruction takes 2^shift ns`);
  return shift === 0 ? {} : { clockShift: shift };
}
