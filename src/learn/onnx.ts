import onnxProto from 'onnx-proto';

const { onnx } = onnxProto;
type Graph = Parameters<typeof onnx.GraphProto.encode>[0];
type Node = Parameters<typeof onnx.NodeProto.encode>[0];
type Attribute = Parameters<typeof onnx.AttributeProto.encode>[0];

/** IR version and operator set of the models we write: onnxruntime has read both since 1.12. */
const IR_VERSION = 8;
const OPSET = 17;
/** Version of the operators that onnxruntime adds to the standard; it has no other. */
const CONTRIBUTED_OPSET = 1;

export type ElementType = 'float' | 'int32' | 'int64' | 'bool';
const ELEMENT_TYPES = {
  float: onnx.TensorProto.DataType.FLOAT,
  int32: onnx.TensorProto.DataType.INT32,
  int64: onnx.TensorProto.DataType.INT64,
  bool: onnx.TensorProto.DataType.BOOL,
} as const;

/** A number is a whole attribute (`axis: 1`), an array several; a subgraph is a branch or loop body. */
export type AttributeValue = number | readonly number[] | { readonly float: number } | GraphBuilder;
export type Attributes = Readonly<Record<string, AttributeValue>>;

/**
 * A small writer of ONNX graphs: values are named by strings, each operator call adds a node and returns its output's
 * name. Only what our models need.
 */
export class GraphBuilder {
  readonly #graph: Required<Pick<Graph, 'node' | 'input' | 'output' | 'initializer'>> & { name: string } = {
    name: '', node: [], input: [], output: [], initializer: [],
  };
  #count = 0;

  constructor(name: string) {
    this.#graph.name = name;
  }

  /** @param shape a name stands for a length known only at run time */
  input(name: string, shape: readonly (number | string)[], type: ElementType = 'float'): string {
    this.#graph.input!.push(valueInfo(name, shape, type));
    return name;
  }

  output(name: string, shape: readonly (number | string)[], type: ElementType = 'float'): string {
    this.#graph.output!.push(valueInfo(name, shape, type));
    return name;
  }

  /** A float32 constant, stored in the model file. */
  floats(name: string, values: ArrayLike<number>, shape: readonly number[]): string {
    return this.#constant(name, 'float', Float32Array.from(values), shape);
  }

  integers(name: string, values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.#constant(name, 'int64', BigInt64Array.from(values, BigInt), shape);
  }

  boolean(name: string, value: boolean): string {
    return this.#constant(name, 'bool', Uint8Array.of(value ? 1 : 0), []);
  }

  /** Adds an operator with one output. @returns the output's name (made up when not given) */
  op(type: string, inputs: readonly string[], attributes: Attributes = {}, output?: string): string {
    return this.ops(type, inputs, attributes, [output ?? this.newName(type)])[0]!;
  }

  /** A name no value has yet. */
  newName(type: string): string {
    return `${this.#graph.name}_${type}_${this.#count++}`;
  }

  /**
   * Adds an operator with the outputs named.
   * @param type with its domain before a dot when it is not the standard's: `com.microsoft.FusedMatMul`
   */
  ops(type: string, inputs: readonly string[], attributes: Attributes, outputs: readonly string[]): readonly string[] {
    const dot = type.lastIndexOf('.');
    const node: Node = {
      opType: type.slice(dot + 1), domain: type.slice(0, Math.max(0, dot)),
      input: [...inputs], output: [...outputs], attribute: Object.entries(attributes).map(attribute),
    };
    this.#graph.node!.push(node);
    return outputs;
  }

  /** The graph as a part of another. */
  get graph(): Graph {
    return this.#graph;
  }

  /** The whole model as the bytes of an `.onnx` file. */
  model(): Uint8Array {
    return onnx.ModelProto.encode({
      irVersion: IR_VERSION, producerName: 'rivulet', graph: this.#graph,
      opsetImport: [{ domain: '', version: OPSET }, { domain: 'com.microsoft', version: CONTRIBUTED_OPSET }],
    }).finish();
  }

  /** Raw little-endian bytes: the layout of typed arrays on every platform onnxruntime ships for. */
  #constant(name: string, type: ElementType, data: Float32Array | BigInt64Array | Uint8Array, shape: readonly number[]): string {
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#graph.initializer!.push({ name, dataType: ELEMENT_TYPES[type], dims: [...shape], rawData });
    return name;
  }
}

function valueInfo(name: string, shape: readonly (number | string)[], type: ElementType): NonNullable<Graph['input']>[number] {
  const dim = shape.map((length) => (typeof length === 'number' ? { dimValue: length } : { dimParam: length }));
  return { name, type: { tensorType: { elemType: ELEMENT_TYPES[type], shape: { dim } } } };
}

function attribute([name, value]: [string, AttributeValue]): Attribute {
  const { AttributeType } = onnx.AttributeProto;
  if (typeof value === 'number') return { name, type: AttributeType.INT, i: value };
  if (value instanceof GraphBuilder) return { name, type: AttributeType.GRAPH, g: value.graph };
  if ('float' in value) return { name, type: AttributeType.FLOAT, f: value.float };
  return { name, type: AttributeType.INTS, ints: [...value] };
}
