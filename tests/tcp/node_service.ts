/** Serves a store by TCP, sends it what is on stdin, and prints the replies; for any runtime. */

import { connect } from "node:net";
import process from "node:process";
import { KvStore } from "../../lib/mod.ts";
import { createTcpServer } from "../../lib/server/tcp/mod.ts";

const store = await KvStore.open(process.argv[2]!);
const server = createTcpServer(store);
const { port } = await server.listen({ port: 0 });
const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
process.stdin.pipe(socket);
for await (const chunk of socket) process.stdout.write(chunk as Uint8Array);
await server.close();
await store.close();
