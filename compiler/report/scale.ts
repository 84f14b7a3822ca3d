/** @file Axes: from numbers to positions, and which numbers to write beside them. */

export interface Scale {
  /** Position of a value, NaN where it has none. */
  readonly at: (value: number) => number;
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
}

export type ScaleKind = "log" | "linear" | "steps";

/** @param values what has to fit; for `log` those above 0, for `steps` the only values there are, evenly spaced.
 *  @param from, to positions of the ends. */
export const scaleOf = (kind: ScaleKind, values: readonly number[], from: number, to: number): Scale => {
  if (kind === "steps") return stepScale(values, from, to);
  const fitting = values.filter((value) => Number.isFinite(value) && (kind === "linear" || value > 0));
  if (fitting.length === 0) return { at: () => Number.NaN, ticks: [] };
  return kind === "log" ? logScale(fitting, from, to) : linearScale(fitting, from, to);
};

const stepScale = (values: readonly number[], from: number, to: number): Scale => {
  const steps = [...new Set(values)].sort((a, b) => a - b);
  const at = (value: number): number => from + ((steps.indexOf(value) + 0.5) / steps.length) * (to - from);
  return { at: (value) => (steps.includes(value) ? at(value) : Number.NaN), ticks: steps.map((value) => ({ value, label: tickLabel(value) })) };
};

/** Some room beyond the data, so that no mark lies on the frame. */
const ROOM = 0.04;

const logScale = (values: readonly number[], from: number, to: number): Scale => {
  let [low, high] = [Math.log10(Math.min(...values)), Math.log10(Math.max(...values))];
  if (high - low < 0.3) [low, high] = [low - 0.2, high + 0.2];
  const room = ROOM * (high - low);
  [low, high] = [low - room, high + room];
  const at = (value: number): number => (value > 0 ? from + ((Math.log10(value) - low) / (high - low)) * (to - from) : Number.NaN);
  const within = (value: number): boolean => Math.log10(value) >= low && Math.log10(value) <= high;
  const decades = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, i) => Math.floor(low) + i);
  const every = Math.max(1, Math.ceil((high - low) / 8));
  const steps = high - low < 1.2 ? [1, 2, 3, 5, 7] : high - low < 3 ? [1, 2, 5] : [1];
  const ticks = decades.filter((decade) => decade % every === 0).flatMap((decade) => steps.map((step) => step * 10 ** decade));
  return { at, ticks: ticks.filter(within).map((value) => ({ value, label: tickLabel(value) })) };
};

const linearScale = (values: readonly number[], from: number, to: number): Scale => {
  const [low, high] = [Math.min(0, ...values), Math.max(...values)];
  const top = high === low ? low + 1 : high;
  const raw = (top - low) / 5;
  const magnitude = 10 ** Math.floor(Math.log10(raw));
  const step = magnitude * ([1, 2, 5, 10].find((factor) => factor * magnitude >= raw) ?? 10);
  const count = Math.floor(top / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1;
  const ticks = Array.from({ length: count }, (_, i) => (Math.ceil(low / step - 1e-9) + i) * step);
  return { at: (value) => from + ((value - low) / (top - low)) * (to - from), ticks: ticks.map((value) => ({ value, label: tickLabel(value) })) };
};

const SUPERSCRIPT: Readonly<Record<string, string>> = { "-": "⁻", "0": "⁰", "1": "¹", "2": "²", "3": "³", "4": "⁴", "5": "⁵", "6": "⁶", "7": "⁷", "8": "⁸", "9": "⁹" };

const LETTERS: readonly (readonly [number, string])[] = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];

/** 0.05, 64, 2048, 200k, 10⁻⁶, 2·10¹². */
export const tickLabel = (value: number): string => {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e12 || size < 1e-3) {
    const exponent = Math.floor(Math.log10(size) + 1e-9);
    const lead = Number((value / 10 ** exponent).toPrecision(2));
    const power = `10${[...String(exponent)].map((digit) => SUPERSCRIPT[digit] ?? digit).join("")}`;
    return lead === 1 ? power : `${lead}·${power}`;
  }
  if (Number.isInteger(value) && size < 1e5) return String(value);
  const [unit, letter] = LETTERS.find(([least]) => size >= least && size >= 10_000) ?? [1, ""];
  return `${Number((value / unit).toPrecision(3))}${letter}`;
};
