import { createConnection, type Socket } from 'node:net';

/**
 * As much of GDB's side of the remote protocol as the benchmark needs: one request at a time, without
 * acknowledgements once the stub agrees.
 * @gdb "Remote Protocol"
 */
export class GdbClient {
  #received = '';
  #waiting: ((packet: string) => void) | undefined;
  #failed: ((error: Error) => void) | undefined;
  #acknowledge = true;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('latin1');
    socket.setNoDelay(true);
    socket.on('data', (text: string) => {
      this.#received += text;
      this.#deliver();
    });
    socket.on('close', () => this.#failed?.(new Error('the stub closed the connection')));
  }

  /** Connects, trying until the stub listens. @throws Error after `patienceMs`. */
  static async connect(port: number, patienceMs = 10_000): Promise<GdbClient> {
    const until = performance.now() + patienceMs;
    for (;;) {
      try {
        const client = new GdbClient(await open(port));
        await client.request('qSupported:swbreak+;hwbreak+');
        if ((await client.request('QStartNoAckMode')) === 'OK') client.#acknowledge = false;
        return client;
      } catch (error) {
        if (performance.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** Sends a packet and answers the reply's payload. Console output of the stub (`O` packets) is passed over. */
  request(payload: string): Promise<string> {
    let sum = 0;
    for (let i = 0; i < payload.length; i++) sum += payload.charCodeAt(i);
    return new Promise((resolve, reject) => {
      this.#waiting = resolve;
      this.#failed = reject;
      this.socket.write(`$${payload}#${(sum & 0xff).toString(16).padStart(2, '0')}`, 'latin1');
    });
  }

  /** As request, for packets that must be answered by OK. @throws Error with the answer otherwise. */
  async must(payload: string): Promise<void> {
    const answer = await this.request(payload);
    if (answer !== 'OK') throw new Error(`${payload} was answered by '${answer}'`);
  }

  close(): void {
    this.#failed = undefined;
    this.socket.destroy();
  }

  #deliver(): void {
    for (;;) {
      const start = this.#received.indexOf('$');
      const end = this.#received.indexOf('#', start);
      if (start < 0 || end < 0 || this.#received.length < end + 3) return;
      const payload = this.#received.slice(start + 1, end);
      this.#received = this.#received.slice(end + 3);
      if (this.#acknowledge) this.socket.write('+');
      if (/^O[0-9a-f]{2}/.test(payload)) continue;
      const resolve = this.#waiting;
      this.#waiting = undefined;
      this.#failed = undefined;
      resolve?.(payload);
    }
  }
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1', () => {
      socket.off('error', reject);
      socket.on('error', () => {}); // a reset is seen as close
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
