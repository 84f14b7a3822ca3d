/** @file What the catalogue says about one code. */

/** What `subquad explain` prints about a code. */
export interface CodeEntry {
  /** One line, no full stop. */
  readonly title: string;
  /** Several sentences: what it means, why it is a mistake, how to repair it. */
  readonly explanation: string;
  /** The smallest program, text or command that provokes it, and the same thing put right. */
  readonly bad: string;
  readonly good: string;
}
