/** A program on another host, by ssh, as one stream; ssh's own words are kept for when it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';

export interface SshPlace {
  host: string;
  user?: string;
  port?: number;
  keyfile?: string;
  /** The program instead of `ssh`. */
  command?: string;
}

const MAX_WORDS = 2000;

/** ssh's own status where it could not connect; any other is the remote program's. */
const OWN_STATUS = 255;

/** ssh, or what it started, has ended. */
export class SshEnded extends Error {
  /** @param status undefined: a signal, or ssh itself could not be started */
  constructor(
    message: string,
    readonly status?: number,
  ) {
    super(message);
  }

  /** Whether the other host was reached, and what was started there failed. */
  get wasThere(): boolean {
    return this.status !== undefined && this.status !== OWN_STATUS;
  }
}

function start({ host, user, port, keyfile, command = 'ssh' }: SshPlace, options: string[], script: string[]) {
  return spawn(
    command,
    [
      ...['-T', '-e', 'none', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10', '-o', 'ServerAliveInterval=5'],
      ...options,
      ...(port === undefined ? [] : ['-p', String(port)]),
      ...(keyfile === undefined ? [] : ['-i', keyfile]),
      ...(user === undefined ? [] : ['-l', user]),
      '--',
      host,
      ...script,
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
}

/** Told once with ssh's last words, when it has ended. */
function onEnd(child: ChildProcess, command: string, told: (error: SshEnded) => void): void {
  let words = '';
  let failure: string | undefined;
  child.stderr!.on('data', (bytes: Buffer) => {
    words = (words + bytes.toString('utf8')).slice(-MAX_WORDS);
  });
  // What is written after the other side has gone; the end is told by the process.
  child.stdin!.on('error', () => {});
  child.on('error', (error) => {
    failure = `${command}: ${error.message}`;
  });
  child.on('close', (code) => {
    const line = words.trim().split('\n').at(-1)?.trim();
    const status = failure === undefined ? (code ?? undefined) : undefined;
    told(new SshEnded(failure ?? (line || `ssh ended with status ${code}`), status));
  });
}

/**
 * Starts `script` in the other side's shell. The stream ends with an SshEnded that holds ssh's message when ssh or the
 * script fails.
 */
export function sshStream(place: SshPlace, script: string): Duplex {
  const child = start(place, [], [script]);
  const stream = new Duplex({
    read: () => child.stdout.resume(),
    write: (bytes: Buffer, _encoding, done) => {
      child.stdin.write(bytes, () => done());
    },
    destroy: (error, done) => {
      child.kill();
      done(error);
    },
  });
  child.stdout.on('data', (bytes: Buffer) => {
    if (!stream.push(bytes)) child.stdout.pause();
  });
  onEnd(child, place.command ?? 'ssh', (error) => stream.destroy(error));
  return stream;
}

/** Until the other side has taken the connection. */
const FORWARD_MS = 15_000;
const FORWARD_POLL_MS = 25;

/**
 * A unix socket of the other host, forwarded: that needs no program there, and no shell.
 * @throws SshEnded, or Error when it takes too long
 */
export async function sshForward(place: SshPlace, path: string): Promise<Duplex> {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-ssh-'));
  const local = join(folder, 'socket');
  const child = start(place, ['-N', '-o', 'ExitOnForwardFailure=yes', '-L', `${local}:${path}`], []);
  const end = (): void => {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  let stream: Duplex | undefined;
  let ended: SshEnded | undefined;
  onEnd(child, place.command ?? 'ssh', (error) => {
    ended = error;
    stream?.destroy(error);
  });
  try {
    for (let ms = 0; !existsSync(local); ms += FORWARD_POLL_MS) {
      if (ended) throw ended;
      if (ms > FORWARD_MS) throw new Error(`${place.host}: no forwarded socket in ${FORWARD_MS / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, FORWARD_POLL_MS));
    }
    const socket = connect(local);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    socket.removeAllListeners('error');
    stream = socket;
    socket.once('close', end);
    return socket;
  } catch (error) {
    end();
    throw error;
  }
}

/** A word for the other side's shell. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
