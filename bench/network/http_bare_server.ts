/** What Cairn's server is measured against: the same runtime's, which answers with fixed bytes. */

import process from "node:process";
import { makeValue } from "../workload.ts";

const value = new Uint8Array(makeValue(100));

async function answer(request: Request): Promise<Response> {
  if (request.method === "GET") return new Response(value.buffer);
  await request.arrayBuffer();
  return new Response(null, { status: 204 });
}

interface Runtimes {
  Bun?: { serve(options: object): { port: number } };
  Deno?: { serve(options: object, handler: typeof answer): { addr: { port: number } } };
}

const { Bun, Deno } = globalThis as Runtimes;
const listen = { hostname: "127.0.0.1", port: 0 };
const port = Bun === undefined
  ? Deno!.serve({ ...listen, onListen: () => {} }, answer).addr.port
  : Bun.serve({ ...listen, fetch: answer }).port;
process.stdout.write(`http://127.0.0.1:${port}\n`);
