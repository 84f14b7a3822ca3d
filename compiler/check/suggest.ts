/** @file "Did you mean": the known name nearest to an unknown one. */

/** Edits (insert, delete, replace, swap neighbours) from `a` to `b`. */
const distance = (a: string, b: string): number => {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (before[j - 2] ?? 0) + 1);
      row.push(best);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
};

/** The candidate a reader would call a misspelling of `name`, or undefined. Case alone counts as half an edit,
 *  a beginning (`caus`) as one. */
export const nearest = (name: string, candidates: Iterable<string>): string | undefined => {
  const limit = name.length <= 2 ? 0.5 : name.length <= 3 ? 1 : Math.max(2, Math.floor(name.length / 3));
  let best: string | undefined;
  let least = limit + 0.25;
  for (const candidate of candidates) {
    const folded = candidate.toLowerCase() === name.toLowerCase();
    const begun = name.length >= 3 && candidate.startsWith(name);
    if (Math.abs(candidate.length - name.length) > limit && !begun) continue;
    const edits = folded ? 0.5 : begun ? 1 : distance(name, candidate);
    if (edits < least) [best, least] = [candidate, edits];
  }
  return best;
};

/** A hint for `report`, absent where nothing is near. */
export const didYouMean = (name: string, candidates: Iterable<string>): { readonly hint?: string } => {
  const guess = nearest(name, candidates);
  return guess === undefined ? {} : { hint: `did you mean \`${guess}\`?` };
};
