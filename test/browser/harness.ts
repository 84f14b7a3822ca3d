/** @file A headless Chromium that runs programs: the page script is bundled by rolldown and served from localhost with the
 *  headers that give it SharedArrayBuffer. WebGPU and WebGL run on SwiftShader, so no GPU is needed. */

import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { chromium, type Browser, type Page } from "playwright-core";
import { rolldown } from "rolldown";
import type { Program, Tensors } from "../../runtime/abi.ts";
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
  runInBrowser(program: Program, backend: string, entry: string, inputs: Tensors): Promise<Tensors>;
  /** The same with what ran and for how long, the entry run several times over. */
  measureInBrowser(program: Program, backend: string, entry: string, inputs: Tensors, runs: number): Promise<BrowserRun>;
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

/** @throws Error when there is no Chromium: ask `browserMissing` first. */
export async function openBrowser(): Promise<BrowserSession> {
  const executablePath = findChromium();
  if (executablePath === null) throw new Error("no Chromium found");
  const server = await serve(await bundle());
  let browser: Browser | null = null;
  try {
    browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
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
  const measureInBrowser: BrowserSession["measureInBrowser"] = async (program, backend, entry, inputs, runs) => {
    const encoded = Buffer.from(writeSafetensors(inputs)).toString("base64");
    const request: PageRequest = { program, backend, entry, inputs: encoded, runs };
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

async function bundle(): Promise<string> {
  const build = await rolldown({ input: new URL("./page.ts", import.meta.url).pathname, platform: "browser", logLevel: "silent" });
  const { output } = await build.generate({ format: "esm", codeSplitting: false });
  await build.close();
  return output[0].code;
}

function serve(script: string): Promise<Server> {
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.writeHead(200, {
      "Content-Type": isScript ? "text/javascript" : "text/html; charset=utf-8",
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    });
    response.end(isScript ? script : '<!doctype html><title>Subquad</title><script type="module" src="/page.js"></script>');
  });
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server)));
}
