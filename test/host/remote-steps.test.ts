/** What another thread or process is told of a guest that a debugger of this thread steps. */
import { MessageChannel } from 'node:worker_threads';
import { expect, test } from 'vitest';
import type { Debugger, DebuggerEvent, StopReason } from '../../src/engine/debugger.js';
import { connectDebugger, serveDebugger } from '../../src/engine/host/rpc.js';

function stopped(icount: bigint, stop: StopReason): DebuggerEvent {
  return { type: 'stopped', vcpu: 0, stop, icount };
}

test('steps right after each other are told as the last one, before all that follows', async () => {
  let tell = (_: DebuggerEvent): void => {};
  const step = async () => {
    tell(stopped(7n, { kind: 'step' }));
    return { icount: 7n };
  };
  const target = {
    info: async () => ({ unavailable: {} }),
    onEvent: (listener: typeof tell) => {
      tell = listener;
      return () => {};
    },
    step,
    state: () => Promise.reject(new Error('not now')),
  } as unknown as Debugger;
  const { port1, port2 } = new MessageChannel();
  const close = serveDebugger(target, port1);
  const remote = await connectDebugger(port2, new Promise<string>(() => {}));
  const heard: string[] = [];
  remote.onEvent((event) => heard.push(event.type === 'stopped' ? `${event.stop.kind} ${event.icount}` : event.type));
  const settled = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    await remote.info();
  };

  for (let icount = 1n; icount <= 5n; icount++) tell(stopped(icount, { kind: 'step' }));
  await settled();
  expect(heard.splice(0)).toEqual(['step 5']);

  tell(stopped(6n, { kind: 'step' }));
  tell({ type: 'printed', text: 'x' });
  tell(stopped(6n, { kind: 'paused' }));
  await settled();
  expect(heard.splice(0)).toEqual(['step 6', 'printed', 'paused 6']);

  // the answer comes behind its stop, also that of an error
  expect((await remote.step(0)).icount).toBe(7n);
  expect(heard.splice(0)).toEqual(['step 7']);
  tell(stopped(8n, { kind: 'step' }));
  await expect(remote.state()).rejects.toThrow('not now');
  expect(heard.splice(0)).toEqual(['step 8']);

  // a guest that runs stood before, wherever that was
  tell(stopped(9n, { kind: 'step' }));
  tell({ type: 'running' });
  tell(stopped(20n, { kind: 'breakpoint', id: 1, gva: 0x1000n }));
  tell(stopped(21n, { kind: 'breakpoint', id: 1, gva: 0x1000n }));
  await settled();
  expect(heard.splice(0)).toEqual(['running', 'breakpoint 20', 'breakpoint 21']);

  // nobody is told any more
  tell(stopped(22n, { kind: 'step' }));
  close();
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  expect(heard).toEqual([]);
  port1.close();
  port2.close();
});
