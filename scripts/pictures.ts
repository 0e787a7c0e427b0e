/** Draws the pictures of the documentation: `deno task pictures`. A test holds that they are right. */

import { recordPicture } from "./pictures/record.ts";
import { SESSIONS } from "./pictures/sessions.ts";
import { ROOT } from "./toolchain.ts";

for (const session of SESSIONS) {
  const directory = await Deno.makeTempDir({ prefix: "cairn-picture-" });
  try {
    const picture = await recordPicture(session, directory, `${ROOT}/dist`);
    await Deno.writeTextFile(`${ROOT}/docs/images/${session.name}.svg`, picture);
    console.log(`docs/images/${session.name}.svg`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
