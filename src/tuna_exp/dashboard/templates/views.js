// One function per tab: controls, which stay while the reader is there, and a body, made anew.

const cell = (label, content, attributes = {}) => make("td", { "data-label": label, ...attributes }, content);
const table = (heads, rows, attributes = {}) => make("div", { class: "scroll", tabindex: "0" },
  make("table", attributes, make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))), make("tbody", {}, rows)));
const empty = (text) => make("p", { class: "empty" }, text);
const note = (text) => make("p", { class: "caption" }, text);
const panel = (...content) => make("section", { class: "panel" }, content);
const text = (value) => value.trim() ? make("pre", {}, value) : make("pre", { class: "quiet" }, value ? `(${value.length} characters of white space)` : "(empty)");

// `first` gives the place in the list of what is shown before the reader has chosen.
const picker = (label, name, list, first = () => 0) => {
  const select = make("select", { "data-key": name }, list().map(([value, words]) => make("option", { value }, words)));
  select.addEventListener("change", () => choose({ [name]: select.value }));
  select.update = () => {
    const now = list(), same = now.length === select.options.length && now.every(([value, words], i) => select.options[i].value === value && select.options[i].textContent === words);
    if (!same) select.replaceChildren(...now.map(([value, words]) => make("option", { value }, words)));
    select.value = chosen[name];
    if (select.selectedIndex < 0 && now.length) select.selectedIndex = Math.min(first(now), now.length - 1);
  };
  select.update();
  return make("label", { class: "field" }, make("span", {}, label), select);
};
const check = (label, name) => {
  const box = make("input", { type: "checkbox", "data-key": name });
  box.checked = chosen[name] === "yes";
  box.addEventListener("change", () => choose({ [name]: box.checked ? "yes" : "" }));
  return make("label", { class: "field inline" }, box, make("span", {}, label));
};
const legend = (fits = () => true, apart = false) => {
  const hidden = listed("hidden");
  return make("div", { class: "chips", role: "group", "aria-label": "groups" }, groups(apart).filter(fits).map((group) => {
    const off = hidden.has(group.name), dot = make("i", { class: "dot" });
    dot.style.background = group.colour;
    const chip = make("button", { type: "button", class: "chip", "aria-pressed": String(!off), "data-key": `group ${group.name}` }, dot, group.name);
    chip.addEventListener("click", () => { toggled("hidden", group.name); choose({}); });
    return chip;
  }));
};

// --- runs
const progress = (run) => {
  if (!run.total || run.state === "finished") return run.stages.length ? plural(run.stages.length, "step") : run.step;
  const bar = make("progress", { max: run.total, value: run.done, "aria-label": "steps done" });
  return make("span", {}, bar, ` ${run.done} of ${run.total}${run.step ? `: ${run.step}` : ""}`);
};
const runRow = (run, columns) => {
  const name = make("td", { class: "free", "data-label": "run" }, make("strong", {}, nameOf(run)), make("div", { class: "quiet small" }, run.id),
    run.reason ? make("pre", { class: "reason" }, run.reason) : null,
    run.again && run.state !== "finished" ? make("div", { class: "small quiet again" }, "again: ", make("code", {}, run.again)) : null);
  const took = run.ended ? duration(Math.max(run.ended - run.began, 0)) : "–";
  return make("tr", { "data-run": run.id },
    cell("state", [make("i", { class: `dot ${run.state}` }), run.state], { class: "state" }), name,
    ...columns.map((key) => cell(last(key), settingOf(run, key))),
    cell("seed", shown(run.seed)), cell("score %", percent(ownScore(run))), cell("steps", progress(run), { class: "free steps" }),
    cell("began", clock(run.began)), cell("time", took));
};
const runsView = {
  controls: () => [],
  body: () => {
    const list = visible();
    if (!board.runs.length) return [empty("There is no run below these folders yet. A run shows up here once it has begun.")];
    if (!list.length) return [empty("No run fits the filter.")];
    const columns = dims.slice(0, 4), heads = ["state", "run", ...columns.map(last), "seed", "score %", "steps", "began", "time"];
    const by = chosenDims().filter((key) => chosen.group !== "each");
    const sections = new Map();
    for (const run of list) {
      const name = by.map((key) => key === "method" ? methodOf(run) : key === "seed" ? `seed ${run.seed}` : `${last(key)}=${settingOf(run, key)}`).join(" · ");
      if (!sections.has(name)) sections.set(name, []);
      sections.get(name).push(run);
    }
    const bodies = [...sections].flatMap(([name, runs]) => {
      const scores = runs.map(ownScore).filter((value) => value !== null);
      const words = `${plural(runs.length, "run")}${scores.length ? `, mean score ${percent(mean(scores))} %` : ""}`;
      const head = name ? [make("tr", { class: "group" }, make("th", { colspan: String(heads.length), scope: "rowgroup" }, name, make("span", { class: "quiet" }, ` ${words}`)))] : [];
      return [...head, ...runs.map((run) => runRow(run, columns))];
    });
    return [note(`The score is that of the run's own method on ${benchmark() || "its first benchmark"}, the mean over items; intervals are under Ablation.`), table(heads, bodies, { class: "cards" })];
  },
};

// --- curves
const AXES = { step: "optimiser step", examples: "examples trained on", tokens: "tokens trained on" };
const TITLES = {
  loss: "Loss", ranking_loss: "Ranking loss", mle_loss: "Likelihood loss (nats per token)", pair_accuracy: "Pairs in the right order (share)", kendall_tau: "Kendall's tau of the model's order",
  margin: "Margin of best over worst (nats)", logp_best: "Log-likelihood of the best response (nats per token)", length_best: "Length of the best response (tokens)",
  length_worst: "Length of the worst response (tokens)", gradient_share_ranking: "Share of the gradient from ranking", "val/loss": "Held-out loss",
};
const curveOf = (columns, metric, axis) => {
  const xs = columns[axis], ys = columns[metric], found = [];
  if (!xs || !ys) return found;
  for (let i = 0; i < xs.length; i++) if (xs[i] !== null && ys[i] !== null) found.push([xs[i], ys[i]]);
  return found;
};
const mixing = (list) => {
  const told = list.filter((group) => group.mixes.length).map((group) => `${group.name} by ${group.mixes.map(last).join(", ")}`);
  return told.length ? note(`These groups hold runs that differ by more than their seed: ${told.join("; ")}. "and by" tells them apart.`) : null;
};
const curvesView = {
  controls: () => {
    const slider = make("input", { type: "range", min: "0", max: "0.99", step: "0.01", value: chosen.smooth, "data-key": "smooth" });
    const told = make("output", {}, Number(chosen.smooth).toFixed(2));
    slider.addEventListener("input", () => { told.textContent = Number(slider.value).toFixed(2); choose({ smooth: slider.value }); });
    return [
      make("label", { class: "field" }, make("span", {}, "smoothing ", told), slider),
      picker("axis", "axis", () => Object.entries(AXES).filter(([name]) => name === "step" || Object.values(board.curves).some((curve) => name in curve.columns))),
      picker("band over seeds", "band", () => [["range", "least to greatest"], ["error", "± standard error"], ["t", "95 % interval (t)"]]),
    ];
  },
  body: () => {
    const list = shownGroups().map((group) => ({ ...group, curves: group.members.map((one) => board.curves[one.train]?.columns).filter(Boolean) })).filter((group) => group.curves.length);
    if (!list.length) return [legend(), empty(groups().length ? "None of these has written a curve yet." : "No training has begun.")];
    const axis = list.some((group) => group.curves.some((columns) => chosen.axis in columns)) ? chosen.axis : "step";
    const found = new Set(list.flatMap((group) => group.curves.flatMap((columns) => Object.keys(columns))));
    for (const name of Object.keys(AXES)) found.delete(name);
    const metrics = [...Object.keys(TITLES).filter((name) => found.has(name)), ...[...found].filter((name) => !(name in TITLES)).sort()];
    const weight = Number(chosen.smooth);
    const charts = metrics.map((metric) => {
      const rows = [], faint = [];
      for (const group of list) {
        const raw = group.curves.map((columns) => curveOf(columns, metric, axis)).filter((curve) => curve.length);
        const drawn = weight ? raw.map((curve) => { const ys = smoothed(curve.map(([, y]) => y), weight); return curve.map(([x], i) => [x, ys[i]]); }) : raw;
        if (drawn.length) rows.push(...pooledCurves(drawn, chosen.band, list.length > MANY_GROUPS ? COARSE_GRID : GRID).map((row) => ({ g: group.name, ...row })));
        if (weight && list.length * raw.length <= 12) raw.forEach((curve, r) => faint.push(...curve.map(([x, y]) => ({ g: group.name, r: `${group.name} ${r}`, x, y }))));
      }
      return rows.length ? plot(TITLES[metric] ?? metric, "", lines(rows, faint, list, AXES[axis])) : null;
    }).filter(Boolean);
    const trained = (group) => group.members.some((one) => one.train in board.curves);
    const band = { range: "from the least to the greatest seed", error: "one standard error over seeds", t: "the 95 % interval over seeds (Student's t)" }[chosen.band];
    return [legend(trained), note(`Lines are means over the runs of a group, bands ${band}. A model's curve is that of its last training.`), mixing(list), make("div", { class: "charts" }, charts)];
  },
};

// --- ablation
const inPercent = (one) => ({ value: 100 * one.value, low: 100 * (one.low ?? one.value), high: 100 * (one.high ?? one.value), runs: one.runs });
const ablationView = {
  controls: () => [
    picker("benchmark", "benchmark", () => benchmarks().map((name) => [name, name])),
    picker("baseline", "baseline", () => { const list = shownGroups(true).filter((group) => scored(group).length), first = list.length ? baseline(list).name : ""; return [["", `as usual (${first || "none"})`], ...list.map((group) => [group.name, group.name])]; }),
  ],
  body: () => {
    const list = shownGroups(true).filter((group) => scored(group).length);
    if (!list.length) return [legend(() => true, true), empty("No model has been evaluated yet.")];
    const against = baseline(list), rows = list.map((group) => ({ group, score: score(group), less: difference(group, against) }));
    const told = rows.filter((row) => row.less);
    const charts = [
      told.length ? plot(`Against ${against.name}`, "Score minus the baseline's on the same items and seeds, in percentage points, with 95 % intervals.",
        spans(told.map((row) => ({ g: row.group.name, shown: span(row.less, points), ...inPercent(row.less) })), told.map((row) => row.group), "percentage points", true)) : null,
      plot("Score", `Mean over items of ${benchmark()}, with 95 % intervals.`, spans(rows.map((row) => ({ g: row.group.name, shown: span(row.score), ...inPercent(row.score) })), list, "score, %", false)),
    ];
    const lines = rows.map(({ group, score: one, less }) => make("tr", {},
      cell("group", group.name, { class: "free" }), cell("runs", String(one.runs)), cell("items", String(one.items)), cell("score % [95 %]", span(one)),
      cell("points [95 %]", less ? span(less, points) : group === against ? "baseline" : "other items"),
      cell("tokens per response", number(mean(scored(group).map((member) => answersOf(member).tokens)))),
      cell("time", duration(mean(scored(group).map((member) => spent(member.made, "seconds"))))), cell("dollars", dollars(mean(scored(group).map((member) => spent(member.made, "usd")))))));
    const left = rows.reduce((sum, row) => sum + row.score.left, 0);
    return [legend((group) => scored(group).length, true), make("div", { class: "charts" }, charts),
      table(["group", "runs", "items", "score % [95 %]", `points against ${against.name} [95 %]`, "tokens per response", "time", "dollars"], lines, { class: "cards" }),
      note("Intervals are bootstraps over seeds, kinds of task and items. Runs of a group differ by their seed alone; where all items score the same there is no interval. They are not corrected for the number of comparisons; `tuna-exp compare` makes the tests that a verdict needs."),
      left ? note(`${plural(left, "run")} answered other items than the rest of the group and stands aside.`) : null];
  },
};

// --- settings against score
const settingsView = {
  controls: () => [picker("benchmark", "benchmark", () => benchmarks().map((name) => [name, name]))],
  body: () => {
    const entries = results().filter((one) => one.run.asked.includes(one.method) && answersOf(one)).map((one) => ({ one, name: `${one.method} · ${nameOf(one.run)}`, score: mean(answersOf(one).scores) }));
    if (!entries.length) return [empty("No model has been evaluated yet.")];
    const varied = [...new Set([...dims, ...leaves()])].filter((key) => new Set(entries.map(({ one }) => settingOf(one.run, key))).size > 1);
    const axis = (name, of) => ({ name, values: entries.map(({ one, score: value }) => of(one, value)) });
    const candidates = [axis("method", (one) => one.method), ...varied.map((key) => axis(last(key), (one) => settingOf(one.run, key))), axis("seed", (one) => one.run.seed)].filter(({ values }) => new Set(values).size > 1);
    // What always changes together with another setting says nothing more.
    const pattern = (values) => values.map((value) => values.indexOf(value)).join();
    const unlike = candidates.filter((one, i) => candidates.findIndex((other) => other.name === one.name || pattern(other.values) === pattern(one.values)) === i);
    const room = Math.max(2, Math.floor(document.getElementById("body").clientWidth / 105) - 1);
    const axes = [...unlike.slice(0, room), axis("score %", (_, value) => (100 * value).toFixed(2))];
    const left = unlike.length - (axes.length - 1);
    return [plot("Settings and score", `One line per model that a run was for: ${entries.length}. Point at a line to see it alone.`, parallel(axes, entries)),
      left > 0 ? note(`${plural(left, "more setting")} differ${left === 1 ? "s" : ""} between these runs and had no room; a filter or a wider window brings them in.`) : null];
  },
};

// --- two configs
const runsListed = () => board.runs.map((run) => [run.id, `${nameOf(run)} (${run.id})`]);
const diffView = {
  controls: () => [picker("run", "one", runsListed), picker("and run", "other", runsListed, () => 1), check("all settings", "all")],
  body: () => {
    if (board.runs.length < 2) return [empty("There are not two runs to compare.")];
    const find = (id, otherwise) => board.runs.find((run) => run.id === id) ?? otherwise;
    const one = find(chosen.one, board.runs[0]), other = find(chosen.other, board.runs[1]);
    const of = (run, key) => key in run.own ? shown(run.own[key]) : key in board.common ? shown(board.common[key]) : null;
    const keys = [...new Set([...Object.keys(board.common), ...Object.keys(one.own), ...Object.keys(other.own)])].sort();
    const differing = keys.filter((key) => of(one, key) !== of(other, key));
    const value = (run, key) => of(run, key) === null ? make("span", { class: "quiet" }, "not set") : make("code", {}, of(run, key));
    const rows = (chosen.all === "yes" ? keys : differing).map((key) => make("tr", { class: differing.includes(key) ? "differs" : "" },
      cell("setting", make("code", {}, key), { class: "free" }), cell("one", value(one, key), { class: "free" }), cell("other", value(other, key), { class: "free" })));
    if (!keys.length) return [empty("Neither run has kept its settings.")];
    return [note(one === other ? "Both are the same run." : `${plural(differing.length, "setting")} of ${keys.length} differ${differing.length === 1 ? "s" : ""}.`),
      rows.length ? table(["setting", nameOf(one), nameOf(other)], rows, { class: "diff" }) : null];
  },
};

// --- samples
const models = () => {
  const seen = new Map();
  for (const group of groups(true, ["method", "seed"])) for (const one of group.members) if (answersOf(one) && !seen.has(one.id)) seen.set(one.id, [one.id, group.name, one]);
  return [...seen.values()];
};
const pick = (list, name, otherwise) => list.find(([id]) => id === chosen[name]) ?? list[otherwise] ?? list[0];
const stepper = (name, count, what) => {
  const at = Math.min(Math.max(Number(chosen[name]) || 0, 0), Math.max(count - 1, 0));
  const to = (value) => () => choose({ [name]: String((value + count) % count) });
  const back = make("button", { type: "button", "data-key": `${name} back`, "aria-label": `previous ${what}` }, "←"), on = make("button", { type: "button", "data-key": `${name} on`, "aria-label": `next ${what}` }, "→");
  back.addEventListener("click", to(at - 1));
  on.addEventListener("click", to(at + 1));
  return [at, make("div", { class: "stepper", "data-stepper": name }, back, make("span", {}, `${what} ${at + 1} of ${count}`), on)];
};
const sampleList = (left, right) => {
  const both = Object.keys(answersOf(left[2]).shown).filter((id) => id in answersOf(right[2]).shown);
  const score = (model, id) => answersOf(model[2]).shown[id][1];
  return chosen.differ === "yes" ? both.filter((id) => score(left, id) !== score(right, id)) : both;
};
const answerBox = (model, id) => {
  const [words, value, passed, tokens] = answersOf(model[2]).shown[id];
  return make("div", { class: "answer" }, make("h4", {}, model[1]), make("p", { class: "small" }, make("span", { class: passed ? "right" : "wrong" }, passed ? "✓ passed" : "✗ not passed"), ` · score ${number(value)} · ${plural(tokens, "token")}`), text(words));
};
const responses = (set) => set.responses.map((one) => make("tr", {}, cell("rank", String(one.rank + 1)), cell("response", text(one.text), { class: "free" }), cell("score", number(one.score)), cell("likelihood (nats per token)", number(one.likelihood))));
const rankingsListed = () => [...new Set(visible().flatMap((run) => run.rankings))].filter((key) => key in board.rankings).map((key) => [key, rankingName(key)]);
const ranked = (key) => board.rankings[key].label.replace(/^(rank|measure) /, "");
// Rankings of one name are told apart by the seed that all their runs have, else by their digest.
const rankingName = (key) => {
  if (!names.has(key)) names.set(key, namedRanking(key));
  return names.get(key);
};
const namedRanking = (key) => {
  const alike = Object.keys(board.rankings).filter((other) => ranked(other) === ranked(key));
  if (alike.length < 2) return ranked(key);
  const seedOf = (one) => { const seeds = new Set(board.runs.filter((run) => run.rankings.includes(one)).map((run) => run.seed)); return seeds.size === 1 ? [...seeds][0] : ""; };
  const seed = seedOf(key), alone = seed !== "" && alike.every((other) => other === key || seedOf(other) !== seed);
  return `${ranked(key)} · ${alone ? `seed ${seed}` : key.slice(0, 4)}`;
};
const samplesView = {
  controls: () => [
    picker("benchmark", "benchmark", () => benchmarks().map((name) => [name, name])), picker("left", "left", models),
    picker("right", "right", models, (list) => list.length - 1), check("only where scores differ", "differ"), picker("ranking", "ranking", rankingsListed),
  ],
  body: () => {
    const list = models(), made = [];
    if (list.length) {
      const left = pick(list, "left", 0), right = pick(list, "right", list.length - 1), ids = sampleList(left, right);
      if (ids.length) {
        const [at, steps] = stepper("item", ids.length, "item"), asked = board.asked[benchmark()][ids[at]];
        made.push(panel(make("div", { class: "head" }, make("h2", {}, "Answers side by side"), steps), make("p", { class: "small quiet" }, `${ids[at]}${asked.kind ? ` · ${asked.kind}` : ""}`), text(asked.text),
          asked.reference ? make("details", {}, make("summary", {}, "reference"), text(asked.reference)) : null, make("div", { class: "answers" }, answerBox(left, ids[at]), answerBox(right, ids[at]))));
      } else made.push(panel(make("h2", {}, "Answers side by side"), empty(chosen.differ === "yes" ? "These two score the same on every item shown here." : "These two answered no item in common that is shown here.")));
    } else made.push(empty("No model has been evaluated yet."));
    const rankings = rankingsListed(), key = (rankings.find(([id]) => id === chosen.ranking) ?? rankings[0])?.[0];
    if (key && board.rankings[key].samples.length) {
      const sets = board.rankings[key].samples, [at, steps] = stepper("set", sets.length, "set"), set = sets[at];
      made.push(panel(make("div", { class: "head" }, make("h2", {}, `Ranked: ${rankingName(key)}`), steps), make("p", { class: "small quiet" }, set.id), text(set.text),
        table(["rank", "response", "score", "likelihood (nats per token)"], responses(set), { class: "cards" }), set.raw ? make("details", {}, make("summary", {}, "what the ranker said"), text(set.raw)) : null));
    }
    return [note("A page holds some items of each benchmark and ranking, drawn by chance, the same ones of every model. All are in the artifacts' files."), ...made];
  },
};

// --- rankings
const FIGURES = {
  order_pairs: "same verdict in another order", repeat_pairs: "same verdict when repeated", cycles: "intransitive triads", longer_wins: "longer response wins", tied_pairs: "tied pairs",
  unordered_sets: "sets without order", length_tau: "tau with length", likelihood_tau: "tau with likelihood", order_sets: "same order of the whole set", repeat_tau: "tau when repeated",
};
const rankingsView = {
  controls: () => [],
  body: () => {
    const keys = rankingsListed().map(([key]) => key);
    if (!keys.length) return [empty("No ranking is finished yet.")];
    const told = Object.keys(FIGURES).filter((name) => keys.some((key) => name in board.rankings[key].figures));
    const cells = (key, one) => one ? `${percent(one[0], 0)} [${percent(one[1], 0)}, ${percent(one[2], 0)}]` : "–";
    const rows = keys.map((key) => {
      const one = board.rankings[key];
      return make("tr", {}, cell("ranking", [make("strong", {}, rankingName(key)), make("div", { class: "quiet small" }, `${one.ranker} · ${key.slice(0, 8)}`)], { class: "free" }),
        cell("ordered sets", `${shown(one.ordered)} of ${one.sets}`), cell("refused", String(one.refused)), cell("agrees with the truth", cells(key, one.truth)), ...told.map((name) => cell(FIGURES[name], cells(key, one.figures[name]))));
    });
    const verdicts = keys.flatMap((key) => board.rankings[key].verdicts.map((one) => make("li", { class: one.severity }, make("strong", {}, `${rankingName(key)}: `), one.message, one.cure ? make("span", { class: "quiet" }, ` Cure: ${one.cure}.`) : null)));
    const list = keys.map((key, i) => ({ name: rankingName(key), colour: OTHERS[i % OTHERS.length], key })), agreed = list.filter(({ key }) => board.rankings[key].truth);
    const chart = (title, caption, of, x) => { const some = list.filter(({ key }) => of(board.rankings[key])); return some.length ? plot(title, caption, spans(some.map(({ name, key }) => { const [value, low, high] = of(board.rankings[key]); return { g: name, value: 100 * value, low: 100 * low, high: 100 * high, runs: 1, shown: cells(key, of(board.rankings[key])) }; }), some, x, false)) : null; };
    return [make("div", { class: "charts" }, agreed.length ? chart("Agreement with the truth", "Share of pairs in the same order as the truth; 50 % is chance.", (one) => one.truth, "pairs, %") : null, chart("The longer response wins", "Far from 50 % the ranker may be looking at length.", (one) => one.figures.longer_wins, "pairs, %")),
      table(["ranking", "ordered sets", "refused", "agrees with the truth", ...told.map((name) => FIGURES[name])], rows, { class: "cards" }), note("Shares and tau in percent with 95 % intervals, over sets."), make("h2", {}, "What is to be said of them"), make("ul", { class: "verdicts" }, verdicts)];
  },
};

// --- cost
const costView = {
  controls: () => [],
  body: () => {
    const runs = visible(), once = [...new Set(runs.flatMap((run) => run.stages))].filter((key) => key in board.stages), list = shownGroups(true).map((group) => ({ ...group, members: group.members.filter((one) => one.made.length) })).filter((group) => group.members.length);
    if (!once.length) return [empty("No step is finished yet.")];
    const per = (what, scale) => list.flatMap((group) => {
      const sums = new Map();
      for (const one of group.members) for (const key of one.made) { const stage = board.stages[key]; if (stage) sums.set(stage.stage, (sums.get(stage.stage) ?? 0) + stage[what] / scale / group.members.length); }
      return [...sums].filter(([, value]) => value).map(([stage, value]) => ({ g: group.name, stage, value }));
    });
    const order = list.map((group) => group.name), chart = (title, caption, what, scale, axis) => { const rows = per(what, scale); return rows.length ? plot(title, caption, stacked(rows, order, axis)) : null; };
    const priced = list.map((group) => ({ group, one: score(group) })).filter(({ one }) => one);
    const paid = once.some((key) => board.stages[key].usd), shared = "Mean over a group's runs; what several methods share counts for each of them.";
    const against = (what, title, axis) => priced.length ? plot(title, "", scatter(priced.map(({ group, one }) => ({ g: group.name, cost: mean(group.members.map((member) => spent(member.made, what))), shown: span(one), ...inPercent(one) })), priced.map(({ group }) => group), axis)) : null;
    const total = (what) => once.reduce((sum, key) => sum + board.stages[key][what], 0), asked = runs.reduce((sum, run) => sum + spent(run.stages, "seconds"), 0);
    const rows = once.map((key) => [key, board.stages[key]]).sort((a, b) => b[1].seconds - a[1].seconds).slice(0, 40).map(([key, one]) => make("tr", {}, cell("step", one.label, { class: "free" }), cell("stage", one.stage), cell("time", duration(one.seconds)), cell("tokens", counted(one.tokens)), cell("dollars", dollars(one.usd)), cell("used by", plural(runs.filter((run) => run.stages.includes(key)).length, "run")), cell("artifact", make("code", {}, key))));
    return [make("p", { class: "figures" }, make("strong", {}, duration(total("seconds"))), ` for ${plural(once.length, "step")}, each once (${duration(asked)} if every run had done all of its own) · `, make("strong", {}, counted(total("tokens"))), " tokens", paid ? [" · ", make("strong", {}, dollars(total("usd")))] : ""),
      legend((group) => group.members.some((one) => one.made.length), true), make("div", { class: "charts" }, chart("Time per model", shared, "seconds", 1, "seconds"), chart("Tokens per model", shared, "tokens", 1000, "thousands"), paid ? chart("Dollars per model", shared, "usd", 1, "dollars") : null, against("seconds", "Score against time", "seconds"), paid ? against("usd", "Score against dollars", "dollars") : null),
      table(["step", "stage", "time", "tokens", "dollars", "used by", "artifact"], rows, { class: "cards" })];
  },
};
const TABS = { runs: ["Runs", runsView], curves: ["Curves", curvesView], ablation: ["Ablation", ablationView], settings: ["Settings", settingsView], diff: ["Config diff", diffView], samples: ["Samples", samplesView], rankings: ["Rankings", rankingsView], cost: ["Cost", costView] };
