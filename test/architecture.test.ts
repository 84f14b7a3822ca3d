/** @file The rules of the house that no compiler checks: floors, who may touch the outside world, budgets, and the shape
 *  of files. Exceptions are listed here by name, each with its reason. */

import { dirname, join, normalize } from "node:path";
import { Node, Project, SyntaxKind, ts } from "ts-morph";
import type { SourceFile } from "ts-morph";
import { describe, expect, it } from "vitest";
import { ROOT, filesBelow } from "./tools.ts";

const SOURCES = ["ir", "runtime", "passes", "compiler"];
const FOLDERS = [...SOURCES, "examples", "bench", "test"];

const project = new Project({ skipAddingFilesFromTsConfig: true, skipFileDependencyResolution: true });
const files = new Map<string, SourceFile>(
  FOLDERS.flatMap((folder) => filesBelow(folder, ".ts"))
    .filter((path) => !path.startsWith(join("test", "golden")))
    .map((path) => [path, project.addSourceFileAtPath(join(ROOT, path))]),
);

interface Import {
  readonly from: string;
  /** Path below the root, or the package's name. */
  readonly to: string;
  readonly relative: boolean;
  readonly typeOnly: boolean;
  readonly lazy: boolean;
}

const importOf = (from: string, specifier: string, typeOnly: boolean, lazy: boolean): Import => {
  const relative = specifier.startsWith(".");
  return { from, to: relative ? normalize(join(dirname(from), specifier)) : specifier, relative, typeOnly, lazy };
};

const importsOf = ([path, file]: readonly [string, SourceFile]): Import[] => [
  ...file.getImportDeclarations().map((d) => importOf(path, d.getModuleSpecifierValue(), d.isTypeOnly(), false)),
  ...file.getExportDeclarations().flatMap((d) => {
    const specifier = d.getModuleSpecifierValue();
    return specifier === undefined ? [] : [importOf(path, specifier, d.isTypeOnly(), false)];
  }),
  ...file.getDescendantsOfKind(SyntaxKind.CallExpression).flatMap((call) => {
    const [argument] = call.getArguments();
    const isImport = call.getExpression().getKind() === SyntaxKind.ImportKeyword;
    return isImport && Node.isStringLiteral(argument) ? [importOf(path, argument.getLiteralValue(), false, true)] : [];
  }),
];

const imports = [...files].flatMap(importsOf);
const say = ({ from, to }: Import): string => `${from} imports ${to}`;
const floorOf = (path: string): string => path.split("/")[0] ?? "";

/** What a folder may import from; itself always. Folders that are absent may import anything. */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  ir: [],
  runtime: [],
  passes: ["ir"],
  compiler: ["ir", "passes", "runtime"],
  examples: ["compiler", "runtime"],
};

/** Packages a path may import; `lazily` only through `import()`. */
const PACKAGES: readonly { readonly name: string; readonly where: RegExp; readonly lazily: boolean }[] = [
  { name: "gpu.js", where: /^runtime\//, lazily: true },
  { name: "chevrotain", where: /^compiler\/(syntax|format)\//, lazily: false },
  { name: "ts-morph", where: /^compiler\//, lazily: true },
  { name: "commander", where: /^compiler\/cli\//, lazily: false },
  { name: "diff", where: /^compiler\/inspect\//, lazily: false },
  { name: "picocolors", where: /^compiler\/cli\//, lazily: false },
];

/** Where the outside world may be touched: files, the console, the process. */
const OUTSIDE = /^(compiler\/(cli|node)\/|compiler\/bin\.ts$|runtime\/node\/|examples\/|bench\/|test\/)/;

/** Which files of the compiler may call the runtime, and not only use its types. */
const CALLS_RUNTIME = /^compiler\/(cli|node|inspect)\/|^compiler\/(driver|index|interpreter|bin)\.ts$/;

describe("floors", () => {
  it("a folder imports only from folders below it", () => {
    const upwards = imports.filter(({ from, to, relative }) => {
      const allowed = FLOORS[floorOf(from)];
      return relative && allowed !== undefined && floorOf(to) !== floorOf(from) && !allowed.includes(floorOf(to));
    });
    expect(upwards.map(say)).toEqual([]);
  });

  it("syntax and codegen do not know each other", () => {
    const crossing = imports.filter(
      ({ from, to }) =>
        (from.startsWith("compiler/syntax/") && to.startsWith("compiler/codegen/")) ||
        (from.startsWith("compiler/codegen/") && to.startsWith("compiler/syntax/")),
    );
    expect(crossing.map(say)).toEqual([]);
  });

  it("the compiler's core knows the runtime by its types only", () => {
    const calls = imports.filter(
      ({ from, to, typeOnly }) => from.startsWith("compiler/") && to.startsWith("runtime/") && !typeOnly && !CALLS_RUNTIME.test(from),
    );
    expect(calls.map(say)).toEqual([]);
  });

  it("packages are imported where they belong", () => {
    const wrong = imports.filter(({ from, to, relative, lazy, typeOnly }) => {
      if (relative || !SOURCES.includes(floorOf(from)) || to.startsWith("node:")) return false;
      return !PACKAGES.some(({ name, where, lazily }) => name === to && where.test(from) && (typeOnly || lazy || !lazily));
    });
    expect(wrong.map(say)).toEqual([]);
  });

  it("only the command line and the node folders reach outside", () => {
    const modules = imports.filter(({ from, to }) => to.startsWith("node:") && !OUTSIDE.test(from)).map(say);
    const globals = [...files].filter(([path]) => !OUTSIDE.test(path)).flatMap(([path, file]) => outsideGlobals(path, file));
    expect([...modules, ...globals]).toEqual([]);
  });
});

const isName = (node: ts.Identifier): boolean =>
  "name" in node.parent && node.parent.name === node && !ts.isVariableDeclaration(node.parent);

const outsideGlobals = (path: string, file: SourceFile): string[] => {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && (node.text === "process" || node.text === "console") && !isName(node)) found.push(`${path} uses ${node.text}`);
    ts.forEachChild(node, visit);
  };
  visit(file.compilerNode);
  return [...new Set(found)];
};

const FILE_BUDGET = 300;
const FUNCTION_BUDGET = 60;

const isGenerated = (file: SourceFile): boolean => /^(\/\/|\/\*\* @file) Generated /.test(file.getFullText());

/** Files over the budget, and why they are better whole. */
const LONG_FILES: Readonly<Record<string, string>> = {
};

/** Functions over the budget, and why. */
const LONG_FUNCTIONS: Readonly<Record<string, string>> = {};

const linesOf = (node: Node): number => node.getEndLineNumber() - node.getStartLineNumber() + 1;

const nameOfFunction = (node: Node): string => {
  const parent = node.getParent();
  if (Node.isFunctionDeclaration(node) || Node.isMethodDeclaration(node)) return node.getName() ?? "default";
  return Node.isVariableDeclaration(parent) || Node.isPropertyAssignment(parent) ? parent.getName() : "(anonymous)";
};

const isFunction = (node: Node): boolean =>
  Node.isFunctionDeclaration(node) ||
  Node.isFunctionExpression(node) ||
  Node.isArrowFunction(node) ||
  Node.isMethodDeclaration(node) ||
  Node.isConstructorDeclaration(node);

/** `path: name` of every function over the budget. */
const longFunctions = (path: string, file: SourceFile): string[] => {
  const long: string[] = [];
  file.forEachDescendant((node) => {
    if (isFunction(node) && linesOf(node) > FUNCTION_BUDGET) long.push(`${path}: ${nameOfFunction(node)}`);
  });
  return long;
};

describe("budgets", () => {
  it(`files have at most ${FILE_BUDGET} lines`, () => {
    const long = [...files].filter(([, file]) => file.getEndLineNumber() > FILE_BUDGET && !isGenerated(file));
    expect(long.map(([path]) => path).sort()).toEqual(Object.keys(LONG_FILES));
  });

  it(`functions have at most ${FUNCTION_BUDGET} lines`, () => {
    const long = [...files]
      .filter(([path]) => SOURCES.includes(floorOf(path)))
      .flatMap(([path, file]) => longFunctions(path, file));
    expect(long.sort()).toEqual(Object.keys(LONG_FUNCTIONS));
  });
});

describe("the shape of files", () => {
  const each = (fails: (file: SourceFile, path: string) => boolean): string[] =>
    [...files].filter(([path, file]) => fails(file, path)).map(([path]) => path);

  it("every file opens with its purpose", () => {
    expect(each((file) => !isGenerated(file) && !/^(#!.*\n)?\/\*\* @file \S/.test(file.getFullText()))).toEqual([]);
  });

  it("named exports only", () => {
    expect(each((file) => file.getDefaultExportSymbol() !== undefined)).toEqual([]);
  });

  it("no `any` but the existential op of ir/core.ts", () => {
    expect(each((file, path) => path !== "ir/core.ts" && file.getDescendantsOfKind(SyntaxKind.AnyKeyword).length > 0)).toEqual([]);
  });

  it("no enums, no namespaces", () => {
    expect(each((file) => file.getEnums().length + file.getModules().length > 0)).toEqual([]);
  });

  it("file names are kebab-case", () => {
    expect([...files.keys()].filter((path) => !/^[a-z0-9-]+(\.[a-z0-9-]+)*\.ts$/.test(path.split("/").at(-1) ?? ""))).toEqual([]);
  });

  it("relative imports name the file", () => {
    expect(imports.filter(({ to, relative }) => relative && !/\.(ts|json)$/.test(to)).map(say)).toEqual([]);
  });

  it("nothing is left to do later", () => {
    expect(each((file) => /\b(TODO|FIXME|XXX)\b/.test(file.getFullText()) && file.getBaseName() !== "architecture.test.ts")).toEqual([]);
  });
});
