/** `vmscope doctor`: what it looks for beside vmscope. */
import { expect, it } from 'vitest';
import { vmscope } from './vmscope.js';

interface Finding {
  name: string;
  state: string;
  text: string;
}

it('tells of Node, the architecture, firmware and gdb, found or not, and how they are had', async () => {
  const ask = async (): Promise<Map<string, Finding>> => {
    const { stdout, status } = await vmscope(['doctor', '--json']);
    expect(status).toBe(0);
    return new Map((JSON.parse(stdout) as Finding[]).map((finding) => [finding.name, finding]));
  };
  const found = await ask();
  expect(found.get('Node')).toEqual({
    name: 'Node',
    state: process.arch === 'x64' ? 'ok' : 'note',
    text: expect.stringContaining(`${process.version} on ${process.platform} ${process.arch}`),
  });
  for (const name of ['SeaBIOS', 'OVMF', 'iPXE'])
    expect(found.get(name)?.text, name).toMatch(
      /^(\/\S+|not found: .* (apt|dnf|brew) install|not found: .*; install )/,
    );
  expect(found.get('gdb')?.text).toMatch(/^(GNU gdb|not found: `vmscope run --gdb` serves any gdb)/);
  for (const name of ['CPU', 'kvm modules', '/dev/kvm', 'engine vtx', 'libvirt', 'VM processes', 'terminal'])
    expect([...found.keys()], name).toContain(name);
  const path = process.env.PATH;
  process.env.PATH = '/nonexistent';
  try {
    expect((await ask()).get('gdb')).toEqual({
      name: 'gdb',
      state: 'note',
      text: 'not found: `vmscope run --gdb` serves any gdb or LLDB',
    });
  } finally {
    process.env.PATH = path;
  }
});
