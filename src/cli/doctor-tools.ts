/** Programs and firmware beside vmscope that it works with. */
import { spawnSync } from 'node:child_process';
import { NET_MODELS } from '../engine/vmm/cards.js';
import type { Finding } from './doctor.js';
import { type Firmware, findFirmware, findNetRom, findOvmf, howToInstall, isFirmwareInstalled } from './firmware.js';

/** As package.json's `engines` says. */
const NODE_FROM = 20;
const ANSWER_MS = 5000;

export function toolFindings(): Finding[] {
  return [node(), seabios(), ovmf(), netRom(), gdb()];
}

function node(): Finding {
  const old = Number(process.versions.node.split('.')[0]) < NODE_FROM;
  const text = `${process.version} on ${process.platform} ${process.arch}`;
  if (old) return { name: 'Node', state: 'no', text: `${text}: ${NODE_FROM} or newer is needed` };
  const native = process.arch === 'x64' ? '' : ': guests run on the embedded CPU alone';
  return { name: 'Node', state: native === '' ? 'ok' : 'note', text: `${text}${native}` };
}

function seabios(): Finding {
  if (!isFirmwareInstalled()) return missing('SeaBIOS', 'guests that boot from disks need it');
  const { bios, vgaBios } = findFirmware(undefined, '');
  if (vgaBios !== undefined) return { name: 'SeaBIOS', state: 'ok', text: `${bios}, ${vgaBios}` };
  const how = howToInstall('its video BIOS');
  return { name: 'SeaBIOS', state: 'note', text: `${bios}, without a video BIOS: INT 10h shows nothing; ${how}` };
}

function ovmf(): Finding {
  const file = findOvmf();
  return file === undefined
    ? missing('OVMF', 'only guests that boot by UEFI need it')
    : { name: 'OVMF', state: 'ok', text: `${file}, by --bios` };
}

function netRom(): Finding {
  const found = NET_MODELS.map((model) => findNetRom(model)).filter((file) => file !== undefined);
  return found.length === 0
    ? missing('iPXE', 'guests that boot from the network need it')
    : { name: 'iPXE', state: 'ok', text: found.join(', ') };
}

function missing(name: Firmware, why: string): Finding {
  return { name, state: 'note', text: `not found: ${why}; ${howToInstall(name)}` };
}

function gdb(): Finding {
  const { status, stdout } = spawnSync('gdb', ['-nx', '--version'], { encoding: 'utf8', timeout: ANSWER_MS });
  const version = status === 0 ? /^.*$/m.exec(stdout)?.[0] : undefined;
  return version === undefined
    ? { name: 'gdb', state: 'note', text: 'not found: `vmscope run --gdb` serves any gdb or LLDB' }
    : { name: 'gdb', state: 'ok', text: version };
}
