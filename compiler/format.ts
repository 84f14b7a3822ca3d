/** @file `subquad fmt`: the one layout of a `.sq` file. Only white space and the commas at the ends of lists change, so the
 *  formatted text means what it meant; every comment is kept. Formatting twice changes nothing. */

import type { Diagnostic } from "../ir/diagnostic.ts";
import { layout } from "./format/doc.ts";
import { lineDoc } from "./format/line.ts";
import type { Comment, Piece } from "./format/pieces.ts";
import { piecesOf } from "./format/pieces.ts";
import type { Block, Expr, SourceFile, Statement } from "./syntax/ast.ts";
import { parse } from "./syntax/parse.ts";

export const FORMAT_WIDTH = 110;

export interface Formatted {
  /** The text as given where there are syntax errors. */
  readonly text: string;
  readonly diagnostics: readonly Diagnostic[];
}

export const format = (text: string, file: string): Formatted => {
  const { ast, diagnostics, tokens, comments } = parse(text, file);
  if (diagnostics.length > 0) return { text, diagnostics };
  const { pieces, tail } = piecesOf(tokens, comments);
  const rows = rowsOf(pieces, outlineOf(ast, pieces));
  const lines = aligned([...rows.flatMap(written), ...commentLines(tail, 0)]);
  return { text: `${lines.join("\n")}\n`.replace(/^\n+/, ""), diagnostics };
};

/** Where lines begin and which braces hold blocks, by offset. */
interface Outline {
  readonly declarations: ReadonlySet<number>;
  readonly starts: ReadonlySet<number>;
  readonly braces: ReadonlySet<number>;
  /** Offset of `{` to the offset behind its `}`, for blocks that are written on one line and may stay so. */
  readonly inline: ReadonlyMap<number, number>;
}

const outlineOf = (ast: SourceFile, pieces: readonly Piece[]): Outline => {
  const starts = new Set(ast.declarations.map((declaration) => declaration.span.start));
  const braces = new Set<number>();
  const inline = new Map<number, number>();
  const at = new Map(pieces.map((piece, i) => [piece.token.startOffset, i]));
  const visit = (block: Block | Expr): void => {
    if (block.kind !== "block") return;
    braces.add(block.span.start);
    if (mayBeInline(block, pieces, at)) return void inline.set(block.span.start, block.span.end);
    for (const statement of block.statements) {
      starts.add(statement.span.start);
      if (statement.kind === "repeat") visit(statement.body);
    }
  };
  for (const declaration of ast.declarations) {
    if (declaration.kind === "backward") {
      for (const rule of declaration.rules) starts.add(rule.span.start);
      const open = pieces[(at.get(declaration.span.start) ?? 0) + 1];
      if (open !== undefined) braces.add(open.token.startOffset);
    } else if ("body" in declaration) visit(declaration.body);
  }
  return { declarations: new Set(ast.declarations.map((d) => d.span.start)), starts, braces, inline };
};

const oneLine = (statement: Statement): boolean => statement.kind !== "repeat" || statement.body.statements.length <= 1;

/** A block of at most one statement stays on its line if it was written there, has no comment inside, and fits. */
const mayBeInline = (block: Block, pieces: readonly Piece[], at: ReadonlyMap<number, number>): boolean => {
  const first = at.get(block.span.start) ?? 0;
  const inside = pieces.slice(first).filter((piece) => piece.token.startOffset < block.span.end);
  const [open, close] = [inside[0], inside.at(-1)];
  if (open === undefined || close === undefined || block.statements.length > 1 || !block.statements.every(oneLine)) return false;
  if (open.token.startLine !== close.token.startLine) return false;
  if (inside.some((piece, i) => (i > 0 && piece.leading.length > 0) || (piece !== close && piece.trailing !== null))) return false;
  let head = first;
  while (head > 0 && pieces[head - 1]?.token.endLine === open.token.startLine) head--;
  return pieces.slice(head, first + inside.length).reduce((width, piece) => width + piece.text.length + 1, 0) <= FORMAT_WIDTH;
};

/** One logical line: its pieces, how deep it stands, whether a blank line stands before it. */
interface Row {
  readonly pieces: Piece[];
  readonly depth: number;
  readonly blank: boolean;
  readonly opensDeclaration: boolean;
}

const rowsOf = (pieces: readonly Piece[], outline: Outline): readonly Row[] => {
  const rows: Row[] = [];
  let depth = 0;
  let inlineEnd = -1;
  let fresh = true;
  for (const piece of pieces) {
    const at = piece.token.startOffset;
    const brace = outline.braces.has(at);
    const inside = at < inlineEnd;
    const closes = piece.text === "}" && !inside && depth > 0;
    if (closes) depth--;
    if (fresh || closes || (!inside && outline.starts.has(at))) {
      const afterOpening = rows.at(-1)?.pieces.at(-1)?.text === "{";
      const blank = (piece.leading[0]?.blankBefore ?? piece.blankBefore) && !afterOpening && !(closes && piece.leading.length === 0);
      rows.push({ pieces: [], depth, blank, opensDeclaration: outline.declarations.has(at) });
    }
    rows.at(-1)?.pieces.push(piece);
    fresh = false;
    if (!brace) continue;
    const end = outline.inline.get(at);
    if (end !== undefined) inlineEnd = end;
    else {
      depth++;
      fresh = true;
    }
  }
  return rows.map((row, i) => (separated(rows, i) ? { ...row, blank: true } : row));
};

/** A declaration with a body of several lines stands apart from its neighbours. */
const separated = (rows: readonly Row[], i: number): boolean => {
  const row = rows[i];
  if (row === undefined || i === 0 || !row.opensDeclaration) return false;
  return rows[i - 1]?.pieces[0]?.text === "}" || row.pieces.at(-1)?.text === "{";
};

/** A line of output; `comment` is aligned with those of the lines around it. */
interface Line {
  readonly text: string;
  readonly comment: string | null;
}

const blankLine: Line = { text: "", comment: null };

const commentLines = (comments: readonly Comment[], depth: number): readonly Line[] =>
  comments.flatMap((comment) => [...(comment.blankBefore ? [blankLine] : []), { text: `${" ".repeat(2 * depth)}${comment.text}`, comment: null }]);

const written = (row: Row): readonly Line[] => {
  const [first] = row.pieces;
  const last = row.pieces.at(-1);
  if (first === undefined || last === undefined) return [];
  const { doc, hoisted } = lineDoc(row.pieces);
  const inner = first.text === "}" ? row.depth + 1 : row.depth;
  const leading = first.leading.map((comment, i) => (i === 0 ? { ...comment, blankBefore: false } : comment));
  const blankInside = first.leading.length > 0 && first.blankBefore && first.text !== "}";
  const lines = layout(doc, 2 * row.depth, FORMAT_WIDTH);
  return [
    ...(row.blank ? [blankLine] : []),
    ...commentLines(leading, inner),
    ...(blankInside ? [blankLine] : []),
    ...commentLines(hoisted.map((comment) => ({ ...comment, blankBefore: false })), row.depth),
    ...lines.map((text, i) => ({ text, comment: i + 1 === lines.length ? last.trailing : null })),
  ];
};

/** Comments at the ends of neighbouring lines begin in one column, unless that makes a line too long. */
const aligned = (lines: readonly Line[]): readonly string[] => {
  const out: string[] = [];
  for (let i = 0; i < lines.length; ) {
    let end = i;
    while (end < lines.length && lines[end]?.comment !== null) end++;
    const run = lines.slice(i, end);
    const column = Math.max(0, ...run.map((l) => l.text.length)) + 2;
    const fits = run.every((l) => column + (l.comment ?? "").length <= FORMAT_WIDTH);
    for (const l of run) out.push(`${fits ? l.text.padEnd(column) : `${l.text}  `}${l.comment ?? ""}`);
    const next = lines[end];
    if (next !== undefined) out.push(next.text);
    i = end + 1;
  }
  return out;
};
