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

/** What the codes of failed file operations mean. */
const SYSTEM: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
  EPERM: "the operation is not permitted",
  ENOTDIR: "a part of the path is not a directory",
  ENAMETOOLONG: "the name is too long",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  ELOOP: "its links lead in a circle",
};

/** The message of anything that was thrown; failures of the file system in words. */
export function reasonOf(thrown: unknown): string {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  return SYSTEM[code] ?? (thrown instanceof Error ? thrown.message : String(thrown));
}
