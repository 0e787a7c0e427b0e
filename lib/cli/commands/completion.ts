import { Argument, type Command } from "commander";
import { SHELL_NAMES, type ShellName } from "../completion/shell_name.ts";
import type { Output } from "../descriptor.ts";

/** `cairn completion SHELL` */
export function addCompletion(
  program: Command,
  stdout: Output,
  createProgram: () => Command,
): void {
  program.command("completion")
    .description("print what makes a shell complete commands, options, files and keys")
    .addArgument(new Argument("<shell>", "which").choices(SHELL_NAMES))
    // What the scripts themselves ask, behind --.
    .allowExcessArguments()
    .addHelpText("after", HELP_TAIL)
    .action(async (shell: ShellName, _options, { args: [, ...typed] }: Command) => {
      if (typed.length === 0) {
        const { COMPLETION_SCRIPTS } = await import("../completion/scripts.ts");
        stdout.write(COMPLETION_SCRIPTS[shell]);
      } else {
        const { answerRequest } = await import("../completion/answer_request.ts");
        for (const line of await answerRequest(createProgram, shell, typed)) stdout.writeLine(line);
      }
      stdout.flush();
    });
}

const HELP_TAIL = `
Keys are completed for 'get', 'del', 'set' and options that take them: those of a server,
and those of a directory that is small enough to be opened in a moment.

Examples:
  source <(cairn completion bash)          # in ~/.bashrc
  source <(cairn completion zsh)           # in ~/.zshrc
  cairn completion fish > ~/.config/fish/completions/cairn.fish
  cairn completion powershell | Out-String | Invoke-Expression   # in $PROFILE`;
