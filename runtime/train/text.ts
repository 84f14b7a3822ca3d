/** @file Text as bytes: which part is trained on, which is held out, and what a model that only counts bytes would lose. */

import { RuntimeError } from "../errors.ts";

export interface TextSplit {
  readonly training: Uint8Array;
  /** The last tenth. No window crosses into it, so nothing of it is ever trained on. */
  readonly heldOut: Uint8Array;
}

const HELD_OUT_SHARE = 0.1;

/** @param window bytes one example needs; both parts must hold one.
 *  @throws RuntimeError SQ0607 when the text is too short. */
export function splitText(text: Uint8Array, window: number): TextSplit {
  const boundary = text.length - Math.floor(text.length * HELD_OUT_SHARE);
  const split = { training: text.subarray(0, boundary), heldOut: text.subarray(boundary) };
  if (split.heldOut.length < window) {
    const needed = Math.ceil(window / HELD_OUT_SHARE);
    const message = `the text has ${text.length} bytes; its last tenth must hold one example of ${window} bytes`;
    throw new RuntimeError("SQ0607", message, `give at least ${needed} bytes of text, or a smaller T`);
  }
  return split;
}

/** Σ -p ln p over the bytes of a text, in nats: the loss of a model that knows how often each byte occurs, and no more. */
export function unigramEntropy(text: Uint8Array): number {
  const counts = new Float64Array(256);
  for (const byte of text) counts[byte] = (counts[byte] as number) + 1;
  const shares = [...counts].filter((count) => count > 0).map((count) => count / text.length);
  return shares.reduce((sum, share) => sum - share * Math.log(share), 0);
}

/** FNV-1a of the text, to notice that a run is resumed on another one. */
export function textHash(text: Uint8Array): string {
  let value = 0x811c9dc5;
  for (const byte of text) value = Math.imul(value ^ byte, 0x01000193);
  return `${text.length}:${(value >>> 0).toString(16).padStart(8, "0")}`;
}
