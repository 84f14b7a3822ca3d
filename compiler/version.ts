/** @file The version of the package, for `--version` and for everything that is written to disk. A test holds it to package.json. */

export const VERSION = "0.1.0";
