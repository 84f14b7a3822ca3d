/** @file Bad programs, and exactly what the user sees for each: `name.sq` beside `name.expect.txt`. `BLESS=1` rewrites the
 *  expectations; the diff is what is reviewed. Every code of the front end must be provoked by one of them. */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { checkSource } from "../../compiler/check/index.ts";
import { CODES } from "../../ir/codes.ts";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import { renderDiagnostics } from "../../ir/render.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const names = readdirSync(folder).filter((file) => file.endsWith(".sq")).map((file) => file.slice(0, -3)).sort();
const bless = process.env["BLESS"] === "1";

/** Codes of the front end that no program text can provoke, and who provokes them instead. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  SQ0001: "a path that cannot be opened: the command line",
  SQ0003: "a file of more than a megabyte: test/syntax/recovery.test.ts",
  SQ0007: "a flag: the command line",
  SQ0008: "a flag: the command line",
  SQ0009: "a flag: the command line",
  SQ0010: "a command that needs more than a library: the driver",
  SQ0011: "an output that cannot be written: the command line",
  SQ0012: "a code that does not exist: the command line",
};

const read = (file: string): string => readFileSync(join(folder, file), "utf8");

const check = (name: string): { readonly diagnostics: readonly Diagnostic[]; readonly rendered: string } => {
  const file = `${name}.sq`;
  const readImport = (path: string, importer: string) => {
    const resolved = normalize(join(dirname(importer), path));
    return existsSync(join(folder, resolved)) ? { file: resolved, text: read(resolved) } : null;
  };
  const { diagnostics, sources } = checkSource(read(file), file, { readImport });
  const sourceOf = (of: string) => ({ text: sources.get(of) ?? (of === file ? read(file) : "") });
  return { diagnostics, rendered: renderDiagnostics(diagnostics, { sourceOf }) };
};

describe("what the user sees", () => {
  test.each(names)("%s", (name) => {
    const { rendered, diagnostics } = check(name);
    expect(diagnostics.length).toBeGreaterThan(0);
    const expected = join(folder, `${name}.expect.txt`);
    if (bless) writeFileSync(expected, rendered);
    expect(rendered).toBe(readFileSync(expected, "utf8"));
  });

  test("nothing from inside the compiler shows", () => {
    for (const name of names) expect(check(name).rendered).not.toMatch(/-->\s.*<--|token of type|undefined|\bNaN\b|\[object|    at /);
  });

  test("no expectation without its program", () => {
    const expectations = readdirSync(folder).filter((file) => file.endsWith(".expect.txt"));
    expect(expectations.map((file) => file.replace(/\.expect\.txt$/, "")).sort()).toEqual(names);
  });
});

describe("codes", () => {
  const provoked = new Set(names.flatMap((name) => check(name).diagnostics.map((d) => d.code)));
  const wanted = Object.keys(CODES).filter((code) => /^SQ0[0-3]/.test(code));

  test.each(wanted.filter((code) => !(code in UNREACHABLE)))("%s is provoked", (code) => {
    expect(provoked).toContain(code);
  });

  test("what is called unreachable is not provoked here", () => {
    expect(Object.keys(UNREACHABLE).filter((code) => provoked.has(code) || !(code in CODES))).toEqual([]);
  });
});
