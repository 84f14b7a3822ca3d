/** @file `subquad audit`: how wrong is the approximate gradient here? */

import { InvalidArgumentError } from "commander";
import { auditPage } from "../../audit/page.ts";
import { printAudit } from "../../audit/print.ts";
import { audit } from "../../node/audit.ts";
import { writeText } from "../../node/files.ts";
import type { AddCommand } from "../command.ts";
import { examples, modelOptions, positiveWhole, THREADS_HELP, wholeNumber, withModelFlags } from "../options.ts";
import type { ModelFlags } from "../options.ts";
import { usageError } from "../exit.ts";

interface Flags extends ModelFlags {
  readonly checkpoint?: string;
  readonly data?: readonly string[];
  readonly c?: readonly number[];
  readonly degree?: readonly number[];
  readonly lengths?: readonly number[];
  readonly sequences?: number;
  readonly headSequences?: number;
  readonly draws?: number;
  readonly seed: number;
  readonly backend: string;
  readonly threads?: number;
  readonly json?: string;
  readonly html?: string;
}

const list =
  (what: string, accept: (value: number) => boolean) =>
  (text: string): readonly number[] => {
    const values = text.split(",").map((item) => (item.trim() === "" ? Number.NaN : Number(item)));
    if (!values.every((value) => Number.isFinite(value) && accept(value))) throw new InvalidArgumentError(`it must be a list of ${what}, such as 8,16,64.`);
    return values;
  };

const positives = list("numbers above 0", (value) => value > 0);
const lengths = list("whole numbers above 0", (value) => Number.isSafeInteger(value) && value > 0);
const degrees = list("whole numbers from 0 to 12", (value) => Number.isSafeInteger(value) && value >= 0 && value <= 12);

export const addAudit: AddCommand = (program, io) => {
  withModelFlags(program.command("audit"))
    .description("measure how wrong approximate gradients of attention are for a model: variance, bias, error, what is kept")
    .argument("<file>", "the model (.sq)")
    .option("--checkpoint <file>", "safetensors with the parameters, as `train --save` writes it; without it, the model as it starts")
    .option("--data <paths...>", "text files, folders or patterns, of which the last tenth is used; without it, random tokens")
    .option("--c <list>", "entries kept a row: values to try (default: 8,16,27,64)", positives)
    .option("--degree <list>", "degrees of polynomials to try (default: 0,1,2,4)", degrees)
    .option("--lengths <list>", "values of T to repeat everything at (default: the model's)", lengths)
    .option("--sequences <n>", "sequences whose gradients are taken (default: 24)", wholeNumber)
    .option("--head-sequences <n>", "how many of them give the statistics of heads (default: 8)", wholeNumber)
    .option("--draws <n>", "sampled gradients a sequence and c; 0: statistics of heads only (default: 2)", wholeNumber)
    .option("--seed <n>", "seed of sequences, draws and, without a checkpoint, parameters", wholeNumber, 0)
    .option("--backend <name>", "auto (the fastest of this machine), wasm, wasm:relaxed, wasm:wide, gpujs (the best of gpu.js), gpujs:cpu, gpujs:webasm, gpujs:webgpu, … or interpreter", "auto")
    .option("--threads <n>", THREADS_HELP, positiveWhole)
    .option("--json <file>", "write everything as JSON there; - for stdout, in place of the tables")
    .option("--html <file>", "write one page with tables and charts there")
    .addHelpText("after", examples("audit model.sq --checkpoint model.safetensors --data texts/", "audit model.sq --data texts/ --c 8,27 --degree 2 --lengths 128,256,512 --json audit.json --html audit.html", "audit model.sq --checkpoint model.safetensors --data texts/ --attention-backward sus:c=25 --draws 4"))
    .action(async (file: string, flags: Flags) => {
      if (flags.html === "-") throw usageError("`--html -` is no file", "name the page: `--html audit.html`");
      const { c, degree, json, html, dim: _dim, format: _format, color: _color, attentionBackward: _all, backward: _some, ...same } = flags;
      const report = await audit({
        ...modelOptions(file, flags),
        ...same,
        ...(c === undefined ? {} : { cs: c }),
        ...(degree === undefined ? {} : { degrees: degree }),
        onProgress: (message) => io.err(`${message}\n`),
      });
      const text = `${JSON.stringify(report, null, 1)}\n`;
      if (json === "-") io.out(text);
      else io.out(printAudit(report));
      if (json !== undefined && json !== "-") writeText(json, text);
      if (html !== undefined) writeText(html, auditPage(report));
    });
};
