/**
 * QEMU's options for what `run` does too: `vmscope run -kernel bzImage -hda disk.img -smp 2 -nographic` starts the guest that
 * these words start there. A word that has no counterpart is refused with the option that comes closest.
 */
import { DRIVE_BUSES, type DriveBus } from '../engine/devices/block.js';
import { NET_MODELS, type NetModel } from '../engine/vmm/cards.js';
import { UsageError } from './options.js';

/** Ours for a value; `word` is the option as it was written. */
type Words = (value: string, word: string) => string[];
const drive =
  (bus: string): Words =>
  (file) => ['--disk', `${file.replaceAll(',', ',,')},if=${bus}`];

/** QEMU's options with a value, and ours for them. */
const WITH_VALUE: Readonly<Record<string, Words>> = {
  kernel: (file) => ['--kernel', file],
  initrd: (file) => ['--initrd', file],
  append: (text) => ['--append', text],
  bios: (file) => ['--bios', file],
  boot: (text) => ['--boot', text],
  hda: drive('ide'),
  hdb: drive('ide'),
  fda: drive('floppy'),
  fdb: drive('floppy'),
  cdrom: (file) => ['--cdrom', file],
  drive: driveOf,
  smp: (text) => ['--vcpus', vcpusOf(text)],
  cpu: (text) => ['--cpu', text],
  accel: engineOf,
  machine: machineOf,
  M: machineOf,
  serial: serialOf,
  monitor: () => [],
  vnc: (text) => ['--vnc', text],
  display: (text) => (text === 'none' ? [] : refuse(`-display ${text}`, 'the screen is in the dashboard')),
  gdb: (text) => ['--gdb', text.replace(/^tcp:/, '').replace(/^:/, '')],
  name: (text) => ['--name', text.replace(/^guest=/, '').replace(/,.*/s, '')],
  netdev: netOf,
  nic: netOf,
  net: (text, word) => (text.startsWith('nic') ? [] : netOf(text, word)),
  device: deviceOf,
  rtc: (text) => (/^base=/.test(text) ? ['--rtc', text.replace(/^base=/, '').replace(/,.*/s, '')] : []),
  icount: (text) => ['--clock', `icount,${/^\d+$/.test(text) ? `shift=${text}` : text}`],
  debugcon: (text) => ['--debugcon', text.replace(/^file:/, '')],
  incoming: (uri) => ['--incoming', uri],
};

/** QEMU's options without one. */
const ALONE: Readonly<Record<string, readonly string[]>> = {
  nographic: ['--headless', '--serial', 'stdio'],
  'enable-kvm': ['--engine', 'kvm'],
  'no-reboot': ['--no-reboot'],
  'no-shutdown': [],
  nodefaults: [],
  'no-user-config': [],
  snapshot: [],
};

/** Every one that is taken, without its dash. */
export const QEMU_WORDS: readonly string[] = [...Object.keys(WITH_VALUE), ...Object.keys(ALONE)];

/** The words of `run` with QEMU's replaced. `-snapshot` belongs to every drive. @throws UsageError */
export function withoutQemuWords(words: readonly string[]): string[] {
  const out: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    if (word === '--') return [...out, ...words.slice(at)];
    const name = word.slice(1);
    if (!isQemuWord(word) || /^--[^=]+$/.test(words[at - 1] ?? '')) {
      out.push(word);
    } else if (Object.hasOwn(ALONE, name)) {
      out.push(...ALONE[name]);
    } else if (Object.hasOwn(WITH_VALUE, name)) {
      const value = words[++at];
      if (value === undefined) throw new UsageError(`${word}: a value is missing`);
      out.push(...WITH_VALUE[name](value, word));
    } else throw new UsageError(`${word}: no option of \`vmscope run\` stands for it; vmscope run --help lists them`);
  }
  const snapshot = words.includes('-snapshot');
  const model = words.map((word, at) => netModelOf(words[at - 1], word)).find((found) => found !== undefined);
  const disks = placed(out, words);
  return disks.map((word, at) => {
    if (snapshot && out[at - 1] === '--disk') return `${word},snapshot=on`;
    const names = model !== undefined && out[at - 1] === '--net' && word.startsWith('user') && !word.includes('model=');
    return names ? `${word},model=${model}` : word;
  });
}

/** Devices that drives are put on by `drive=ID`, and what `--disk` calls them; a SATA drive is on a bus of the AHCI card. */
function busOfDevice(text: string): DriveBus | undefined {
  const keys = keysOf(text, 'name');
  const name = keys.get('name') ?? '';
  if (/^ide-(hd|cd)$/.test(name)) return /^(ahci|sata|ich9)/.test(keys.get('bus') ?? '') ? 'sata' : 'ide';
  if (/^virtio-blk(-pci)?$/.test(name)) return 'virtio';
  return DRIVE_BUSES.find((bus) => bus === name);
}

/** Drives of `-drive if=none,id=D` on the bus of the `-device` that names them; a virtio disk where none does. */
function placed(out: readonly string[], words: readonly string[]): string[] {
  const options = new Map<string, string>();
  for (const [at, word] of words.entries()) {
    const bus = words[at - 1] === '-device' ? busOfDevice(word) : undefined;
    const keys = keysOf(word, 'name');
    const [id, serial] = [keys.get('drive'), keys.get('serial')];
    if (bus && id !== undefined) options.set(id, `if=${bus}${serial === undefined ? '' : `,serial=${serial}`}`);
  }
  return out.map((word, at) => {
    if (out[at - 1] !== '--disk') return word;
    return word.replace(/(?<=,)id=([^,]*)/, (_, id: string) => options.get(id) ?? 'if=virtio');
  });
}

/** One dash and more than a letter, as QEMU's options are; of a letter, what is none of ours. */
export function isQemuWord(word: string): boolean {
  return word === '-M' || (/^-[a-zA-Z][\w-]+$/.test(word) && !/^-m\d/.test(word));
}

function refuse(word: string, way: string): never {
  throw new UsageError(`${word}: ${way}`);
}

/** Comma-separated keys of one of QEMU's options; a word without `=` is the value of `first`. */
function keysOf(text: string, first: string): Map<string, string> {
  return new Map(
    text.split(/(?<!,),(?!,)/).map((part, at) => {
      const [key, value] = part.split(/=(.*)/s, 2);
      return value === undefined ? [at === 0 ? first : key, at === 0 ? key : 'on'] : [key, value];
    }),
  );
}

function driveOf(text: string): string[] {
  const keys = keysOf(text, 'file');
  const file = keys.get('file');
  if (!file) return refuse(`-drive ${text}`, 'no file= in it');
  const isDisc = keys.get('media') === 'cdrom';
  if (isDisc && (keys.get('if') ?? 'ide') === 'ide' && !keys.has('serial'))
    return ['--cdrom', file.replaceAll(',,', ',')];
  const parts = isDisc ? [file, 'media=cdrom'] : [file];
  for (const key of ['format', 'readonly', 'snapshot', 'serial'])
    if (keys.has(key)) parts.push(`${key}=${keys.get(key)}`);
  const bus = keys.get('if') ?? 'ide';
  // where a drive without a bus of its own goes, its -device says: see `placed`
  parts.push(bus === 'none' ? `id=${keys.get('id') ?? ''}` : `if=${bus}`);
  return ['--disk', parts.join(',')];
}

function vcpusOf(text: string): string {
  const keys = keysOf(text, 'cpus');
  const product = ['sockets', 'cores', 'threads'].reduce((n, key) => n * Number(keys.get(key) ?? 1), 1);
  return keys.get('cpus') ?? String(product);
}

function engineOf(text: string, word: string): string[] {
  const name = keysOf(text, 'accel').get('accel');
  if (name === 'kvm') return ['--engine', 'kvm'];
  if (name === 'tcg') return ['--engine', 'vtx'];
  return refuse(`${word} ${text}`, `${name} is not an engine here; --engine takes vtx, kvm and auto`);
}

function machineOf(text: string): string[] {
  const keys = keysOf(text, 'type');
  const type = keys.get('type') ?? 'pc';
  if (!/^(pc|pc-i440fx-.*|accel)$/.test(type))
    refuse(`-machine ${text}`, `the machine is QEMU's pc (i440FX), not ${type}`);
  const accel = keys.get('accel')?.split(':')[0];
  return accel === undefined ? [] : engineOf(accel, '-machine accel=');
}

function serialOf(text: string): string[] {
  if (text === 'stdio' || text === 'mon:stdio') return ['--serial', 'stdio'];
  const unix = /^unix:([^,]*)/.exec(text);
  if (unix) return ['--serial', `unix:${unix[1]}`];
  return ['--serial', text === 'null' ? 'none' : text];
}

/** The one network that there is, once. */
function netOf(text: string, word: string): string[] {
  if (text === 'none') return [];
  const [kind, ...rest] = text.split(',');
  if (kind !== 'user') return refuse(`${word} ${text}`, `there is no ${kind} network; --net takes none and user`);
  return ['--net', ['user', ...rest.filter((part) => !/^id=|^model=virtio/.test(part))].join(',')];
}

/** QEMU's card where none is named. */
const USUAL_CARD = 'e1000';

/** The card that an option puts on the network of another one, or of its own; undefined: none, or a virtio card. */
function netModelOf(option: string | undefined, value: string): NetModel | undefined {
  const keys = keysOf(value, 'name');
  const name = keys.get('name');
  const isCard = (option === '-net' && name === 'nic') || (option === '-nic' && name === 'user');
  const card = option === '-device' ? name : isCard ? (keys.get('model') ?? USUAL_CARD) : undefined;
  return NET_MODELS.find((model) => model !== 'virtio' && model === card);
}

function deviceOf(text: string): string[] {
  const [name] = text.split(',');
  // what stands for the other half of -netdev and -drive is there by itself
  if (/^virtio-net(-pci)?$|^(ich9-)?ahci$/.test(name) || busOfDevice(text)) return [];
  if (netModelOf('-device', text)) return [];
  if (name === 'isa-debug-exit') return ['--isa-debug-exit'];
  return ['--device', name.replace(/-pci$/, '')];
}
