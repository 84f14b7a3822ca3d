/** @file What a run carries from step to step: left with the backend where it keeps tensors, held here where it does not. */

import type { Executable, Kept, ProgramHead, Tensors } from "../abi.ts";
import { entryOf } from "../validate.ts";

export async function keepTensors(program: ProgramHead, executable: Executable, tensors: Tensors): Promise<Kept> {
  return (await executable.keep?.(tensors)) ?? keepHere(program, executable, tensors);
}

function keepHere(program: ProgramHead, executable: Executable, tensors: Tensors): Kept {
  let held = tensors;
  return {
    run: async (name, inputs) => {
      const taken = entryOf(program, name).inputs.flatMap((port) => (Object.hasOwn(held, port.name) ? [[port.name, held[port.name]] as const] : []));
      const outputs = Object.entries(await executable.run(name, { ...Object.fromEntries(taken), ...inputs } as Tensors));
      const isHeld = ([output]: readonly [string, unknown]): boolean => Object.hasOwn(held, output);
      const replaced = outputs.filter(isHeld);
      if (replaced.length > 0) held = { ...held, ...Object.fromEntries(replaced) };
      return Object.fromEntries(outputs.filter((output) => !isHeld(output)));
    },
    read: () => held,
  };
}
