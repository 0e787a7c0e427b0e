/** The addresses of servers that a command may be given. */

import { InvalidArgumentError } from "commander";

/** The address of a server: `http://127.0.0.1:8620`, or with a path where it is mounted elsewhere. */
export function parseServerUrl(text: string): URL {
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {
    // Said below.
  }
  if (
    url === undefined || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== ""
  ) {
    throw new InvalidArgumentError("Give the address of a server, as in http://127.0.0.1:8620.");
  }
  if (url.username !== "" || url.password !== "") {
    throw new InvalidArgumentError("It must hold no secret: use CAIRN_TOKEN or --token-file.");
  }
  return url;
}
