/** @file The harness fails where a file is not as it says: a file test that cannot fail tests nothing. */

import { describe, expect, it } from "vitest";
import { parsePipeline } from "../../passes/parse-pipeline.ts";
import { runPipeline } from "../../passes/run.ts";
import { runFileTest } from "./runner.ts";

const run = (header: string, body: string) =>
  runFileTest("t.ir", `${header}\n${body}`, (module, pipeline) => runPipeline(module, parsePipeline(pipeline)).module);

const exp = `func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  %unused = "sq.neg"(%x) : (tensor<2xf32>) -> tensor<2xf32>
  %y = "sq.exp"(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}
`;

const wrong = exp.replace("sq.exp", "sq.not");

describe("runFileTest", () => {
  it("passes what is as it says", () => {
    expect(run("// test: parse", exp).failures).toEqual([]);
    expect(run("// test: verify=kernel\n// CHECK: %y = \"sq.exp\"(%x)", exp).failures).toEqual([]);
    expect(run("// test: passes=dce\n// CHECK: func.func @f\n// CHECK-NEXT: %y = \"sq.exp\"", exp).failures).toEqual([]);
  });

  it.each([
    ["no header", "", exp, /no header/],
    ["an unknown command", "// test: guess", exp, /no header/],
    ["an unknown stage", "// test: verify=moon", exp, /no header/],
    ["an error nobody expects", "// test: verify", wrong, /line 4: unexpected SQ0404: C1/],
    ["an error on another line", "// test: verify\n// expected-error@+1 {{C1}}", wrong, /no error says \{\{C1\}\}/],
    ["an expected error that does not come", "// test: verify\n// expected-error@+3 {{C1}}", exp, /line 5: no error says/],
    ["a CHECK that is not met", "// test: parse\n// CHECK: sq.log", exp, /not found/],
    ["an effect the pass does not have", "// test: passes=dce\n// CHECK: sq.neg", exp, /not found/],
  ])("fails on %s", (_, header, body, message) => {
    expect(run(header, body).failures.join("\n")).toMatch(message);
  });

  it("compares with the output block, and blesses it", () => {
    const stale = `${exp}// output:\n// something else\n`;
    const { failures, blessed } = run("// test: passes=dce", stale);
    expect(failures.join()).toMatch(/the output differs/);
    expect(blessed).toContain('//     %y = "sq.exp"(%x) : (tensor<2xf32>) -> tensor<2xf32>\n');
    expect(run("", blessed).failures).toEqual([]);
  });

  it("takes a refusal by a pass as an error", () => {
    expect(run("// test: passes=dcee", exp).failures.join()).toMatch(/unexpected SQ0408/);
    expect(run("// test: passes=dcee\n// expected-error {{SQ0408}}", exp).failures).toEqual([]);
  });

  it("a constraint's label is the whole label", () => {
    const header = (label: string): string => `// test: verify\n// expected-error@+3 {{${label}}}`;
    expect(run(header("C1"), wrong).failures).toEqual([]);
    expect(run(header("C"), wrong).failures).toEqual([]);
    expect(run(header("C0"), wrong).failures.length).toBe(2);
  });
});
