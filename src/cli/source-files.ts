import { readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';

/** A source file that is larger is no text to show. */
const MAX_BYTES = 16 << 20;

/** Reads source files for a view: as they are named, or below the folder of the image, or of this process. */
export function sourceReader(image: string): (file: string) => string[] | undefined {
  const known = new Map<string, string[] | undefined>();
  return (file) => {
    if (!known.has(file)) known.set(file, read(candidates(file, image)));
    return known.get(file);
  };
}

function candidates(file: string, image: string): string[] {
  return isAbsolute(file) ? [file] : [join(dirname(resolve(image)), file), resolve(file)];
}

function read(paths: string[]): string[] | undefined {
  for (const path of paths) {
    try {
      const stat = statSync(path);
      if (stat.isFile() && stat.size <= MAX_BYTES)
        return readFileSync(path, 'utf8')
          .replace(/\r?\n$/, '')
          .split(/\r?\n/);
    } catch {
      // not there, or not to be read
    }
  }
  return undefined;
}
