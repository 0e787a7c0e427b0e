/**
 * The index as a stream of words, so that it can be kept in a file and be read back as it was.
 *
 * Nothing in it needs to be translated: addresses are numbers within the pages, and the pages come
 * back at the same addresses. Each part of the index writes its own words and reads them again, in
 * the order that `KeyIndex.save` and `KeyIndex.load` spell out. The words are those of the machine,
 * which is why a file of them has to say in which order their bytes are.
 */

/** Changes with every change of what the parts of the index write, or of what it means. */
export const INDEX_LAYOUT = 2;

/** What an index is written to. */
export interface IndexImageWriter {
  /** Takes over a copy of `words`. */
  words(words: Int32Array): void;
  /** Writes a whole page, which does not change meanwhile. */
  page(words: Int32Array): void;
}

/** What an index is read from, in the same steps as it was written. */
export interface IndexImageReader {
  /** Fills `words`. */
  words(words: Int32Array): void;
  /** Fills a page. */
  page(words: Int32Array): void;
  /** Gives the image up, by throwing, if something in it is not what it must be. */
  expect(condition: boolean, what: string): asserts condition;
}

/** Reads `count` words, which are few. */
export function readWords(image: IndexImageReader, count: number): Int32Array {
  const words = new Int32Array(count);
  image.words(words);
  return words;
}
