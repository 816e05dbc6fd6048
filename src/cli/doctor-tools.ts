/** Programs and firmware beside vmscope that it works with. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { NET_MODELS } from '../engine/vmm/cards.js';
import type { Finding } from './doctor.js';
import { findFirmware, findNetRom, isFirmwareInstalled } from './firmware.js';

/** Where distributions put OVMF as one image, which `--bios` takes. */
const OVMF = [
  '/usr/share/ovmf/OVMF.fd',
  '/usr/share/OVMF/OVMF.fd',
  '/usr/share/qemu/OVMF.fd',
  '/usr/share/edk2/ovmf/OVMF.fd',
  '/usr/share/edk2-ovmf/x64/OVMF.fd',
];
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
  if (!isFirmwareInstalled())
    return { name: 'SeaBIOS', state: 'note', text: 'not found: guests that boot from disks need it; install seabios' };
  const { bios, vgaBios } = findFirmware(undefined);
  return { name: 'SeaBIOS', state: 'ok', text: vgaBios === undefined ? `${bios}, without a video BIOS` : bios };
}

function ovmf(): Finding {
  const file = OVMF.find((path) => existsSync(path));
  return file === undefined
    ? { name: 'OVMF', state: 'note', text: 'not found: only guests that boot by UEFI need it; install ovmf' }
    : { name: 'OVMF', state: 'ok', text: `${file}, by --bios` };
}

function netRom(): Finding {
  const found = NET_MODELS.map((model) => findNetRom(model)).filter((file) => file !== undefined);
  return found.length === 0
    ? { name: 'iPXE', state: 'note', text: 'not found: guests that boot from the network need it; install ipxe-qemu' }
    : { name: 'iPXE', state: 'ok', text: found.join(', ') };
}

function gdb(): Finding {
  const { status, stdout } = spawnSync('gdb', ['-nx', '--version'], { encoding: 'utf8', timeout: ANSWER_MS });
  const version = status === 0 ? /^.*$/m.exec(stdout)?.[0] : undefined;
  return version === undefined
    ? { name: 'gdb', state: 'note', text: 'not found: `vmscope run --gdb` serves any gdb or LLDB' }
    : { name: 'gdb', state: 'ok', text: version };
}
