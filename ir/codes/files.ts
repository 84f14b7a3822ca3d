/** @file SQ00xx: files and usage. */

import type { CodeEntry } from "./entry.ts";

export const FILE_CODES = {
  SQ0001: {
    title: "the file cannot be read",
    explanation:
      "The operating system refused to open the file: it does not exist, it is a folder, or you may not read it. " +
      "The message carries the system's own reason. Paths are relative to the folder the command is run in.",
    bad: "subquad check exmaples/gpt.sq",
    good: "subquad check examples/gpt.sq",
  },
  SQ0002: {
    title: "the file is not text",
    explanation:
      "A `.sq` file is UTF-8 text. This one holds NUL bytes or bytes that are not UTF-8, as images, checkpoints and " +
      "UTF-16 files do. Nothing in it was parsed. If it is a text file, save it again as UTF-8.",
    bad: "subquad check weights.safetensors",
    good: "subquad check model.sq",
  },
  SQ0003: {
    title: "the file is too large",
    explanation:
      "Model files of more than 1 MB are refused before they are parsed: real models take a few kilobytes, and a file " +
      "this large is nearly always data given by mistake. Split a program that is really this large into several files " +
      "and use `import`.",
    bad: "subquad check corpus.txt",
    good: "subquad train model.sq --data corpus.txt",
  },
  SQ0004: {
    title: "the file declares nothing",
    explanation:
      "The file is empty, or holds only comments and white space. A model file needs at least a `model`; a library file " +
      "needs at least one `fn`, `layer` or `dim`.",
    bad: "// todo: the model",
    good: "dim N = 4\nmodel Double(x: [N]) -> [N] { return 2 * x }",
  },
  SQ0005: {
    title: "an imported file is not found",
    explanation:
      "The path of an `import` is relative to the file that imports it, not to the folder the command is run in. The " +
      "file must exist and end in `.sq`. The standard library (LayerNorm, gelu, rope, …) needs no import.",
    bad: 'import "layers.sq"          // but the file is blocks/layers.sq',
    good: 'import "blocks/layers.sq"',
  },
  SQ0006: {
    title: "files import each other in a circle",
    explanation:
      "File a imports b and b, perhaps through others, imports a. There is then no order in which they can be read. Move " +
      "what both need into a third file that imports neither.",
    bad: '// a.sq\nimport "b.sq"\n// b.sq\nimport "a.sq"',
    good: '// a.sq\nimport "common.sq"\n// b.sq\nimport "common.sq"',
  },
  SQ0007: {
    title: "a command-line flag or option has a bad value",
    explanation:
      "A flag of the command, or a field of the options of the API, has a value that it does not accept. The message " +
      "lists what it accepts; `subquad COMMAND --help` describes each flag.",
    bad: "subquad check model.sq --format xml",
    good: "subquad check model.sq --format json",
  },
  SQ0008: {
    title: "`--dim` is not NAME=VALUE",
    explanation:
      "`--dim` takes a dimension's name, an equals sign and a positive whole number. Several are given by repeating the " +
      "flag, or separated by commas.",
    bad: "subquad check gpt.sq --dim T",
    good: "subquad check gpt.sq --dim T=4096 --dim B=2",
  },
  SQ0009: {
    title: "`--dim` names a dimension that the program does not declare",
    explanation:
      "The name before `=` must be a `dim` of the file or of a file that it imports. Upper and lower case matter. A " +
      "dimension that the program does not use cannot be set, because nothing would change.",
    bad: "subquad check gpt.sq --dim t=4096     // the file says: dim T = 512",
    good: "subquad check gpt.sq --dim T=4096",
  },
  SQ0010: {
    title: "the program lacks what the command needs",
    explanation:
      "The command needs a declaration that the file does not have: `compile` and `run forward` need a `model`; `loss`, " +
      "`grad` and `train` need a `loss`; `step` and `train` need an `optimizer` too. A file of layers and functions alone " +
      "is a library: `check` accepts it, but there is nothing to run.",
    bad: "dim N = 4\nfn double(x) = 2 * x",
    good: "dim N = 4\nfn double(x) = 2 * x\nmodel Double(x: [N]) -> [N] { return double(x) }",
  },
  SQ0011: {
    title: "the output cannot be written",
    explanation:
      "The operating system refused to create or replace an output file or folder. The message carries its reason: no " +
      "permission, no space, or a file where a folder is needed. Nothing half-written is left under the final name.",
    bad: "subquad compile gpt.sq -o /dev/null/out",
    good: "subquad compile gpt.sq -o out",
  },
  SQ0012: {
    title: "there is no such code",
    explanation:
      "`explain` knows the codes that begin with SQ and have four digits, as they stand in square brackets after `error` " +
      "or `warning`. The `SQ` and leading zeros may be left out.",
    bad: "subquad explain SQ9999",
    good: "subquad explain SQ0301",
  },
} as const satisfies Record<string, CodeEntry>;
