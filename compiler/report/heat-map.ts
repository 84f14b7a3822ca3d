/** @file Heat maps: one path a shade, so that thousands of cells are a few kilobytes. */

import { element, line, picture, text } from "./svg.ts";

export interface HeatMap {
  readonly title: string;
  /** Rows of numbers from 0 to 1; null draws nothing. */
  readonly cells: readonly (readonly (number | null)[])[];
  readonly x: string;
  readonly y: string;
  /** Numbers at the far ends of the axes. */
  readonly width: number;
  readonly height: number;
}

const SIZE = 264;
const [LEFT, TOP] = [48, 44];
const WIDTH = LEFT + SIZE + 76;
const HEIGHT = TOP + SIZE + 46;

/** Lower ends of the shades, classes h0 … h8. */
const SHADES = [0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9] as const;

const shadeOf = (value: number): number => SHADES.findLastIndex((least) => value >= least);

export const heatMap = ({ title, cells, x, y, width, height }: HeatMap): string => {
  const columns = cells[0]?.length ?? 1;
  const scale = `translate(${LEFT} ${TOP}) scale(${(SIZE / columns).toFixed(4)} ${(SIZE / cells.length).toFixed(4)})`;
  const right = LEFT + SIZE;
  const foot = TOP + SIZE;
  return picture(
    WIDTH,
    HEIGHT,
    title,
    text(LEFT, 22, title, { class: "title" }),
    element("g", { transform: scale, "shape-rendering": "crispEdges" }, ...SHADES.map((_, shade) => element("path", { class: `h${shade}`, d: runs(cells, shade) }))),
    element("rect", { x: LEFT, y: TOP, width: SIZE, height: SIZE, class: "outline" }),
    text(LEFT, foot + 16, "0", { class: "tick", "text-anchor": "middle" }),
    text(right, foot + 16, String(width), { class: "tick", "text-anchor": "middle" }),
    text(LEFT + SIZE / 2, foot + 34, x, { class: "label", "text-anchor": "middle" }),
    text(LEFT - 8, TOP + 9, "0", { class: "tick", "text-anchor": "end" }),
    text(LEFT - 8, foot, String(height), { class: "tick", "text-anchor": "end" }),
    text(18, TOP + SIZE / 2, y, { class: "label", "text-anchor": "middle", transform: `rotate(-90 18 ${TOP + SIZE / 2})` }),
    legend(right + 14),
  );
};

/** `M3 5h4v1h-4z` for four cells of one shade beside each other. */
const runs = (cells: HeatMap["cells"], shade: number): string => {
  const parts: string[] = [];
  cells.forEach((row, i) => {
    let start = -1;
    for (let j = 0; j <= row.length; j++) {
      const value = row[j];
      const same = typeof value === "number" && shadeOf(value) === shade;
      if (same && start < 0) start = j;
      if (same || start < 0) continue;
      parts.push(`M${start} ${i}h${j - start}v1h${start - j}z`);
      start = -1;
    }
  });
  return parts.join("");
};

const legend = (x: number): string =>
  [...SHADES]
    .map((least, i) => {
      const top = TOP + (SHADES.length - 1 - i) * 18;
      return element("rect", { x, y: top, width: 12, height: 18, class: `h${i}` }) + (i === 0 ? "" : text(x + 17, top + 22, String(least), { class: "tick" }) + line(x, top + 18, x + 15, top + 18, { class: "notch" }));
    })
    .join("");
