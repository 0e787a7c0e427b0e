/** The shells that there are scripts for. */
export const SHELL_NAMES = ["bash", "zsh", "fish", "powershell"] as const;

/** One of {@link SHELL_NAMES}. */
export type ShellName = typeof SHELL_NAMES[number];
