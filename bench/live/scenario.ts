/** What a scenario needs of whoever runs it. */
export interface Tools {
  /** The same seed, the same plan. */
  readonly seed: number;
  /** Tells how it goes. */
  readonly say: (line: string) => void;
  /** Options of Node for the engine's processes, e.g. to profile them. */
  readonly nodeArgs: readonly string[];
}

export interface Outcome {
  /** The measured, as it goes into `--json`. */
  readonly measured: object;
  /** The same as a person reads it: rows of a table, the first one its head. */
  readonly rows: readonly string[][];
  /** Promises that were not kept, a line each. */
  readonly broken: readonly string[];
  /** Aims of time and memory that were not reached, a line each: on a busy machine that says little. */
  readonly missed: readonly string[];
}

export interface Scenario {
  readonly about: string;
  /** How large it is unless told otherwise; each number is an option of the command. */
  readonly full: Readonly<Record<string, number>>;
  run(size: Readonly<Record<string, number>>, tools: Tools): Promise<Outcome>;
}

/** @param full its size; an option of the command has the name of each number: `--sockets 200` */
export function scenario<Size extends Readonly<Record<string, number>>>(about: string, full: Size, run: (size: Size, tools: Tools) => Promise<Outcome>): Scenario {
  return { about, full, run: (size, tools) => run({ ...full, ...size }, tools) };
}
