/** @file Reads JSON that somebody may have edited: readers of values that say where something is not as it should be. */

/** Says where in a JSON value something is not as it should be. */
class Misfit extends Error {}

export type Reader<T> = (value: unknown, where: string) => T;

/** Finite, not negative. */
export const number: Reader<number> = (value, where) => {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) throw new Misfit(`${where} is not a number >= 0`);
  return value;
};

export const text: Reader<string> = (value, where) => {
  if (typeof value !== "string") throw new Misfit(`${where} is not a text`);
  return value;
};

export const oneOf = <T extends string | number>(...words: readonly T[]): Reader<T> => (value, where) => {
  const found = words.find((word) => word === value);
  if (found === undefined) throw new Misfit(`${where} is not ${words.join(" or ")}`);
  return found;
};

export const orNull = <T>(reader: Reader<T>): Reader<T | null> => (value, where) => (value === null ? null : reader(value, where));

export const list = <T>(reader: Reader<T>): Reader<readonly T[]> => (value, where) => {
  if (!Array.isArray(value)) throw new Misfit(`${where} is not a list`);
  return value.map((item: unknown, i) => reader(item, `${where}[${i}]`));
};

/** A record with exactly these fields; others are ignored, so that a newer writer can say more. */
export const record = <T extends object>(fields: { readonly [K in keyof T]-?: Reader<T[K]> }): Reader<T> => (value, where) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Misfit(`${where} is not an object`);
  const given = new Map<string, unknown>(Object.entries(value));
  const prefix = where === WHOLE ? "" : `${where}.`;
  const read = Object.entries<Reader<unknown>>(fields).map(([key, reader]) => [key, reader(given.get(key), `${prefix}${key}`)]);
  return Object.fromEntries(read) as T;
};

const WHOLE = "the file";

/** What `read` makes of a JSON text; a string says what is wrong with it and where: `sites[0].heads[1].entropy is …`. */
export const readJson = <T>(json: string, read: Reader<T>): T | string => {
  try {
    return read(JSON.parse(json), WHOLE);
  } catch (error) {
    if (error instanceof Misfit) return error.message;
    if (error instanceof SyntaxError) return `not JSON: ${error.message}`;
    throw error;
  }
};
