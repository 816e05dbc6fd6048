// Streams of cases from templates: systematic ones (each template in each mode and ring) and random ones.
import { isReal, MODES, type Mode } from './bed.js';
import type { Case } from './case.js';
import { buildCase, buildShaped, type Form, type Shape } from './case-builder.js';
import { IF, IOPL } from './flags.js';
import { Rng } from './rng.js';
import { TEMPLATES, type Template } from './templates.js';

export interface GeneratorOptions {
  modes?: readonly Mode[];
  /** Privilege levels; real mode is always 0. */
  rings?: readonly number[];
  /** Template names that contain this text, whatever its case. */
  filter?: string;
  /** One of several parts of the cases. */
  part?: { index: number; of: number };
  /** Interrupts on and IOPL 0, as a program outside the kernel has them. */
  userFlags?: boolean;
}

/** Templates that the options let through. @throws RangeError when there is none */
export function selectTemplates(options: GeneratorOptions): Template[] {
  const wanted = options.filter?.toUpperCase();
  const templates = TEMPLATES.filter((t) => wanted === undefined || t.name.toUpperCase().includes(wanted));
  return templates;
}

const PART_SEEDS = 389;

/** An endless stream of random cases; `seed` fixes it. Each 4096 cases share a memory image. */
export function* randomCases(seed: number, options: GeneratorOptions = {}): Generator<Case> {
  const templates = selectTemplates(options);
  const modes = options.modes ?? MODES;
  const rings = options.rings ?? [0, 3];
  // parts have images of their own
  const own = seed + (options.part?.index ?? 0) * PART_SEEDS;
  const rng = new Rng(own);
  for (let n = 0; ; n++) {
    const mode = rng.pick(modes);
    const cpl = isReal(mode) ? 0 : rng.pick(rings);
    const template = pickFor(rng, templates, cpl);
    yield asked(buildCase(rng, template, mode, cpl, 1 + (own % 1000) * 1000 + (n >> 12)), options);
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

/** One template in one mode and ring. */
export interface Walk {
  template: Template;
  mode: Mode;
  cpl: number;
  /** Counts them. */
  index: number;
}

/** Every template in every mode and ring, but for privileged instructions in ring 0. */
export function* walks(options: GeneratorOptions = {}): Generator<Walk> {
  const templates = selectTemplates(options);
  const { part } = options;
  let index = 0;
  for (const mode of options.modes ?? MODES) {
    for (const cpl of isReal(mode) ? [0] : (options.rings ?? [0, 1, 2, 3])) {
      for (const template of templates) {
        if (!fits(template, cpl)) continue;
        const mine = part === undefined || index % part.of === part.index;
        if (mine) yield { template, mode, cpl, index };
        index++;
      }
    }
  }
}

/**
 * What an instruction is tried with in a mode: each operand size with each addressing form and a register, each with
 * both address sizes, and each operand size with each kind of place. Instructions without ModRM have sizes and places.
 */
export function formsOf(template: Template, mode: Mode): readonly Form[] {
  const key = `${mode} ${template.modrm !== false} ${template.vex}`;
  let forms = FORMS.get(key);
  if (!forms) {
    forms = listForms(template.modrm !== false, mode);
    FORMS.set(key, forms);
  }
  return forms;
}

const FORMS = new Map<string, readonly Form[]>();

function listForms(modrm: boolean, mode: Mode): Form[] {
  const sizes: Form[] = [
    { p66: false, rexW: false },
    { p66: true, rexW: false },
  ];
  if (mode === 'long') sizes.push({ p66: false, rexW: true });
  const forms: Form[] = [];
  for (const size of sizes) {
    for (const target of [0, 1, 2, 3, 4]) forms.push({ ...size, target, ...(modrm ? { mod: target % 3 } : {}) });
    if (!modrm) continue;
    for (let rm = 0; rm < 8; rm++) {
      forms.push({ ...size, mod: 3, rm });
      for (const mod of [0, 1, 2]) forms.push({ ...size, mod, rm, p67: false }, { ...size, mod, rm, p67: true });
    }
  }
  return forms;
}

/** Steps through the forms; prime to the number of forms of every kind, so that few repeats meet various ones. */
const STRIDE = 29;

/** `repeats` cases of every template in every mode and ring, with one form after the other; 0: all its forms. */
export function* systematicCases(seed: number, repeats: number, options: GeneratorOptions = {}): Generator<Case> {
  for (const { case: c } of shapedCases(seed, repeats, options)) yield c;
}

/** As systematicCases, with what each came out as. */
export function* shapedCases(
  seed: number,
  repeats: number,
  options: GeneratorOptions = {},
): Generator<{ case: Case; shape: Shape; template: Template }> {
  const rng = new Rng(seed);
  for (const { template, mode, cpl, index } of walks(options)) {
    const forms = formsOf(template, mode);
    const count = repeats === 0 ? forms.length : repeats;
    for (let i = 0; i < count; i++) {
      const form = forms[((index * count + i) * STRIDE) % forms.length];
      const { case: c, shape } = buildShaped(rng, template, mode, cpl, 1 + seed, form);
      yield { case: asked(c, options), shape, template };
    }
  }
}

function asked(c: Case, options: GeneratorOptions): Case {
  return options.userFlags ? { ...c, rflags: (c.rflags & ~IOPL) | IF } : c;
}
