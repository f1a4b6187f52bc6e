// The page: builds elements by textContent alone, keeps the reader's choices, asks for news.

const at = (id) => document.getElementById(id);
// The only maker of elements: every text becomes a text node, whatever it holds.
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
};

const remember = () => {
  const told = new URLSearchParams(Object.entries(chosen).filter(([name, value]) => value !== START[name]));
  try { history.replaceState(null, "", `#${told}`); } catch { /* a page from a disk may keep its address */ }
};
const recall = () => {
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) if (name in chosen) chosen[name] = value;
  if (!(chosen.tab in TABS)) chosen.tab = "runs";
};

let asked = 0;
const choose = (changes) => {
  const turned = "tab" in changes && changes.tab !== chosen.tab;
  Object.assign(chosen, changes);
  remember();
  if (turned) controls();
  if (!asked) asked = requestAnimationFrame(() => { asked = 0; draw(); });
};

const controls = () => {
  at("controls").replaceChildren(...TABS[chosen.tab][1].controls());
  at("controls").hidden = !at("controls").children.length;
};
const tabs = () => {
  at("tabs").replaceChildren(...Object.entries(TABS).map(([name, [words]]) => {
    const button = make("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "body" }, words);
    button.addEventListener("click", () => choose({ tab: name }));
    return button;
  }));
};
const states = () => {
  const on = listed("states"), counts = new Map(STATES.map((state) => [state, board.runs.filter((run) => run.state === state).length]));
  at("states").replaceChildren(...[...counts].filter(([state, count]) => count || on.has(state)).map(([state, count]) => {
    const chip = make("button", { type: "button", class: "chip", "aria-pressed": String(on.has(state)), "data-key": `state ${state}` }, make("i", { class: `dot ${state}` }), `${count} ${state}`);
    chip.addEventListener("click", () => { toggled("states", state); choose({}); });
    return chip;
  }));
};
const grouping = () => {
  const keys = [["method", "method"], ["seed", "seed"], ...dims.map((key) => [key, key])];
  const others = leaves().filter((key) => !dims.includes(key)).map((key) => [key, key]);
  const fill = (select, first, lastOnes, name) => {
    const list = [...first, ...keys, ...lastOnes, ...others], told = JSON.stringify(list);
    if (select.dataset.told !== told) { select.dataset.told = told; select.replaceChildren(...list.map(([value, words]) => make("option", { value }, words))); }
    select.value = chosen[name];
    if (select.selectedIndex < 0) { select.selectedIndex = 0; chosen[name] = select.value; }
  };
  fill(at("group"), [], [["each", "nothing: each run"]], "group");
  fill(at("and"), [["", "–"]], [], "and");
  at("and").disabled = chosen.group === "each";
};

const headline = () => {
  const counts = STATES.map((state) => [board.runs.filter((run) => run.state === state).length, state]).filter(([count]) => count);
  return board.runs.length ? `${plural(board.runs.length, "run")}: ${counts.map(([count, state]) => `${count} ${state}`).join(", ")}` : "No runs yet";
};
const draw = () => {
  const focused = document.activeElement?.dataset?.key, opened = [...document.querySelectorAll("#body details[open] summary")].map((one) => one.textContent);
  document.title = `${headline()} – tuna-exp`;
  at("headline").textContent = headline();
  for (const button of at("tabs").children) button.setAttribute("aria-selected", String(button.id === `tab-${chosen.tab}`));
  if (at("query").value !== chosen.query && document.activeElement !== at("query")) at("query").value = chosen.query;
  states();
  grouping();
  const count = visible().length;
  at("fits").textContent = count === board.runs.length ? "" : `${count} of ${plural(board.runs.length, "run")}`;
  at("clear").hidden = !(chosen.query || chosen.states || chosen.hidden);
  for (const select of at("controls").querySelectorAll("select")) select.update?.();
  forget();
  at("body").replaceChildren(...TABS[chosen.tab][1].body().filter(Boolean));
  for (const summary of at("body").querySelectorAll("summary")) if (opened.includes(summary.textContent)) summary.parentElement.open = true;
  if (focused && document.activeElement === document.body) [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === focused)?.focus({ preventScroll: true });
};

// --- news, where the page is served; what has changed comes whole, what is gone is forgotten
const news = { server: "", generation: 0, failed: 0 };
const merge = (told) => {
  const fresh = told.server !== news.server;
  board = { ...board, at: told.at, common: told.common ?? board.common, runs: told.runs ?? board.runs };
  for (const part of parts) board[part] = fresh ? told[part] : { ...board[part], ...told[part] };
  Object.assign(news, { server: told.server, generation: told.generation });
  index();
};
const watch = async (every) => {
  try {
    const answer = await fetch(`data.json?server=${encodeURIComponent(news.server)}&since=${news.generation}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const told = await answer.json(), changed = told.generation !== news.generation || told.server !== news.server;
    news.failed = 0;
    if (changed) { merge(told); if (!holding()) draw(); else waiting = true; }
    at("live").textContent = `live · read ${new Date(told.at * 1000).toLocaleTimeString("sv-SE")}`;
    at("live").className = "live";
  } catch {
    news.failed += 1;
    at("live").textContent = "the server does not answer; what is shown is the last reading";
    at("live").className = "live lost";
  }
  setTimeout(() => watch(every), every * Math.min(1 + news.failed, 10));
};
// An open list would close under the reader's hand, a marked text lose its mark.
let waiting = false;
const holding = () => document.activeElement?.tagName === "SELECT" || (getSelection()?.toString() ?? "") !== "";
setInterval(() => { if (waiting && !holding()) { waiting = false; draw(); } }, 500);

at("query").addEventListener("input", () => choose({ query: at("query").value }));
at("group").addEventListener("change", () => { choose({ group: at("group").value, hidden: "" }); at("group").blur(); });
at("and").addEventListener("change", () => { choose({ and: at("and").value, hidden: "" }); at("and").blur(); });
at("controls").addEventListener("change", (event) => { if (event.target.tagName === "SELECT") event.target.blur(); });
at("clear").addEventListener("click", () => { at("query").value = ""; choose({ query: "", states: "", hidden: "" }); });
document.addEventListener("keydown", (event) => {
  if (chosen.tab !== "samples" || event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT/.test(event.target.tagName)) return;
  const side = { ArrowLeft: "back", ArrowRight: "on" }[event.key];
  if (side) document.querySelector(`[data-key="item ${side}"]`)?.click();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; choose({}); } });
addEventListener("hashchange", () => { Object.assign(chosen, START); recall(); controls(); draw(); });

const told = JSON.parse(at("data").textContent), settings = JSON.parse(at("settings").textContent);
recall();
merge(told);
tabs();
controls();
draw();
if (settings.every) watch(1000 * settings.every);
else at("live").textContent = `read ${new Date(told.at * 1000).toLocaleString("sv-SE").slice(0, 16)}`;
