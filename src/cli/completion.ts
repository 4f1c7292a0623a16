/** `completion bash`: a script for the shell, made from the commands themselves. */

import type { Command } from 'commander';
import { FIRST_WORDS } from './path.ts';
import { TOPIC_NAMES } from './show.ts';

/** Words that may follow a command, beside its options. */
function wordsAfter(command: Command): string[] {
  const name = command.name();
  const options = command.options.flatMap(({ long }) => (long ? [long] : []));
  if (name === 'show') return [...TOPIC_NAMES, ...FIRST_WORDS, ...options];
  if (name === 'completion') return ['bash', ...options];
  return ['get', 'set', 'delete'].includes(name) ? [...FIRST_WORDS, ...options] : options;
}

export function bashCompletion(program: Command): string {
  const commands = program.commands.filter((command) => !('_hidden' in command && command._hidden === true));
  const cases = commands.map(
    (command) => `    ${command.name()}) words="${wordsAfter(command).join(' ')}"${filesAfter(command)} ;;`,
  );
  return `# bash completion of gi4over6: source it, or put it in /etc/bash_completion.d
_gi4over6() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map((command) => command.name()).join(' ')}" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    *) words="" ;;
  esac
  COMPREPLY+=($(compgen -W "$words" -- "$current"))
}
complete -F _gi4over6 gi4over6
`;
}

function filesAfter(command: Command): string {
  return ['import', 'export'].includes(command.name()) ? '; COMPREPLY=($(compgen -f -- "$current"))' : '';
}
