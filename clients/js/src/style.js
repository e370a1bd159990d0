// The components' style and drawings. Colours, sizes and fonts are variables that a page may set: README.md lists them.

export const BELL = "M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15zM10 20.5a2 2 0 0 0 4 0";
export const CLOSE = "M6 6l12 12M18 6L6 18";
export const ARCHIVE = "M4 5h16v4H4zM6 9v10h12V9M10 13h4";

const COMMON = `
:host { color-scheme: light dark; font: 400 14px/1.45 var(--tocsin-font, system-ui, sans-serif);
  --_text: var(--tocsin-text, light-dark(#17202b, #dbe2ea)); --_muted: var(--tocsin-muted, light-dark(#576577, #94a1b1));
  --_surface: var(--tocsin-surface, light-dark(#fff, #12171d)); --_raised: var(--tocsin-raised, light-dark(#f1f4f7, #1b232c));
  --_line: var(--tocsin-line, light-dark(#dbe1e8, #2b3641)); --_accent: var(--tocsin-accent, light-dark(#1759b8, #7db4f5));
  --_critical: var(--tocsin-critical, #a61e17); --_critical-text: var(--tocsin-critical-text, #fff);
  --_radius: var(--tocsin-radius, 10px); color: var(--_text) }
:host([theme=light]) { color-scheme: light } :host([theme=dark]) { color-scheme: dark }
:host([hidden]), [hidden] { display: none !important }
*, ::before { box-sizing: border-box } p, h2, ul, pre { margin: 0; padding: 0 }
button, a { font: inherit; color: inherit } button { cursor: pointer }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px }
.plain { border: 0; background: none; padding: 6px; border-radius: 6px; text-align: start }
.plain:hover { background: var(--_raised) }
svg { display: block; width: 20px; height: 20px; fill: none; stroke: currentColor; stroke-width: 1.8;
  stroke-linecap: round; stroke-linejoin: round }
[part~=button] { display: inline-block; padding: 5px 12px; border: 1px solid var(--_line); border-radius: 7px;
  background: var(--_surface); text-decoration: none; white-space: nowrap }
[part~=button]:hover { background: var(--_raised) }
[part~=badge] { padding: 1px 7px; border-radius: 99px; background: var(--_critical); color: var(--_critical-text);
  font-size: 12px; font-weight: 600 }
.head { display: flex; align-items: center; gap: 8px; min-height: 32px }
.title { flex: 1; min-width: 0; font-weight: 600; overflow-wrap: anywhere }
.body { color: var(--_muted); overflow-wrap: anywhere; white-space: pre-line }
.blocks > * + * { margin-top: 4px } .blocks a { text-decoration: underline }
pre, code { font: .92em ui-monospace, monospace } pre { white-space: pre-wrap }
.marker { display: inline-block; min-width: 1.3em } [data-depth="2"] { padding-inline-start: 1.3em }
:is([data-depth="3"], [data-depth="4"], [data-depth="5"], [data-depth="6"]) { padding-inline-start: 2.6em }
img { display: block; max-width: 100%; max-height: 180px; margin-top: 6px; border-radius: 6px }
.actions { display: flex; flex-wrap: wrap; gap: 6px; margin-top: 8px }
@media (prefers-reduced-motion: no-preference) { [part~=toast], [part~=panel] { animation: arrive .18s ease-out } }
@keyframes arrive { from { opacity: 0; transform: translateY(-6px) } }`;

export const INBOX = `${COMMON}
:host { display: inline-block; position: relative } :host([inline]) { display: block }
[part~=bell] { position: relative; display: block } [part~=bell] svg { width: 24px; height: 24px }
[part~=count] { position: absolute; top: -2px; inset-inline-end: -4px; min-width: 18px; padding: 0 5px; border-radius: 99px;
  background: var(--_critical); color: var(--_critical-text); font-size: 11px; font-weight: 600; line-height: 18px; text-align: center }
[part~=panel] { display: none; flex-direction: column; position: absolute; z-index: calc(var(--tocsin-z, 1000) + 1); top: calc(100% + 8px);
  inset-inline-end: 0; width: min(var(--tocsin-width, 400px), calc(100vw - 16px)); max-height: min(var(--tocsin-height, 560px), 85vh);
  background: var(--_surface); border: 1px solid var(--_line); border-radius: var(--_radius); box-shadow: 0 10px 30px rgb(0 0 0 / 18%) }
:host([open]) [part~=panel], :host([inline]) [part~=panel] { display: flex }
:host([inline]) [part~=panel] { position: static; width: auto; max-height: var(--tocsin-height, none); box-shadow: none; animation: none }
:host([inline]) :is([part~=bell], [part~=close]) { display: none }
@media (max-width: 619.98px) { :host([open]:not([inline])) [part~=panel] { position: fixed; inset: 8px 8px auto; width: auto; max-height: 60vh } }
[part~=header] { display: flex; align-items: center; gap: 8px; padding: 10px 12px; border-bottom: 1px solid var(--_line) }
[part~=heading] { flex: 1; font-size: 16px } [part~=heading]:focus { outline: none }
[part~=state]:not(:empty) { padding: 6px 12px; background: var(--_raised) }
.scroll { overflow: auto; overscroll-behavior: contain; outline-offset: -2px }
ul { list-style: none } [part~=item] { padding: 8px 12px 10px; border-bottom: 1px solid var(--_line) }
[part~=item] .title { text-decoration: none } [part~=item]:not([part~=unread]) .title { font-weight: 400 }
a.title:hover { text-decoration: underline }
.dot { flex: none; width: 8px; height: 8px; border-radius: 50%; background: var(--_accent) }
[part~=time] { color: var(--_muted); font-size: 12px; white-space: nowrap }
[part~=empty] { padding: 28px 12px; color: var(--_muted); text-align: center } [part~=older] { display: block; margin: 10px auto }`;

export const TOASTS = `${COMMON}
[part~=toasts] { position: fixed; z-index: var(--tocsin-z, 1000); bottom: 16px; inset-inline-end: 16px; display: grid; gap: 8px;
  width: min(var(--tocsin-toast-width, 380px), calc(100vw - 24px)); pointer-events: none }
[part~=stack] { display: grid; gap: 8px } [part~=stack]:empty { display: none }
[part~=toast] { padding: 8px 10px 12px 14px; background: var(--_surface); border: 1px solid var(--_line); border-radius: var(--_radius);
  box-shadow: 0 10px 30px rgb(0 0 0 / 18%); pointer-events: auto }
[part~=toast] .body { max-height: 8.7em; overflow: auto }
[part~=critical] { background: var(--_critical); color: var(--_critical-text); border-color: transparent; --_accent: currentColor }
[part~=critical] .body { color: inherit } [part~=critical] [part~=badge] { background: var(--_critical-text); color: var(--_critical) }
[part~=critical] :is(.plain, [part~=button]):hover { background: rgb(0 0 0 / 30%) }
[part~=critical] [part~=button] { background: rgb(0 0 0 / 20%); border-color: currentColor }
[part~=more] { justify-self: end; padding: 2px 10px; border-radius: 99px; background: var(--_text); color: var(--_surface); font-size: 12.5px }`;
