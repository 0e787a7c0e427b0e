/** Every link of the documentation within the project leads somewhere. */

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";
import { PROJECT, readText } from "./markdown.ts";

const PAGES = [
  ...readdirSync(PROJECT).filter((name) => name.endsWith(".md")),
  ...readdirSync(`${PROJECT}docs`).filter((name) => name.endsWith(".md")).map((name) =>
    `docs/${name}`
  ),
];
/** Pages of the site that shows the repository. */
const OF_THE_SITE = ["../../releases"];

/** What a heading is called in links, by the rule of GitHub. */
function anchorsOf(page: string): Set<string> {
  const text = readText(page).replace(/^```.*?^```$/gms, "");
  return new Set(
    [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
    ),
  );
}

test("every link leads to a file that is there, and to a heading that it has", () => {
  let seen = 0;
  const broken = PAGES.flatMap((page) => {
    const text = readText(page).replace(/^```.*?^```$/gms, "");
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => {
      if (/^https?:/.test(link!) || OF_THE_SITE.includes(link!)) return [];
      seen++;
      const [path, anchor] = link!.split("#");
      const target = path === "" ? page : posix.join(posix.dirname(page), path!);
      if (!existsSync(PROJECT + target)) return [`${page}: ${link}`];
      const isFound = anchor === undefined || anchorsOf(target).has(anchor);
      return isFound ? [] : [`${page}: ${link}`];
    });
  });
  assert.deepEqual(broken, []);
  assert(seen > 50, `${seen} links`);
});
