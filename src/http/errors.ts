import { AppError, asAppError } from '../errors.js';
import { storeError } from '../redis/errors.js';

/** Fastify's own faults, and those of its plugins, by code or status → ours. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (!(thrown instanceof Error)) return asAppError(thrown);
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
  const status = 'statusCode' in thrown && typeof thrown.statusCode === 'number' ? thrown.statusCode : 500;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new AppError('payload_too_large', 'The body is larger than allowed; send smaller batches.', { cause: thrown });
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new AppError('unsupported_media_type', 'Send application/json or application/x-ndjson.', { cause: thrown });
  }
  if (code === 'FST_ERR_BAD_URL') return new AppError('invalid_request', 'The address has a part that is not percent-encoded UTF-8.', { cause: thrown });
  if (code === 'FST_ERR_MAX_PARAM_LENGTH') return new AppError('invalid_request', 'The address has a part that is longer than any id.', { cause: thrown });
  if (status === 429) return new AppError('rate_limited', 'Too many requests; wait a minute.', { cause: thrown });
  if (status === 503) return new AppError('overloaded', thrown.message, { cause: thrown });
  if (status >= 400 && status < 500) return new AppError('invalid_request', thrown.message, { cause: thrown });
  const fromStore = storeError(thrown);
  return fromStore.code === 'write_unknown' || isConnectionFault(thrown) ? fromStore : asAppError(thrown);
}

/** What is no request at all, by Node's code → ours. */
export function unreadable(code: string): AppError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new AppError('request_timeout', 'The request did not come to its end in time; send it again.');
  if (code === 'HPE_HEADER_OVERFLOW') return new AppError('headers_too_large', 'Address and headers together are larger than allowed.');
  return new AppError('invalid_request', 'This is not HTTP/1.1; the connection ends here.');
}

/** Of a question that the store left open nothing is unknown: nothing was to be taken. */
export function forMethod(error: AppError, method: string): AppError {
  if (error.code !== 'write_unknown' || method !== 'GET') return error;
  return new AppError('store_unavailable', 'The store did not answer in time; ask again in a moment.', { cause: error });
}

const isConnectionFault = (error: Error): boolean => (/Stream isn't writeable|ECONNREFUSED|LOADING|MISCONF|OOM|READONLY/u).test(error.message);
