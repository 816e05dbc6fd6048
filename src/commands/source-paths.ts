/** Where source files are, when they are not where the compiler saw them. */
import type { Debugger } from '../engine/debugger.js';

export class SourcePaths {
  #directories: string[] = [];
  #substitutes: [from: string, to: string][] = [];
  readonly #texts = new Map<string, Promise<string[] | undefined>>();

  told(): { directories: readonly string[]; substitutes: readonly (readonly [string, string])[] } {
    return { directories: this.#directories, substitutes: this.#substitutes };
  }

  /** Each before those that were there; none forgets them. */
  setDirectories(directories: readonly string[]): void {
    const added = directories.filter((directory) => !this.#directories.includes(directory));
    this.#directories = directories.length === 0 ? [] : [...added, ...this.#directories];
    this.#texts.clear();
  }

  /** `to` takes the place of `from` at the beginning of names. */
  substitute(from: string, to: string): void {
    this.#substitutes = [[from, to], ...this.#substitutes.filter(([known]) => known !== from)];
    this.#texts.clear();
  }

  /** A file's lines, as the compiler named it; undefined where it is nowhere. */
  text(debug: Debugger, file: string): Promise<string[] | undefined> {
    const known = this.#texts.get(file);
    if (known) return known;
    const found = this.#read(debug, file);
    this.#texts.set(file, found);
    return found;
  }

  async #read({ source }: Debugger, file: string): Promise<string[] | undefined> {
    if (source === undefined) return undefined;
    for (const path of this.#candidates(file)) {
      const lines = await source.text(path);
      if (lines !== undefined) return lines;
    }
    return undefined;
  }

  /** As gdb looks: substituted, as it is, then below each directory: the whole path, its parts, its name. */
  #candidates(file: string): string[] {
    const rule = this.#substitutes.find(
      ([from]) => file === from || file.startsWith(from.endsWith('/') ? from : `${from}/`),
    );
    const path = rule ? `${rule[1]}${file.slice(rule[0].length)}` : file;
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    const below = this.#directories.flatMap((directory) =>
      parts.map((_, from) => `${directory.replace(/\/$/, '')}/${parts.slice(from).join('/')}`),
    );
    return [path, ...below];
  }
}

const paths = new WeakMap<Debugger, SourcePaths>();

export function sourcePaths(debug: Debugger): SourcePaths {
  let found = paths.get(debug);
  if (found === undefined) {
    found = new SourcePaths();
    paths.set(debug, found);
  }
  return found;
}
