import { AppError } from '../errors.js';

/** Where in an expression: character from 0 (UTF-16), line and column from 1. */
export interface ExpressionPosition { readonly offset: number; readonly line: number; readonly column: number }

export function positionIn(source: string, offset: number): ExpressionPosition {
  const before = source.slice(0, offset).split('\n');
  return { offset: Math.min(offset, source.length), line: before.length, column: before.at(-1)!.length + 1 };
}

/** An expression that is refused, with the position of its fault. */
export class ExpressionError extends AppError {
  /** @param fault what is wrong, completing "The expression …" */
  constructor(fault: string, readonly position: ExpressionPosition, options?: ErrorOptions) {
    super('invalid_expression', `The expression ${fault}, at line ${position.line}, column ${position.column}.`, options);
    this.name = 'ExpressionError';
  }

  /** Of a fault that the language's library found, while parsing or checking types. */
  static from(thrown: unknown, source: string): ExpressionError {
    const { summary, range } = (thrown ?? {}) as { summary?: unknown; range?: { start?: unknown } };
    const fault = typeof summary === 'string' ? summary : thrown instanceof Error ? thrown.message : 'unreadable';
    const offset = typeof range?.start === 'number' ? range.start : 0;
    return new ExpressionError(`is not valid: ${fault.slice(0, 200)}`, positionIn(source, offset), { cause: thrown });
  }

  override toJSON(): { code: string; message: string; statusCode: number; position: ExpressionPosition } {
    return { ...super.toJSON(), position: this.position };
  }
}
