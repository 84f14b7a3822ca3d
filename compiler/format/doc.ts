/** @file A small pretty printer: documents with places where a line may break, and the layout that breaks as few of them as
 *  the width allows (Wadler, "A prettier printer", 2003; groups are broken from the outside in). */

export type Doc =
  | string
  | readonly Doc[]
  /** A blank (or nothing) if the group stays on one line, a line end otherwise. */
  | { readonly kind: "line"; readonly flat: string }
  | { readonly kind: "group"; readonly body: Doc; readonly broken: boolean }
  | { readonly kind: "indent"; readonly body: Doc }
  /** Written only where the group around is broken. */
  | { readonly kind: "if-broken"; readonly text: string }
  /** A comment at the end of the line it falls on; the group around must be broken. */
  | { readonly kind: "suffix"; readonly text: string };

export const line: Doc = { kind: "line", flat: " " };
export const softline: Doc = { kind: "line", flat: "" };
export const indent = (body: Doc): Doc => ({ kind: "indent", body });
export const ifBroken = (text: string): Doc => ({ kind: "if-broken", text });
export const suffix = (text: string): Doc => ({ kind: "suffix", text });
export const group = (body: Doc): Doc => ({ kind: "group", body, broken: mustBreak(body) });

const isList = (doc: Doc): doc is readonly Doc[] => Array.isArray(doc);

const mustBreak = (doc: Doc): boolean => {
  if (typeof doc === "string") return false;
  if (isList(doc)) return doc.some(mustBreak);
  if (doc.kind === "group") return doc.broken;
  if (doc.kind === "indent") return mustBreak(doc.body);
  return doc.kind === "suffix";
};

interface Frame {
  readonly doc: Doc;
  readonly indent: number;
  readonly broken: boolean;
}

const STEP = 2;

/** Lines of `doc`, the first of them indented by `start` cells too. */
export const layout = (doc: Doc, start: number, width: number): readonly string[] => {
  const lines: string[] = [];
  let current = " ".repeat(start);
  let comment = "";
  const stack: Frame[] = [{ doc, indent: start, broken: true }];
  for (let frame = stack.pop(); frame !== undefined; frame = stack.pop()) {
    const { doc: piece, indent: depth, broken } = frame;
    if (typeof piece === "string") current += piece;
    else if (isList(piece)) for (let i = piece.length - 1; i >= 0; i--) stack.push({ doc: piece[i] ?? "", indent: depth, broken });
    else if (piece.kind === "indent") stack.push({ doc: piece.body, indent: depth + STEP, broken });
    else if (piece.kind === "group") {
      const flat = !piece.broken && fits([...stack, { doc: piece.body, indent: depth, broken: false }], width - current.length);
      stack.push({ doc: piece.body, indent: depth, broken: !flat });
    } else if (piece.kind === "suffix") comment += `  ${piece.text}`;
    else if (piece.kind === "if-broken") current += broken ? piece.text : "";
    else if (!broken) current += piece.flat;
    else {
      lines.push(`${current}${comment}`.trimEnd());
      [current, comment] = [" ".repeat(depth), ""];
    }
  }
  return [...lines, `${current}${comment}`.trimEnd()];
};

/** Does what follows, up to the next line end, take at most `room` cells? The last frame comes first. Groups behind the
 *  one in question may still be broken, so they are taken to end the line where they can. */
const fits = (frames: Frame[], room: number): boolean => {
  let left = room;
  for (let frame = frames.pop(); frame !== undefined && left >= 0; frame = frames.pop()) {
    const { doc, broken } = frame;
    if (typeof doc === "string") left -= doc.length;
    else if (isList(doc)) for (let i = doc.length - 1; i >= 0; i--) frames.push({ ...frame, doc: doc[i] ?? "" });
    else if (doc.kind === "indent") frames.push({ ...frame, doc: doc.body });
    else if (doc.kind === "group") frames.push({ ...frame, doc: doc.body, broken: doc.broken || broken });
    else if (doc.kind === "if-broken") left -= broken ? doc.text.length : 0;
    else if (doc.kind === "line") {
      if (broken) return true;
      left -= doc.flat.length;
    }
  }
  return left >= 0;
};
