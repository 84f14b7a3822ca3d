/** @file Plain text tables: columns padded to their widest cell, numbers to the right. */

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

export const table = (columns: readonly Column[], rows: readonly (readonly string[])[]): string => {
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, i) => {
        const cell = cells[i] ?? "";
        return align === "right" ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0);
      })
      .join("  ")
      .trimEnd();
  return `${[line(columns.map(({ title }) => title)), ...rows.map(line)].join("\n")}\n`;
};

const PREFIXES = ["", "k", "M", "G", "T", "P"] as const;

/** 1234567 as `1.23 M`: three significant digits, powers of 1000. */
export const short = (value: number): string => {
  const power = value === 0 ? 0 : Math.min(PREFIXES.length - 1, Math.max(0, Math.floor(Math.log10(Math.abs(value)) / 3)));
  const scaled = value / 1000 ** power;
  const digits = Number.isInteger(value) && power === 0 ? String(value) : scaled.toPrecision(3);
  return `${digits} ${PREFIXES[power]}`.trimEnd();
};

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** 1536 as `1.5 KiB`. */
export const bytes = (value: number): string => {
  const power = value === 0 ? 0 : Math.min(BINARY.length - 1, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** power;
  return `${Number.isInteger(scaled) ? scaled : scaled.toFixed(1)} ${BINARY[power]}`;
};
