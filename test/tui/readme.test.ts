/** What docs/ says of the dashboard and of exit-zoo holds. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exitReasonByName } from '../../src/spec/vmx/exit-reasons.js';
import { findCommand } from '../../src/tui/commands.js';
import { bindingOf } from '../../src/tui/keys.js';
import { VIEW_TABS, VIEWS } from '../../src/tui/layout.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const exits = read('docs/exits.md');
const dashboard = read('docs/dashboard.md');

describe('docs', () => {
  it('lists the exit reasons that exit-zoo provokes', () => {
    const zoo = read('samples/exit-zoo/expected.txt').match(/^\d\d \w+/gm)!;
    const names = zoo.map((line) => line.slice(3));
    const [, count] = /provokes (\d+) basic exit reasons/.exec(exits)!;
    expect(Number(count)).toBe(names.length);
    const list = exits.slice(exits.indexOf('basic exit reasons')).match(/^ {4}[A-Z_, \n]+$/m)![0];
    expect(list.trim().split(/,\s+/)).toEqual(names);
    for (const name of names) expect(exitReasonByName(name), name).toBeDefined();
  });

  it('names keys and commands that exist', () => {
    const table = dashboard.slice(dashboard.indexOf('| keys |'));
    const keys = table.split('\n').flatMap((row) => row.split('|')[1]?.match(/`([^`]+)`/g) ?? []);
    for (const key of keys.map((text) => text.slice(1, -1))) {
      if (key === 'Enter' || key === 'ctrl') continue;
      expect(bindingOf(key === 'Tab' ? 'tab' : key), key).toBeDefined();
    }
    for (const [, line] of table.matchAll(/`:(\w[^`]*)`/g)) expect(() => findCommand(line!)).not.toThrow();
    for (const view of VIEWS) expect(dashboard).toContain(`\`g${VIEW_TABS[view].key}\``);
  });
});
