/** @file Names the places where attention is computed: the path of the layer, with `#0`, `#1`, … where it has several. */

import { nextSite } from "../../ir/site-pattern.ts";
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
  const taken = new Set(names.values());
  // A softmax is named as `recognize-attention` would name its attention: after those of its layer that are written as such.
  const candidates = nodes.flatMap((node): Site[] => {
    const own = names.get(node);
    if (own === undefined && node.form.kind !== "softmax") return [];
    const name = own ?? nextSite(taken, node.path || model);
    taken.add(name);
    return [{ name, path: node.path, span: node.span }];
  });
  return { names, candidates };
};
