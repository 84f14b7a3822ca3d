/** @file A Chromium of its own for one side: its page is served with the headers that make it cross-origin isolated, which is what
 *  gives it shared memory, and with it threads. */

import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import type { Page } from "playwright-core";
import { accepted, besides, INSTALL, PACKAGES, type Host } from "./hosts.ts";
import type { Answer, Answers, Call } from "./serve.ts";

const CANDIDATES = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-background-timer-throttling", "--disable-renderer-backgrounding"];

const TYPES: Readonly<Record<string, string>> = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };

const PREFIX = "/node_modules/";

/** @throws Error when there is no Chromium, or the peers are not installed. */
export const openBrowser = async (v8Flags: readonly string[]): Promise<Host> => {
  const executablePath = CANDIDATES.find((path) => path !== undefined && existsSync(path));
  if (executablePath === undefined) throw new Error("no Chromium found: install one (apt-get install chromium), or set CHROMIUM to it");
  if (!existsSync(PACKAGES)) throw new Error(INSTALL);
  const { chromium } = await import("playwright-core");
  const server = await serve(await bundle());
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  const browser = await chromium.launch({ executablePath, headless: true, args: v8Flags.length === 0 ? FLAGS : [...FLAGS, `--js-flags=${v8Flags.join(" ")}`] });
  const page = await browser.newPage();
  await page.goto(`${origin}/`);
  await page.waitForFunction(() => "serve" in globalThis);
  if (!(await page.evaluate(() => crossOriginIsolated))) throw new Error("the page is not cross-origin isolated");
  return {
    engine: `Chromium ${browser.version()}`,
    packages: `${origin}${PREFIX}`,
    call: async <K extends keyof Answers>(request: Extract<Call, { readonly call: K }>) => accepted((await ask(page, request as Call)) as Answer<K>),
    close: async () => {
      await browser.close();
      server.close();
    },
  };
};

const ask = (page: Page, request: Call): Promise<unknown> =>
  page.evaluate((sent) => (globalThis as unknown as { serve: (call: unknown) => Promise<unknown> }).serve(sent), request as unknown);

const bundle = async (): Promise<string> => {
  const { rolldown } = await import("rolldown");
  const build = await rolldown({ input: besides("./page"), platform: "browser", logLevel: "silent" });
  const { output } = await build.generate({ format: "esm", codeSplitting: false });
  await build.close();
  return output[0].code;
};

/** The page, its script, and the files of the peers' packages. */
const serve = (script: string): Promise<Server> => {
  const content = (url: string): readonly [type: string, body: string | Uint8Array] | null => {
    if (url === "/") return ["text/html; charset=utf-8", '<!doctype html><title>peer</title><script type="module" src="/page.js"></script>'];
    if (url === "/page.js") return ["text/javascript", script];
    const file = join(PACKAGES, normalize(url.slice(PREFIX.length)));
    const found = url.startsWith(PREFIX) && file.startsWith(PACKAGES) && existsSync(file) && statSync(file).isFile();
    return found ? [TYPES[extname(file)] ?? "application/octet-stream", readFileSync(file)] : null;
  };
  const server = createServer((request, response) => {
    const found = content((request.url ?? "/").split("?")[0] ?? "/");
    response.writeHead(found === null ? 404 : 200, {
      "Content-Type": found?.[0] ?? "text/plain",
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    });
    response.end(found?.[1] ?? "not found");
  });
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server)));
};
