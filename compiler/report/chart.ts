/** @file Line charts: axes with ticks, lines with marks and error bars, the name of every line at its end. */

import { element, line, picture, text, tooltip } from "./svg.ts";
import { scaleOf, tickLabel } from "./scale.ts";
import type { Scale, ScaleKind } from "./scale.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
  /** Ends of the error bar. */
  readonly low?: number;
  readonly high?: number;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  readonly dashed?: boolean;
  /** The number of another line whose colour it has; its own unless given. */
  readonly like?: number;
}

export interface Axis {
  readonly label: string;
  readonly scale: ScaleKind;
  /** The numbers to write beside it, instead of round ones. */
  readonly ticks?: readonly number[];
}

export interface Chart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

/** Wider where names are longer. */
const [LEAST_WIDTH, HEIGHT] = [640, 380];
/** Of a letter of a name, about. */
const LETTER = 6.2;
const FRAME = { left: 74, right: 480, top: 44, bottom: 330 } as const;
/** Classes s0 … s6 have colours; further lines begin again. */
const COLOURS = 7;
/** Lines of names at the right. */
const LEAD = 15;

export const lineChart = ({ title, x, y, series }: Chart): string => {
  const points = series.flatMap((each) => each.points);
  const across = withTicks(scaleOf(x.scale, points.map((point) => point.x), FRAME.left, FRAME.right), x);
  const extent = points.flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y]);
  const up = scaleOf(y.scale, extent, FRAME.bottom, FRAME.top);
  // Lines over the same few steps stand beside each other, so that their error bars can be told apart.
  const beside = (i: number): number => (x.scale === "steps" ? (i - (series.length - 1) / 2) * 6 : 0);
  const drawn = series.map((each, i) => ({ each, colour: `s${(each.like ?? i) % COLOURS}`, marks: marksOf(each, across, up, beside(i)) }));
  const longest = Math.max(0, ...series.map(({ name }) => name.length));
  return picture(
    Math.max(LEAST_WIDTH, Math.ceil(FRAME.right + 20 + LETTER * longest)),
    HEIGHT,
    title,
    text(FRAME.left, 22, title, { class: "title" }),
    grid(across, up),
    text((FRAME.left + FRAME.right) / 2, HEIGHT - 10, x.label, { class: "label", "text-anchor": "middle" }),
    text(16, (FRAME.top + FRAME.bottom) / 2, y.label, { class: "label", "text-anchor": "middle", transform: `rotate(-90 16 ${(FRAME.top + FRAME.bottom) / 2})` }),
    ...drawn.map(({ each, colour, marks }) => element("g", { class: colour }, drawLine(each, marks), ...marks.map((mark) => drawMark(each.name, mark)))),
    names(drawn.map(({ each, colour, marks }) => ({ name: each.name, colour, y: marks.at(-1)?.y ?? Number.NaN }))),
  );
};

const withTicks = (scale: Scale, { ticks }: Axis): Scale =>
  ticks === undefined ? scale : { ...scale, ticks: ticks.filter((value) => Number.isFinite(scale.at(value))).map((value) => ({ value, label: tickLabel(value) })) };

const grid = (across: Scale, up: Scale): string =>
  element(
    "g",
    { class: "grid" },
    ...up.ticks.flatMap(({ value, label }) => [line(FRAME.left, up.at(value), FRAME.right, up.at(value), {}), text(FRAME.left - 8, up.at(value) + 4, label, { class: "tick", "text-anchor": "end" })]),
    ...across.ticks.flatMap(({ value, label }) => [line(across.at(value), FRAME.bottom, across.at(value), FRAME.bottom + 5, {}), text(across.at(value), FRAME.bottom + 19, label, { class: "tick", "text-anchor": "middle" })]),
    line(FRAME.left, FRAME.bottom, FRAME.right, FRAME.bottom, { class: "axis" }),
  );

interface Mark {
  readonly point: Point;
  readonly x: number;
  readonly y: number;
  readonly bar: readonly [low: number, high: number] | null;
}

/** The points that have a place; an error bar that reaches below a logarithmic axis ends at its foot. */
const marksOf = ({ points }: Series, across: Scale, up: Scale, shift: number): readonly Mark[] =>
  points
    .map((point): Mark => {
      const low = point.low === undefined ? Number.NaN : up.at(point.low);
      const bar = point.high === undefined ? null : ([Number.isNaN(low) ? FRAME.bottom : low, up.at(point.high)] as const);
      return { point, x: across.at(point.x) + shift, y: up.at(point.y), bar };
    })
    .filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))
    .sort((a, b) => a.x - b.x);

const drawLine = ({ dashed }: Series, marks: readonly Mark[]): string => {
  const points = marks.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  return element("polyline", { points, class: dashed === true ? "line dashed" : "line" });
};

const drawMark = (name: string, { point, x, y, bar }: Mark): string => {
  const circle = element("circle", { cx: x, cy: y, r: 3.5 }, tooltip(`${name}: ${short(point.y)} at ${short(point.x)}`));
  if (bar === null) return circle;
  const caps = bar.map((end) => line(x - 3, end, x + 3, end, { class: "bar" })).join("");
  return line(x, bar[0], x, bar[1], { class: "bar" }) + caps + circle;
};

const short = (value: number): string => String(Number(value.toPrecision(3)));

interface Name {
  readonly name: string;
  readonly colour: string;
  readonly y: number;
}

/** Beside the last marks, moved apart where they would overlap; what they name is joined to them. */
const names = (all: readonly Name[]): string => {
  const order = all.filter(({ y }) => Number.isFinite(y)).sort((a, b) => a.y - b.y);
  const places: number[] = [];
  for (const { y } of order) places.push(Math.max(y, (places.at(-1) ?? Number.NEGATIVE_INFINITY) + LEAD));
  const beyond = Math.max(0, (places.at(-1) ?? 0) - (FRAME.bottom + 6));
  for (let i = places.length - 1, limit = Number.POSITIVE_INFINITY; i >= 0 && beyond > 0; i--) {
    const wanted = Math.min(places[i] as number, i === places.length - 1 ? FRAME.bottom + 6 : limit);
    places[i] = wanted;
    limit = wanted - LEAD;
  }
  return order
    .map(({ name, colour, y }, i) => {
      const place = places[i] as number;
      const join = line(FRAME.right + 3, y, FRAME.right + 14, place, { class: "join" });
      return element("g", { class: colour }, join, text(FRAME.right + 18, place + 4, name, { class: "name" }));
    })
    .join("");
};
