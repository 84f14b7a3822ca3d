/** @file One logical line (a declaration's head, a statement, a backward rule) as a document: brackets are groups that may be
 *  broken one item a line; an expression may be broken behind its loosest operators. */

import { BINDING } from "../syntax/build-expr.ts";
import { group, ifBroken, indent, line, softline, suffix } from "./doc.ts";
import type { Doc } from "./doc.ts";
import { callable, gap } from "./pieces.ts";
import type { Comment, Piece } from "./pieces.ts";

type Node = Piece | Bracket;

interface Bracket {
  readonly open: Piece;
  readonly close: Piece;
  readonly items: readonly Item[];
  /** `(x)`, `(a, b)` as a value: its commas mean something and stay as they are. */
  readonly value: boolean;
}

interface Item {
  readonly nodes: readonly Node[];
  readonly comma: Piece | null;
}

const isBracket = (node: Node): node is Bracket => "open" in node;

const firstPiece = (node: Node): Piece => (isBracket(node) ? node.open : node);
const lastPiece = (node: Node): Piece => (isBracket(node) ? node.close : node);

/** Comments inside a line that have no place of their own in the layout; the caller writes them above the line. */
export interface LineDoc {
  readonly doc: Doc;
  readonly hoisted: readonly Comment[];
}

/** The document of `pieces`; the comments before the first and behind the last are the caller's. */
export const lineDoc = (pieces: readonly Piece[]): LineDoc => {
  const placed = new Set<Piece>();
  const nodes = bracketed(pieces, placed);
  const hoisted = pieces.flatMap((piece, i): readonly Comment[] => {
    const leading = i === 0 || placed.has(piece) ? [] : piece.leading;
    const lost = piece.trailing !== null && i + 1 < pieces.length && !keepsTrailing(pieces, i);
    return [...leading, ...(lost && piece.trailing !== null ? [{ text: piece.trailing, blankBefore: false }] : [])];
  });
  return { doc: sequence(nodes, false, pieces), hoisted };
};

/** A trailing comment stays where a broken bracket ends a line: behind its opening, a comma, or its last item. */
const keepsTrailing = (pieces: readonly Piece[], i: number): boolean => {
  const text = pieces[i]?.text ?? "";
  const next = pieces[i + 1]?.text ?? "";
  const depth = pieces.slice(0, i + 1).reduce((d, p) => d + (OPENS.has(p.text) ? 1 : CLOSES.has(p.text) ? -1 : 0), 0);
  return depth > 0 && (OPENS.has(text) || text === "," || CLOSES.has(next)) && next !== ",";
};

const OPENS = new Set(["(", "["]);
const CLOSES = new Set([")", "]"]);

/** Brackets become nodes. `placed` collects the pieces whose leading comments the layout can show: beginnings of items. */
const bracketed = (pieces: readonly Piece[], placed: Set<Piece>): readonly Node[] => {
  interface Open {
    readonly open: Piece | null;
    readonly value: boolean;
    readonly items: Item[];
    nodes: Node[];
  }
  const stack: Open[] = [{ open: null, value: false, items: [], nodes: [] }];
  pieces.forEach((piece, i) => {
    const top = stack.at(-1);
    if (top === undefined) return;
    if (top.open !== null && top.nodes.length === 0) placed.add(piece);
    if (OPENS.has(piece.text)) stack.push({ open: piece, value: piece.text === "(" && !callable(pieces[i - 1]), items: [], nodes: [] });
    else if (CLOSES.has(piece.text) && top.open !== null) {
      placed.add(piece);
      if (top.nodes.length > 0) top.items.push({ nodes: top.nodes, comma: null });
      stack.pop();
      stack.at(-1)?.nodes.push({ open: top.open, close: piece, items: top.items, value: top.value });
    } else if (piece.text === "," && top.open !== null) {
      top.items.push({ nodes: top.nodes, comma: piece });
      top.nodes = [];
    } else top.nodes.push(piece);
  });
  return stack[0]?.nodes ?? [];
};

/** How loosely an operator binds, or null for a piece that is none (a sign, a site's `*`). */
const binding = (node: Node | undefined, before: Node | undefined): number | null => {
  if (node === undefined || isBracket(node) || before === undefined) return null;
  if (node.text === "-" && !callable(lastPiece(before))) return null;
  if (lastPiece(before).text === ".") return null;
  return node.text in BINDING && node.text !== "not" ? BINDING[node.text as keyof typeof BINDING] : null;
};

const sequence = (nodes: readonly Node[], square: boolean, pieces: readonly Piece[]): Doc => {
  const bindings = nodes.map((node, i) => binding(node, nodes[i - 1]));
  const loosest = Math.min(...bindings.filter((b) => b !== null));
  const docs: Doc[] = [];
  const rest: Doc[] = [];
  nodes.forEach((node, i) => {
    const target = rest.length > 0 ? rest : docs;
    const previous = nodes[i - 1];
    if (previous !== undefined) {
      const left = lastPiece(previous);
      const before = pieces[pieces.indexOf(left) - 1];
      if (i > 0 && bindings[i - 1] === loosest) rest.push(line);
      else target.push(gap(before, left, firstPiece(node), square));
    }
    (rest.length > 0 ? rest : docs).push(isBracket(node) ? bracketDoc(node, pieces) : node.text);
  });
  return rest.length === 0 ? docs : group([...docs, indent(rest)]);
};

const bracketDoc = ({ open, close, items, value }: Bracket, pieces: readonly Piece[]): Doc => {
  if (items.length === 0 && close.leading.length === 0 && open.trailing === null) return [open.text, close.text];
  const inside: Doc[] = [];
  if (open.trailing !== null) inside.push(suffix(open.trailing));
  items.forEach((item, i) => {
    inside.push(i === 0 ? softline : line, ...leadingDocs(item.nodes[0]), sequence(item.nodes, open.text === "[", pieces));
    const last = i + 1 === items.length;
    const ending = item.nodes.at(-1);
    // One item in parentheses with a comma is a tuple of one, so a value's commas are never added or dropped.
    inside.push(value ? (item.comma?.text ?? "") : last ? ifBroken(",") : ",");
    const beforeComma = ending === undefined || !last || item.comma !== null ? null : lastPiece(ending).trailing;
    for (const text of [beforeComma, item.comma?.trailing ?? null]) if (text !== null) inside.push(suffix(text));
  });
  close.leading.forEach((comment, i) => inside.push(items.length === 0 && i === 0 ? softline : line, comment.text, suffix("")));
  return group([open.text, indent(inside), softline, close.text]);
};

/** Comments of their own lines before an item: each ends its line. */
const leadingDocs = (node: Node | undefined): readonly Doc[] =>
  node === undefined ? [] : firstPiece(node).leading.flatMap((comment) => [comment.text, suffix(""), line]);
