/** @file Strings, floats and symbols as the textual form spells them: what MLIR reads, and exact both ways. */

const BARE_SYMBOL = /^[A-Za-z_][\w$.]*$/;

/** `@gpt`, or `@"my gpt"` where MLIR needs quotes. */
export const symbolText = (name: string): string => `@${BARE_SYMBOL.test(name) ? name : quote(name)}`;

/** An attribute key: `axis`, `sq.path`, or quoted. */
export const keyText = (key: string): string => (BARE_SYMBOL.test(key) ? key : quote(key));

// eslint-disable-next-line no-control-regex
const TO_ESCAPE = /["\\\u0000-\u001f\u007f]/;
const NEEDS_ESCAPE = new RegExp(TO_ESCAPE, "g");

/** A string literal. MLIR escapes are two hexadecimal digits of one UTF-8 byte; printable text stays as it is. */
export const quote = (text: string): string => (TO_ESCAPE.test(text) ? escaped(text) : `"${text}"`);

const escaped = (text: string): string =>
  `"${text.replace(NEEDS_ESCAPE, (c) => (c === "\\" ? "\\\\" : `\\${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`))}"`;

/** The text between the quotes of a literal, escapes resolved; null for an unknown escape. */
export const unquote = (body: string): string | null => {
  if (!body.includes("\\")) return body;
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (const [piece] of body.matchAll(/\\[0-9A-Fa-f]{2}|\\[\s\S]|[^\\]+|\\$/g)) {
    const byte = escapedByte(piece);
    if (byte === null) return null;
    if (byte >= 0) bytes.push(byte);
    else for (const b of encoder.encode(piece)) bytes.push(b);
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
};

const SHORT_ESCAPES: Readonly<Record<string, number>> = { "\\n": 10, "\\t": 9, '\\"': 34, "\\\\": 92 };

/** The byte an escape stands for, -1 for text that is no escape, null for an escape that does not exist. */
const escapedByte = (piece: string): number | null => {
  if (!piece.startsWith("\\")) return -1;
  return piece.length === 3 ? Number.parseInt(piece.slice(1), 16) : (SHORT_ESCAPES[piece] ?? null);
};

/** The shortest decimal that reads back to the same float64, with the point MLIR insists on; hexadecimal bits for
 *  infinities and NaN. */
export const floatText = (value: number): string => {
  if (!Number.isFinite(value)) return `0x${bitsOf(value)}`;
  const text = Object.is(value, -0) ? "-0" : String(value);
  if (text.includes(".")) return text;
  const exponent = text.indexOf("e");
  return exponent < 0 ? `${text}.0` : `${text.slice(0, exponent)}.0${text.slice(exponent)}`;
};

const bitsOf = (value: number): string => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0).toString(16).toUpperCase().padStart(16, "0");
};

/** The float whose bits are the hexadecimal literal `text` (`0x7FF0000000000000`), 8 digits or fewer for an f32. */
export const floatOfBits = (text: string, type: "f32" | "f64"): number => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(text));
  return type === "f64" ? view.getFloat64(0) : view.getFloat32(4);
};
