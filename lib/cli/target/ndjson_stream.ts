/** Lines of JSON from an answer, as they come. */

/** Goes through the lines of a body. Ends by an error if the body breaks off. */
export async function* linesOf(
  body: AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>,
): AsyncGenerator<string, void> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  // Pieces of a line that is not complete: it may be long, and adding to a string is not free.
  let begun: string[] = [];
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    const lines = decoder.decode(chunk, { stream: true }).split("\n");
    begun.push(lines[0]!);
    if (lines.length === 1) continue;
    yield begun.join("");
    for (let at = 1; at < lines.length - 1; at++) yield lines[at]!;
    begun = [lines.at(-1)!];
  }
  begun.push(decoder.decode());
  if (begun.join("") !== "") throw new Error("The last line is not complete");
}
