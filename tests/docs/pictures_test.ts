/** Draws the pictures of the documentation anew, and expects those that are there. */

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { canRecord, recordPicture } from "../../scripts/pictures/record.ts";
import { SESSIONS } from "../../scripts/pictures/sessions.ts";
import { CAIRN } from "../support/cairn_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { testUnless } from "../support/test_unless.ts";
import { PROJECT, readText } from "./markdown.ts";

const missing = existsSync(CAIRN)
  ? await canRecord() ? undefined : "there is no terminal to be had from script"
  : "dist/cairn is not built";

for (const session of SESSIONS) {
  testUnless(missing, `${session.name}.svg shows what the commands print`, async () => {
    using directory = new TemporaryDirectory();
    const picture = await recordPicture(session, directory.path, dirname(CAIRN));
    const shown = readText(`docs/images/${session.name}.svg`);
    const advice = "if that is as it should be: deno task pictures";
    assert.deepEqual(linesOf(picture), linesOf(shown), advice);
    assert.equal(picture, shown, advice);
  });
}

/** The text of a picture, without how it looks. */
function linesOf(picture: string): string[] {
  return [...picture.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!);
}

test("every picture is shown somewhere, and can be read in light and dark", () => {
  const pages = [
    "README.md",
    ...readdirSync(`${PROJECT}docs`).filter((name) => name.endsWith(".md")).map((name) =>
      `docs/${name}`
    ),
  ].map(readText).join("\n");
  const names = readdirSync(`${PROJECT}docs/images`).sort();
  assert(SESSIONS.every(({ name }) => names.includes(`${name}.svg`)));
  for (const name of names) {
    assert(pages.includes(`images/${name}`), `${name} is shown nowhere`);
    const picture = readText(`docs/images/${name}`);
    assert.match(picture, /^<svg [^>]*role="img"\s+aria-label="[^"]+"[^>]*>\s*<title>/);
    const [light, dark] = picture.split("@media (prefers-color-scheme: dark)");
    const colours = (style: string) =>
      new Set(
        style.match(/^ *\.\w+(?=[^{]*\{[^}]*(?:fill|stroke): #)/gm)?.map((each) => each.trim()),
      );
    assert(colours(light!).size > 3, name);
    for (const each of colours(light!)) {
      assert(dark!.includes(each), `${name}: ${each} in the dark`);
    }
  }
});
