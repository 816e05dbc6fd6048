/** Names of files for the completion of an argument. */
import { readdirSync } from 'node:fs';

/** Of a folder. */
const MAX_NAMES = 5000;

/** Paths that begin with what is typed, folders with a / behind; none where the folder cannot be read. */
export function filesFrom(typed: string): string[] {
  const [, folder = '', name = ''] = /^(.*\/)?([^/]*)$/s.exec(typed) ?? [];
  try {
    return readdirSync(folder || '.', { withFileTypes: true })
      .slice(0, MAX_NAMES)
      .filter((entry) => entry.name.startsWith(name) && (name !== '' || !entry.name.startsWith('.')))
      .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`)
      .sort();
  } catch {
    return [];
  }
}
