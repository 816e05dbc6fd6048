/** What the dashboard keeps from one session to the next: settings in the config folder, typed lines in the state folder. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Arrangement, arrangementLines, type Changes, withLine } from './arrangement.js';

export interface Settings {
  syntax?: 'intel' | 'att';
  theme?: string;
  /** How far borders were moved, by their keys. */
  borders: Record<string, number>;
  /** Panes hidden and added. */
  changes?: Changes;
  /** Layouts by their names. */
  layouts?: Readonly<Record<string, Arrangement>>;
}

const MAX_LINES = 1000;
const MAX_BYTES = 1 << 20;

type Environment = Record<string, string | undefined>;

/** A folder of the XDG base directories; undefined where there is no home. @xdg "Base Directory Specification" 0.8 */
function folder(environment: Environment, variable: string, fallback: string): string | undefined {
  const named = environment[variable];
  // relative ones are to be ignored
  // a home that is not there is not made
  const home = environment.HOME && existsSync(environment.HOME) ? environment.HOME : undefined;
  const base = named?.startsWith('/') ? named : home && join(home, fallback);
  return base ? join(base, 'vmscope') : undefined;
}

export class UserMemory {
  readonly settings: Settings = { borders: {} };
  /** Lines of earlier sessions, oldest first. */
  readonly lines: readonly string[];
  /** What could not be read, for the messages. */
  readonly problems: string[] = [];
  private readonly settingsFile: string | undefined;
  private readonly linesFile: string | undefined;
  private readonly imagesFolder: string | undefined;
  private readonly typed: string[] = [];
  private kept = '';

  /** Reads nothing and keeps nothing with VMSCOPE_NO_CONFIG, which `--no-config` sets. */
  constructor(environment: Environment) {
    const off = Boolean(environment.VMSCOPE_NO_CONFIG);
    const config = off ? undefined : folder(environment, 'XDG_CONFIG_HOME', '.config');
    const state = off ? undefined : folder(environment, 'XDG_STATE_HOME', '.local/state');
    this.settingsFile = config && join(config, 'dashboard');
    this.linesFile = state && join(state, 'commands');
    this.imagesFolder = config && join(config, 'images');
    this.readSettings();
    this.lines = this.read(this.linesFile).split('\n').filter(Boolean).slice(-MAX_LINES);
  }

  private read(file: string | undefined): string {
    if (!file) return '';
    try {
      const text = readFileSync(file, 'utf8');
      return text.length > MAX_BYTES ? text.slice(-MAX_BYTES).replace(/^.*\n/, '') : text;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') this.problems.push(`${file}: ${message}`);
      return '';
    }
  }

  /** `key value` lines; what is not understood is told, and kept out. */
  private readSettings(): void {
    const text = this.read(this.settingsFile);
    text.split('\n').forEach((line, n) => {
      if (!line.trim() || line.trim().startsWith('#')) return;
      const [, key = '', value = ''] = /^(\S+)\s+(.*?)\s*$/.exec(line.trim()) ?? [];
      const named = /^(\S+) (\S.*)$/.exec(value);
      const now = { changes: this.settings.changes ?? {}, borders: this.settings.borders };
      if (key === 'syntax' && (value === 'intel' || value === 'att')) this.settings.syntax = value;
      else if (key === 'theme' && value) this.settings.theme = value;
      else if (key === 'layout' && named && this.readLayout(named[1]!, named[2]!)) return;
      else if (withLine(now, line.trim())) Object.assign(this.settings, withLine(now, line.trim()));
      else this.problems.push(`${this.settingsFile}: line ${n + 1}: "${line.trim().slice(0, 60)}" is not a setting`);
    });
    this.kept = settingsText(this.settings);
  }

  /** `layout NAME LINE`: a line of a layout that was saved; `as made` for one that changes nothing. */
  private readLayout(name: string, line: string): boolean {
    const layouts = this.settings.layouts ?? {};
    const before = Object.hasOwn(layouts, name) ? layouts[name]! : { changes: {}, borders: {} };
    const after = line === AS_MADE ? before : withLine(before, line);
    if (after) this.settings.layouts = { ...layouts, [name]: after };
    return after !== undefined;
  }

  /** Of an image by its path, wherever it is named from; undefined where nothing is kept. */
  ofImage(image: string): ImageMemory | undefined {
    if (this.imagesFolder === undefined || image === '') return undefined;
    const path = resolve(image);
    const digest = createHash('sha256').update(path).digest('hex').slice(0, 12);
    const name = basename(path)
      .replace(/[^\w.-]/g, '_')
      .slice(0, 80);
    const file = join(this.imagesFolder, `${name}-${digest}`);
    return new ImageMemory(file, path.replace(/[\x00-\x1f\x7f]/g, '?'), this.read(file));
  }

  note(line: string): void {
    this.typed.push(line);
  }

  /** Writes what is new. A folder that cannot be written is no reason to disturb the end of a session. */
  keep(): void {
    const text = settingsText(this.settings);
    if (this.settingsFile && text !== this.kept) write(this.settingsFile, text);
    if (!this.linesFile || this.typed.length === 0) return;
    // other sessions may have written meanwhile
    const before = this.read(this.linesFile).split('\n').filter(Boolean);
    write(this.linesFile, `${[...before, ...this.typed].slice(-MAX_LINES).join('\n')}\n`);
    this.typed.length = 0;
  }
}

/** What is kept of one image. */
export class ImageMemory {
  readonly lines: readonly string[];
  private kept: string;

  constructor(
    private readonly file: string,
    private readonly image: string,
    text: string,
  ) {
    this.kept = text;
    this.lines = text
      .split('\n')
      .filter((line) => line.trim() !== '' && !line.startsWith('#'))
      .slice(0, MAX_LINES);
  }

  /** Writes the lines where they are others than before; none leave no file. */
  keep(lines: readonly string[]): void {
    const text = lines.length === 0 ? '' : [`# vmscope: of ${this.image}`, ...lines.slice(0, MAX_LINES), ''].join('\n');
    if (text === this.kept) return;
    this.kept = text;
    if (text === '') rmSync(this.file, { force: true });
    else write(this.file, text);
  }
}

const AS_MADE = 'as made';

function settingsText({ syntax, theme, borders, changes = {}, layouts = {} }: Settings): string {
  return [
    '# vmscope: kept by the dashboard when it is left',
    ...(syntax ? [`syntax ${syntax}`] : []),
    ...(theme ? [`theme ${theme}`] : []),
    ...arrangementLines({ changes, borders }),
    ...Object.entries(layouts).flatMap(([name, layout]) => {
      const lines = arrangementLines(layout);
      return (lines.length ? lines : [AS_MADE]).map((line) => `layout ${name} ${line}`);
    }),
    '',
  ].join('\n');
}

function write(file: string, text: string): void {
  try {
    makeFolder(dirname(file), 3);
    writeFileSync(file, text, { mode: 0o600 });
  } catch {
    // Nothing is lost but the convenience.
  }
}

/** As mkdir -p, a few levels at most: Node's own goes on for ever where no folder can be made, as in /proc. */
function makeFolder(path: string, levels: number): void {
  if (existsSync(path)) return;
  if (levels > 0) makeFolder(dirname(path), levels - 1);
  mkdirSync(path, { mode: 0o700 });
}
