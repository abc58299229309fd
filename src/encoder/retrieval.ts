import { BETWEEN, type Catalog } from '../catalog/catalog.js';
import { TOUCH, type Profile } from '../profile/profile.js';
import { breathe } from '../util/pause.js';
import { seededRandom } from '../util/random.js';
import { attributeKeys } from './attributes.js';
import type { Encoder } from './encoder.js';
import { ItemIndex } from './item-index.js';
import type { VectorSource } from './clusters.js';
import type { LearnedVectors } from './vectors-file.js';

const INDEX_SEED = 1;
/** Items looked up before other work of the process gets its turn: about a millisecond. */
const ITEMS_PER_TURN = 5000;

/** An encoder bound to the rows of a catalog: what finds candidates for a shopper, and says how well any item fits. */
export class Retrieval {
  readonly #catalog: Catalog;
  readonly #vectors: CatalogVectors;
  #index: ItemIndex;
  #boundAt: number;

  private constructor(readonly encoder: Encoder, catalog: Catalog, vectors: CatalogVectors, index: ItemIndex, boundAt: number) {
    this.#catalog = catalog;
    this.#vectors = vectors;
    this.#index = index;
    this.#boundAt = boundAt;
  }

  /** Binds in slices, for a process that serves requests meanwhile. */
  static async bind(encoder: Encoder, catalog: Catalog): Promise<Retrieval> {
    const vectors = new CatalogVectors(encoder.vectors, catalog);
    const boundAt = catalog.sequence;
    await vectors.follow();
    const index = await ItemIndex.build(vectors.source(), seededRandom(INDEX_SEED));
    return new Retrieval(encoder, catalog, vectors, index, catalog.sequence === boundAt ? boundAt : BETWEEN);
  }

  /** The catalog's change as of which its rows were looked up: what a replay needs to know. `BETWEEN` where the catalog changed meanwhile. */
  get boundAt(): number {
    return this.#boundAt;
  }

  /** The catalog's vectors as of the latest `refresh`. */
  get index(): ItemIndex {
    return this.#index;
  }

  /** Takes up rows that the catalog got since; until then they score 0 and are not found. */
  async refresh(): Promise<void> {
    if (this.#index.rows === this.#catalog.rows) return;
    const boundAt = this.#catalog.sequence;
    await this.#vectors.follow();
    this.#index = await ItemIndex.build(this.#vectors.source(), seededRandom(INDEX_SEED), this.#index);
    this.#boundAt = this.#catalog.sequence === boundAt ? boundAt : BETWEEN;
  }

  /**
   * Encodes a shopper by the latest distinct items that were not dismissed or given back.
   * @param onStart called right before the native run, and once before
   * @returns the query for `index`, or undefined when none of the items has a vector
   */
  async encode(profile: Profile, now: number, onStart?: () => void): Promise<Float32Array | undefined> {
    const { historyMax } = this.encoder.manifest;
    const index = this.#index;
    const known: { readonly row: number; readonly at: number }[] = [];
    for (const { item, mask, at } of profile.touches) {
      if ((mask & (TOUCH.dismissed | TOUCH.refunded)) !== 0) continue;
      const row = this.#catalog.rowOfKey(item);
      if (row >= 0 && index.has(row) && known.push({ row, at }) === historyMax) break;
    }
    if (known.length === 0) return undefined;
    const user = await this.encoder.run((history) => {
      known.forEach(({ row, at }, back) => { history.put(back, index.vector(row), now - at); });
    }, onStart);
    return this.#vectors.query(user);
  }
}

/**
 * The learned vectors by row of the catalog. Where there are biases, each is one more number of its vector, met by a 1 at
 * the end of the query.
 */
class CatalogVectors {
  readonly #learned: LearnedVectors;
  readonly #catalog: Catalog;
  readonly #attributes = new Map<number, number>();
  /** Learned item of each row, −1 when there is none. */
  #itemOfRow = new Int32Array(0);
  /** Rows the catalog had when they were last looked up. */
  #rows = 0;

  constructor(learned: LearnedVectors, catalog: Catalog) {
    this.#learned = learned;
    this.#catalog = catalog;
    learned.attributes.forEach((key, i) => { this.#attributes.set(key, i); });
  }

  /** Looks all items up in the catalog as it is now. */
  async follow(): Promise<void> {
    const { items } = this.#learned;
    const rows = this.#catalog.rows;
    const itemOfRow = new Int32Array(rows).fill(-1);
    for (let i = 0; i < items.length; i++) {
      if (i % ITEMS_PER_TURN === 0) await breathe();
      const row = this.#catalog.rowOfKey(items[i]!);
      if (row >= 0 && row < rows) itemOfRow[row] = i;
    }
    this.#itemOfRow = itemOfRow;
    this.#rows = rows;
  }

  source(): VectorSource {
    const { dimensions, biases } = this.#learned;
    return { rows: this.#rows, width: biases === undefined ? dimensions : dimensions + 1, read: (row, out) => this.#read(row, out) };
  }

  query(user: Float32Array): Float32Array {
    return this.#learned.biases === undefined ? user : Float32Array.of(...user, 1);
  }

  #read(row: number, out: Float32Array): boolean {
    const { dimensions, itemVectors, biases } = this.#learned;
    const item = this.#itemOfRow[row]!;
    if (item < 0) return this.#readUnseen(row, out);
    for (let i = 0, from = item * dimensions; i < dimensions; i++) out[i] = itemVectors[from + i]!;
    if (biases !== undefined) out[dimensions] = biases[item]!;
    return true;
  }

  /** An item that training did not see: what is known of its attributes. */
  #readUnseen(row: number, out: Float32Array): boolean {
    const item = this.#catalog.item(row);
    if (item === undefined) return false;
    const { dimensions, attributeVectors } = this.#learned;
    const known: number[] = [];
    for (const key of attributeKeys(item)) {
      const attribute = this.#attributes.get(key);
      if (attribute !== undefined) known.push(attribute * dimensions);
    }
    if (known.length === 0) return false;
    const scale = 1 / Math.sqrt(known.length);
    for (let i = 0; i < dimensions; i++) {
      let sum = 0;
      for (const from of known) sum += attributeVectors[from + i]!;
      out[i] = sum * scale;
    }
    if (this.#learned.biases !== undefined) out[dimensions] = 0;
    return true;
  }
}
