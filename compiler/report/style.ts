/** @file How pages with tables and pictures look, in light and in dark. */

export const STYLE = `
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --soft: #59636e; --rule: #d5dae0; --heat: #0b5cad;
  --c0: #0b66c3; --c1: #c2410c; --c2: #15803d; --c3: #7e22ce; --c4: #946200; --c5: #be185d; --c6: #0f766e; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --ink: #e6e9ec; --soft: #9aa4af; --rule: #343b43; --heat: #6cb6ff;
  --c0: #6cb6ff; --c1: #ff9d6b; --c2: #63d391; --c3: #cda0ff; --c4: #e5c35c; --c5: #ff86b8; --c6: #5fd0c5; } }
body { margin: 2rem auto; max-width: 82rem; padding: 0 1rem; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; } p { margin: .3rem 0; max-width: 60rem; } .soft { color: var(--soft); }
.row { display: flex; flex-wrap: wrap; gap: 1rem; } .row svg { max-width: 100%; height: auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 34rem), 1fr)); gap: 1rem; } .charts svg { width: 100%; max-width: 44rem; height: auto; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: .15rem .6rem; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--rule); } th { color: var(--soft); font-weight: 600; } .r { text-align: right; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); } svg .title { font-size: 14px; font-weight: 600; } svg .tick, svg .label { fill: var(--soft); }
svg .grid line { stroke: var(--rule); } svg .grid .axis { stroke: var(--soft); } svg .line { fill: none; stroke: currentColor; stroke-width: 2; } svg .dashed { stroke-dasharray: 5 4; }
svg .bar { stroke: currentColor; stroke-width: 1.3; } svg circle { fill: currentColor; } svg .name { fill: currentColor; } svg .join { stroke: currentColor; opacity: .5; }
svg .outline { fill: none; stroke: var(--rule); } svg .notch { stroke: var(--soft); stroke-width: .7; }
${[0, 1, 2, 3, 4, 5, 6].map((i) => `.s${i} { color: var(--c${i}); }`).join(" ")}
${[0.04, 0.12, 0.21, 0.31, 0.42, 0.54, 0.67, 0.82, 1].map((opacity, i) => `.h${i} { fill: var(--heat); fill-opacity: ${opacity}; }`).join(" ")}
`;
