/** The Model Context Protocol over the table of commands: each one is a tool. */
import type { Command } from '../commands/command.js';
import { toJson } from '../commands/json.js';
import { perform } from '../commands/script.js';
import type { OpenSession } from '../commands/session.js';
import { COMMANDS } from '../commands/table.js';
import { counted } from '../engine/counted.js';
import { INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, type Params, RpcError } from './protocol.js';

/** Newest first. */
const VERSIONS = ['2025-06-18', '2025-03-26', '2024-11-05'];
/** What an assistant can read of an answer. */
const MAX_TEXT = 200_000;

export interface McpOptions {
  readonly version: string;
  /** Commands that stop, run or change a guest, and those that read and write files, are tools too. */
  readonly allowControl: boolean;
  /** The only guest; absent: each call names one. */
  readonly guest?: string;
  /** A running guest by its name. @throws Error in one line */
  open(name: string): Promise<OpenSession>;
  /** Names of those that run. */
  guests(): Promise<string[]>;
}

interface Tool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: object;
  readonly annotations: object;
  call(args: Params): Promise<{ text: string; json: unknown }>;
}

const LOOKS = { readOnlyHint: true, destructiveHint: false, openWorldHint: false };

/** Whether a command changes neither the guest nor files of the host. */
export const onlyLooks = ({ effect, kinds }: Command): boolean => effect === 'looks' && !kinds?.includes('file');

export class McpServer {
  readonly #tools: ReadonlyMap<string, Tool>;
  #initialized = false;

  constructor(private readonly options: McpOptions) {
    const commands = COMMANDS.filter((command) => options.allowControl || onlyLooks(command));
    const tools = [
      ...(options.guest === undefined ? [this.#guestList()] : []),
      ...commands.map((it) => this.#tool(it)),
    ];
    this.#tools = new Map(tools.map((tool) => [tool.name, tool]));
  }

  /** @throws RpcError */
  async handle(method: string, params: Params): Promise<unknown> {
    if (method === 'ping') return {};
    if (method === 'initialize') return this.#initialize(params);
    if (method.startsWith('notifications/')) return undefined;
    if (!this.#initialized) throw new RpcError(INVALID_REQUEST, `${method}: initialize comes first`);
    if (method === 'tools/list') return { tools: [...this.#tools.values()].map(({ call: _, ...tool }) => tool) };
    if (method === 'tools/call') return this.#call(params);
    throw new RpcError(METHOD_NOT_FOUND, `no method ${method.slice(0, 100)}`);
  }

  #initialize({ protocolVersion }: Params): object {
    this.#initialized = true;
    const { version, allowControl } = this.options;
    const control = allowControl
      ? 'They may stop, run and change it.'
      : 'They only look at it: it goes on as before (vmscope mcp --allow-control gives the others).';
    return {
      protocolVersion: VERSIONS.includes(String(protocolVersion)) ? protocolVersion : VERSIONS[0],
      capabilities: { tools: {} },
      serverInfo: { name: 'vmscope', title: 'vmscope', version },
      instructions: `Tools are the commands of the virtual-machine debugger vmscope for a running guest. ${control} Addresses are numbers with 0x, symbols, registers and sums.`,
    };
  }

  async #call({ name, arguments: args = {} }: Params): Promise<object> {
    const tool = typeof name === 'string' ? this.#tools.get(name) : undefined;
    if (!tool) {
      const refused = COMMANDS.some((command) => command.name === name);
      throw new RpcError(
        INVALID_PARAMS,
        refused
          ? `${name} changes guests or files: start vmscope mcp with --allow-control`
          : `no tool ${String(name).slice(0, 100)}`,
      );
    }
    if (typeof args !== 'object' || args === null || Array.isArray(args))
      throw new RpcError(INVALID_PARAMS, `${tool.name}: arguments are an object`);
    try {
      const { text, json } = await tool.call(args as Params);
      const shown =
        text.length > MAX_TEXT
          ? `${text.slice(0, MAX_TEXT)}\n(${counted(text.length - MAX_TEXT, 'more character')})`
          : text;
      const structured = toJson({ result: json });
      return {
        content: [{ type: 'text', text: shown }],
        ...(structured.length > MAX_TEXT ? {} : { structuredContent: JSON.parse(structured) as object }),
      };
    } catch (error) {
      if (error instanceof RpcError) throw error;
      return { content: [{ type: 'text', text: (error as Error).message }], isError: true };
    }
  }

  #guestList(): Tool {
    return {
      name: 'guests',
      description: 'Names of the guests of vmscope that run on this host.',
      inputSchema: { type: 'object', properties: {}, additionalProperties: false },
      annotations: LOOKS,
      call: async () => {
        const names = await this.options.guests();
        return { text: names.join('\n') || 'none', json: names };
      },
    };
  }

  #tool(command: Command): Tool {
    const { name, usage, help, effect, words } = command;
    const { guest } = this.options;
    const optional = usage === '' || usage.startsWith('[');
    const choices = words && words.length > 0 ? `; words: ${words.join(', ')}` : '';
    const properties = {
      ...(guest === undefined ? { guest: { type: 'string', description: 'the guest, by its name' } } : {}),
      ...(usage === '' ? {} : { argument: { type: 'string', description: `${usage}${choices}` } }),
    };
    return {
      name,
      description: help,
      inputSchema: {
        type: 'object',
        properties,
        required: [...(guest === undefined ? ['guest'] : []), ...(optional ? [] : ['argument'])],
        additionalProperties: false,
      },
      annotations: onlyLooks(command)
        ? LOOKS
        : { readOnlyHint: false, destructiveHint: effect === 'changes', openWorldHint: false },
      call: async (args) => {
        for (const [key, value] of Object.entries(args)) {
          if (!Object.hasOwn(properties, key))
            throw new RpcError(INVALID_PARAMS, `${name}: no argument ${key.slice(0, 100)}`);
          if (typeof value !== 'string') throw new RpcError(INVALID_PARAMS, `${name}: ${key} is a text`);
        }
        const named = guest ?? args.guest;
        if (typeof named !== 'string') throw new RpcError(INVALID_PARAMS, `${name}: guest is missing`);
        const line = `${name} ${(args.argument as string | undefined) ?? ''}`;
        if (/[\r\n]/.test(line)) throw new RpcError(INVALID_PARAMS, `${name}: a command is one line`);
        const done = await perform(await this.options.open(named), line);
        return { text: (await done.text()) || 'done', json: await done.json() };
      },
    };
  }
}
