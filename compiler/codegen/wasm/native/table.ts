/** @file The native kernels by mnemonic. Which instances of an operation are kept whole for them, its record says. */

import type { NativeEmitter } from "./native.ts";

export const NATIVE: Readonly<Record<string, NativeEmitter>> = {};
