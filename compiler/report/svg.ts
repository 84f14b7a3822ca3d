/** @file SVG and HTML as text. Colours are classes, so that one picture serves light and dark (style.ts). */

export type Attributes = Readonly<Record<string, string | number>>;

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Text for the inside of an element or attribute. */
export const escape = (text: string): string => text.replace(/[&<>"]/g, (character) => ESCAPES[character] ?? character);

/** A coordinate: a tenth of a pixel is enough. */
const attribute = (value: string | number): string => (typeof value === "number" ? String(Math.round(value * 10) / 10) : escape(value));

/** `<name a="b">children</name>`; children are markup already. */
export const element = (name: string, attributes: Attributes, ...children: readonly string[]): string => {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${attribute(value)}"`).join("");
  return children.length === 0 ? `<${name}${written}/>` : `<${name}${written}>${children.join("")}</${name}>`;
};

export const text = (x: number, y: number, content: string, attributes: Attributes = {}): string => element("text", { x, y, ...attributes }, escape(content));

export const line = (x1: number, y1: number, x2: number, y2: number, attributes: Attributes): string => element("line", { x1, y1, x2, y2, ...attributes });

/** What a mark says when it is pointed at. */
export const tooltip = (content: string): string => element("title", {}, escape(content));

export const picture = (width: number, height: number, label: string, ...children: readonly string[]): string =>
  element("svg", { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label }, ...children);
