/** @file Statistics of attention heads as JSON: read back as written, and what is wrong is said with its place. */

import { describe, expect, it } from "vitest";
import { parseStatistics, printStatistics } from "../../ir/head-statistics.ts";
import type { AttentionStatistics } from "../../ir/head-statistics.ts";

const MEASURED: AttentionStatistics = {
  version: 1,
  model: "Gpt",
  sites: [
    {
      site: "Block.0.SelfAttention",
      queries: 64,
      keys: 64,
      heads: [
        {
          head: 0,
          scoreStd: 0.7,
          maxScore: 3.5,
          entropy: 2.2,
          sampled: [
            { c: 8, degree: null, kept: 6.5, increase: 0.12 },
            { c: 8, degree: 2, kept: 7.5, increase: 0.05 },
          ],
          lowrank: [{ degree: 2, form: "plugin", features: "taylor", error: 0.08 }],
        },
      ],
    },
  ],
};

it("is read as it was written", () => {
  expect(parseStatistics(printStatistics(MEASURED))).toEqual(MEASURED);
});

it("leaves out what it does not know", () => {
  expect(parseStatistics(JSON.stringify({ ...MEASURED, written: "today" }))).toEqual(MEASURED);
});

describe("says what is wrong", () => {
  const changed = (from: string, to: string): AttentionStatistics | string => parseStatistics(JSON.stringify(MEASURED).replace(from, to));
  const CASES: readonly (readonly [AttentionStatistics | string, string])[] = [
    [parseStatistics("[]"), "the file is not an object"],
    [changed('"version":1', '"version":2'), "version is not 1"],
    [changed('"Gpt"', "7"), "model is not a text"],
    [changed('"entropy":2.2', '"entropy":"high"'), "sites[0].heads[0].entropy is not a number >= 0"],
    [changed('"kept":6.5,', ""), "sites[0].heads[0].sampled[0].kept is not a number >= 0"],
    [changed('"plugin"', '"both"'), "sites[0].heads[0].lowrank[0].form is not plugin or surrogate"],
    [parseStatistics(JSON.stringify({ ...MEASURED, sites: 3 })), "sites is not a list"],
  ];
  it.each(CASES)("%s", (answer, message) => void expect(answer).toBe(message));
  it("also where it is no JSON", () => void expect(parseStatistics("{")).toMatch(/^not JSON: /));
});
