/** Runs the commands of a picture in a terminal, with the executable that was built. */

import { drawTerminal, type Step } from "./terminal_svg.ts";
import type { Session } from "./sessions.ts";

/** Whether this machine has what it takes. */
export async function canRecord(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("script", { args: ["--version"] }).output();
    return success && Deno.build.os === "linux";
  } catch {
    return false;
  }
}

/** The picture of a session. `directory` is empty; `binaries` is where the executable is. */
export async function recordPicture(
  session: Session,
  directory: string,
  binaries: string,
): Promise<string> {
  const steps: Step[] = [];
  for (const command of session.commands) {
    const { stdout } = await new Deno.Command("script", {
      // The terminal's own line ends, and its echo, are not what the command printed.
      args: ["-qec", `stty -opost; ${command}`, "/dev/null"],
      cwd: directory,
      clearEnv: true,
      env: { PATH: `${binaries}:${Deno.env.get("PATH")}`, TERM: "xterm", SHELL: "/bin/bash" },
      stdin: "null",
    }).output();
    steps.push({ command, output: new TextDecoder().decode(stdout) });
  }
  return drawTerminal(session.title, steps);
}
