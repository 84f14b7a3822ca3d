/** @file The one error class of the runtime: a stable code, what happened, and what to do about it. The compiler's
 *  catalogue explains the codes (SQ00xx: files and options; SQ06xx: inputs and training; SQ07xx: backends); the runtime only carries them. */

export class RuntimeError extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, hint?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "RuntimeError";
    this.code = code;
    this.hint = hint;
  }
}

/** The message of anything that was thrown. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
