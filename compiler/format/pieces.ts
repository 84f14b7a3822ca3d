/** @file The tokens of a file as the formatter sees them: each with the comments around it and the blank line before it. */

import type { IToken } from "chevrotain";

export interface Comment {
  readonly text: string;
  readonly blankBefore: boolean;
}

export interface Piece {
  readonly token: IToken;
  readonly text: string;
  /** Comments on lines of their own before this token. */
  readonly leading: readonly Comment[];
  /** The comment that follows on the same line. */
  readonly trailing: string | null;
  readonly blankBefore: boolean;
}

export interface Pieces {
  readonly pieces: readonly Piece[];
  /** Comments after the last token. */
  readonly tail: readonly Comment[];
}

export const piecesOf = (tokens: readonly IToken[], comments: readonly IToken[]): Pieces => {
  const pieces: Piece[] = [];
  let waiting: Comment[] = [];
  let lastLine = 0;
  const all = [...tokens.map((token) => ({ token, comment: false })), ...comments.map((token) => ({ token, comment: true }))];
  all.sort((a, b) => a.token.startOffset - b.token.startOffset);
  for (const { token, comment } of all) {
    const blankBefore = lastLine > 0 && (token.startLine ?? 0) > lastLine + 1;
    const previous = pieces.at(-1);
    const sameLine = previous !== undefined && waiting.length === 0 && previous.trailing === null && token.startLine === lastLine;
    if (!comment) {
      pieces.push({ token, text: token.image, leading: waiting, trailing: null, blankBefore });
      waiting = [];
    } else if (sameLine) pieces[pieces.length - 1] = { ...previous, trailing: token.image.trimEnd() };
    else waiting.push({ text: token.image.trimEnd(), blankBefore });
    lastLine = token.endLine ?? lastLine;
  }
  return { pieces, tail: waiting };
};

const OPEN = new Set(["(", "["]);
const TIGHT_BEFORE = new Set([")", "]", ",", ":", "."]);
/** After these, `-` is a sign and `(` or `[` opens a value, not a call or an index. */
const CALLABLE = /^(?:Name|From|Number|String|RightParen|RightBracket|Word_true|Word_false|Word_loss)$/;

export const callable = (piece: Piece | undefined): boolean => piece !== undefined && CALLABLE.test(piece.token.tokenType.name);

/** The blank between two neighbours on one line. `slice`: the colon of `x[a:b]` stands directly inside square brackets. */
export const gap = (before: Piece | undefined, left: Piece, right: Piece, slice: boolean): "" | " " => {
  if (OPEN.has(left.text) || left.text === "." || TIGHT_BEFORE.has(right.text) || right.text.startsWith("#")) return slice && left.text === "," ? " " : "";
  if (left.text === ":" && slice) return "";
  if (left.text === "-" && !callable(before)) return "";
  if (OPEN.has(right.text) && callable(left)) return "";
  return " ";
};
