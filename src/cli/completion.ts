import type { Argument, Command, Option } from 'commander';
import { UsageError } from './options.js';
import { VERSION } from './version.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
/** Verbs whose first argument is a running guest. */
const OF_GUESTS: ReadonlySet<string> = new Set(['attach', 'send', 'save', 'gdb', 'mcp']);

export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .summary('completion for a shell, from the options of this version')
    .description(
      'Print a completion script: `source <(vmscope completion bash)`, `vmscope completion zsh > FOLDER/_vmscope` in a folder of fpath, ' +
        '`vmscope completion fish > ~/.config/fish/completions/vmscope.fish`.',
    )
    .argument('<shell>', SHELLS.join(', '))
    .action((shell: string) => {
      const make = { bash, zsh, fish }[shell as (typeof SHELLS)[number]];
      if (!make) throw new UsageError(`completion ${shell}: use one of ${SHELLS.join(', ')}`);
      process.stdout.write(make(verbsOf(program)));
    });
}

export function addManCommand(program: Command): void {
  program
    .command('man')
    .summary('the manual page')
    .description('Print the manual page, made from the options of this version: `vmscope man | man -l -`.')
    .action(() => {
      process.stdout.write(manual(program, verbsOf(program)));
    });
}

const verbsOf = (program: Command): readonly Command[] =>
  [...program.commands].sort((a, b) => (a.name() < b.name() ? -1 : 1));

const names = ({ short, long }: Option): string[] =>
  [short, long].filter((name) => name !== undefined && name !== null);
const optionsOf = (verb: Command): Option[] => [...verb.options];
const takesFile = (option: Option): boolean => /<(?:file|image)>|FILE/.test(`${option.flags} ${option.description}`);
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** What comes behind an option, as bash's compgen is asked for it. */
function bashValues(option: Option): string {
  if (option.argChoices) return `-W ${quoted(option.argChoices.join(' '))}`;
  return takesFile(option) ? '-f' : '-W ""';
}

function bash(verbs: readonly Command[]): string {
  const cases = verbs.map((verb) => {
    const options = optionsOf(verb);
    const values = options
      .filter((option) => option.required)
      .map(
        (option) =>
          `        ${names(option).join('|')}) COMPREPLY=($(compgen ${bashValues(option)} -- "$cur")); return;;`,
      );
    const rest = OF_GUESTS.has(verb.name()) ? '-W "$(_vmscope_guests)"' : '-f';
    return `    ${verb.name()})
      case "$prev" in
${values.join('\n')}
        *) ;;
      esac
      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W ${quoted([...options.flatMap(names), '--help'].join(' '))} -- "$cur"))
      else COMPREPLY=($(compgen ${rest} -- "$cur")); fi;;`;
  });
  return `# bash completion of vmscope ${VERSION}
_vmscope_guests() {
  local socket
  for socket in "\${XDG_RUNTIME_DIR:-/tmp/vmscope-$UID}"/{,vmscope/}*.sock; do
    [[ -S $socket ]] && basename "$socket" .sock
  done
}
_vmscope() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W ${quoted([...verbs.map((verb) => verb.name()), '--help', '--version'].join(' '))} -- "$cur") $(compgen -f -- "$cur"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
}
complete -o filenames -F _vmscope vmscope
`;
}

/** Brackets and colons part the specifications of zsh's _arguments. */
const zshText = (text: string): string => text.replace(/[[\]:]/g, '\\$&');

function zsh(verbs: readonly Command[]): string {
  const functions = verbs.map((verb) => {
    const specs = optionsOf(verb).flatMap((option) => {
      const choices = option.argChoices ? `(${option.argChoices.join(' ')})` : takesFile(option) ? '_files' : ' ';
      const value = option.required ? `:${zshText(option.name())}:${choices}` : '';
      return names(option).map((name) => quoted(`*${name}[${zshText(option.description)}]${value}`));
    });
    const rest = OF_GUESTS.has(verb.name()) ? "'1:guest:_vmscope_guests'" : "'*:file:_files'";
    return `_vmscope_${verb.name()}() {\n  _arguments ${[...specs, rest].join(' \\\n    ')}\n}`;
  });
  return `#compdef vmscope
# zsh completion of vmscope ${VERSION}
_vmscope_guests() {
  local -a guests
  guests=(\${XDG_RUNTIME_DIR:-/tmp/vmscope-$UID}/{,vmscope/}*.sock(N:t:r))
  compadd -a guests
}
${functions.join('\n')}
_vmscope() {
  local -a verbs
  verbs=(
${verbs.map((verb) => `    ${quoted(`${verb.name()}:${verb.summary()}`)}`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    _files
  elif (( \${+functions[_vmscope_\${words[2]}]} )); then
    local verb=\${words[2]}
    shift words
    (( CURRENT-- ))
    _vmscope_$verb
  else
    _files
  fi
}
_vmscope "$@"
`;
}

function fish(verbs: readonly Command[]): string {
  const lines = verbs.flatMap((verb) => {
    const here = `complete -c vmscope -n '__fish_seen_subcommand_from ${verb.name()}'`;
    const options = optionsOf(verb).map((option) => {
      const short = option.short ? ` -s ${option.short.slice(1)}` : '';
      const long = option.long ? ` -l ${option.long.slice(2)}` : '';
      const values = option.argChoices ? ` -x -a ${quoted(option.argChoices.join(' '))}` : option.required ? ' -r' : '';
      return `${here}${short}${long}${values} -d ${quoted(option.description)}`;
    });
    const guests = OF_GUESTS.has(verb.name()) ? [`${here} -f -a '(__vmscope_guests)'`] : [];
    return [
      `complete -c vmscope -n __fish_use_subcommand -a ${verb.name()} -d ${quoted(verb.summary())}`,
      ...guests,
      ...options,
    ];
  });
  return `# fish completion of vmscope ${VERSION}
function __vmscope_guests
  set -l folder /tmp/vmscope-(id -u)
  set -q XDG_RUNTIME_DIR; and set folder $XDG_RUNTIME_DIR/vmscope
  for socket in $folder/*.sock
    basename $socket .sock
  end
end
${lines.join('\n')}
`;
}

/** Text of roff: what would be a request or an escape is neither. */
const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');

const argumentText = (argument: Argument): string => {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
};

function manual(program: Command, verbs: readonly Command[]): string {
  const sections = verbs.map((verb) => {
    const options = optionsOf(verb).map(({ flags, description, argChoices, defaultValue }) => {
      const choices = argChoices ? `: ${argChoices.join(', ')}` : '';
      const usual = defaultValue === undefined || defaultValue === true ? '' : ` (default: ${String(defaultValue)})`;
      return `.TP\n.B ${roff(flags)}\n${roff(`${description}${choices}${usual}`)}`;
    });
    const usage = ['vmscope', verb.name(), ...verb.registeredArguments.map(argumentText), '[options]'].join(' ');
    return `.SS ${roff(usage)}\n${roff(verb.description())}\n${options.join('\n')}`;
  });
  return `.TH VMSCOPE 1 "" "vmscope ${VERSION}"
.SH NAME
vmscope \\- ${roff(program.description().replace(/^D/, 'd'))}
.SH SYNOPSIS
.B vmscope
.I VERB
.RI [ options ]
.SH VERBS
${sections.join('\n')}
.SH EXIT STATUS
0: it ended well. 1: the guest failed, or an assertion. 2: wrong usage, or a command that failed. 3: the engine failed.
124: a limit ended it. 141: nobody reads standard output.
.SH FILES
.TP
.I ${roff('$XDG_RUNTIME_DIR/vmscope/NAME.sock, NAME.qmp')}
where a running guest is reached; without XDG_RUNTIME_DIR in ${roff('/tmp/vmscope-UID')}
`;
}
