/** @file `subquad run`: one entry point, once. */

import { Argument } from "commander";
import type { AddCommand } from "../command.ts";
import type { HostTensor } from "../../../runtime/abi.ts";
import { table } from "../../inspect/table.ts";
import { normOf } from "../../node/compare.ts";
import { run } from "../../node/run.ts";
import type { RunResult } from "../../node/run.ts";
import { NumericError } from "../exit.ts";
import type { Io } from "../io.ts";
import { examples, modelOptions, positiveNumber, positiveWhole, THREADS_HELP, wholeNumber, withModelFlags } from "../options.ts";
import type { ModelFlags } from "../options.ts";

interface Flags extends ModelFlags {
  readonly inputs?: string;
  readonly outputs?: string;
  readonly backend: string;
  readonly threads?: number;
  readonly seed: number;
  readonly against?: string;
  readonly tolerance: number;
}

export const addRun: AddCommand = (program, io) => {
  withModelFlags(program.command("run"))
    .description("run one entry point of a model on tensors from a file")
    .argument("<file>", "the model (.sq)")
    .addArgument(new Argument("<entry>", "entry point").choices(["forward", "loss", "grad", "step"]))
    .option("--inputs <file>", "safetensors: arguments by name, parameters by path; parameters left out start as declared")
    .option("--outputs <file>", "safetensors to write")
    .option("--backend <name>", "auto (the fastest of this machine), wasm, wasm:relaxed, wasm:wide, gpujs (the best of gpu.js), gpujs:cpu, gpujs:webasm, gpujs:webgpu, … or interpreter", "auto")
    .option("--threads <n>", THREADS_HELP, positiveWhole)
    .option("--seed <n>", "seed of what is not given: parameters and, without --inputs, arguments", wholeNumber, 0)
    .option("--against <backend>", "run there too and compare; exit with 4 if an output differs by more than the tolerance")
    .option("--tolerance <x>", "largest relative error (Frobenius norms; against the largest gradient where one is zero) for --against", positiveNumber, 1e-4)
    .addHelpText("after", examples("run model.sq loss", "run model.sq grad --inputs in.safetensors --outputs out.safetensors --backend gpujs:cpu", "run model.sq grad --against interpreter --tolerance 1e-4"))
    .action(async (file: string, entry: string, flags: Flags) => {
      const { inputs, outputs, against, backend, threads, seed } = flags;
      const result = await run({
        ...modelOptions(file, flags),
        entry,
        backend,
        seed,
        ...(threads === undefined ? {} : { threads }),
        ...(inputs === undefined ? {} : { inputs }),
        ...(outputs === undefined ? {} : { outputs }),
        ...(against === undefined ? {} : { against }),
      });
      report(result, flags, io);
    });
};

const report = (result: RunResult, flags: Flags, io: Io): void => {
  io.err(`ran on ${result.backend}\n`);
  if (result.drawn.length > 0) io.err(`not given, so drawn with seed ${flags.seed}: ${summary(result.drawn)}\n`);
  if (flags.outputs === undefined) io.out(outputTable(result));
  else io.err(`wrote ${Object.keys(result.outputs).length} tensors to ${flags.outputs}\n`);
  const [worst] = result.comparisons;
  if (worst === undefined) return;
  const verdict = `largest relative error against ${flags.against}: ${worst.error.toExponential(2)} (${worst.name})`;
  if (!(worst.error <= flags.tolerance)) throw new NumericError(`${verdict}, above the tolerance ${flags.tolerance}`);
  io.err(`${verdict}\n`);
};

const summary = (names: readonly string[]): string =>
  names.length <= 4 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;

const outputTable = ({ outputs }: RunResult): string =>
  table(
    [{ title: "output" }, { title: "shape" }, { title: "norm", align: "right" }, { title: "first values" }],
    Object.entries(outputs).map(([name, tensor]) => [name, `[${tensor.shape.join(", ")}]`, normOf(tensor).toPrecision(6), firstValues(tensor)]),
  );

const firstValues = ({ data }: HostTensor): string =>
  [...data.slice(0, 4)].map((value) => Number(Number(value).toPrecision(5))).join(" ") + (data.length > 4 ? " …" : "");
