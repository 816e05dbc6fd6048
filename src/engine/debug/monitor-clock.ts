/** What the guest's time goes by, and how fast it runs. */
import type { Debugger, GuestClock } from '../debugger.js';

/** So near to the host's clock it is as fast as that. */
const EVEN = 0.05;
/** Beyond this a factor says no more than that nothing waits. */
const DIGITS = 2;

/** `x0.34`, `x1250`; undefined where it is as fast as the host's, or not known. */
export function paceText(pace: number | undefined): string | undefined {
  if (pace === undefined || Math.abs(pace - 1) <= EVEN) return undefined;
  return `x${factor(pace)}`;
}

function factor(pace: number): string {
  const digits = Number(pace.toPrecision(DIGITS));
  // no exponent: a guest that idles may be a million times faster
  return pace >= 100 ? String(Math.round(pace)) : digits < 0.001 ? '0.001' : String(digits);
}

/** As --clock has it. */
export const clockName = ({ kind, instructionNs = 1 }: GuestClock): string =>
  kind === 'icount' ? `icount,shift=${Math.log2(instructionNs)}` : kind;

function clockText(clock: GuestClock): string {
  const { kind, instructionNs = 1 } = clock;
  if (kind === 'host') return "the host's";
  const counted = `${clockName(clock)}: an instruction takes ${instructionNs} ns`;
  return kind === 'wall' ? `${counted}, and time is moved along with the host's clock` : counted;
}

async function clockLines(target: Debugger): Promise<string> {
  const { clock: by } = await target.info();
  const { clock, pace, running } = await target.state();
  if (!by) throw new Error('it is not known which clock the guest follows');
  const lines = [
    `clock: ${clockText(by)}`,
    `virtual time: ${(Number(clock) / 1e9).toFixed(9)} s since power-on or the last reset`,
  ];
  if (by.kind === 'host') return lines.join('\n');
  if (pace === undefined) lines.push(running ? 'speed: not known yet' : 'speed: the guest is stopped');
  else lines.push(`speed: x${factor(pace)} of the host's clock${hint(by, pace)}`);
  return lines.join('\n');
}

function hint({ kind }: GuestClock, pace: number): string {
  if (pace >= 1 - EVEN) return '';
  return kind === 'wall'
    ? ': the host is too slow for it, and what it is behind for more than 2 s is lost to it'
    : ': so many instructions take longer here; --clock wall moves it along, icount,shift=N lets each take 2^N ns';
}

export const CLOCK_COMMANDS = {
  'info clock': ({ target }: { target: Debugger }) => clockLines(target),
};
