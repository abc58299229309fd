import { fold, isEmptyWord, type ProductFinder } from './topics.js';

const NAME_LIMITS = {
  /** Parts of a title looked at. */
  partsMax: 64,
  /** A part that only one product has is certain; shared by two, each gets half. A product is meant from here on. */
  certainty: 0.5,
} as const;

/** The host's numbers: 3号, 3号链接, number 3, #3, no. 3, item 3. */
const NUMBER = /(\d{1,3})\s*号|(?:\bnumber|\bno\.?|\bitem|\blink|#)\s*(\d{1,3})\b/u;
const PARTS = /\p{Script=Han}{2,}|[\p{Script=Latin}\p{N}]{3,}/gu;

/** Which product of a room a comment is about: by the host's number of it, or by the parts of its title. */
export class ProductNames implements ProductFinder {
  readonly #ids: readonly string[];
  /** Part of a title → the products that have it. */
  readonly #byPart = new Map<string, string[]>();

  /** @param products in the host's order */
  constructor(products: readonly { readonly id: string; readonly title: string }[]) {
    this.#ids = products.map(({ id }) => id);
    for (const { id, title } of products) {
      for (const part of partsOf(title)) this.#byPart.set(part, [...this.#byPart.get(part) ?? [], id]);
    }
  }

  productIn(text: string): string | undefined {
    const number = NUMBER.exec(fold(text));
    const byNumber = number === null ? undefined : this.#ids[Number(number[1] ?? number[2]) - 1];
    return byNumber ?? this.#byTitle(text);
  }

  #byTitle(text: string): string | undefined {
    const scores = new Map<string, number>();
    for (const part of partsOf(text)) {
      const ids = this.#byPart.get(part) ?? [];
      for (const id of ids) scores.set(id, (scores.get(id) ?? 0) + 1 / ids.length);
    }
    const [first, second] = [...scores].sort(([, a], [, b]) => b - a);
    return first !== undefined && first[1] >= NAME_LIMITS.certainty && first[1] > (second?.[1] ?? 0) ? first[0] : undefined;
  }
}

/** Latin words, singular and plural alike, and pairs of Chinese characters, which need no dictionary to be found again; each once. */
function partsOf(text: string): Set<string> {
  const parts = new Set<string>();
  for (const [run] of fold(text).matchAll(PARTS)) {
    if (/^\p{Script=Han}/u.test(run)) for (let i = 0; i + 2 <= run.length; i++) parts.add(run.slice(i, i + 2));
    else if (!isEmptyWord(run)) parts.add(run.replace(/(?<=\w{3})s$/u, ''));
    if (parts.size >= NAME_LIMITS.partsMax) break;
  }
  return parts;
}
