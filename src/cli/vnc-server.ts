/** The VNC server of a guest of this thread. */

import type { ScreenServer } from '../engine/debug/monitor-vnc.js';
import { keyAt, keysOf } from '../engine/devices/scancodes.js';
import { fileCause } from '../engine/host/file-cause.js';
import type { Guest } from '../engine/host/guest.js';
import { PASSWORD_BYTES } from '../rfb/authentication.js';
import type { Seat } from '../rfb/screen.js';
import { type RfbServer, serveRfb } from '../rfb/server.js';
import type { Password } from '../rfb/session.js';
import { UsageError } from './options.js';
import { removeStale } from './stale-socket.js';
import { showVnc, type VncArgument } from './vnc-options.js';

/** What a client's hands do while the guest stands in its past, or has gone, does nothing. */
const ignored = (): void => {};

function seatOf(guest: Guest): Seat {
  const { machine, console } = guest;
  const watch = machine.watchPicture();
  return {
    screen: { name: `vmscope (${machine.name})`, look: () => watch.look() },
    keyboard: {
      key: (name, down) => void console.keyEvent?.(name, down).catch(ignored),
      get capsLock() {
        return (machine.pc.pc.keyboard.leds & CAPS_LOCK) !== 0;
      },
      keyOf: (character) => {
        const keys = keysOf(character);
        return keys && { key: keys[keys.length - 1], shift: keys.includes('shift') };
      },
      keyAt,
    },
    pointer: { move: (dx, dy, wheel, buttons) => void console.mouse?.(dx, dy, wheel, buttons).catch(ignored) },
  };
}

const CAPS_LOCK = 4;

export class VncServer implements ScreenServer {
  private constructor(
    private readonly server: RfbServer,
    private readonly at: VncArgument,
    private readonly password: Password | undefined,
  ) {}

  /** @throws UsageError when the address cannot be had */
  static async open(guest: Guest, argument: VncArgument): Promise<VncServer> {
    const { at } = argument;
    const password = argument.password && { word: argument.password.word };
    try {
      if (at.kind === 'unix') await removeStale(`--vnc ${showVnc(argument)}`, at.path);
      const server = await serveRfb({
        seat: seatOf(guest),
        ...(at.kind === 'tcp' ? { host: at.host, port: at.port } : { path: at.path }),
        ...(password ? { password } : {}),
      });
      return new VncServer(server, argument, password);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      const port = at.kind === 'tcp' ? `port ${at.port}: ` : '';
      throw new UsageError(`--vnc ${showVnc(argument)}: ${port}${fileCause(error)}`);
    }
  }

  /** @see qemu hmp-commands-info.hx "vnc" */
  info(): string {
    const clients = this.server.clients();
    const authentication = this.password === undefined ? 'none' : 'vnc';
    const place = this.at.at.kind === 'tcp' ? `${this.server.host}:${this.server.port}` : showVnc(this.at);
    return [
      'default:',
      `  Server: ${place}`,
      `    Auth: ${authentication}${this.password && this.password.word === undefined ? ' (no password set)' : ''}`,
      ...(clients.length === 0 ? ['  Client: none'] : clients.map((name) => `  Client: ${name}`)),
    ].join('\n');
  }

  /** For clients that come from now on. @throws Error where clients are let in without one */
  setPassword(word: string): string {
    if (this.password === undefined) throw new Error('clients need no password: --vnc ...,password=on asks for one');
    this.password.word = word === '' ? undefined : word;
    return Buffer.byteLength(word) > PASSWORD_BYTES ? `VNC knows the first ${PASSWORD_BYTES} bytes of a password` : '';
  }

  async close(): Promise<void> {
    await this.server.close();
  }
}
