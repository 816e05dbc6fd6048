/** A program on another host, by ssh, as one stream; ssh's own words are kept for when it ends. */
import { spawn } from 'node:child_process';
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

/**
 * Starts `script` in the other side's shell. The stream ends with an error that holds ssh's message when ssh or the
 * script fails.
 */
export function sshStream(place: SshPlace, script: string): Duplex {
  const { host, user, port, keyfile, command = 'ssh' } = place;
  const child = spawn(
    command,
    [
      ...['-T', '-e', 'none', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10', '-o', 'ServerAliveInterval=5'],
      ...(port === undefined ? [] : ['-p', String(port)]),
      ...(keyfile === undefined ? [] : ['-i', keyfile]),
      ...(user === undefined ? [] : ['-l', user]),
      '--',
      host,
      script,
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  let words = '';
  let failure: string | undefined;
  child.stderr.on('data', (bytes: Buffer) => {
    words = (words + bytes.toString('utf8')).slice(-MAX_WORDS);
  });
  // What is written after the other side has gone; the end is told by the process.
  child.stdin.on('error', () => {});
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
  child.on('error', (error) => {
    failure = `${command}: ${error.message}`;
  });
  child.on('close', (code) => {
    const line = words.trim().split('\n').at(-1)?.trim();
    stream.destroy(new Error(failure ?? (line || `ssh ended with status ${code}`)));
  });
  return stream;
}

/** A word for the other side's shell. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
