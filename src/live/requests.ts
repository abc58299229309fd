import { shopperKey } from '../domain/shopper.js';
import { AppError, type ErrorCode } from '../errors.js';
import { requireScope, type Identity } from './authentication.js';
import type { LiveConnection } from './connection.js';
import { encodeFrame, recommendationsFrame, type ClientFrameOf } from './protocol.js';
import type { LiveServices } from './services.js';
import type { Subscriptions } from './subscriptions.js';

/** Who asks, and on which socket. */
interface Asking {
  readonly shopper: Identity;
  readonly services: LiveServices;
  readonly connection: LiveConnection;
  readonly subscriptions: Subscriptions;
}

/** Frames that ask for what a page can ask for over HTTP, too. */
type RequestFrame = ClientFrameOf<'ack' | 'events' | 'recommendations' | 'interact'>;

/** Does what a frame asks for, and answers it. @throws AppError when it is refused */
export async function answerRequest(frame: RequestFrame, asking: Asking): Promise<void> {
  if (frame.type === 'ack') await acknowledge(frame, asking);
  else if (frame.type === 'events') await ingest(frame, asking);
  else if (frame.type === 'recommendations') await recommend(frame, asking);
  else await interact(frame, asking);
}

async function acknowledge({ id, messageIds }: ClientFrameOf<'ack'>, { services, connection, shopper }: Asking): Promise<void> {
  const found = await services.acknowledge(shopper.key, messageIds);
  if (id !== undefined) connection.send(encodeFrame({ type: 'acked', replyTo: id, messageIds: found }));
}

/** Events without ids are the shopper's; events of somebody else are rejected, each by itself. */
async function ingest({ id, events }: ClientFrameOf<'events'>, { services, connection, shopper }: Asking): Promise<void> {
  requireScope(shopper, 'events');
  const own: unknown[] = [];
  const indexes: number[] = [];
  const rejected: { index: number; code: ErrorCode; message: string }[] = [];
  events.forEach((event, index) => {
    const whole = asOwn(event, shopper);
    if (whole === undefined) {
      rejected.push({ index, code: 'forbidden', message: 'The event belongs to another shopper than the socket.' });
      return;
    }
    own.push(whole);
    indexes.push(index);
  });
  const report = own.length === 0 ? { accepted: 0, duplicates: 0, rejected: [] } : await services.ingest(own);
  for (const { index, ...rejection } of report.rejected) rejected.push({ index: indexes[index]!, ...rejection });
  rejected.sort((a, b) => a.index - b.index);
  connection.send(encodeFrame({ type: 'ack', replyTo: id, accepted: report.accepted, duplicates: report.duplicates, rejected }));
}

async function recommend({ type: _type, id, ...input }: ClientFrameOf<'recommendations'>, { services, connection, shopper }: Asking): Promise<void> {
  requireScope(shopper, 'recommend');
  if (input.events !== undefined) requireScope(shopper, 'events');
  const named = shopperKey(input);
  if (named !== undefined && named !== shopper.key) throw new AppError('forbidden', 'The recommendations asked for are those of another shopper.');
  // Asked only for its refusal: who may not enter a room is not shown its products.
  if (input.roomId !== undefined) await services.channels.ofRoom(input.roomId, shopper);
  const { userId: _userId, anonymousId: _anonymousId, ...rest } = input;
  connection.send(recommendationsFrame(await services.recommend(Object.assign({}, rest, shopper.ids)), id));
}

async function interact({ type: _type, id, roomId, ...act }: ClientFrameOf<'interact'>, { services, connection, subscriptions, shopper }: Asking): Promise<void> {
  requireScope(shopper, 'events');
  if (!subscriptions.has(await services.channels.ofRoom(roomId, shopper))) throw new AppError('forbidden', `Subscribe to room:${roomId} first.`);
  await services.interact(shopper.key, roomId, act);
  if (id !== undefined) connection.send(encodeFrame({ type: 'interacted', replyTo: id }));
}

/** @returns the event with its shopper, whatever else may be wrong with it; undefined when it names another one */
function asOwn(event: unknown, shopper: Identity): unknown {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return event;
  if (!('userId' in event) && !('anonymousId' in event)) return Object.assign({}, event, shopper.ids);
  const { userId, anonymousId } = event as { userId?: unknown; anonymousId?: unknown };
  const isNamed = [userId, anonymousId].every((id) => id === undefined || typeof id === 'string');
  if (!isNamed) return event; // of no shopper at all: the event path says so
  return shopperKey({ userId: userId as string | undefined, anonymousId: anonymousId as string | undefined }) === shopper.key ? event : undefined;
}
