import { defineConfig } from "vitest/config";
import { SkipReporter } from "./test/skip-reporter.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", new SkipReporter()],
    // The tests share two cores with a browser and with worker threads; a limit is for a hang, not for a slow machine.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
