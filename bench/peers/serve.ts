/** @file What a process or a page answers: one session, opened, run and read by calls that are data. Time is taken here, around
 *  the work alone. Errors are values, so that they cross. */

import type { Action, Session, Setting, Task } from "./contract.ts";
import { openJax } from "./jax.ts";
import { openOrt } from "./ort.ts";
import { openSubquad } from "./subquad.ts";

const ADAPTERS = { jax: openJax, ort: openOrt, subquad: openSubquad } as const;

export type AdapterName = keyof typeof ADAPTERS;

/** `processor`: the time that the process computed, all its threads together; other work on the machine does not count. */
export type Clock = "wall" | "processor";

/** The milliseconds of a clock. */
export type Clocks = Readonly<Record<Clock, () => number>>;

export type Call =
  | { readonly call: "open"; readonly adapter: AdapterName; readonly task: Task; readonly setting: Setting }
  /** Again and again until `milliseconds` have passed, at least `times` times. */
  | { readonly call: "run"; readonly action: Action; readonly times: number; readonly milliseconds: number; readonly clock: Clock }
  /** What an action gives for one head of attention. */
  | { readonly call: "results"; readonly action: Action; readonly head: number };

export interface Runs {
  /** Of every run, by the clock that was asked for. */
  readonly milliseconds: readonly number[];
  /** What every run returned: the loss of a step. */
  readonly values: readonly number[];
}

export interface Answers {
  readonly open: { readonly runtime: string };
  readonly run: Runs;
  /** Float32, in base64. */
  readonly results: Readonly<Record<string, string>>;
}

export type Answer<K extends keyof Answers> = Answers[K] | { readonly error: string };

const encode = (data: Float32Array): string => {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
};

const repeat = async (session: Session, { action, times, milliseconds }: Extract<Call, { call: "run" }>, now: () => number): Promise<Runs> => {
  const runs: { milliseconds: number[]; values: number[] } = { milliseconds: [], values: [] };
  const begun = performance.now();
  while (runs.values.length < times || performance.now() - begun < milliseconds) {
    const started = now();
    runs.values.push(await session.run(action));
    runs.milliseconds.push(now() - started);
  }
  return runs;
};

const messageOf = (thrown: unknown): string => (thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown));

/** A function that answers calls; the first must be `open`. */
export const createServer = (clocks: Clocks): ((call: Call) => Promise<Answer<keyof Answers>>) => {
  let open: { readonly session: Session; readonly task: Task } | null = null;
  const answer = async (call: Call): Promise<Answers[keyof Answers]> => {
    if (call.call === "open") {
      open = { session: await ADAPTERS[call.adapter](call.task, call.setting), task: call.task };
      return { runtime: open.session.runtime };
    }
    if (open === null) throw new Error("nothing is open");
    const { session, task } = open;
    if (call.call === "run") return repeat(session, call, clocks[call.clock]);
    const size = task.kind === "attention" ? task.length * task.width : 0;
    const all = await session.results(call.action);
    return Object.fromEntries(Object.entries(all).map(([name, data]) => [name, encode(data.subarray(call.head * size, (call.head + 1) * size))]));
  };
  return async (call) => {
    try {
      return await answer(call);
    } catch (thrown) {
      return { error: messageOf(thrown) };
    }
  };
};
