/** @file One page that needs nothing else: what is around its body, and tables in it. */

import type { Column } from "../inspect/table.ts";
import { STYLE } from "./style.ts";
import { element, escape } from "./svg.ts";

export interface TitledTable {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
}

export const htmlPage = (title: string, body: readonly string[]): string =>
  [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8"/>',
    '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
    element("title", {}, escape(title)),
    element("style", {}, STYLE),
    "</head>",
    "<body>",
    ...body,
    "</body>",
    "</html>",
    "",
  ].join("\n");

/** A heading and the table below it. */
export const htmlSection = ({ title, ...rest }: TitledTable): readonly string[] => [element("h2", {}, escape(sentence(title))), element("div", { class: "scroll" }, htmlTable(rest))];

/** The numbers of the page, for programs. */
export const htmlData = (id: string, data: unknown): string => element("script", { type: "application/json", id }, JSON.stringify(data).replaceAll("<", "\\u003c"));

const sentence = (title: string): string => title.charAt(0).toUpperCase() + title.slice(1);

const htmlTable = ({ columns, rows }: Omit<TitledTable, "title">): string => {
  const cell = (name: string) => (content: string, i: number): string => element(name, columns[i]?.align === "right" ? { class: "r" } : {}, escape(content));
  const row = (name: string, cells: readonly string[]): string => element("tr", {}, ...cells.map(cell(name)));
  return element("table", {}, element("thead", {}, row("th", columns.map(({ title }) => title))), element("tbody", {}, ...rows.map((cells) => row("td", cells))));
};
