/** @file Charts and heat maps as text: where marks are, what is written beside them. */

import { describe, expect, it } from "vitest";
import { lineChart } from "../../compiler/report/chart.ts";
import type { Chart } from "../../compiler/report/chart.ts";
import { heatMap } from "../../compiler/report/heat-map.ts";
import { scaleOf, tickLabel } from "../../compiler/report/scale.ts";
import { element, escape, text } from "../../compiler/report/svg.ts";

const CHART: Chart = {
  title: "ρ < 1 & more",
  x: { label: "c", scale: "log", ticks: [8, 64] },
  y: { label: "ρ", scale: "log" },
  series: [
    { name: "length 128", points: [{ x: 8, y: 0.1, low: 0.05, high: 0.15 }, { x: 64, y: 0.001 }] },
    { name: "length 256", points: [{ x: 8, y: 0.1, low: -0.1, high: 0.3 }, { x: 64, y: 0.001 }, { x: 128, y: 0 }], dashed: true },
  ],
};

const numbers = (markup: string, pattern: RegExp): number[] => [...markup.matchAll(pattern)].map((match) => Number(match[1]));

describe("line charts", () => {
  const chart = lineChart(CHART);

  it("escape what is text and close what they open", () => {
    expect(chart).toContain("ρ &lt; 1 &amp; more");
    expect(chart.match(/<[a-z]+[^>]*[^/]>/g)?.length).toBe(chart.match(/<\/[a-z]+>/g)?.length);
  });

  it("have a mark for each point that a logarithm has a place for, inside the frame", () => {
    expect(chart.match(/<circle/g)).toHaveLength(4);
    for (const x of numbers(chart, /cx="([\d.-]+)"/g)) expect(x).toBeGreaterThanOrEqual(74);
    for (const y of numbers(chart, /cy="([\d.-]+)"/g)) expect(y).toBeLessThanOrEqual(330);
    expect(chart).toContain("<title>length 128: 0.1 at 8</title>");
    expect(chart).not.toContain("NaN");
  });

  it("end an error bar that reaches below 0 at the foot", () => {
    const bars = [...chart.matchAll(/y1="([\d.]+)" x2="[\d.]+" y2="([\d.]+)" class="bar"/g)].filter(([, a, b]) => a !== b).map(([, a]) => Number(a));
    expect(bars).toHaveLength(2);
    expect(bars[1]).toBe(330);
  });

  it("name every line at its end, apart from each other", () => {
    const places = numbers(chart, /<text x="498" y="([\d.]+)" class="name"/g);
    expect(places).toHaveLength(2);
    expect((places[1] as number) - (places[0] as number)).toBeGreaterThanOrEqual(14);
    expect(Math.max(...places)).toBeLessThan(380);
  });

  it("write the ticks that were asked for", () => {
    expect([...chart.matchAll(/y="349"[^>]*>([^<]*)</g)].map((match) => match[1])).toEqual(["8", "64"]);
  });

  it("say nothing where there is nothing to draw", () => {
    expect(lineChart({ ...CHART, series: [{ name: "none", points: [] }] })).not.toContain("NaN");
  });
});

describe("scales", () => {
  it("logarithmic: decades a third of the way each, ticks of three digits at most", () => {
    const { at, ticks } = scaleOf("log", [0.001, 1], 0, 300);
    expect(at(0.1) - at(0.01)).toBeCloseTo(at(1) - at(0.1), 10);
    expect(ticks.map(({ label }) => label)).toEqual(["0.001", "0.01", "0.1", "1"]);
    expect(at(0)).toBeNaN();
    expect(scaleOf("log", [1e-12, 1e12], 0, 300).ticks.length).toBeLessThan(10);
    expect(scaleOf("log", [5], 0, 300).at(5)).toBeCloseTo(150, 10);
  });

  it("linear: round steps from 0", () => {
    expect(scaleOf("linear", [0, 0.93], 0, 1).ticks.map(({ label }) => label)).toEqual(["0", "0.2", "0.4", "0.6", "0.8"]);
  });

  it("steps: values evenly spaced, nothing between them", () => {
    const { at } = scaleOf("steps", [4, 0, 1, 4], 0, 300);
    expect([at(0), at(1), at(4), at(2)]).toEqual([50, 150, 250, Number.NaN]);
  });

  it.each([[0, "0"], [0.05, "0.05"], [64, "64"], [2048, "2048"], [16384, "16384"], [123_456, "123k"], [2e6, "2M"], [1e-6, "10⁻⁶"], [2e12, "2·10¹²"]])("%d is written %s", (value, label) => {
    expect(tickLabel(value)).toBe(label);
  });
});

describe("heat maps", () => {
  const map = heatMap({ title: "map", x: "key", y: "query", width: 4, height: 2, cells: [[0, 0, null, 1], [0.3, 0.3, 0.3, 0.3]] });

  it("are runs of equal shades", () => {
    expect(map).toContain('<path class="h0" d="M0 0h2v1h-2z"/>');
    expect(map).toContain('<path class="h8" d="M3 0h1v1h-1z"/>');
    expect(map).toContain('<path class="h6" d="M0 1h4v1h-4z"/>');
  });
});

it("markup", () => {
  expect(escape('<"&">')).toBe("&lt;&quot;&amp;&quot;&gt;");
  expect(text(1.26, 2, "a<b", { class: "x" })).toBe('<text x="1.3" y="2" class="x">a&lt;b</text>');
  expect(element("g", {})).toBe("<g/>");
});
