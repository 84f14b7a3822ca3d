/** @file The tables of an audit, for a terminal and for its page. */

import { table } from "../inspect/table.ts";
import type { Column } from "../inspect/table.ts";
import type { TitledTable } from "../report/page.ts";
import type { Estimate } from "./estimate.ts";
import type { NoiseReport } from "./gradient-noise.ts";
import type { HeadReport, SampledReport } from "./head-report.ts";
import type { AuditReport, LengthReport } from "./schema.ts";
import { ALL } from "./summary.ts";

const right = (...titles: readonly string[]): readonly Column[] => titles.map((title) => ({ title, align: "right" }));
const left = (...titles: readonly string[]): readonly Column[] => titles.map((title) => ({ title }));

/** Three significant digits, `-` for what is not known. */
export const digits = (value: number | null | undefined): string => {
  if (value === null || value === undefined || Number.isNaN(value)) return "-";
  const size = Math.abs(value);
  if (size === 0) return "0";
  return size >= 1e5 || size < 1e-4 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
};

export const percent = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;

export const withError = ({ value, error }: Estimate): string =>
  Number.isFinite(error) ? `${digits(value)} ± ${digits(Number(error.toPrecision(1)))}` : digits(value);

/** Those that have something to say. */
export const auditTables = (report: AuditReport): readonly TitledTable[] =>
  [headTable(report), varianceTable(report), lowrankTable(report), controlTable(report), keptTable(report), noiseTable(report), slopeTable(report), layerTable(report), biasTable(report)]
    .filter(({ rows }) => rows.length > 0);

export const printAudit = (report: AuditReport): string => {
  const tables = auditTables(report).map(({ title, columns, rows }) => `${title}\n\n${table(columns, rows)}`);
  const said = report.notes.map((note) => `note: ${note}\n`).join("");
  return [`${auditHeader(report).join("\n")}\n`, ...tables, ...(said === "" ? [] : [said])].join("\n");
};

/** What was audited, on what. */
export const auditHeader = ({ model, parameters, checkpoint, lengths, sequences, headSequences, heldOutBytes, backend, draws }: AuditReport): readonly string[] => {
  const losses = lengths.map(({ length, loss }) => `${digits(loss)} at length ${length}`).join(", ");
  return [
    `${model}: ${parameters.toLocaleString("en")} parameters, ${checkpoint === null ? "as they start" : `from ${checkpoint}`}, on ${backend}`,
    `${sequences} sequences of ${heldOutBytes === null ? "random tokens" : "held-out text"}, ${headSequences} of them for the heads; ${draws} draws each; mean loss ${losses}`,
  ];
};

const headsOf = ({ sites }: AuditReport): readonly { readonly label: readonly string[]; readonly head: HeadReport }[] =>
  sites.flatMap(({ site, heads }) => heads.map((head) => ({ label: [site, String(head.head)], head })));

const longest = ({ sites }: AuditReport): number => sites[0]?.queries ?? 0;

const sampledAt = ({ sampled }: HeadReport, c: number, degree: number | null): SampledReport | undefined =>
  sampled.find((point) => point.c === c && point.degree === degree);

const headTable = (report: AuditReport): TitledTable => {
  const columns = [...left("site"), ...right("head", "entropy", "score std", "max |s|", "centred", ...report.cs.map((c) => `kept c=${c}`))];
  const rows = headsOf(report).map(({ label, head }) => [
    ...label,
    ...[head.entropy, head.scoreStd, head.maxAbsoluteScore, head.maxCentredScore].map(digits),
    ...report.cs.map((c) => digits(sampledAt(head, c, null)?.kept)),
  ]);
  return { title: `attention weights and expected entries kept a row, length ${longest(report)}`, columns, rows };
};

const PARTS = ["dq", "dk", "dv"] as const;

const varianceTable = (report: AuditReport): TitledTable => {
  const columns = [...left("site"), ...right("head", ...report.cs.flatMap((c) => PARTS.map((part) => `${part} c=${c}`)))];
  const rows = headsOf(report).map(({ label, head }) => [
    ...label,
    ...report.cs.flatMap((c) => PARTS.map((part) => digits(sampledAt(head, c, null)?.variance[part]))),
  ]);
  return { title: `variance of sus relative to the squared gradient, closed form, length ${longest(report)}`, columns, rows };
};

const lowrankTable = (report: AuditReport): TitledTable => {
  const heads = headsOf(report);
  const degrees = report.degrees.filter((degree) => heads.some(({ head }) => head.lowrank.some((point) => point.degree === degree)));
  const surrogates = degrees.filter((degree) => degree > 0);
  const columns = [...left("site"), ...right("head", ...degrees.flatMap((degree) => PARTS.map((part) => `${part} g=${degree}`)), ...surrogates.map((degree) => `surr. dq g=${degree}`))];
  const point = (head: HeadReport, degree: number, form: string) => head.lowrank.find((each) => each.degree === degree && each.form === form);
  const rows = (degrees.length === 0 ? [] : heads).map(({ label, head }) => [
    ...label,
    ...degrees.flatMap((degree) => PARTS.map((part) => digits(point(head, degree, "plugin")?.errors[part]))),
    ...surrogates.map((degree) => digits(point(head, degree, "surrogate")?.errors.dq)),
  ]);
  return { title: `relative error of low-rank gradients (Taylor; plug-in, and dq of the surrogate), length ${longest(report)}`, columns, rows };
};

/** The variance with a control variate as a share of that without, over all heads. */
const controlTable = (report: AuditReport): TitledTable => {
  const heads = headsOf(report).map(({ head }) => head);
  const degrees = report.degrees.filter((degree) => heads.some((head) => head.sampled.some((point) => point.degree === degree)));
  const columns = [...left("hybrid"), ...right(...report.cs.flatMap((c) => [`c=${c}`, "rows"]))];
  const rows = degrees.map((degree) => [
    `degree ${degree}`,
    ...report.cs.flatMap((c) => {
      const increase = (of: number | null): number => heads.reduce((sum, head) => sum + (sampledAt(head, c, of)?.increase ?? 0), 0);
      const gated = heads.reduce((sum, head) => sum + (sampledAt(head, c, degree)?.gated ?? 0), 0) / heads.length;
      return [digits(increase(degree) / increase(null)), percent(gated)];
    }),
  ]);
  return { title: "variance with a control variate relative to sus, and rows that use it, over all heads", columns, rows };
};

const keptTable = ({ lengths }: AuditReport): TitledTable => {
  const columns = right("length", "c", "kept a row", "of n²", "of the mask");
  const rows = lengths.flatMap(({ length, kept }) =>
    kept.map(({ c, keptPerRow, keptOfSquare, keptOfMask }) => [String(length), String(c), digits(keptPerRow), percent(keptOfSquare), percent(keptOfMask)]),
  );
  return { title: "expected entries kept, mean over heads", columns, rows };
};

const each = (lengths: readonly LengthReport[], row: (policy: string, group: NoiseReport, groups: readonly NoiseReport[]) => readonly string[]): string[][] =>
  lengths.flatMap(({ length, approximations }) =>
    approximations.flatMap(({ policy, groups }) => {
      const all = groups.find(({ group }) => group === ALL);
      return all === undefined ? [] : [[String(length), policy, ...row(policy, all, groups)]];
    }),
  );

const noiseTable = ({ lengths }: AuditReport): TitledTable => {
  const rows = each(lengths, (_, all) => [
    all.rho === null ? "-" : withError(all.rho),
    digits(all.maskVariance),
    digits(all.batchVariance),
    withError(all.relativeError),
  ]);
  const columns = [...right("length"), ...left("gradient"), ...right("ρ", "Var mask", "Var batch", "relative error")];
  return { title: "the whole gradient: ρ = E[Var(approximate | batch)] / Var(exact), ± jackknife error; error of one draw of one sequence", columns, rows };
};

const slopeTable = ({ lengths }: AuditReport): TitledTable => ({
  title: "how ρ falls with c: the slope of ln ρ against ln c, all parameters",
  columns: right("length", "slope"),
  rows: lengths.flatMap(({ length, slope }) => (slope === null ? [] : [[String(length), digits(slope)]])),
});

const layerTable = ({ lengths }: AuditReport): TitledTable => {
  const names = lengths[0]?.approximations[0]?.groups.map(({ group }) => group).filter((group) => group !== ALL) ?? [];
  const rows = each(names.length === 0 ? [] : lengths, (_, __, groups) =>
    names.map((name) => {
      const group = groups.find((candidate) => candidate.group === name);
      return group === undefined ? "-" : group.rho === null ? `${digits(group.relativeError.value)} (error)` : withError(group.rho);
    }),
  );
  const columns = [...right("length"), ...left("gradient"), ...right(...names)];
  return { title: "the parameters of each layer with attention: ρ, or the relative error where nothing is drawn", columns, rows };
};

const biasTable = ({ lengths }: AuditReport): TitledTable => {
  const rows = each(lengths, (_, all) => {
    const { squaredBias: bias, z } = all;
    return [withError(bias), digits(bias.value / bias.error), ...(z === null ? ["-", "-", "-", "-"] : [digits(z.meanAbsolute), digits(z.expected), digits(z.largest), z.elements.toLocaleString("en")])];
  });
  const columns = [...right("length"), ...left("gradient"), ...right("bias²", "its z", "mean |z|", "expected", "largest", "elements")];
  return { title: "bias: squared, relative to the squared gradient, over sequences; z of single elements on the first sequence", columns, rows };
};
