/** @file Says at the end of a test run, in one place, what did not run here and why. Tests that skip print a line
 *  `skipped: WHAT: WHY` when they are collected; this reporter gathers those lines. */

import type { Reporter, TestModule } from "vitest/node";
import type { UserConsoleLog } from "vitest";

const MARK = "skipped: ";

export class SkipReporter implements Reporter {
  readonly #reasons = new Set<string>();

  onUserConsoleLog({ content }: UserConsoleLog): void {
    for (const line of content.split("\n")) if (line.startsWith(MARK)) this.#reasons.add(line.slice(MARK.length));
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = modules.flatMap((module) => [...module.children.allTests("skipped")]).length;
    if (skipped === 0) return;
    const reasons = [...this.#reasons].map((reason) => `  - ${reason}`);
    console.log(`\n ${skipped} tests were skipped on this machine:\n${reasons.join("\n")}\n`);
  }
}
