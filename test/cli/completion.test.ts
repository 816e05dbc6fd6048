/** The shells' completion and the manual page are those of the options that the program takes. */
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { vmscope } from './vmscope.js';

const has = (shell: string) => spawnSync(shell, ['--version']).status === 0;

/** Options that `vmscope VERB --help` lists. */
async function optionsOf(verb: string): Promise<string[]> {
  const { stdout } = await vmscope([verb, '--help']);
  return [...stdout.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map((match) => match[1]!);
}

describe('completion', () => {
  let bash: string;
  beforeAll(async () => {
    bash = (await vmscope(['completion', 'bash'])).stdout;
  });

  it.skipIf(!has('bash'))('completes verbs, options and their values in bash', () => {
    const complete = (...words: string[]) =>
      spawnSync(
        'bash',
        [
          '--norc',
          '-c',
          `${bash}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vmscope; printf '%s\\n' "\${COMPREPLY[@]}"`,
          'x',
          ...words,
        ],
        { encoding: 'utf8' },
      );
    expect(complete('vmscope', 'lock').stdout).toBe('lockstep\n');
    expect(complete('vmscope', 'run', '--eng').stdout).toBe('--engine\n');
    expect(complete('vmscope', 'run', '--engine', '').stdout).toBe('vtx\nkvm\nauto\n');
    expect(complete('vmscope', 'trace', '--by', 'su').stdout).toBe('subject\n');
    expect(complete('vmscope', 'doctor', '--j').stderr).toBe('');
  });

  it('of run and profile stand in groups in the help, each once', async () => {
    for (const verb of ['run', 'profile']) {
      const { stdout } = await vmscope([verb, '--help']);
      const groups = [...stdout.matchAll(/^([A-Z].*):\n((?: {2}.*\n)+)/gm)].filter(([, , rows]) =>
        rows!.includes('  -'),
      );
      const names = groups.map(([, title]) => title);
      expect(names.slice(0, 5)).toEqual([
        ...['What it boots', 'The machine', 'Consoles and screen', 'Debugging'],
        'When it ends, and what is left of it',
      ]);
      expect(names.slice(5)).toEqual([verb === 'run' ? 'Commands' : 'The profile', 'Options']);
      // of no group is the help's own
      expect(groups.at(-1)![2]).toMatch(/^ {2}-h, --help .*\n$/);
      expect(stdout).toMatch(/--cpu <model>[\s\S]*?\bhost\s+means\s+the\s+same/);
    }
  });

  it.each(['zsh', 'fish'].filter(has))('is a script that %s reads', async (shell) => {
    const { stdout } = await vmscope(['completion', shell]);
    expect(spawnSync(shell, ['-n'], { input: stdout, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });

  it('and the manual have each option of each verb', async () => {
    const fish = (await vmscope(['completion', 'fish'])).stdout;
    const zsh = (await vmscope(['completion', 'zsh'])).stdout;
    const man = (await vmscope(['man'])).stdout.replaceAll('\\-', '-');
    for (const verb of ['run', 'top', 'trace', 'send', 'mcp']) {
      const options = (await optionsOf(verb)).filter((option) => option !== '--help');
      expect(options.length).toBeGreaterThan(1);
      for (const option of options) {
        for (const text of [bash, zsh, man]) expect(text).toContain(option);
        expect(fish).toContain(`-l ${option.slice(2)} `);
      }
      expect(man).toContain(`.SS vmscope ${verb} `);
    }
    expect(man).not.toMatch(/^[.'](?!TH|SH|SS|TP|B|I|RI)\w/m);
    const wrong = await vmscope(['completion', 'tcsh']);
    expect([wrong.status, wrong.stderr]).toEqual([2, 'vmscope: completion tcsh: use one of bash, zsh, fish\n']);
  });
});
