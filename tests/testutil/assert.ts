/**
 * The part of `@std/assert` that the tests use, with the same signatures, over
 * `node:assert`: JSR is not needed to run them.
 *
 * @module
 */
import assert_ from "node:assert/strict";

/** A failed expectation. */
export const AssertionError: typeof assert_.AssertionError =
  assert_.AssertionError;

/** Makes sure that `expr` is true. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) {
    throw new AssertionError({ message: msg || "Expected a true value" });
  }
}

/** Makes sure that `actual` and `expected` are equal, deeply. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  assert_.deepStrictEqual(actual, expected, msg);
}

/** Makes sure that `actual` and `expected` are not equal, deeply. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  assert_.notDeepStrictEqual(actual, expected, msg);
}

/** Makes sure that `actual` and `expected` are the same, by `Object.is`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  assert_.strictEqual(actual, expected, msg);
}

/** Makes sure that `actual` is neither `null` nor `undefined`. */
export function assertExists<T>(
  actual: T,
  msg = "Expected a value",
): asserts actual is NonNullable<T> {
  assert(actual !== null && actual !== undefined, msg);
}

/** Makes sure that `actual` contains `expected`. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  assert(
    actual.includes(expected),
    msg ??
      `Expected ${JSON.stringify(actual)} to include ${
        JSON.stringify(expected)
      }`,
  );
}

/** Makes sure that `actual` matches `expected`. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  assert_.match(actual, expected, msg);
}

/** Makes sure that `actual` is at least `expected`. */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  assert(actual >= expected, msg ?? `Expected ${actual} >= ${expected}`);
}

/** Makes sure that `actual` is at most `expected`. */
export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  assert(actual <= expected, msg ?? `Expected ${actual} <= ${expected}`);
}

/** Makes sure that `actual` is less than `expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  assert(actual < expected, msg ?? `Expected ${actual} < ${expected}`);
}

/** Makes sure that `actual` is more than `expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  assert(actual > expected, msg ?? `Expected ${actual} > ${expected}`);
}

/** Makes sure that `actual` is an instance of `expectedType`. */
export function assertInstanceOf<T>(
  actual: unknown,
  // deno-lint-ignore no-explicit-any -- any constructor fits
  expectedType: abstract new (...args: any[]) => T,
  msg?: string,
): asserts actual is T {
  assert(
    actual instanceof expectedType,
    msg ?? `Expected an instance of ${expectedType.name}`,
  );
}

/** Makes sure that `fn` throws, and returns what it threw. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  // deno-lint-ignore no-explicit-any -- any constructor fits
  ErrorClass: abstract new (...args: any[]) => E = Error as never,
  msgIncludes = "",
): E {
  try {
    fn();
  } catch (error) {
    return judge(error, ErrorClass, msgIncludes);
  }
  throw new AssertionError({ message: "Expected function to throw" });
}

/** Makes sure that `fn` rejects, and returns what it rejected with. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  // deno-lint-ignore no-explicit-any -- any constructor fits
  ErrorClass: abstract new (...args: any[]) => E = Error as never,
  msgIncludes = "",
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    return judge(error, ErrorClass, msgIncludes);
  }
  throw new AssertionError({ message: "Expected function to reject" });
}

/** Fails. */
export function fail(msg = "Failed"): never {
  throw new AssertionError({ message: msg });
}

function judge<E extends Error>(
  error: unknown,
  // deno-lint-ignore no-explicit-any -- any constructor fits
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes: string,
): E {
  assertInstanceOf(
    error,
    ErrorClass,
    `Expected ${ErrorClass.name}, got ${Deno.inspect(error)}`,
  );
  assertStringIncludes(error.message, msgIncludes);
  return error;
}
