/** @file Our FileCheck does what LLVM's does, and fails where it fails. */

import { describe, expect, it } from "vitest";
import { FILECHECK_CASES } from "./cases.ts";
import { fileCheck } from "./filecheck.ts";

const { output, passing, failing } = FILECHECK_CASES;

describe("fileCheck", () => {
  it.each(passing)("accepts: %s", (_, checks) => expect(fileCheck(output, checks)).toBeNull());
  it.each(failing)("rejects: %s", (_, checks) => expect(fileCheck(output, checks)).not.toBeNull());
});
