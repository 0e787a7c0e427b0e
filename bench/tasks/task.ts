/** What is run in a process of its own: one subject does one piece of work and tells figures. */

/** What a task is told. */
export interface TaskInput {
  /** Who does the work; most are names of engines. */
  subject: string;
  /** A directory for the files of this one task, or of a series of them. */
  directory: string;
  /** How many keys the work is about. */
  keys: number;
  /** How long work may take that is measured by time. */
  millis: number;
  /** Bytes of a value. */
  valueBytes: number;
}

/** Figures by name, which ends with the unit. */
export type Figures = Record<string, number>;

/** One piece of work. */
export type Task = (input: TaskInput) => Promise<Figures>;
