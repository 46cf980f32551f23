"""The style of a report. Both sets of colours have a contrast of at least 4.5 (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

STYLE = """
:root{--page:#f6f7f9;--card:#fff;--ink:#1b2430;--soft:#566173;--line:#d5dbe3;--link:#0b57b0;
--good:#146c3c;--bad:#b3261e;--idle:#4d5a6b;--none:#e4e8ee}
@media (prefers-color-scheme:dark){:root{--page:#12161c;--card:#1b212a;--ink:#e8ecf1;--soft:#a5b0bf;
--line:#343d4a;--link:#8ab8ff;--good:#6fd49a;--bad:#ff9d94;--idle:#b3bdca;--none:#2a323d}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:70rem;background:var(--page);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;line-height:1.25;margin:0;overflow-wrap:anywhere}
.headline{font-size:1.15rem;margin:.4rem 0 .8rem}
a{color:var(--link)}
a:focus-visible,input:focus-visible,summary:focus-visible{outline:3px solid var(--link);outline-offset:2px}
dl{display:flex;flex-wrap:wrap;gap:.1rem 1.4rem;margin:.5rem 0;font-size:.9rem}
dl div{display:flex;gap:.4rem;min-width:0}
dt{color:var(--soft)}
dt::after{content:":"}
dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
fieldset{display:flex;flex-wrap:wrap;gap:.5rem;margin:1rem 0;padding:0;border:0}
legend{float:left;padding:.3rem .3rem 0 0;color:var(--soft)}
label{display:inline-flex;align-items:center;gap:.4rem;padding:.25rem .8rem;border:1px solid var(--line);
border-radius:1.2rem;background:var(--card);cursor:pointer}
label:has(:checked){border-color:var(--link);box-shadow:inset 0 0 0 1px var(--link)}
input{margin:0;accent-color:var(--link)}
ol{list-style:none;margin:0;padding:0;display:grid;gap:.75rem}
li{display:grid;grid-template-columns:160px minmax(0,1fr);gap:1rem;padding:.75rem;background:var(--card);
border:1px solid var(--line);border-inline-start:4px solid var(--idle);border-radius:.5rem;
content-visibility:auto;contain-intrinsic-size:auto 186px}
li[data-state=made]{border-inline-start-color:var(--good)}
li:is([data-state=missing],[data-state=rejected],[data-state=refused]){border-inline-start-color:var(--bad)}
.poster img,.none{display:block;max-width:100%;height:auto;border-radius:.3rem}
.none{width:160px;height:90px;display:grid;place-items:center;background:var(--none);color:var(--soft);
font-size:.85rem}
h2{display:flex;flex-wrap:wrap;align-items:baseline;gap:.2rem .8rem;font-size:1.05rem;line-height:1.3;
margin:0;
overflow-wrap:anywhere}
.state{font-size:.85rem;font-weight:600;color:var(--idle)}
[data-state=made] .state{color:var(--good)}
:is([data-state=missing],[data-state=rejected],[data-state=refused]) .state,.problem{color:var(--bad)}
.text,.problem{margin:.3rem 0;overflow-wrap:anywhere}
.links{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;margin:.3rem 0 0;font-size:.95rem}
.links code{overflow-wrap:anywhere;font-size:.85rem}
summary{cursor:pointer;width:fit-content;color:var(--soft);font-size:.95rem}
video{display:block;max-width:100%;max-height:70vh;margin-top:.5rem}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (max-width:40rem){body{padding:1rem .75rem 3rem}
li{grid-template-columns:88px minmax(0,1fr);gap:.75rem;padding:.6rem;contain-intrinsic-size:auto 260px}
.none{width:88px;height:66px;font-size:.75rem}
.links a,summary{padding-block:.25rem}}
@media print{body{max-width:none;background:#fff}fieldset,details{display:none}
li{content-visibility:visible;break-inside:avoid}}
"""
