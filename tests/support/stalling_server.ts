/** A server that answers as it was told, and no further than it was told. */

import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";

/** A server that stops at the end of the scope. */
export interface TestServer extends AsyncDisposable {
  url: string;
}

/** Starts one that answers by `listener`. */
export async function startAnswering(listener: RequestListener): Promise<TestServer> {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Sends the first half of a body, and then nothing for ever. */
export function stallingAt(type: string, body: Uint8Array): RequestListener {
  return (_request, response) => {
    response.writeHead(200, { "content-type": type });
    response.write(body.subarray(0, body.length / 2));
  };
}
