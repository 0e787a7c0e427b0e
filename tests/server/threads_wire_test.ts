/** What goes over the wire, once more: of a server with two threads. */

import process from "node:process";
import { test } from "node:test";
import { serveWithThreads } from "../support/cairn_process.ts";

if (process.platform === "linux") {
  serveWithThreads(2);
  await import("./contract_wire_test.ts");
  await import("./feed_wire_test.ts");
  await import("./routes_wire_test.ts");
} else {
  test(
    "wire: with two threads",
    { skip: "several threads cannot listen on one port here" },
    () => {},
  );
}
