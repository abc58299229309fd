/**
 * The one catalogue of errors: code → HTTP status, socket close code, whether the same request may be sent again,
 * and what a reader of the message should do. Every error that leaves the process is one of these.
 */
const CATALOGUE = {
  invalid_request: { status: 400, close: 4400, retryable: false },
  invalid_event: { status: 400, close: 4400, retryable: false },
  invalid_expression: { status: 400, close: 4400, retryable: false },
  invalid_json: { status: 400, close: 4400, retryable: false },
  other_currency: { status: 400, close: 4400, retryable: false },
  unauthorized: { status: 401, close: 4401, retryable: false },
  token_expired: { status: 401, close: 4440, retryable: false },
  forbidden: { status: 403, close: 4403, retryable: false },
  not_found: { status: 404, close: 4404, retryable: false },
  auth_timeout: { status: 408, close: 4408, retryable: true },
  request_timeout: { status: 408, close: 4408, retryable: true },
  conflict: { status: 409, close: 4409, retryable: false },
  item_id_collision: { status: 409, close: 4409, retryable: false },
  offer_exhausted: { status: 409, close: 4409, retryable: false },
  cap_reached: { status: 409, close: 4409, retryable: false },
  not_eligible: { status: 409, close: 4409, retryable: false },
  outside_window: { status: 409, close: 4409, retryable: false },
  offer_not_active: { status: 409, close: 4409, retryable: false },
  key_reused: { status: 409, close: 4409, retryable: false },
  group_closed: { status: 409, close: 4409, retryable: false },
  share_closed: { status: 409, close: 4409, retryable: false },
  claim_held: { status: 409, close: 4409, retryable: false },
  claim_not_redeemed: { status: 409, close: 4409, retryable: false },
  claim_settled: { status: 409, close: 4409, retryable: false },
  claim_expired: { status: 409, close: 4409, retryable: false },
  room_not_live: { status: 409, close: 4409, retryable: false },
  payload_too_large: { status: 413, close: 1009, retryable: false },
  unsupported_media_type: { status: 415, close: 1003, retryable: false },
  rate_limited: { status: 429, close: 4429, retryable: true },
  headers_too_large: { status: 431, close: 1009, retryable: false },
  slow_consumer: { status: 503, close: 4503, retryable: true },
  internal: { status: 500, close: 1011, retryable: true },
  profile_unreadable: { status: 500, close: 1011, retryable: false },
  model_refused: { status: 500, close: 1011, retryable: false },
  model_unavailable: { status: 503, close: 1013, retryable: true },
  store_unavailable: { status: 503, close: 1013, retryable: true },
  write_unknown: { status: 503, close: 1013, retryable: true },
  write_contended: { status: 503, close: 1013, retryable: true },
  budget_missing: { status: 503, close: 1013, retryable: false },
  backlog_full: { status: 503, close: 1013, retryable: true },
  overloaded: { status: 503, close: 1013, retryable: true },
  shutting_down: { status: 503, close: 1012, retryable: true },
} as const satisfies Record<string, { status: number; close: number; retryable: boolean }>;

export type ErrorCode = keyof typeof CATALOGUE;

export class AppError extends Error {
  readonly code: ErrorCode;
  readonly statusCode: number;
  /** WebSocket close code: 4400–4499 stay away, but 1012, 1013, 4408, 4429 and 4503 come back, 4440 come back with a new token. */
  readonly closeCode: number;
  readonly retryable: boolean;
  /** When to come again, s. */
  readonly retryAfterS: number | undefined;

  /** @param message what was wrong, where, and what to do */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { readonly retryAfterS?: number }) {
    super(message, options);
    this.name = 'AppError';
    this.code = code;
    const entry = CATALOGUE[code];
    this.statusCode = entry.status;
    this.closeCode = entry.close;
    this.retryable = entry.retryable;
    this.retryAfterS = options?.retryAfterS;
  }

  /** The body of an error reply. */
  toJSON(): { code: string; message: string; statusCode: number } {
    return { code: this.code, message: this.message, statusCode: this.statusCode };
  }
}

/** All codes with their properties, for the documentation. */
export const ERROR_CATALOGUE: Readonly<Record<ErrorCode, { status: number; close: number; retryable: boolean }>> = CATALOGUE;

/** @returns the error itself when it is one of ours, else an `internal` one that keeps it as the cause */
export function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError('internal', 'Something went wrong on our side; the log has the details, of a request under its x-request-id.', { cause: error });
}
