/**
 * A mutant: the engine with one rule that keeps data safe taken out. Some test must fail for each;
 * `deno task test:mutation` shows it.
 */

/** One place in a file of the engine, and what stands there instead in a mutant. */
export interface Edit {
  /** Path from the repository's top directory. */
  file: string;
  /** Text that occurs exactly once in the file. */
  find: string;
  /** What takes its place; it must leave a program that passes the type check. */
  replace: string;
}

/** An engine without one of its rules. */
export interface Mutant extends Edit {
  /** Unique in its group; says what is missing. */
  name: string;
  /** What goes wrong without it. */
  why: string;
  /** Further edits, where a second place would make up for the first one. */
  and?: readonly Edit[];
  /** Tests that are the likeliest to fail, `store/hint` for `tests/store/hint_test.ts`. */
  tests: readonly string[];
  /** Set if no test can fail, because the engine behaves the same. */
  equivalent?: {
    /** Why nothing can be observed. */
    because: string;
    /**
     * Name of the mutant of this group in which what makes up for it is missing too; that one must
     * be caught. Absent where nothing else could be taken out.
     */
    together?: string;
  };
}

/** Mutants that are about one rule, or one kind of it. */
export interface MutantGroup {
  name: string;
  mutants: readonly Mutant[];
}

/** All edits of a mutant. */
export function editsOf({ file, find, replace, and = [] }: Mutant): Edit[] {
  return [{ file, find, replace }, ...and];
}

/** `text` with the edit made; undefined unless its place is found exactly once. */
export function applyEdit(text: string, { find, replace }: Edit): string | undefined {
  const at = text.indexOf(find);
  if (at < 0 || text.indexOf(find, at + 1) >= 0) return undefined;
  return text.slice(0, at) + replace + text.slice(at + find.length);
}
