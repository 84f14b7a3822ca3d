/** @file The runtime's public entry, safe in a browser: run programs, start parameters, read and write tensors. */

export * from "./abi.ts";
export { BACKENDS, createExecutable, probeBackends, type Backend, type BackendReport } from "./backends.ts";
export { RuntimeError } from "./errors.ts";
export { bool, elementCount, f32, i32, scalar, scalarValue, zeros } from "./tensors.ts";
