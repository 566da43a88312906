/** How the page looks: on a screen, light or dark, on a phone and on paper. */

/** Colours that the colour-blind can tell apart too (Okabe and Ito); lines differ by dashes. */
const light = `
  color-scheme: light;
  --page: #ffffff; --card: #f5f6f8; --text: #1b1f24; --soft: #57606a; --rule: #d5dae1;
  --first: #0072b2; --second: #c2500a; --third: #7a5195; --bar: #3d8fc4;
  --good: #0b7a55; --bad: #b3261e; --doubt: #8a5300; --bad-page: #fdf0ee; --doubt-page: #fdf4e3;
  --good-page: #ecf7f2;`
const dark = `
  color-scheme: dark;
  --page: #14171c; --card: #1e232a; --text: #e7eaee; --soft: #a3adb9; --rule: #3a424d;
  --first: #56b4e9; --second: #f0a030; --third: #d48fc0; --bar: #4695c6;
  --good: #4cc49a; --bad: #ff8a80; --doubt: #f2c14e; --bad-page: #33201f; --doubt-page: #322a18;
  --good-page: #17291f;`

const words = `
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 944px; margin: 0 auto; padding: 28px 32px 48px; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 18px; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 44px 0 14px; padding-top: 14px;
  border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 24px 0 6px; }
p, li { max-width: 75ch; }
p { margin: 0 0 10px; }
ul { margin: 0 0 10px; padding-left: 1.25em; }
li { overflow-wrap: anywhere; }
.aside, figcaption, summary { color: var(--soft); font-size: 0.875rem; }
header .aside { margin: 0 0 2px; }
code, pre, .hex { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono",
  monospace; font-size: 0.875rem; }
.command { margin: 0 0 14px; padding: 10px 14px; background: var(--card); border-radius: 6px;
  white-space: pre-wrap; overflow-wrap: anywhere; -webkit-user-select: all; user-select: all; }
.flag { white-space: nowrap; }
.verdict { border-left: 6px solid var(--good); background: var(--good-page); padding: 12px 18px;
  border-radius: 0 6px 6px 0; }
.verdict strong { color: var(--good); }
.verdict > p:first-child strong { font-size: 1.25rem; }
.verdict > :last-child { margin-bottom: 0; }
.verdict.fail { border-color: var(--bad); background: var(--bad-page); }
.verdict.fail strong { color: var(--bad); }
.verdict.invalid { border: 2px solid var(--doubt); border-left-width: 6px;
  background: var(--doubt-page); }
.verdict.invalid strong { color: var(--doubt); }
.headline { display: grid; grid-template-columns: repeat(4, 1fr); gap: 10px; margin: 0 0 12px; }
.headline div { display: flex; flex-direction: column-reverse; justify-content: flex-end;
  background: var(--card); border-radius: 6px; padding: 10px 14px; min-width: 0; }
.headline dt { color: var(--soft); font-size: 0.875rem; line-height: 1.3; }
.headline dd { margin: 0; font-size: 1.5rem; line-height: 1.3; font-weight: 600;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.headline .bad dd { color: var(--bad); }
.headline .bad { box-shadow: inset 4px 0 0 var(--bad); }
.pairs { margin: 0 0 10px; }
.pairs div { display: grid; grid-template-columns: 11rem 1fr; gap: 0 16px; padding: 4px 0;
  border-bottom: 1px solid var(--rule); }
.pairs dt { color: var(--soft); }
.pairs dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }`

const tables = `
.scroll { overflow-x: auto; margin: 0 0 10px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.figures { width: 100%; font-size: 0.9375rem; }
th { font-weight: 600; text-align: left; }
.figures th, .figures td { padding: 4px 10px; border-bottom: 1px solid var(--rule);
  text-align: right; }
.figures th:first-child { padding-left: 0; text-align: left; }
.figures td:last-child, .figures th:last-child { padding-right: 0; }
.figures thead th { color: var(--soft); vertical-align: bottom; }
.figures tbody th { font-weight: 400; }
#errors ~ .scroll td:last-child, #errors ~ .scroll th:last-child { text-align: left; }
.missed { color: var(--bad); }
.hex th, .hex td { padding: 1px 22px 1px 0; white-space: pre; }
.hex thead th { padding-bottom: 4px; color: var(--soft); }
.hex tbody th { font-weight: 400; color: var(--soft); text-align: right; }
.hex .right { color: var(--soft); }
.hex mark { background: none; color: var(--bad); font-weight: 700;
  outline: 2px solid var(--bad); outline-offset: 1px; border-radius: 1px; }
.hex u { color: var(--bad); text-underline-offset: 3px; }
details { margin: 8px 0 0; }
details .scroll { max-height: 420px; overflow-y: auto; margin-top: 8px; }
summary { cursor: pointer; }`

const charts = `
figure { margin: 0 0 34px; }
figure h3 { margin-top: 0; }
.chart { display: block; width: 100%; height: auto; overflow: visible; }
.narrow { display: none; max-width: 540px; }
.chart text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  fill: var(--soft); font-variant-numeric: tabular-nums; }
.chart .end { text-anchor: end; }
.chart .middle { text-anchor: middle; }
.grid, .tick { stroke: var(--rule); stroke-width: 1; }
.axis { stroke: var(--soft); stroke-width: 1; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line.first { stroke: var(--first); }
.line.second { stroke: var(--second); stroke-dasharray: 7 3; }
.line.third { stroke: var(--third); stroke-dasharray: 2 2; }
.line.plan { stroke: var(--soft); stroke-dasharray: 10 5; stroke-width: 1.5; }
.failures path { fill: none; stroke: var(--bad); stroke-width: 2.5; }
.stages path { fill: none; stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 4; }
.chart .number { font-weight: 600; fill: var(--text); }
.hover rect { fill: transparent; }
.hover rect:hover { fill: var(--text); fill-opacity: 0.07; }
.dots circle { fill: var(--first); }
.bars path { fill: var(--bar); }
.bars path:hover { fill: var(--text); }
.marks path { stroke: var(--second); stroke-width: 1.5; stroke-dasharray: 5 3; }
.chart .marks text { fill: var(--text); font-weight: 600; paint-order: stroke;
  stroke: var(--page); stroke-width: 3px; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 20px; padding: 0;
  margin: 0 0 4px; font-size: 0.875rem; }
.key { width: 34px; height: 8px; margin-right: 8px; vertical-align: 2px; }`

const phone = `
@media (max-width: 700px) {
  main { padding: 18px 16px 32px; }
  h1 { font-size: 1.375rem; }
  h2 { margin-top: 34px; }
  .wide { display: none; }
  .narrow { display: block; }
  .headline { grid-template-columns: repeat(2, 1fr); gap: 8px; }
  .headline dd { font-size: 1.25rem; }
  .figures { font-size: 0.75rem; }
  .figures th, .figures td { padding: 4px 4px; }
  .hex { font-size: 0.625rem; }
  .hex th, .hex td { padding-right: 6px; }
  .pairs div { grid-template-columns: 8rem 1fr; gap: 0 10px; }
}`

const paper = `
@media print {
  :root {${light} }
  @page { margin: 15mm; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  .wide { display: block; }
  .narrow, details { display: none; }
  .headline { grid-template-columns: repeat(4, 1fr); }
  .scroll { overflow: visible; }
  h1, h2, h3 { break-after: avoid; }
  section, figure, tr, .pairs div, .verdict, .headline, .hex, .command { break-inside: avoid; }
  h2 { margin-top: 24px; }
  figure { margin-bottom: 18px; }
}`

export const styles = `
:root {${light} }
@media screen and (prefers-color-scheme: dark) { :root {${dark} } }
${words}
${tables}
${charts}
${phone}
${paper}
`
