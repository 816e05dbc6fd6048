import { readFileSync } from 'node:fs';
import { fileCause } from '../engine/host/file-cause.js';
import { UsageError } from './options.js';

/** Where a guest's screen is served to VNC clients, and to whom. */
export interface VncArgument {
  at: { kind: 'tcp'; host: string; port: number } | { kind: 'unix'; path: string };
  /** Clients must know a password; its word may be set later. */
  password?: { word?: string };
}

/** Port of display 0. */
const FIRST_PORT = 5900;
const LAST_DISPLAY = 65535 - FIRST_PORT;
/** sun_path holds 108 bytes on Linux. */
const MAX_PATH_BYTES = 107;
const FORM = '[HOST:]N with display N on port 5900 + N, or unix:PATH; then [,password=on][,password-file=FILE]';

/** @throws UsageError */
export function parseVnc(text: string): VncArgument | undefined {
  if (text === 'none') return undefined;
  const [place, ...settings] = text.split(',');
  const refuse = (cause: string): never => {
    throw new UsageError(`--vnc ${text}: ${cause}`);
  };
  let password: VncArgument['password'];
  for (const setting of settings) {
    const [, key, value] = /^([^=]*)(?:=(.*))?$/s.exec(setting)!;
    if (key === 'password' && (value === undefined || value === 'on')) password ??= {};
    else if (key === 'password' && value === 'off') continue;
    else if (key === 'password-file' && value) password = { word: passwordIn(value, text) };
    else if (key === 'websocket')
      refuse('no WebSocket is served; websockify (Debian package of that name) leads noVNC to this port');
    else refuse(`${setting} is neither password=on nor password-file=FILE`);
  }
  const path = /^unix:(.+)$/s.exec(place)?.[1];
  if (path !== undefined) {
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) refuse(`a socket's path has at most ${MAX_PATH_BYTES} bytes`);
    return { at: { kind: 'unix', path }, ...(password ? { password } : {}) };
  }
  const match = /^(?:(.*):)?(\d{1,5})$/s.exec(place);
  const display = match ? Number(match[2]) : Number.NaN;
  if (!match || display > LAST_DISPLAY) return refuse(`use ${FORM}`);
  const host = (match[1] ?? '').replace(/^\[(.*)\]$/, '$1') || '127.0.0.1';
  return { at: { kind: 'tcp', host, port: FIRST_PORT + display }, ...(password ? { password } : {}) };
}

/** The first line of a file. @throws UsageError */
function passwordIn(file: string, text: string): string {
  try {
    const word = readFileSync(file, 'utf8').split(/\r?\n/)[0];
    if (word !== '') return word;
  } catch (error) {
    throw new UsageError(`--vnc ${text}: ${file}: ${fileCause(error)}`);
  }
  throw new UsageError(`--vnc ${text}: ${file}: its first line, the password, is empty`);
}

/** As a user gives it. */
export function showVnc({ at }: VncArgument): string {
  if (at.kind === 'unix') return `unix:${at.path}`;
  return `${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port - FIRST_PORT}`;
}

const LOOPBACK = /^(127\.|::1$|localhost$)/;

/** Somebody else's host can reach it, and nothing keeps anybody out. */
export function isOpenToAll({ at, password }: VncArgument): boolean {
  return at.kind === 'tcp' && password === undefined && !LOOPBACK.test(at.host);
}
