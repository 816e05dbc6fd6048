// The text of --cpu, as QEMU's -cpu: MODEL[,vendor=MAKER][,+FEATURE][,-FEATURE][,FEATURE=on|off].
import { CPU_MODELS, type CpuModel, type CpuModelName, cpuModel, featurePlace, VENDORS } from './cpu-models.js';

/** A --cpu that names no model, maker or feature; the message says which and what there is. */
export class CpuOptionError extends Error {}

/** QEMU's names of features that Linux calls otherwise. */
const QEMU_NAMES: Record<string, string> = { pni: 'sse3', lzcnt: 'abm', clfsh: 'clflush' };

/** `host` is QEMU's name for all that the machine underneath has: here that is `max`. */
const MODEL_NAMES: Record<string, CpuModelName> = { host: 'max' };

/** @throws CpuOptionError */
export function parseCpu(text: string): CpuModel {
  const [first, ...parts] = text.split(',').map((part) => part.trim());
  const name = CPU_MODELS.find((known) => known === (MODEL_NAMES[first] ?? first));
  if (name === undefined) throw new CpuOptionError(`${first}: no such model; there are ${CPU_MODELS.join(', ')}`);
  return parts.reduce(withPart, cpuModel(name));
}

function withPart(model: CpuModel, part: string): CpuModel {
  const [key, value] = part.split('=');
  if (key === 'vendor') {
    const vendor = VENDORS.find((known) => known === value);
    if (vendor === undefined) throw new CpuOptionError(`${part}: the makers are ${VENDORS.join(' and ')}`);
    return { ...model, vendor };
  }
  const sign = /^[+-]/.test(part) ? part[0] : value === 'on' ? '+' : value === 'off' ? '-' : undefined;
  if (sign === undefined) throw new CpuOptionError(`${part}: not vendor=MAKER, +FEATURE or -FEATURE`);
  return withFeature(model, key.replace(/^[+-]/, ''), sign === '+');
}

/** All that the core carries out is in `max`, so that a feature beyond it cannot be turned on. */
function withFeature(model: CpuModel, name: string, on: boolean): CpuModel {
  const plain = name.toLowerCase().replaceAll('.', '_').replaceAll('-', '_');
  const place = featurePlace(QEMU_NAMES[plain] ?? plain);
  if (place === undefined) throw new CpuOptionError(`${name}: no such feature`);
  const { word, mask } = place;
  if (on && (cpuModel('max')[word] & mask) === 0) throw new CpuOptionError(`${name}: the engine does not have it`);
  return { ...model, [word]: (on ? model[word] | mask : model[word] & ~mask) >>> 0 };
}
