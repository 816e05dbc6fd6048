/** The monitor's commands for the VNC server, in QEMU's words: `info vnc`, `set_password`, `change vnc password`. */

/** Who shows the guest's screen to others. */
export interface ScreenServer {
  /** Where it listens, and its clients. */
  info(): string;
  /** For clients that come from now on. @throws Error where clients are let in without one */
  setPassword(word: string): string;
}

/** Answers a line; undefined when it is another one. @throws Error that says what is wrong with it */
export function vncCommand(line: string, server: ScreenServer | undefined): string | undefined {
  const words = line.trim().split(/\s+/);
  const [first, second, third] = words;
  if (first === 'info' && second === 'vnc') return server?.info() ?? 'no VNC server; run ... --vnc :0 starts one';
  if (first !== 'set_password' && first !== 'change') return undefined;
  const name = first === 'change' ? 'change vnc password' : 'set_password vnc';
  if (first === 'change' && second === undefined)
    throw new Error('usage: change DEV FILE, or change vnc password WORD');
  const isPassword = second === 'vnc' && (first !== 'change' || third === 'password');
  const [word, ...rest] = words.slice(first === 'change' ? 3 : 2);
  if (!isPassword || word === undefined || rest.length > 0) throw new Error(`usage: ${name} WORD`);
  if (!server) throw new Error('no VNC server; run ... --vnc :0,password=on starts one');
  return server.setPassword(word);
}
