/** Help for every command, and what is suggested to those who mistype. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createProgram } from "../../lib/cli/program.ts";
import { cairn, cairnFails, runCairn } from "../support/cairn_process.ts";

const program = createProgram();
const shell = createProgram({ isDirectory: true, db: "d", json: false, leave: () => {} });

/** The help of a command, as it would be printed. */
function helpOf(command: (typeof program.commands)[number]): string {
  let text = "";
  command.configureOutput({ writeOut: (piece) => text += piece });
  command.outputHelp();
  return text;
}

test("help: every command has a description and examples, in a shell too", () => {
  assert(program.commands.length > 18 && shell.commands.length > 14);
  for (const command of [program, ...program.commands, shell, ...shell.commands]) {
    assert(command.description().length > 10, command.name());
    assert.match(helpOf(command), /^Examples:\n( {2}\S.*\n)+/m, command.name());
  }
});

test("help: examples are of the command, and all they name exists", () => {
  for (const command of program.commands) {
    const [, examples = ""] = /^Examples:\n((?: {2}.*\n)+)/m.exec(helpOf(command)) ?? [];
    assert(examples.includes(`cairn ${command.name()}`), command.name());
    for (const [, name, rest] of examples.matchAll(/\bcairn (\w+)([^|\n]*)/g)) {
      const named = program.commands.find((each) => each.name() === name);
      assert(named !== undefined, `${command.name()}: cairn ${name}`);
      const known = [...named.options, ...program.options].map(({ long }) => long);
      for (const [option] of (rest ?? "").matchAll(/--[a-z-]+\b/g)) {
        assert(known.includes(option), `${command.name()}: ${name} ${option}`);
      }
    }
  }
});

test("help: of the program, a command, by option and by command", async () => {
  const { text } = await cairn(["help"]);
  for (const command of program.commands) {
    assert.match(text, new RegExp(`^  ${command.name()} `, "m"));
  }
  const [byCommand, byOption] = await Promise.all([cairn(["help", "set"]), cairn(["set", "-h"])]);
  assert.equal(byCommand.text, byOption.text);
});

test("suggestions: every command and option with a letter left out or two swapped", async () => {
  for (const command of program.commands) {
    const mandatory = command.options.filter((option) => option.mandatory)
      .flatMap(({ long }) => [long!, "x"]);
    for (
      const long of command.options.map((option) => option.long ?? "").filter((each) =>
        each.length > 7
      )
    ) {
      for (const mistyped of mistakesIn(long)) {
        assert.match(
          await refusal([command.name(), ...mandatory, mistyped]),
          /Did you mean[^?]*--/,
          mistyped,
        );
      }
    }
    if (command.name().length < 4) continue;
    for (const mistyped of mistakesIn(command.name())) {
      assert.match(await refusal([mistyped]), /Did you mean/, mistyped);
    }
  }
});

function mistakesIn(name: string): string[] {
  const known = [
    ...program.commands.map((each) => each.name()),
    ...program.commands.flatMap(
      ({ options }) => options.map(({ long }) => long),
    ),
  ];
  const at = name.length - 2;
  const swapped = name.slice(0, at) + name[at + 1] + name[at];
  return [name.slice(0, at) + name.slice(at + 1), swapped].filter((each) => !known.includes(each));
}

async function refusal(args: string[]): Promise<string> {
  try {
    await createProgram().parseAsync(args, { from: "user" });
  } catch (error) {
    return String(error);
  }
  throw new assert.AssertionError({ message: `${args.join(" ")} is accepted` });
}

const otherNames: [args: string[], meant: string][] = [
  [["put", "a", "1"], "set"],
  [["rm", "a"], "del"],
  [["ls"], "list"],
  [["set", "a", "1", "--expire", "5"], "--ttl"],
  [["set", "a", "1", "--nx"], "--if-absent"],
  [["list", "--count", "5"], "--limit"],
  [["list", "--host", "h"], "--url"],
  [["serve", "--port", "80"], "--http"],
  [["get", "a", "--output", "f"], "--out"],
  [["stats", "--directory", "d"], "--db"],
  [["export", "f", "--force"], "--yes"],
  [["import", "f", "--continue"], "--resume"],
];

for (const [args, meant] of otherNames) {
  test(`suggestions: cairn ${args.join(" ")}`, async () => {
    const error = await cairnFails(2, args);
    assert(error.includes(`(Did you mean ${meant}?)`), error);
  });
}

test("suggestions: none for what is like nothing", async () => {
  assert.doesNotMatch(await cairnFails(2, ["list", "--zzzzzzzz"]), /Did you mean/);
  const { stderr } = await runCairn(["zzzzzzzz"]);
  assert.doesNotMatch(stderr, /Did you mean/);
});
