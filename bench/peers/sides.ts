/** @file The sides of a comparison: which peer, where, with how many threads; Subquad once for every form of the gradient. */

import { RUNS, type OwnName } from "../../runtime/backends.ts";
import type { Task } from "./contract.ts";
import { encodeProgram } from "./program.ts";
import { openProcess, type Host, type Place } from "./hosts.ts";
import type { AdapterName } from "./serve.ts";

export interface Side {
  /** `jax-js`, `Subquad sus:c=25`. */
  readonly name: string;
  readonly adapter: AdapterName;
  /** How Subquad computes the gradient of attention; null for a peer. */
  readonly form: string | null;
  /** Subquad's; null for a peer. */
  readonly backend: OwnName | null;
  readonly threads: number;
  readonly place: Place;
  /** For its engine. */
  readonly v8Flags: readonly string[];
}

/** Peers by the name on the command line. */
const PEERS: Readonly<Record<AdapterName, { readonly name: string; readonly trains: boolean; readonly threadsInNode: boolean }>> = {
  jax: { name: "jax-js", trains: true, threadsInNode: false },
  ort: { name: "onnxruntime-web", trains: false, threadsInNode: true },
  subquad: { name: "Subquad", trains: true, threadsInNode: true },
};

export const PEER_NAMES = Object.keys(PEERS) as readonly AdapterName[];

export interface Selection {
  readonly peers: readonly AdapterName[];
  readonly forms: readonly string[];
  /** `auto`: Node, but Chromium for what has threads only there. */
  readonly place: Place | "auto";
  readonly v8Flags: readonly string[];
  readonly backend: OwnName;
}

/** Those of a selection that can do a task. */
export const sidesFor = ({ peers, forms, place, v8Flags, backend }: Selection, kind: Task["kind"], threads: number): readonly Side[] =>
  peers.flatMap((adapter): readonly Side[] => {
    const { name, trains, threadsInNode } = PEERS[adapter];
    if (kind === "training" && !trains) return [];
    const where = place !== "auto" ? place : threads > 1 && !threadsInNode ? "chromium" : "node";
    const side = { name, adapter, form: null, backend: null, threads, place: where, v8Flags } as const;
    return adapter === "subquad" ? forms.map((form) => ({ ...side, name: `${name} ${form}`, form, backend })) : [side];
  });

/** A side that runs. */
export interface Opened {
  readonly side: Side;
  readonly host: Host;
  /** `jax-js 0.1.25 (wasm), Node 24.21.0`. */
  readonly runtime: string;
}

/** @throws Error with the reason why a side cannot run. */
export const openSide = async (side: Side, task: Task): Promise<Opened> => {
  const { form, backend } = side;
  const program = form === null || backend === null ? null : encodeProgram((await import("./compile.ts")).programFor(task, form, RUNS[backend]));
  const host = side.place === "node" ? await openProcess(side.v8Flags) : await (await import("./browser.ts")).openBrowser(side.v8Flags);
  try {
    const { runtime } = await host.call<"open">({ call: "open", adapter: side.adapter, task, setting: { threads: side.threads, packages: host.packages, program, backend } });
    return { side, host, runtime: `${runtime}, ${host.engine}` };
  } catch (thrown) {
    await host.close();
    throw thrown;
  }
};
