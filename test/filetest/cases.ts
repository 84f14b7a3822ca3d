/** @file Inputs on which our FileCheck must pass or fail; the referee runs LLVM's on the same ones. */

const output = ["func.func @a(%x: i) {", "  %0 = add(%x, %x)", "  %1 =   mul(%0, %x)", "}", "func.func @b() {", "  %0 = neg(%9)", "}"].join("\n");

const passing: [string, string][] = [
  ["plain", "CHECK: add"],
  ["in order", "CHECK: add\nCHECK: mul"],
  ["next", "CHECK: add\nCHECK-NEXT: mul"],
  ["same", "CHECK: %1 =\nCHECK-SAME: mul"],
  ["spaces count as one", "CHECK: %1 = mul"],
  ["not, before the next match", "CHECK: add\nCHECK-NOT: neg\nCHECK: mul"],
  ["not, until the end", "CHECK: neg\nCHECK-NOT: mul"],
  ["regex", "CHECK: add(%{{[a-z]}}, %{{x|y}})"],
  ["variables", "CHECK: %[[R:.*]] = add\nCHECK: mul(%[[R]], %x)"],
  ["a variable within its own line", "CHECK: add(%[[X:[a-z]]], %[[X]])"],
  ["labels cut blocks", "CHECK-LABEL: @a\nCHECK-NOT: neg\nCHECK-LABEL: @b\nCHECK: neg"],
  ["dag in any order", "CHECK-DAG: mul\nCHECK-DAG: add\nCHECK: }"],
  ["comments before the directive", "// CHECK: add"],
];

const failing: [string, string][] = [
  ["absent", "CHECK: sub"],
  ["wrong order", "CHECK: mul\nCHECK: add"],
  ["not the next line", "CHECK: @a\nCHECK-NEXT: mul"],
  ["not the same line", "CHECK: add\nCHECK-SAME: mul"],
  ["forbidden", "CHECK: @a\nCHECK-NOT: add\nCHECK: mul"],
  ["forbidden to the end", "CHECK: add\nCHECK-NOT: neg"],
  ["beyond the label", "CHECK-LABEL: @a\nCHECK: neg\nCHECK-LABEL: @b"],
  ["another value", "CHECK: %[[R:.*]] = add\nCHECK: mul(%x, %[[R]])"],
  ["a variable without a value", "CHECK: mul(%[[R]]"],
  ["a missing label", "CHECK-LABEL: @c"],
  ["dag absent", "CHECK-DAG: mul\nCHECK-DAG: sub"],
  ["one match for two dags", "CHECK-DAG: mul\nCHECK-DAG: mul"],
  ["no checks", "nothing here"],
  ["a dot is a dot", "CHECK: ad."],
];

export const FILECHECK_CASES = { output, passing, failing };
