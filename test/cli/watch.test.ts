/** @file `check --watch`: a file is checked again when it changes, until the user stops it. */

import { writeFileSync } from "node:fs";
import { expect, it, vi } from "vitest";
import { scratch, SMALL, subquad } from "./support.ts";

const file = scratch();

it("checks a file again after every change, and ends on Ctrl-C", async () => {
  const model = file("model.sq", SMALL);
  let err = "";
  let interrupt = (): void => {};
  const ended = subquad(["check", model, "--watch"], {
    err: (text) => void (err += text),
    onInterrupt: (act) => {
      interrupt = act;
      return () => {};
    },
  });
  const soon = { timeout: 20_000, interval: 50 };
  await vi.waitFor(() => expect(err).toMatch(/: ok\nwatching; stop with Ctrl-C\n$/), soon);
  writeFileSync(model, SMALL.replace("dim D = 8", "dim D = 7"));
  await vi.waitFor(() => expect(err).toContain("error[SQ"), soon);
  writeFileSync(model, SMALL);
  await vi.waitFor(() => expect(err).toMatch(/: ok\n$/), soon);
  interrupt();
  expect((await ended).code).toBe(0);
});
