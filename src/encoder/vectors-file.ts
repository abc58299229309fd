/**
 * `vectors.bin`: what an encoder learned of items and of their attributes. A head of 32 bytes (magic, format, dimensions,
 * items, attributes, 1 with biases or 0 without, two zeros), then the arrays one after another: item keys (8 bytes each),
 * attribute keys, item vectors, attribute vectors, biases (4 bytes each number). Little endian, like all machines that
 * run this. Its hash stands in the model's manifest, so it carries none itself.
 */
export interface LearnedVectors {
  /** Numbers of a vector. */
  readonly dimensions: number;
  /** hash48 of each item's id; no key twice. */
  readonly items: Float64Array;
  /** [items × dimensions]: of the whole item, that is its own part + Σ its attributes' vectors / √(how many). */
  readonly itemVectors: Float32Array;
  /** Added to each item's score; undefined when the encoder has none. */
  readonly biases: Float32Array | undefined;
  /** `attributeKeys` of the attributes; no key twice. */
  readonly attributes: Uint32Array;
  /** [attributes × dimensions]. An item never seen gets Σ of the known ones among its attributes / √(how many). */
  readonly attributeVectors: Float32Array;
}

export const VECTOR_LIMITS = { dimensionsMax: 256, itemsMax: 2 ** 22, attributesMax: 2 ** 22 } as const;

const MAGIC = 0x43_56_56_52; // "RVVC"
const FORMAT = 1;
const HEAD_BYTES = 32;

const fileBytes = (dimensions: number, items: number, attributes: number, biased: number): number =>
  HEAD_BYTES + items * 8 + attributes * 4 + (items + attributes) * dimensions * 4 + (biased === 1 ? items * 4 : 0);

/** @throws Error that says what does not fit */
export function encodeVectors(vectors: LearnedVectors): Uint8Array {
  const { dimensions, items, attributes, itemVectors, attributeVectors, biases } = vectors;
  checkSizes(dimensions, items.length, attributes.length);
  checkLength('item vectors', itemVectors, items.length * dimensions);
  checkLength('attribute vectors', attributeVectors, attributes.length * dimensions);
  if (biases !== undefined) checkLength('biases', biases, items.length);
  const biased = biases === undefined ? 0 : 1;
  const bytes = new Uint8Array(fileBytes(dimensions, items.length, attributes.length, biased));
  new Uint32Array(bytes.buffer, 0, HEAD_BYTES / 4).set([MAGIC, FORMAT, dimensions, items.length, attributes.length, biased]);
  let at = HEAD_BYTES;
  for (const array of [items, attributes, itemVectors, attributeVectors, biases ?? new Float32Array(0)]) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += array.byteLength;
  }
  return bytes;
}

/**
 * Reads a file by views of its bytes, without copying them.
 * @throws Error that says what does not fit
 */
export function decodeVectors(bytes: Uint8Array): LearnedVectors {
  // Keys are read in place, so they must lie at a multiple of 8.
  if (bytes.byteOffset % 8 !== 0) return decodeVectors(bytes.slice());
  const { buffer, byteOffset, byteLength } = bytes;
  if (byteLength < HEAD_BYTES) throw new Error(`vectors: ${byteLength} bytes, less than a head`);
  const [magic, format, dimensions = 0, items = 0, attributes = 0, biased = 0] = new Uint32Array(buffer, byteOffset, HEAD_BYTES / 4);
  if (magic !== MAGIC || format !== FORMAT || biased > 1) throw new Error(`vectors: not of format ${FORMAT}`);
  checkSizes(dimensions, items, attributes);
  const expected = fileBytes(dimensions, items, attributes, biased);
  if (byteLength !== expected) {
    throw new Error(`vectors: ${byteLength} bytes, where ${items} items and ${attributes} attributes of ${dimensions} dimensions take ${expected}`);
  }
  let at = byteOffset + HEAD_BYTES;
  const place = (length: number): number => {
    at += length;
    return at - length;
  };
  return {
    dimensions,
    items: new Float64Array(buffer, place(items * 8), items),
    attributes: new Uint32Array(buffer, place(attributes * 4), attributes),
    itemVectors: new Float32Array(buffer, place(items * dimensions * 4), items * dimensions),
    attributeVectors: new Float32Array(buffer, place(attributes * dimensions * 4), attributes * dimensions),
    biases: biased === 1 ? new Float32Array(buffer, place(items * 4), items) : undefined,
  };
}

function checkSizes(dimensions: number, items: number, attributes: number): void {
  const { dimensionsMax, itemsMax, attributesMax } = VECTOR_LIMITS;
  if (dimensions < 1 || dimensions > dimensionsMax) throw new Error(`vectors: ${dimensions} dimensions, not 1 to ${dimensionsMax}`);
  if (items > itemsMax) throw new Error(`vectors: ${items} items, more than ${itemsMax}`);
  if (attributes > attributesMax) throw new Error(`vectors: ${attributes} attributes, more than ${attributesMax}`);
}

function checkLength(what: string, array: Float32Array, expected: number): void {
  if (array.length !== expected) throw new Error(`vectors: ${array.length} numbers of ${what}, not ${expected}`);
}
