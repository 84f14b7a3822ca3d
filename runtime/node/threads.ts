/** @file Threads of Node. The names of its modules are values, so that a bundler for browsers does not look for them. */

import type { FromWorker, ThreadHost, WorkerHandle } from "../wasm/workers.ts";

interface NodeWorker {
  on(event: string, heard: (what: unknown) => void): void;
  postMessage(message: unknown): void;
  terminate(): Promise<unknown>;
  unref(): void;
}

interface WorkerThreads {
  readonly Worker: new (source: string, options: object) => NodeWorker;
}

const PRELUDE = `const { parentPort } = require("node:worker_threads");
const post = (message) => parentPort.postMessage(message);
const hear = (heard) => parentPort.on("message", heard);
`;

/** null where this is not Node. */
export async function nodeThreads(threads = "node:worker_threads", system = "node:os"): Promise<ThreadHost | null> {
  if (typeof process === "undefined" || process.versions?.node === undefined) return null;
  const { Worker } = (await import(/* @vite-ignore */ threads)) as WorkerThreads;
  const { availableParallelism } = (await import(/* @vite-ignore */ system)) as { readonly availableParallelism: () => number };
  return {
    parallelism: availableParallelism(),
    missing: null,
    start: (source, heard, failed): WorkerHandle => {
      // The flags of this process (loaders, debuggers) are not meant for a worker that only computes.
      const worker = new Worker(PRELUDE + source, { eval: true, execArgv: [], name: "subquad" });
      worker.on("message", (message) => heard(message as FromWorker));
      worker.on("error", (thrown) => failed(thrown instanceof Error ? thrown.message : String(thrown)));
      worker.on("exit", (code) => failed(`it ended with code ${String(code)}`));
      return {
        post: (message) => worker.postMessage(message),
        idle: () => worker.unref(),
        end: () => void worker.terminate(),
      };
    },
  };
}
