/** @file Workers of the machine we are on, and what they do. Their source is a text made of this code, so that nothing has to be
 *  found when a page or a program was bundled. */

import { nodeThreads } from "../node/threads.ts";
import type { Plan } from "./plan.ts";
import { Thread, type ThreadSetup } from "./thread.ts";

export interface WorkerHandle {
  post(message: ToWorker): void;
  /** From now on it does not keep the process alive. */
  idle(): void;
  end(): void;
}

export interface ThreadHost {
  /** Threads that really run at once. */
  readonly parallelism: number;
  /** Why there is but one thread; null where there can be more. */
  readonly missing: string | null;
  /** `source` may call `post(message)` and `hear(heard)`. */
  start(source: string, heard: (message: FromWorker) => void, failed: (reason: string) => void): WorkerHandle;
}

/** In this order: the setup, then plans before their runs. */
export type ToWorker =
  | { readonly setup: Omit<ThreadSetup, "kernels"> & { readonly module: WebAssembly.Module; readonly memory: WebAssembly.Memory; readonly names: readonly string[] } }
  | { readonly plan: Plan }
  | { readonly run: number; readonly of: number };

/** ready: after the setup. done: by the leader, after a run. */
export type FromWorker = { readonly ready: true } | { readonly done: number } | { readonly failed: string };

export async function threadHost(): Promise<ThreadHost> {
  return (await nodeThreads()) ?? browserThreads();
}

const PRELUDE = `const post = (message) => postMessage(message);
const hear = (heard) => { onmessage = (event) => heard(event.data); };
`;

function browserThreads(): ThreadHost {
  return {
    parallelism: navigator.hardwareConcurrency,
    missing: globalThis.crossOriginIsolated ? null : "this page is not cross-origin isolated",
    start: (source, heard, failed) => {
      const address = URL.createObjectURL(new Blob([PRELUDE + source], { type: "text/javascript" }));
      const worker = new Worker(address, { name: "subquad" });
      worker.onmessage = (event: MessageEvent<FromWorker>) => {
        URL.revokeObjectURL(address);
        heard(event.data);
      };
      worker.onerror = (event) => failed(event.message ?? "this page's policy forbids workers from blobs");
      return { post: (message) => worker.postMessage(message), idle: () => {}, end: () => worker.terminate() };
    },
  };
}

/** May this thread wait for another one? The main thread of a page may not. */
export function canWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
}

/** Names that a tool gives to functions of its own are harmless; that it calls a helper for it is not. */
export function workerSource(): string {
  return `"use strict";\nconst __name = (named) => named;\n(${String(work)})((${String(Thread)}), post, hear);`;
}

/** What a worker does. It may name nothing outside of itself. */
function work(Follower: typeof Thread, post: (message: FromWorker) => void, hear: (heard: (message: ToWorker) => void) => void): void {
  const plans = new Map<number, Plan>();
  let thread: Thread | null = null;
  let leads = false;
  hear((message) => {
    try {
      if ("setup" in message) {
        const { module, memory, names, ...setup } = message.setup;
        const { exports } = new WebAssembly.Instance(module, { env: { memory } });
        thread = new Follower({ ...setup, kernels: names.map((name) => exports[name] as () => void) });
        leads = setup.leads;
        post({ ready: true });
      } else if ("plan" in message) {
        plans.set(message.plan.number, message.plan);
      } else {
        const plan = plans.get(message.of) as Plan;
        if (!leads) thread?.follow(plan, message.run);
        else {
          thread?.lead(plan);
          post({ done: message.run });
        }
      }
    } catch (thrown) {
      post({ failed: String(thrown) });
    }
  });
}
