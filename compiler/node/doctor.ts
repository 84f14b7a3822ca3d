/** @file What this machine has. */

import { createRequire } from "node:module";
import { arch, availableParallelism, platform } from "node:os";
import { BACKENDS, probeBackends } from "../../runtime/index.ts";
import type { BackendReport } from "../../runtime/index.ts";
import { installWebGpu } from "../../runtime/node/index.ts";
import { VERSION } from "../version.ts";

export interface DoctorReport {
  readonly subquad: string;
  readonly node: string;
  readonly platform: string;
  readonly cores: number;
  readonly gpujs: string;
  /** Best first; the interpreter and the backends of gpu.js. */
  readonly backends: readonly BackendReport[];
}

export const doctor = async (): Promise<DoctorReport> => {
  await installWebGpu().catch(() => {}); // absence is what the probe reports
  const { version } = createRequire(import.meta.url)("gpu.js/package.json") as { readonly version: string };
  const interpreter = { name: "interpreter", available: true, reason: "float64 reference evaluation of the IR: the oracle", hint: "" };
  return {
    subquad: VERSION,
    node: process.version,
    platform: `${platform()} ${arch()}`,
    cores: availableParallelism(),
    gpujs: version,
    backends: [interpreter, ...sorted(await probeBackends())],
  };
};

const sorted = (reports: readonly BackendReport[]): BackendReport[] => {
  const order = BACKENDS.map(({ name }) => name);
  return [...reports].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
};
