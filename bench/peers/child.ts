/** @file The process that one side runs in. */

import { createServer, type Call } from "./serve.ts";

const processor = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const serve = createServer({ wall: () => performance.now(), processor });

process.on("message", (call) => void serve(call as Call).then((answer) => process.send?.(answer)));
process.on("disconnect", () => process.exit(0));
