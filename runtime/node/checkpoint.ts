/** @file Files that are either the old ones or the new ones, never half of each: what is read back after a kill at any
 *  moment is a whole checkpoint. */

import { accessSync, closeSync, constants, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { reasonOf, RuntimeError } from "../errors.ts";

/** Replaces `path` in one step: a temporary file beside it, flushed to the disk, renamed over it. A kill leaves at most
 *  the temporary file, whose one name the next write reuses.
 *  @throws RuntimeError SQ0011 when it cannot be written. */
export function writeAtomically(path: string, bytes: Uint8Array): void {
  const temporary = join(dirname(path), `.${basename(path)}.tmp`);
  try {
    const file = openSync(temporary, "w");
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    flushFolder(dirname(path));
  } catch (thrown) {
    discard(temporary);
    throw new RuntimeError("SQ0011", `cannot write \`${path}\`: ${reasonOf(thrown)}`, undefined, thrown);
  }
}

/** Removes what a failed write left, if it can be: the failure itself is what the caller hears of. */
function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The folder that cannot be written cannot be tidied either.
  }
}

/** @throws RuntimeError SQ0011 when `path` will not be written: asked before the hours of work that end in writing it. */
export function checkWritable(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK);
    if (!statSync(dirname(path)).isDirectory()) throw new Error("a part of the path is not a directory");
    if (existsSync(path) && !statSync(path).isFile()) throw new Error("it is not a file");
  } catch (thrown) {
    throw new RuntimeError("SQ0011", `cannot write \`${path}\`: ${reasonOf(thrown)}`, undefined, thrown);
  }
}

/** The rename itself lasts only once its folder is flushed; Windows does not open folders, and needs no flush. */
function flushFolder(path: string): void {
  if (process.platform === "win32") return;
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** @throws RuntimeError SQ0001 when it cannot be read. */
export function readBytes(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (thrown) {
    throw new RuntimeError("SQ0001", `cannot read \`${path}\`: ${reasonOf(thrown)}`, undefined, thrown);
  }
}
