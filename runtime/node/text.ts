/** @file Text from disk: files, folders (all files in them) and patterns with `*`, `**`, `?`, `{a,b}`, in one sorted order. */

import { readdirSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import { reasonOf, RuntimeError } from "../errors.ts";
import { readBytes } from "./checkpoint.ts";

/** The bytes of everything the paths name, file after file with a line break between.
 *  @throws RuntimeError SQ0001 a path that names nothing or cannot be read. */
export function readText(paths: readonly string[]): Uint8Array {
  const files = [...new Set(paths.flatMap(filesOf))];
  const parts = files.map(readBytes);
  const total = parts.reduce((sum, part) => sum + part.length + 1, 0);
  const text = new Uint8Array(Math.max(0, total - 1)).fill(10);
  let at = 0;
  for (const part of parts) {
    text.set(part, at);
    at += part.length + 1;
  }
  return text;
}

function filesOf(path: string): string[] {
  const wild = path.search(/[*?{]/);
  const found = wild < 0 ? filesAt(path) : filesMatching(path, wild);
  if (found.length === 0) throw new RuntimeError("SQ0001", `\`${path}\` names no file`);
  return found.sort();
}

function filesMatching(pattern: string, wild: number): string[] {
  const base = pattern.slice(0, pattern.lastIndexOf("/", wild) + 1);
  const matcher = toRegExp(pattern.slice(base.length));
  return filesAt(base === "" ? "." : base).filter((file) => matcher.test(relativeTo(base, file)));
}

function relativeTo(base: string, file: string): string {
  const normal = join(base === "" ? "." : base, ".");
  const inside = normal === "." ? file : file.slice(normal.endsWith(sep) ? normal.length : normal.length + 1);
  return inside.split(sep).join("/");
}

/** `**` spans folders, `*` and `?` stay within a name, `{a,b}` is either. */
function toRegExp(pattern: string): RegExp {
  const parts: Readonly<Record<string, string>> = { "**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")", ",": "|" };
  const source = pattern.replace(/\*\*\/|\*\*|[*?{},]|[.+^$()|[\]\\]/g, (part) => parts[part] ?? `\\${part}`);
  return new RegExp(`^${source}$`);
}

/** The file itself, or all files below the folder; links to folders are not followed. */
function filesAt(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
      const inside = join(path, entry.name);
      if (entry.isDirectory()) return filesAt(inside);
      return entry.isFile() ? [inside] : [];
    });
  } catch (thrown) {
    if (thrown instanceof RuntimeError) throw thrown;
    throw new RuntimeError("SQ0001", `cannot read \`${path}\`: ${reasonOf(thrown)}`, undefined, thrown);
  }
}
