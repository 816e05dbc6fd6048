/** The monitor's commands for the balloon, in QEMU's words. */
import type { Machine } from '../vmm/machine.js';

const MIB = 1 << 20;

/** Answers a balloon command; undefined when the line is another one. */
export function balloonCommand(machine: Machine, line: string): string | undefined {
  const [word, argument, ...more] = line.trim().split(/\s+/);
  const asks = word === 'info' && argument === 'balloon';
  if (!asks && word !== 'balloon') return undefined;
  const { balloon } = machine.pc;
  if (balloon === undefined) return 'the machine has no balloon: start it with --device virtio-balloon';
  const total = machine.vm.memoryBytes / MIB;
  if (asks) {
    machine.pc.refreshBalloon();
    const { actual } = balloon.pages;
    const stats = balloon.statistics.map(([name, value]) => `${name}=${value}`).join(' ');
    return `balloon: actual=${Math.floor(total - (actual * 4096) / MIB)}${stats === '' ? '' : ` ${stats}`}`;
  }
  const keep = Number(argument);
  if (more.length > 0 || !Number.isInteger(keep) || keep < 1 || keep > total) {
    return `balloon: a whole number of MiB from 1 to ${total}`;
  }
  machine.pc.setBalloon(((total - keep) * MIB) / 4096);
  return '';
}
