/** @file Names the places where attention is computed: the path of the layer, with `#0`, `#1`, … where it has several. */

import type { Node, Site } from "./program.ts";

export interface Sites {
  /** The name of every attention node. */
  readonly names: ReadonlyMap<Node, string>;
  /** What a pattern of `backward { }` may name: attention, and softmaxes that may be recognised as attention. */
  readonly candidates: readonly Site[];
}

const numbered = (nodes: readonly Node[], model: string): ReadonlyMap<Node, string> => {
  const totals = new Map<string, number>();
  for (const { path } of nodes) totals.set(path, (totals.get(path) ?? 0) + 1);
  const seen = new Map<string, number>();
  return new Map(
    nodes.map((node): [Node, string] => {
      const { path } = node;
      const name = path === "" ? model : path;
      const index = seen.get(path) ?? 0;
      seen.set(path, index + 1);
      return [node, (totals.get(path) ?? 0) > 1 ? `${name}#${index}` : name];
    }),
  );
};

export const sitesOf = (nodes: readonly Node[], model: string): Sites => {
  const names = numbered(nodes.filter((node) => node.form.kind === "attention"), model);
  const candidates = nodes.flatMap((node): Site[] => {
    const name = names.get(node) ?? (node.form.kind === "softmax" ? node.path || model : undefined);
    return name === undefined ? [] : [{ name, path: node.path, span: node.span }];
  });
  return { names, candidates: candidates.filter((site, i) => candidates.findIndex((other) => other.name === site.name) === i) };
};
