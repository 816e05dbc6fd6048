/** The Model Context Protocol over a made-up guest, and the program that serves it. */
import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/commands/session.js';
import { COMMANDS } from '../../src/commands/table.js';
import { Lines } from '../../src/mcp/protocol.js';
import { McpServer } from '../../src/mcp/server.js';
import { vmscope } from '../cli/vmscope.js';
import { FakeDebugger } from '../tui/fake-debugger.js';

interface Answer {
  id: unknown;
  // biome-ignore lint/suspicious/noExplicitAny: what a client reads of JSON
  result?: any;
  error?: { code: number; message: string };
}

/** Sends lines and answers what came back. */
async function talk(
  lines: (object | string)[],
  allowControl = false,
  guest?: string,
): Promise<{ answers: Answer[]; debug: FakeDebugger }> {
  const debug = new FakeDebugger();
  const session = openSession(debug, { waits: false });
  const server = new McpServer({
    version: '1',
    allowControl,
    ...(guest === undefined ? {} : { guest }),
    open: async (name) => {
      if (name !== 'demo') throw new Error(`no running guest "${name}"`);
      return session;
    },
    guests: async () => ['demo'],
  });
  const answers: Answer[] = [];
  const rpc = new Lines(
    (method, params) => server.handle(method, params),
    (line) => void answers.push(JSON.parse(line)),
  );
  for (const line of lines) {
    // in pieces, as a pipe may bring them
    const text = `${typeof line === 'string' ? line : JSON.stringify({ jsonrpc: '2.0', ...line })}\n`;
    rpc.push(text.slice(0, 7));
    rpc.push(text.slice(7));
    await rpc.idle();
  }
  session.close();
  return { answers, debug };
}

const HELLO = {
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } },
};
const call = (id: number, name: string, args: object) => ({
  id,
  method: 'tools/call',
  params: { name, arguments: args },
});

describe('mcp', () => {
  it('says who it is and what it has: without leave only what looks', async () => {
    const { answers } = await talk([
      HELLO,
      { method: 'notifications/initialized' },
      { id: 'a', method: 'tools/list' },
      { id: 2, method: 'ping' },
    ]);
    expect(answers[0]!.result).toMatchObject({
      protocolVersion: '2025-06-18',
      capabilities: { tools: {} },
      serverInfo: { name: 'vmscope' },
    });
    expect(answers.map(({ id }) => id)).toEqual([0, 'a', 2]);
    const { tools } = answers[1]!.result;
    const names = tools.map(({ name }: { name: string }) => name);
    for (const name of ['guests', 'state', 'info', 'print', 'walk', 'why', 'where', 'assert'])
      expect(names).toContain(name);
    for (const name of ['set', 'write', 'run', 'quit', 'monitor', 'memsave', 'export', 'savevm', 'i'])
      expect(names).not.toContain(name);
    for (const { name, inputSchema, annotations } of tools) {
      expect(name).toMatch(/^[\w-]{1,64}$/);
      expect(inputSchema.type).toBe('object');
      expect(annotations.readOnlyHint).toBe(true);
    }
    const all = (await talk([HELLO, { id: 1, method: 'tools/list' }], true)).answers[1]!.result.tools;
    expect(all.map(({ name }: { name: string }) => name)).toEqual(['guests', ...COMMANDS.map(({ name }) => name)]);
  });

  it('carries out a command: text, and the same as values', async () => {
    const { answers } = await talk([
      HELLO,
      call(1, 'print', { guest: 'demo', argument: 'main' }),
      call(2, 'guests', {}),
    ]);
    expect(answers[1]!.result).toEqual({
      content: [{ type: 'text', text: '0x40101d = 4198429 main' }],
      structuredContent: { result: { value: '0x40101d', place: 'main' } },
    });
    expect(answers[2]!.result.structuredContent).toEqual({ result: ['demo'] });
  });

  it('changes nothing without leave, and does with it', async () => {
    const set = call(1, 'set', { guest: 'demo', argument: 'rax 5' });
    const refused = await talk([HELLO, set, call(2, 'print', { guest: 'demo', argument: 'rax\nset rax 5' })]);
    expect(refused.answers[1]!.error).toEqual({
      code: -32602,
      message: 'set changes guests or files: start vmscope mcp with --allow-control',
    });
    expect(refused.answers[2]!.error?.code).toBe(-32602);
    expect(refused.debug.log.join()).not.toContain('writeRegister');
    const done = await talk([HELLO, set, call(2, 'print', { guest: 'demo', argument: 'rax' })], true);
    expect(done.answers[2]!.result.content[0].text).toBe('0x5 = 5');
  });

  it('answers a command that failed as a result, and what is against the protocol as an error', async () => {
    const { answers } = await talk([
      { id: 1, method: 'tools/list' },
      HELLO,
      call(2, 'print', { guest: 'demo', argument: 'nowhere' }),
      call(3, 'print', { guest: 'other', argument: '1' }),
      call(4, 'print', { argument: '1' }),
      call(5, 'print', { guest: 'demo', argument: 5 }),
      call(6, 'nothing', {}),
      { id: 7, method: 'resources/list' },
      'not json',
      '[1]',
      '{"jsonrpc":"2.0","id":{},"method":"ping"}',
      { method: 'unknown/notification' },
      { id: 8, method: 'ping' },
    ]);
    expect(answers[0]!.error?.code).toBe(-32600);
    expect(answers[2]!.result).toEqual({
      content: [{ type: 'text', text: 'print: no symbol, register or number "nowhere"' }],
      isError: true,
    });
    expect(answers[3]!.result.isError).toBe(true);
    expect(answers.slice(4, 8).map(({ error }) => error?.code)).toEqual([-32602, -32602, -32602, -32601]);
    expect(answers.slice(8, 11).map(({ id, error }) => [id, error?.code])).toEqual([
      [null, -32700],
      [null, -32600],
      [null, -32600],
    ]);
    expect(answers.slice(11)).toEqual([{ jsonrpc: '2.0', id: 8, result: {} }]);
  });

  it('drops a line without an end, and goes on with the next', async () => {
    const answers: Answer[] = [];
    const rpc = new Lines(
      async () => 'here',
      (line) => void answers.push(JSON.parse(line)),
    );
    for (let n = 0; n < 12; n++) rpc.push('x'.repeat(2 ** 20));
    rpc.push('\n{"jsonrpc":"2.0","id":1,"method":"m"}\n');
    await rpc.idle();
    expect(answers).toEqual([
      { jsonrpc: '2.0', id: null, error: { code: -32700, message: expect.any(String) } },
      { jsonrpc: '2.0', id: 1, result: 'here' },
    ]);
  });

  it('is what vmscope mcp speaks, with nothing else on standard output', async () => {
    const stdin = [HELLO, { id: 1, method: 'tools/list' }]
      .map((line) => JSON.stringify({ jsonrpc: '2.0', ...line }))
      .join('\n');
    const { status, stdout, stderr } = await vmscope(['mcp'], { stdin: `${stdin}\n` });
    expect([status, stderr]).toEqual([0, '']);
    const answers = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Answer);
    expect(answers.map(({ id }) => id)).toEqual([0, 1]);
    expect((await vmscope(['mcp', 'no-such-guest'], { stdin: '' })).status).toBe(2);
  });
});
