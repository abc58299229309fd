import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { EVENT_LIMITS, EventInputSchema } from '../domain/event.js';
import { AppError } from '../errors.js';
import type { EventIngestor, IngestReport } from '../paths/ingest-events.js';
import { Type } from '../util/type.js';
import { parseNdjson } from './ndjson.js';

/** Events are checked one by one on the path, so that a bad one does not sink its batch. */
const Body = Type.Object({
  events: Type.Array(Type.Unknown(), { minItems: 1, maxItems: EVENT_LIMITS.batchMax }),
}, { additionalProperties: false });

const documented = { description: 'One event per entry (or per line of NDJSON); see the schema Event.', examples: [{ events: [{ id: 'e1', type: 'view_item', userId: 'u1', itemId: 'i1' }] }] };

const Reply = Type.Object({
  accepted: Type.Integer({ description: 'now in the profile and in the stream' }),
  duplicates: Type.Integer(),
  rejected: Type.Array(Type.Object({ index: Type.Integer(), code: Type.String(), message: Type.String() })),
});

/** @param admit throws when an address sends too many events */
export function eventRoutes(server: FastifyInstance, ingestor: EventIngestor, admit: (ip: string, events: number) => void): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  app.addSchema({ ...EventInputSchema, $id: 'Event' });
  app.post('/v1/events', {
    config: { scope: 'events' },
    schema: { summary: 'Take events', tags: ['events'], consumes: ['application/json', 'application/x-ndjson'], body: Type.Union([Body, Type.String()], documented), response: { 200: Reply } },
  }, async (request) => {
    const { body } = request;
    if (typeof body === 'string') return ingestLines(body, ingestor, (events) => { admit(request.ip, events); });
    admit(request.ip, body.events.length);
    return ingestor.ingest(body.events);
  });
}

async function ingestLines(body: string, ingestor: EventIngestor, admit: (events: number) => void): Promise<IngestReport> {
  const events: unknown[] = [];
  const faults = new Map<number, string>();
  for await (const line of parseNdjson(body)) {
    if (events.length === EVENT_LIMITS.batchMax) {
      throw new AppError('payload_too_large', `More than ${EVENT_LIMITS.batchMax} lines; send them in several requests.`);
    }
    // What is not JSON becomes a value no schema takes, so that it is rejected at its own index.
    events.push(line.fault === undefined ? line.value : null);
    if (line.fault !== undefined) faults.set(line.index, line.fault);
  }
  if (events.length === 0) throw new AppError('invalid_request', 'The body has no lines; send one event per line.');
  admit(events.length);
  const report = await ingestor.ingest(events);
  return { ...report, rejected: report.rejected.map((entry) => ({ ...entry, message: faults.get(entry.index) ?? entry.message })) };
}
