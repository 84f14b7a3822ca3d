#!/usr/bin/env node
/** @file The executable: the process as the command line's outside. */

import { processIo } from "./cli/io.ts";
import { main } from "./cli/main.ts";

// A reader that closed the pipe (`subquad … | head`) is no failure of ours.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}

// Exit explicitly: gpu.js keeps worker threads and a WebGPU device keeps the process alive.
process.exit(await main(process.argv.slice(2), processIo));
