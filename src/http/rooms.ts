import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { CueInputSchema } from '../domain/cue.js';
import { cursor, form } from '../domain/form.js';
import { ROOM_STATUSES, RoomIdSchema, RoomInputSchema } from '../domain/room.js';
import { ROOM_CUES_LIMITS, type RoomCues } from '../paths/room-cues.js';
import { ROOM_DESK_LIMITS, type RoomDesk } from '../paths/room-desk.js';
import { Type } from '../util/type.js';
import { idempotencyKey } from './idempotency-key.js';
import { operatorOf, VersionMatch, versionOf } from './operator.js';
import { pageLimit, pageSize } from './page-limit.js';

const strict = { additionalProperties: false } as const;
const Params = Type.Object({ id: RoomIdSchema });
const CueParams = Type.Object({ id: RoomIdSchema, number: form('^[1-9][0-9]{0,8}$', 'the number of a cue, from 1 on') });
const Page = Type.Object({ cursor: Type.Optional(RoomIdSchema), limit: pageLimit(ROOM_DESK_LIMITS.listMax), status: Type.Optional(Type.Enum([...ROOM_STATUSES])) }, strict);
const CuePage = Type.Object({ cursor: Type.Optional(cursor('^[1-9][0-9]{0,8}$')), limit: pageLimit(ROOM_CUES_LIMITS.listMax) }, strict);

/** What hosts do to their rooms, and what everybody may know of them. */
export function roomRoutes(server: FastifyInstance, desk: RoomDesk, cues: RoomCues): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  const [host, reader] = [{ scope: 'host' }, { scope: ['recommend', 'host'] }] as const;
  const tags = ['rooms'];
  app.post('/v1/rooms', {
    config: host, schema: { summary: 'Announce a live room', tags, body: RoomInputSchema },
  }, async (request, reply) => reply.status(201).send({ room: await desk.create(request.body) }));
  app.get('/v1/rooms', {
    config: reader, schema: { summary: 'List rooms, those made last first', tags, querystring: Page },
  }, (request) => {
    const { cursor = '', limit, status } = request.query;
    return desk.list(cursor, pageSize(limit, ROOM_DESK_LIMITS.listMax), status);
  });
  app.get('/v1/rooms/:id', {
    config: reader, schema: { summary: 'Read a room', tags, params: Params },
  }, async (request) => ({ room: await desk.get(request.params.id) }));
  app.put('/v1/rooms/:id', {
    config: host, schema: { summary: 'Change a room: all that its host states; If-Match: the version that was read', tags, params: Params, body: RoomInputSchema, headers: VersionMatch },
  }, async (request) => ({ room: await desk.change(request.params.id, request.body, versionOf(request.headers)) }));
  for (const [move, summary] of [['open', 'Go live'], ['close', 'Close a room and all that is open in it, for ever']] as const) {
    app.post(`/v1/rooms/:id/${move}`, { config: host, schema: { summary, tags, params: Params } }, async (request) => {
      const { id } = request.params as { id: string };
      return { room: await desk[move](id) };
    });
  }
  app.post('/v1/rooms/:id/cues', {
    config: host, schema: { summary: 'Trigger a cue, once per Idempotency-Key', tags, params: Params, body: CueInputSchema, headers: idempotencyKey('cue') },
  }, async (request, reply) => {
    const by = operatorOf(request);
    const { kind, cue } = await cues.add({ roomId: request.params.id, key: request.headers['idempotency-key'], input: request.body, by });
    request.log.info({ cue: cue.id, what: cue.kind, by, kind }, 'cue');
    return reply.status(kind === 'made' ? 201 : 200).send({ cue });
  });
  app.get('/v1/rooms/:id/cues', {
    config: reader, schema: { summary: 'List the cues of a room, the latest first', tags, params: Params, querystring: CuePage },
  }, (request) => {
    const { cursor, limit } = request.query;
    return cues.list(request.params.id, cursor === undefined ? undefined : Number(cursor), pageSize(limit, ROOM_CUES_LIMITS.listMax));
  });
  app.get('/v1/rooms/:id/cues/:number', {
    config: reader, schema: { summary: 'Read a cue, and whom it has reached by now', tags, params: CueParams },
  }, async (request, reply) => {
    void reply.preventCache();
    const cue = await cues.get(request.params.id, Number(request.params.number));
    return { cue, reach: await cues.reach(cue) };
  });
}
