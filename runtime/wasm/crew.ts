/** @file Who computes: one thread, this one; or a leader and its workers, which are started once and wait for runs.
 *
 *  This thread leads, as in Node, unless it must not wait for others, as in a page: there the first worker does. */

import { RuntimeError } from "../errors.ts";
import type { Layout } from "./memory.ts";
import { words, type Plan } from "./plan.ts";
import { CONTROL_WORDS, Thread } from "./thread.ts";
import { canWait, workerSource, type FromWorker, type ThreadHost, type WorkerHandle } from "./workers.ts";

export interface Crew {
  /** @throws RuntimeError SQ0709 a kernel failed, SQ0708 the crew was ended: it runs nothing after either. */
  run(plan: Plan): void | Promise<void>;
  end(): void;
}

export interface CrewSetup {
  readonly model: string;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly layout: Layout;
  /** Kernels by number: their names, and they themselves on this thread. */
  readonly names: readonly string[];
  readonly kernels: readonly ((...numbers: readonly number[]) => void)[];
  readonly seconds: Float64Array;
}

export function crewOfOne({ model, kernels, layout, seconds }: CrewSetup): Crew {
  const thread = new Thread({ kernels, scratch: layout.scratchOf(0), leads: true, control: words(CONTROL_WORDS, false), seconds });
  return {
    run: (plan) => {
      thread.open(plan);
      thread.lead(plan);
      throwFailure(model, thread);
    },
    end: () => {},
  };
}

/** @throws Error with the reason why workers do not start. */
export async function crewOf(threads: number, host: ThreadHost, setup: CrewSetup): Promise<Crew> {
  const { model, kernels, layout, seconds } = setup;
  const control = words(CONTROL_WORDS, true);
  const leads = canWait();
  const here = new Thread({ kernels, scratch: layout.scratchOf(0), leads, control, seconds });
  const pending = new Pending();
  const numbers = Array.from({ length: threads }, (_, number) => number).slice(leads ? 1 : 0);
  const workers = await startAll(numbers, host, setup, control, pending);
  const known = new Set<number>();
  const run = (plan: Plan): void | Promise<void> => {
    pending.check(model);
    if (!known.has(plan.number)) workers.forEach((worker) => worker.post({ plan }));
    known.add(plan.number);
    const number = here.open(plan);
    const done = leads ? null : pending.wait();
    workers.forEach((worker) => worker.post({ run: number, of: plan.number }));
    if (done !== null) return done.then(() => throwFailure(model, here), (reason: string) => Promise.reject(stopped(model, reason)));
    here.lead(plan);
    throwFailure(model, here);
  };
  return {
    run,
    end: () => {
      pending.fail("it was destroyed");
      workers.forEach((worker) => worker.end());
    },
  };
}

/** Of the leader, where it is a worker: the run that is going on. */
class Pending {
  #reason: string | null = null;
  #resolve = (): void => {};
  #reject = (_reason: string): void => {};

  check(model: string): void {
    if (this.#reason !== null) throw stopped(model, this.#reason);
  }

  wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  done(): void {
    this.#resolve();
  }

  fail(reason: string): void {
    this.#reason ??= reason;
    this.#reject(reason);
  }
}

async function startAll(numbers: readonly number[], host: ThreadHost, setup: CrewSetup, control: Int32Array, pending: Pending): Promise<readonly WorkerHandle[]> {
  const { module, memory, names, seconds, layout } = setup;
  const source = workerSource();
  const workers: WorkerHandle[] = [];
  const ready = numbers.map((number) => new Promise<void>((resolve, reject) => {
    const failed = (reason: string): void => {
      reject(new Error(reason));
      pending.fail(reason);
    };
    const heard = (message: FromWorker): void => {
      if ("ready" in message) resolve();
      else if ("done" in message) pending.done();
      else failed(message.failed);
    };
    const worker = host.start(source, heard, failed);
    workers.push(worker);
    worker.post({ setup: { module, memory, names, scratch: layout.scratchOf(number), leads: number === 0, control, seconds } });
  }));
  try {
    await Promise.all(ready);
  } catch (thrown) {
    workers.forEach((worker) => worker.end());
    throw thrown;
  }
  workers.forEach((worker) => worker.idle());
  return workers;
}

function throwFailure(model: string, thread: Thread): void {
  const reason = thread.failure();
  if (reason !== null) throw new RuntimeError("SQ0709", `a kernel of \`${model}\` failed: ${reason}`, "this is a fault of the compiler; the executable is destroyed");
}

function stopped(model: string, reason: string): RuntimeError {
  return new RuntimeError("SQ0708", `\`${model}\` was stopped: ${reason}`, "create another executable");
}
