/** JSON-RPC 2.0 in lines, as MCP's stdio transport has it. @see https://modelcontextprotocol.io/specification/2025-06-18 */

/** A longer line is no request. */
const MAX_LINE = 4 * 2 ** 20;

/** Codes of JSON-RPC 2.0. */
export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;

/** A request that cannot be served, by the protocol. */
export class RpcError extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

type Id = string | number | null;

export type Params = Readonly<Record<string, unknown>>;

/** Answers a request; what it answers to a notification is dropped. @throws RpcError */
export type Handler = (method: string, params: Params) => Promise<unknown>;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Takes in pieces of text; each whole line is a message. */
export class Lines {
  #text = '';
  #dropping = false;
  readonly #pending = new Set<Promise<void>>();

  constructor(
    private readonly handle: Handler,
    private readonly write: (line: string) => void,
  ) {}

  push(piece: string): void {
    const lines = (this.#text + piece).split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      if (this.#dropping) this.#dropping = false;
      else if (line.trim() !== '') this.#begin(line);
    }
    if (this.#text.length <= MAX_LINE) return;
    if (!this.#dropping) this.#fail(null, new RpcError(PARSE_ERROR, `a message has ${MAX_LINE} characters at most`));
    this.#dropping = true;
    this.#text = '';
  }

  /** Resolves when all that was asked so far is answered. */
  async idle(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #begin(line: string): void {
    const work = this.#message(line).finally(() => this.#pending.delete(work));
    this.#pending.add(work);
  }

  async #message(line: string): Promise<void> {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      this.#fail(null, new RpcError(PARSE_ERROR, 'this line is not JSON'));
      return;
    }
    if (!isRecord(message) || message.jsonrpc !== '2.0') {
      this.#fail(null, new RpcError(INVALID_REQUEST, 'this is not a message of JSON-RPC 2.0'));
      return;
    }
    const { id, method, params = {} } = message;
    // an answer, of which none was asked for
    if (method === undefined && ('result' in message || 'error' in message)) return;
    const asked = typeof id === 'string' || typeof id === 'number';
    if (typeof method !== 'string' || !isRecord(params) || (id !== undefined && !asked)) {
      this.#fail(asked ? id : null, new RpcError(INVALID_REQUEST, 'a request has id, method and params by name'));
      return;
    }
    try {
      const result = await this.handle(method, params);
      if (asked) this.write(JSON.stringify({ jsonrpc: '2.0', id, result }));
    } catch (error) {
      if (asked) this.#fail(id, error as Error);
    }
  }

  #fail(id: Id, error: Error): void {
    const code = error instanceof RpcError ? error.code : INTERNAL_ERROR;
    this.write(JSON.stringify({ jsonrpc: '2.0', id, error: { code, message: error.message } }));
  }
}
