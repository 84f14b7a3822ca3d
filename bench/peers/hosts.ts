/** @file Where a side runs: a process of its own, of the Node that came with the peers, or a browser of its own with an isolated
 *  page. One engine for all sides, so that a ratio is of programs and not of engines. */

import { fork, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Answer, Answers, Call } from "./serve.ts";

export type Place = "node" | "chromium";

export interface Host {
  /** `Node 24.21.0`. */
  readonly engine: string;
  /** Where the packages of the peers are, as seen from the host. */
  readonly packages: string;
  /** @throws Error with the side's message. */
  call<K extends keyof Answers>(call: Extract<Call, { readonly call: K }>): Promise<Answers[K]>;
  close(): Promise<void>;
}

/** Of the repository's root, where `npm run` works. */
export const PACKAGES = resolve("bench/peers/node_modules");

export const INSTALL = "the peers are not installed: run `npm ci --prefix bench/peers`";

/** This file's neighbour, as source or as compiled. */
export const besides = (name: string): string => fileURLToPath(new URL(`${name}${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url));

export const accepted = <K extends keyof Answers>(answer: Answer<K>): Answers[K] => {
  if ("error" in answer) throw new Error(String(answer.error));
  return answer;
};

const nodeOfPeers = (): { readonly path: string; readonly engine: string } => {
  const path = `${PACKAGES}/node/bin/node`;
  if (!existsSync(path)) throw new Error(INSTALL);
  const { stdout, error } = spawnSync(path, ["--version"], { encoding: "utf8" });
  if (error !== undefined) throw new Error(`the Node of the peers does not start: ${error.message}`);
  return { path, engine: `Node ${stdout.trim().slice(1)}` };
};

/** @throws Error when the peers are not installed. */
export const openProcess = async (v8Flags: readonly string[]): Promise<Host> => {
  const { path, engine } = nodeOfPeers();
  const child = fork(besides("./child"), [], { execPath: path, execArgv: [...v8Flags], stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (complaint = (complaint + text).slice(-2000)));
  const call = (request: Call): Promise<unknown> =>
    new Promise((done, fail) => {
      const ended = (code: number | null, signal: string | null): void => fail(new Error(`the process ended (${signal ?? `code ${code}`})\n${complaint}`));
      child.once("exit", ended).once("message", (answer) => {
        child.off("exit", ended);
        done(answer);
      });
      child.send(request);
    });
  return {
    engine,
    packages: `${pathToFileURL(PACKAGES).href}/`,
    call: async <K extends keyof Answers>(request: Extract<Call, { readonly call: K }>) => accepted((await call(request as Call)) as Answer<K>),
    close: async () => void child.kill("SIGKILL"),
  };
};
