/** How large the store is and how long is measured. */
export interface Size {
  readonly items: number;
  readonly profiles: number;
  /** Different histories behind the profiles; each serves several shoppers. */
  readonly histories: number;
  readonly rounds: number;
  /** Measured per load and round, after warming up, s. */
  readonly seconds: number;
  readonly warmupSeconds: number;
  /** Connections of the load; in a closed loop each has one request under way. */
  readonly connections: number;
  /** Connections that send batches of events. */
  readonly batchConnections: number;
  readonly sockets: number;
  /** Events a second over all sockets. */
  readonly socketRate: number;
  /** The engine's RECOMMEND_DEADLINE_MS. */
  readonly deadlineMs: number;
}

export const FULL: Size = {
  items: 50_000, profiles: 100_000, histories: 20_000, rounds: 5, seconds: 5, warmupSeconds: 1,
  connections: 64, batchConnections: 8, sockets: 200, socketRate: 200, deadlineMs: 150,
};

/** For the tests: everything runs once, nothing is meant to be quoted. */
export const SMOKE: Size = {
  items: 500, profiles: 300, histories: 100, rounds: 1, seconds: 0.4, warmupSeconds: 0.1,
  connections: 8, batchConnections: 2, sockets: 4, socketRate: 20, deadlineMs: 10_000,
};

export const BATCH_EVENTS = 100;
export const CANDIDATES = 200;
export const LIST_LIMIT = 20;
