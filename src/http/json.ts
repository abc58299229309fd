import sjson from 'secure-json-parse';
import { AppError } from '../errors.js';

/** Prototypes named in a body reach nothing here, but could whoever reads our streams and archive. */
const POISON = /forbidden prototype property/u;

/**
 * Parses JSON that a client sent.
 * @param what it is, as messages call it: `body`, `line`
 * @throws AppError `invalid_json`, saying where it ends to be JSON
 */
export function parseJson(text: string, what: string): unknown {
  if (text.length === 0) throw new AppError('invalid_json', `The ${what} is empty; send a JSON object.`);
  try {
    return sjson.parse(text, null, { protoAction: 'error', constructorAction: 'error' });
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    throw new AppError('invalid_json', POISON.test(message)
      ? `The ${what} has an object with the key __proto__, or prototype within constructor; leave it out.`
      : `The ${what} is not valid JSON: ${message.slice(0, 200)}.`, { cause: error });
  }
}
