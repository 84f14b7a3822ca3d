/** @file SQ07xx: backends and kernels. */

import type { CodeEntry } from "./entry.ts";

export const BACKEND_CODES = {
  SQ0701: {
    title: "an unknown backend",
    explanation: "The backends are `interpreter`, `wasm`, `wasm:relaxed`, `wasm:wide`, `gpujs:cpu`, `gpujs:webasm`, `gpujs:webgl2`, `gpujs:headlessgl` and `gpujs:webgpu`. `subquad doctor` says which of them work on this machine.",
    bad: "subquad run gpt.sq loss --backend cuda",
    good: "subquad run gpt.sq loss --backend gpujs:webasm",
  },
  SQ0702: {
    title: "a backend is not available here",
    explanation: "The backend exists but cannot run on this machine: a package is not installed, there is no display or no driver. The message carries the reason; `subquad doctor` says how to add it.",
    bad: "subquad run gpt.sq loss --backend gpujs:headlessgl",
    good: "subquad run gpt.sq loss --backend gpujs:cpu",
  },
  SQ0703: {
    title: "a backend did not run what it was asked to run",
    explanation: "gpu.js silently continued on another executor. Subquad never accepts that: numbers and times would be those of another backend. The message carries gpu.js's own reason.",
    bad: "subquad run huge.sq loss --backend gpujs:webgl2",
    good: "subquad run huge.sq loss --backend gpujs:webasm",
  },
  SQ0704: {
    title: "a kernel did not compile",
    explanation: "The backend refused the text of a kernel. This is a fault of the compiler: please report it with the kernel, which `subquad compile -o DIR` writes.",
    bad: "subquad run model.sq loss --backend gpujs:webgl2",
    good: "subquad run model.sq loss --backend interpreter",
  },
  SQ0705: {
    title: "a tensor is too large for the backend",
    explanation: "The backend limits the size of a buffer or a texture, and keeps integers exact below 2^24 only. Reduce the dimensions in the message, or choose another backend.",
    bad: "subquad run gpt.sq loss --dim T=100000 --backend gpujs:webgl2",
    good: "subquad run gpt.sq loss --dim T=1024 --backend gpujs:webgl2",
  },
  SQ0706: {
    title: "an unknown entry point",
    explanation: "The entry points are `forward`, `loss`, `grad` and `step`, as far as the program declares what they need.",
    bad: "subquad run gpt.sq backward",
    good: "subquad run gpt.sq grad",
  },
  SQ0707: {
    title: "the device ran out of memory or was lost",
    explanation: "The backend stopped in the middle: memory was exhausted, or the system took the device away. What was saved before remains. Try smaller dimensions.",
    bad: "subquad train gpt.sq --dim B=512 --backend gpujs:webgpu",
    good: "subquad train gpt.sq --dim B=8 --backend gpujs:webgpu",
  },
  SQ0708: {
    title: "the executable was destroyed",
    explanation: "`destroy()` gives back the kernels and buffers of an executable; it cannot run afterwards. Create another one from the same program.",
    bad: "executable.destroy(); await executable.run(\"loss\", inputs)",
    good: "await executable.run(\"loss\", inputs); executable.destroy()",
  },
  SQ0709: {
    title: "a kernel failed while it ran",
    explanation: "The engine stopped a kernel of the backend `wasm`, in one of its threads: it reached beyond the memory, for instance. This is a fault of the compiler: please report it. The executable is destroyed; what was saved before remains.",
    bad: "subquad run model.sq loss --backend wasm",
    good: "subquad run model.sq loss --backend interpreter",
  },
} as const satisfies Record<string, CodeEntry>;
