/** @file What a command is to the command line. */

import type { Command } from "commander";
import type { Io } from "./io.ts";

/** Adds one command. Its action calls `done` with the exit code; without a call it is 0. */
export type AddCommand = (program: Command, io: Io, done: (code: number) => void) => void;
