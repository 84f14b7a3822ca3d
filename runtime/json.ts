/** @file What `JSON.parse` keeps silent about: a key that an object has twice. */

/** The first key that occurs twice in one object, or null. `text` must be valid JSON. */
export function duplicateKey(text: string): string | null {
  const open: (Set<string> | null)[] = [];
  const tokens = /"([^"\\]*(?:\\.[^"\\]*)*)"\s*(:?)|[{}[\]]/g;
  for (let match = tokens.exec(text); match !== null; match = tokens.exec(text)) {
    const token = match[0];
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(null);
    else if (token === "}" || token === "]") open.pop();
    else if (match[2] === ":") {
      const key = JSON.parse(`"${match[1]}"`) as string;
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return null;
}
