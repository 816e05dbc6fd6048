// Streams of cases from templates: systematic ones (each template in each mode and ring) and random ones.
import { isReal, MODES, type Mode } from './bed.js';
import type { Case } from './case.js';
import { buildCase } from './case-builder.js';
import { IF, IOPL } from './flags.js';
import { Rng } from './rng.js';
import { TEMPLATES, type Template } from './templates.js';

export interface GeneratorOptions {
  modes?: readonly Mode[];
  /** Privilege levels; real mode is always 0. */
  rings?: readonly number[];
  /** Template names that contain this text, whatever its case. */
  filter?: string;
  /** Interrupts on and IOPL 0, as a program outside the kernel has them. */
  userFlags?: boolean;
}

/** Templates that the options let through. @throws RangeError when there is none */
export function selectTemplates(options: GeneratorOptions): Template[] {
  const wanted = options.filter?.toUpperCase();
  const templates = TEMPLATES.filter((t) => wanted === undefined || t.name.toUpperCase().includes(wanted));
  return templates;
}

/** An endless stream of random cases; `seed` fixes it. Each 4096 cases share a memory image. */
export function* randomCases(seed: number, options: GeneratorOptions = {}): Generator<Case> {
  const templates = selectTemplates(options);
  const modes = options.modes ?? MODES;
  const rings = options.rings ?? [0, 3];
  const rng = new Rng(seed);
  for (let n = 0; ; n++) {
    const mode = rng.pick(modes);
    const cpl = isReal(mode) ? 0 : rng.pick(rings);
    const template = pickFor(rng, templates, cpl);
    yield asked(buildCase(rng, template, mode, cpl, 1 + (seed % 1000) * 1000 + (n >> 12)), options);
  }
}

/** In ring 0 privileged instructions change the system state that the bed is made of, so they are left out there. */
const fits = (t: Template, cpl: number): boolean => cpl !== 0 || !t.privileged;

function pickFor(rng: Rng, templates: readonly Template[], cpl: number): Template {
  for (let tries = 0; tries < 1000; tries++) {
    const template = rng.pick(templates);
    if (fits(template, cpl)) return template;
  }
  throw new RangeError('every instruction that matches is privileged: leave ring 0 out');
}

/** Every template in every mode and ring, `repeats` times with fresh operands, prefixes and forms. */
export function* systematicCases(seed: number, repeats: number, options: GeneratorOptions = {}): Generator<Case> {
  const rng = new Rng(seed);
  for (const mode of options.modes ?? MODES) {
    for (const cpl of isReal(mode) ? [0] : (options.rings ?? [0, 1, 2, 3])) {
      for (const template of selectTemplates(options)) {
        if (!fits(template, cpl)) continue;
        for (let i = 0; i < repeats; i++) yield asked(buildCase(rng, template, mode, cpl, 1 + seed, i), options);
      }
    }
  }
}

function asked(c: Case, options: GeneratorOptions): Case {
  return options.userFlags ? { ...c, rflags: (c.rflags & ~IOPL) | IF } : c;
}
