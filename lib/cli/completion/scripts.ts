/**
 * What shells are to run when the Tab key is pressed behind `cairn`: they ask `cairn completion`
 * what may come next, and leave names of files to themselves. Nothing that was typed, and no key, is
 * ever run or expanded.
 */

import type { ShellName } from "./shell_name.ts";

const BASH = `# bash completion for cairn; load it with: source <(cairn completion bash)
_cairn() {
  local kind line
  COMPREPLY=()
  {
    IFS= read -r kind
    while IFS= read -r line; do COMPREPLY+=("$line"); done
  } < <(command cairn completion bash -- "$COMP_WORDBREAKS" "\${COMP_LINE:0:COMP_POINT}" \\
    2> /dev/null < /dev/null)
  # Bash before 4 has no compopt, and offers names of files wherever nothing else fits.
  case $kind in
    files) ;;
    directories) compopt -o dirnames +o default 2> /dev/null ;;
    *) compopt +o default 2> /dev/null ;;
  esac
}
complete -o default -F _cairn cairn
`;

const ZSH = `#compdef cairn
# zsh completion for cairn; load it with: source <(cairn completion zsh)
# or put it into a directory of $fpath under the name _cairn.
_cairn() {
  local -a answer described keys
  local entry word
  answer=("\${(@f)$(command cairn completion zsh -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" \\
    2> /dev/null < /dev/null)}")
  if [[ $answer[1] == (files|directories) && $PREFIX == --*=* ]]; then
    compset -P 1 '*='
  fi
  case $answer[1] in
    files) _files ;;
    directories) _files -/ ;;
    *)
      for entry in "\${(@)answer[2,-1]}"; do
        word=\${entry%%$'\\t'*}
        if [[ $entry == *$'\\t' ]]; then
          keys+=("$word")
        else
          described+=("\${word//:/\\\\:}:\${entry#*$'\\t'}")
        fi
      done
      (( $#described )) && _describe 'cairn' described
      (( $#keys )) && compadd -- "\${(@)keys}"
      return 0
      ;;
  esac
}
if [[ \${funcstack[1]} == _cairn ]]; then
  _cairn "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _cairn cairn
fi
`;

const FISH = `# fish completion for cairn; load it with: cairn completion fish | source
# or put it into ~/.config/fish/completions/cairn.fish
function __cairn_complete
    set -l token (commandline -ct)
    set -l answer (command cairn completion fish -- (commandline -cp | string collect) \\
        2> /dev/null < /dev/null)
    set -l option (string match -r -- '^--[^=]+=' $token)
    switch "$answer[1]"
        case files
            for name in (__fish_complete_path (string replace -- "$option" '' "$token"))
                printf '%s\\n' "$option$name"
            end
        case directories
            for name in (__fish_complete_directories (string replace -- "$option" '' "$token"))
                printf '%s\\n' "$option$name"
            end
        case '*'
            printf '%s\\n' $answer[2..-1]
    end
end
complete -c cairn -e
complete -c cairn -f -a '(__cairn_complete)'
`;

const POWERSHELL =
  `# PowerShell completion for cairn; load it with: cairn completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName cairn -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @()
    foreach ($element in $commandAst.CommandElements | Select-Object -Skip 1) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        if ($element -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
            $words += ':' + $element.Value
        } else {
            $words += ':' + $element.Extent.Text
        }
    }
    $words += ':' + $wordToComplete
    $answer = @(& cairn completion powershell '--' $words 2> $null)
    # Without an answer, PowerShell offers names of files.
    if ($answer.Count -eq 0 -or $answer[0] -ne 'words') { return }
    if ($answer.Count -eq 1) { return '' }
    $answer | Select-Object -Skip 1 | ForEach-Object {
        $text, $shown, $description = $_.Split([char]9)
        [System.Management.Automation.CompletionResult]::new(
            $text, $shown, 'ParameterValue', $description)
    }
}
`;

/** The script for each shell. */
export const COMPLETION_SCRIPTS: Record<ShellName, string> = {
  bash: BASH,
  zsh: ZSH,
  fish: FISH,
  powershell: POWERSHELL,
};
