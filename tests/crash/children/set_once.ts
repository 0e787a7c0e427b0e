/** Sets one key in the directory given, says when that was acknowledged, and waits to be killed. */

import process from "node:process";
import { KvStore } from "../../../lib/mod.ts";
import { say } from "./say.ts";

const [, , path = "", how = ""] = process.argv;
const store = await KvStore.open(path);
if (how === "sync") store.setSync("greeting", "hello");
else await store.set("greeting", "hello");
say("acknowledged");
process.stdin.resume();
