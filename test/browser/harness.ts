/** @file A headless Chromium that runs programs: the page script is bundled by rolldown and served from localhost with the
 *  headers that give it SharedArrayBuffer. WebGPU and WebGL run on SwiftShader, so no GPU is needed. */

import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { chromium, type Browser, type Page } from "playwright-core";
import { rolldown } from "rolldown";
import type { AnyProgram, ExecutableOptions, Tensors } from "../../runtime/abi.ts";
import type { BackendReport } from "../../runtime/backends.ts";
import { RuntimeError } from "../../runtime/errors.ts";
import { readSafetensors, writeSafetensors } from "../../runtime/safetensors.ts";
import type { PageApi, PageRequest } from "./page.ts";

const CANDIDATES = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
];

/** Path of a Chromium on this machine (the variable CHROMIUM names one), or null. */
export function findChromium(): string | null {
  return CANDIDATES.find((path) => path !== undefined && existsSync(path)) ?? null;
}

/** Why tests that need a browser do not run here, or null when they do. Prints it, so that a skip is never silent. */
export function browserMissing(): string | null {
  if (findChromium() !== null) return null;
  const reason = "no Chromium found (apt-get install chromium, or set CHROMIUM to one)";
  console.warn(`skipped: browser backends: ${reason}`);
  return reason;
}

export interface BrowserRun {
  readonly outputs: Tensors;
  readonly backend: string;
  readonly milliseconds: number;
}

export interface BrowserSession {
  /** Outputs of one run of an entry point.
   *  @throws RuntimeError with the page's code and message. */
  runInBrowser(program: AnyProgram, backend: string, entry: string, inputs: Tensors): Promise<Tensors>;
  /** The same with what ran and for how long, the entry run several times over. */
  measureInBrowser(program: AnyProgram, backend: string, entry: string, inputs: Tensors, runs: number, options?: ExecutableOptions): Promise<BrowserRun>;
  probe(): Promise<BackendReport[]>;
  close(): Promise<void>;
}

/** Runs `use` with a page that knows the runtime; everything is closed afterwards, whatever happened. */
export async function withBrowser<T>(use: (session: BrowserSession) => Promise<T>): Promise<T> {
  const session = await openBrowser();
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

export interface BrowserSettings {
  /** Headers that give the page SharedArrayBuffer; true unless given. */
  readonly isolated?: boolean;
  /** Without names and spaces, as pages are shipped; false unless given. */
  readonly minified?: boolean;
  /** Content-Security-Policy; none unless given. */
  readonly policy?: string;
  /** For the engine; none unless given. */
  readonly v8Flags?: string;
}

/** @throws Error when there is no Chromium: ask `browserMissing` first. */
export async function openBrowser({ isolated = true, minified = false, policy, v8Flags }: BrowserSettings = {}): Promise<BrowserSession> {
  const executablePath = findChromium();
  if (executablePath === null) throw new Error("no Chromium found");
  const server = await serve(await bundle(minified), { ...(isolated ? ISOLATION : {}), ...(policy === undefined ? {} : { "Content-Security-Policy": policy }) });
  let browser: Browser | null = null;
  try {
    browser = await chromium.launch({ executablePath, headless: true, args: v8Flags === undefined ? FLAGS : [...FLAGS, `--js-flags=${v8Flags}`] });
    const page = await browser.newPage();
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction(() => "subquad" in globalThis);
    return session(page, browser, server);
  } catch (thrown) {
    await browser?.close();
    server.close();
    throw thrown;
  }
}

function session(page: Page, browser: Browser, server: Server): BrowserSession {
  const measureInBrowser: BrowserSession["measureInBrowser"] = async (program, backend, entry, inputs, runs, options = {}) => {
    const encoded = Buffer.from(writeSafetensors(inputs)).toString("base64");
    const sent = "wasm" in program ? { ...program, wasm: Buffer.from(program.wasm).toString("base64") } : program;
    const request: PageRequest = { program: sent, backend, options, entry, inputs: encoded, runs };
    const answer = await page.evaluate((asked) => (globalThis as unknown as { subquad: PageApi }).subquad.run(asked), request);
    if ("code" in answer) throw new RuntimeError(answer.code, answer.message);
    const bytes = new Uint8Array(Buffer.from(answer.outputs, "base64"));
    const { tensors } = readSafetensors(bytes);
    const named = (program.entries[entry]?.outputs ?? []).map((port) => [port.name, tensors[port.name] as Tensors[string]]);
    return { ...answer, outputs: Object.fromEntries(named) as Tensors };
  };
  return {
    measureInBrowser,
    runInBrowser: async (...request) => (await measureInBrowser(...request, 1)).outputs,
    probe: () => page.evaluate(() => (globalThis as unknown as { subquad: PageApi }).subquad.probe()),
    close: async () => {
      await browser.close();
      await new Promise((closed) => server.close(closed));
    },
  };
}

async function bundle(minify: boolean): Promise<string> {
  const build = await rolldown({ input: new URL("./page.ts", import.meta.url).pathname, platform: "browser", logLevel: "silent" });
  const { output } = await build.generate({ format: "esm", codeSplitting: false, minify });
  await build.close();
  return output[0].code;
}

/** What makes a page cross-origin isolated. */
const ISOLATION = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

function serve(script: string, headers: Readonly<Record<string, string>>): Promise<Server> {
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.writeHead(200, {
      "Content-Type": isScript ? "text/javascript" : "text/html; charset=utf-8",
      ...headers,
    });
    response.end(isScript ? script : '<!doctype html><title>Subquad</title><script type="module" src="/page.js"></script>');
  });
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server)));
}
