import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import type { Catalog } from '../catalog/catalog.js';
import { cursor } from '../domain/form.js';
import { isoTime } from '../domain/iso-time.js';
import { ITEM_LIMITS, ItemSchema, type Item } from '../domain/item.js';
import { currencyFault } from '../domain/money.js';
import { SCENES } from '../domain/scene.js';
import { idFault } from '../domain/shopper.js';
import { AppError, type ErrorCode } from '../errors.js';
import type { CatalogStore } from '../redis/catalog-store.js';
import { hash48 } from '../util/hash.js';
import { makeChecker } from '../util/schema-fault.js';
import { Type } from '../util/type.js';
import { parseNdjson } from './ndjson.js';
import { pageLimit, pageSize } from './page-limit.js';

const PINS_MAX = 20;
/** Items stored together; between two such parts other requests get their turn. */
const PART = 1000;

const Body = Type.Object({ items: Type.Array(Type.Unknown(), { minItems: 1, maxItems: ITEM_LIMITS.batchMax }) }, { additionalProperties: false });
const Params = Type.Object({ id: Type.String({ minLength: 1 }) });
const SceneParams = Type.Object({ scene: Type.Enum([...SCENES]) });
const Page = Type.Object({
  cursor: Type.Optional(cursor('^[0-9]{1,19}$')),
  limit: pageLimit(1000, 100),
}, { additionalProperties: false });
const Pins = Type.Object({ itemIds: Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: PINS_MAX, uniqueItems: true }) }, { additionalProperties: false });

interface Rejected { index: number; code: ErrorCode; message: string }
interface PutReport { accepted: number; created: number; rejected: Rejected[] }

const checker = makeChecker(ItemSchema, 'item');

export function itemRoutes(server: FastifyInstance, store: CatalogStore, catalog: Catalog, storeCurrency: string | undefined): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  app.addSchema({ ...ItemSchema, $id: 'Item' });
  app.post('/v1/items', {
    config: { scope: 'catalog' },
    schema: { summary: 'Add or replace items (JSON, or NDJSON with one item per line)', tags: ['catalog'], consumes: ['application/json', 'application/x-ndjson'], body: Type.Union([Body, Type.String()], { description: 'Items, each as in the schema Item, or one a line of NDJSON.' }) },
  }, async (request) => {
    const { body } = request;
    const entries = typeof body === 'string' ? parseNdjson(body) : body.items.map((value, index) => ({ value, index }));
    return putItems(entries, { store, catalog, storeCurrency });
  });
  app.get('/v1/items', {
    config: { scope: 'catalog' }, schema: { summary: 'List items, in no order', tags: ['catalog'], querystring: Page },
  }, async (request) => {
    const { cursor, limit } = request.query;
    const page = await store.listItems(cursor ?? '0', pageSize(limit, 1000, 100));
    return page.cursor === '0' ? { items: page.items } : page;
  });
  app.get('/v1/items/:id', {
    config: { scope: 'catalog' }, schema: { summary: 'Read an item', tags: ['catalog'], params: Params },
  }, async (request) => {
    const { id } = request.params;
    return await store.getItem(id) ?? Promise.reject(noItem(id));
  });
  app.delete('/v1/items/:id', {
    config: { scope: 'catalog' }, schema: { summary: 'Remove an item', tags: ['catalog'], params: Params },
  }, async (request, reply) => {
    const { id } = request.params;
    if (!await store.deleteItem(id)) throw noItem(id);
    return reply.status(204).send();
  });
  app.put('/v1/scenes/:scene/pins', {
    config: { scope: 'catalog' },
    schema: { summary: 'Pin items to the top of a scene, in order; none unpins', tags: ['catalog'], params: SceneParams, body: Pins },
  }, async (request) => {
    const { itemIds } = request.body;
    await store.setPins(request.params.scene, itemIds);
    return { itemIds };
  });
  app.get('/v1/scenes/:scene/pins', {
    config: { scope: 'catalog' }, schema: { summary: 'Read what is pinned', tags: ['catalog'], params: SceneParams },
  }, async (request) => ({ itemIds: (await store.getPins())[request.params.scene] ?? [] }));
}

async function putItems(
  entries: AsyncIterable<{ index: number; value?: unknown; fault?: string }> | Iterable<{ index: number; value?: unknown; fault?: string }>,
  { store, catalog, storeCurrency }: { readonly store: CatalogStore; readonly catalog: Catalog; readonly storeCurrency: string | undefined },
): Promise<PutReport> {
  const report: PutReport = { accepted: 0, created: 0, rejected: [] };
  let part: Item[] = [];
  const flush = async (): Promise<void> => {
    report.created += await store.putItems(part);
    report.accepted += part.length;
    part = [];
  };
  for await (const { index, value, fault } of entries) {
    if (index >= ITEM_LIMITS.ndjsonMax) throw new AppError('payload_too_large', `More than ${ITEM_LIMITS.ndjsonMax} items, of which the first are stored already; send all in several requests.`);
    const refusal = fault === undefined ? refusalOf(value, catalog, storeCurrency) : { code: 'invalid_request' as const, message: fault };
    if (refusal === undefined) part.push(inCurrency(value as Item, storeCurrency));
    else report.rejected.push({ index, ...refusal });
    if (part.length === PART) await flush();
  }
  await flush();
  if (report.accepted + report.rejected.length === 0) throw new AppError('invalid_request', 'The body has no lines; send one item per line.');
  return report;
}

/** @returns why an item is not taken, or undefined */
function refusalOf(value: unknown, catalog: Catalog, storeCurrency: string | undefined): Omit<Rejected, 'index'> | undefined {
  const fault = faultOf(value);
  if (fault !== undefined) return { code: 'invalid_request', message: fault };
  const item = value as Item;
  const other = currencyFault(item.currency, storeCurrency);
  if (other !== undefined) return { code: 'other_currency', message: other };
  if (collides(item, catalog)) return { code: 'item_id_collision', message: 'Another item has an id with the same 48-bit hash; give this one another id.' };
  return undefined;
}

/** What has a price is kept with its currency, for whoever reads it without knowing the store's. */
const inCurrency = (item: Item, storeCurrency: string | undefined): Item =>
  item.price === undefined || item.currency !== undefined || storeCurrency === undefined ? item : { ...item, currency: storeCurrency };

/** @returns what is wrong with an item, or undefined */
function faultOf(value: unknown): string | undefined {
  if (!checker.check(value)) return checker.fault(value);
  const item = value as Item;
  const fault = idFault(item.id);
  if (fault !== undefined) return `id ${fault}`;
  if (item.publishedAt !== undefined && Number.isNaN(isoTime(item.publishedAt))) return 'publishedAt is not ISO 8601.';
  return undefined;
}

function collides(item: Item, catalog: Catalog): boolean {
  const row = catalog.rowOfKey(hash48(item.id));
  const there = row < 0 ? undefined : catalog.item(row);
  return there !== undefined && there.id !== item.id;
}

const noItem = (id: string): AppError => new AppError('not_found', `There is no item ${id.slice(0, 256)}.`);
