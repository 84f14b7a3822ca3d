/** @file The installed packages of the peers, loaded by place and not by name, so that nothing has to be installed for this
 *  folder to compile, and a page can load the same files. */

import type { Setting } from "./contract.ts";

/** A module of a package; `T` is what is used of it. */
export const importPeer = async <T>({ packages }: Setting, name: string, file: string): Promise<T> => (await import(`${packages}${name}/${file}`)) as T;

export const versionOf = async ({ packages }: Setting, name: string): Promise<string> => {
  const manifest = `${packages}${name}/package.json`;
  const { default: read } = (await import(manifest, { with: { type: "json" } })) as { readonly default: { readonly version: string } };
  return read.version;
};
