/** @file The page that one side runs in. */

import { createServer } from "./serve.ts";

const processor = (): number => {
  throw new Error("a page cannot tell processor time");
};

(globalThis as unknown as { serve: ReturnType<typeof createServer> }).serve = createServer({ wall: () => performance.now(), processor });
