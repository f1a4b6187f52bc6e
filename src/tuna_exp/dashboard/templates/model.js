// What is shown, from what was read: filters, groups, models. Nothing here touches the page.

const parts = ["curves", "answers", "asked", "rankings", "stages"];
let board = { at: 0, common: {}, runs: [], curves: {}, answers: {}, asked: {}, rankings: {}, stages: {} };
const STATES = ["running", "finished", "failed", "pruned", "unfinished"];
const KNOWN = { base: "#858b94", sft: "#3a7fc1", tuna_p: "#c8700a", tuna_c: "#14916b", tuna: "#c0519c" };
const OTHERS = ["#8a6fd0", "#9a7b2f", "#d1495b", "#5b8c2a", "#1f8fa6", "#b0713d", "#6a7bd6", "#a8559b", "#4f8f73", "#c25f3e"];

// What the reader chose; it is kept in the address, so that it outlives a reload.
const chosen = {
  tab: "runs", query: "", states: "", group: "method", and: "", hidden: "", axis: "step", smooth: "0", band: "range",
  benchmark: "", baseline: "", one: "", other: "", all: "", left: "", right: "", item: "0", differ: "", ranking: "", set: "0",
};
const START = { ...chosen };
const listed = (name) => new Set(chosen[name] ? chosen[name].split("\u001f") : []);
const toggled = (name, value) => {
  const set = listed(name);
  if (!set.delete(value)) set.add(value);
  chosen[name] = [...set].join("\u001f");
};

// The last word of a setting's name; all of it where two that differ end alike.
const last = (path) => {
  const word = path.split(".").pop();
  return dims.some((other) => other !== path && other.split(".").pop() === word) ? path : word;
};
const shown = (value) => value === null || value === undefined ? "–" : String(value);
const IGNORED = /(^|\.)(_target_|_partial_|_convert_)$|^method\.|^(artifacts|runs|seed)$|^account\.|^budget\./;

let dims = [], override = new Map();
const names = new Map();  // of rankings
const index = () => {
  names.clear();
  override = new Map(board.runs.map((run) => [run.id, new Map(run.overrides.map((o) => [o.split("=")[0].replace(/^\++/, ""), o.split("=").slice(1).join("=")]))]));
  const keys = new Set();
  for (const given of override.values()) for (const key of given.keys()) keys.add(key);
  const differs = (key) => new Set(board.runs.map((run) => settingOf(run, key))).size > 1;
  dims = [...keys].filter((key) => !["method", "seed", "artifacts", "runs"].includes(key) && !key.startsWith("hydra") && differs(key)).sort();
};
// What a run has for a key: what was asked, else what its config says.
const settingOf = (run, key) => {
  const given = override.get(run.id)?.get(key);
  if (given !== undefined) return given;
  if (key in run.own) return shown(run.own[key]);
  if (key in board.common) return shown(board.common[key]);
  return "default";
};
const methodOf = (run) => override.get(run.id)?.get("method") ?? (run.asked.join(" + ") || "–");
const leaves = () => [...new Set(board.runs.flatMap((run) => Object.keys(run.own)))].filter((key) => !IGNORED.test(key)).sort();
const nameOf = (run) => {
  const told = [methodOf(run), ...(run.seed === "" ? [] : [`seed ${run.seed}`])];
  return [...told, ...dims.map((key) => override.get(run.id)?.has(key) ? `${last(key)}=${settingOf(run, key)}` : "").filter(Boolean)].join(" · ");
};

const matches = (run) => {
  const states = listed("states");
  if (states.size && !states.has(run.state)) return false;
  const words = chosen.query.trim().split(/\s+/).filter(Boolean);
  const text = [run.id, run.state, nameOf(run), run.reason, ...run.overrides].join(" ").toLowerCase();
  return words.every((word) => {
    const not = word.startsWith("-") && word.length > 1;
    const plain = not ? word.slice(1) : word;
    const [key, value] = plain.includes("=") ? [plain.slice(0, plain.indexOf("=")), plain.slice(plain.indexOf("=") + 1)] : ["", ""];
    const found = key ? has(run, key, value.split(",")) : text.includes(plain.toLowerCase());
    return found !== not;
  });
};
const has = (run, key, values) => {
  if (key === "state") return values.includes(run.state);
  if (key === "seed") return values.includes(run.seed);
  if (key === "method") return values.some((value) => methodOf(run) === value || run.asked.includes(value));
  const names = [...override.get(run.id).keys(), ...Object.keys(run.own), ...Object.keys(board.common)];
  return names.some((name) => (name === key || name.endsWith(`.${key}`)) && values.includes(settingOf(run, name)));
};
const visible = () => board.runs.filter(matches);

// --- groups of models. A model that differs by no value of a key (the base model by no seed, SFT by
// no ranking loss) has no part in telling groups apart by it.
const chosenDims = () => chosen.group === "each" ? ["method", "seed", ...dims] : [chosen.group, chosen.and].filter(Boolean);
const valueOf = (result, key) => key === "method" ? result.method : key === "seed" ? result.run.seed : settingOf(result.run, key);
const identity = (model) => model.train || `answers ${Object.values(model.answers).join(" ")}`;

const results = (runs = visible()) => {
  const found = [];
  for (const run of runs) {
    for (const [method, model] of Object.entries(run.models)) found.push({ run, method, ...model, id: identity(model) });
  }
  return found;
};
// With `apart` a group that mixes settings is told apart by them, so that what is left are seeds.
const groups = (apart = false, by = chosenDims()) => {
  const list = results(), further = dims.filter((key) => !by.includes(key)), differing = new Map();
  for (const key of [...by, ...further]) {
    if (key === "method") continue;
    const seen = new Map();
    for (const one of list) {
      const name = `${one.method}\u001f${one.id}`;
      if (!seen.has(name)) seen.set(name, new Set());
      seen.get(name).add(valueOf(one, key));
    }
    differing.set(key, seen);
  }
  const part = (one, key) => key !== "method" && differing.get(key).get(`${one.method}\u001f${one.id}`).size > 1 ? null : valueOf(one, key);
  const words = (one, keys, asked = () => true) => keys.map((key) => {
    const value = part(one, key);
    if (!asked(key) || value === null || (value === "default" && key !== "method")) return "";
    return key === "method" ? value : key === "seed" ? (value === "" ? "" : `seed ${value}`) : `${last(key)}=${value}`;
  }).filter(Boolean);
  const asked = new Map(list.map((one) => [one, words(one, by).join(" · ") || "all"])), mixed = new Map();
  for (const [one, name] of asked) {
    if (!mixed.has(name)) mixed.set(name, new Map(further.map((key) => [key, new Set()])));
    for (const key of further) mixed.get(name).get(key).add(part(one, key));
  }
  const mixes = (name) => further.filter((key) => [...mixed.get(name).get(key)].filter((value) => value !== null).length > 1);
  const made = new Map();
  for (const [one, whole] of asked) {
    const name = apart ? [whole, ...words(one, mixes(whole), (key) => override.get(one.run.id).has(key))].join(" · ") : whole;
    if (!made.has(name)) made.set(name, { name, mixes: apart ? [] : mixes(whole), members: new Map() });
    const members = made.get(name).members;
    if (!members.has(one.id)) members.set(one.id, one);
  }
  const order = ["base", "sft", "tuna_p", "tuna_c", "tuna"];
  const place = (group) => { const at = order.indexOf(group.name.split(" · ")[0]); return at < 0 ? order.length : at; };
  const sorted = [...made.values()].map((group) => ({ ...group, members: [...group.members.values()] }));
  sorted.sort((a, b) => place(a) - place(b) || a.name.localeCompare(b.name, "en", { numeric: true }));
  for (const group of sorted) group.colour = colourOf(group.name);
  return sorted;
};
const shownGroups = (apart = false) => { const hidden = listed("hidden"); return groups(apart).filter((group) => !hidden.has(group.name)); };
const colours = new Map();
const colourOf = (name) => {
  if (!colours.has(name)) colours.set(name, KNOWN[name] ?? OTHERS[[...colours.keys()].filter((other) => !KNOWN[other]).length % OTHERS.length]);
  return colours.get(name);
};

// --- scores
const benchmarks = () => [...new Set(results(board.runs).flatMap((one) => Object.keys(one.answers)))];
const benchmark = () => benchmarks().includes(chosen.benchmark) ? chosen.benchmark : benchmarks()[0] ?? "";
const answersOf = (one) => board.answers[one.answers[benchmark()]];
const scored = (group) => group.members.filter((one) => answersOf(one));
const known = new Map();  // intervals by what they are of: answers never change
const remembered = (name, make) => { if (!known.has(name)) known.set(name, make()); return known.get(name); };
const keyOf = (one) => one.answers[benchmark()];
const score = (group) => {
  const members = scored(group);
  if (!members.length) return null;
  const first = answersOf(members[0]), same = members.filter((one) => answersOf(one).items === first.items);
  const made = remembered(`score ${same.map(keyOf).join(" ")}`, () => interval(same.map((one) => answersOf(one).scores), first.kinds));
  return { value: made[0], low: made[1] === null ? null : Math.max(made[1], 0), high: made[2] === null ? null : Math.min(made[2], 1), runs: same.length, left: members.length - same.length, items: first.scores.length };
};
const baseline = (list) => {
  const able = list.filter((group) => scored(group).length);
  return able.find((group) => group.name === chosen.baseline) ?? able.find((group) => group.name === "sft") ?? able.find((group) => group.name.startsWith("sft")) ?? able[0];
};
// Score minus the baseline's on the same items and seeds; null where they share no items.
const difference = (group, base) => {
  const ours = scored(group), theirs = scored(base);
  if (!ours.length || !theirs.length || group === base) return null;
  const bySeed = new Map(theirs.map((one) => [one.run.seed, one]));
  const shared = ours.filter((one) => bySeed.has(one.run.seed));
  const pairs = (shared.length ? shared.map((one) => [one, bySeed.get(one.run.seed)]) : ours.map((one) => [one, theirs[0]]))
    .filter(([a, b]) => answersOf(a).items === answersOf(b).items);
  if (!pairs.length) return null;
  const made = remembered(`less ${pairs.flat().map(keyOf).join(" ")}`, () => {
    const runs = pairs.map(([a, b]) => answersOf(a).scores.map((value, item) => value - answersOf(b).scores[item]));
    return interval(runs, answersOf(pairs[0][0]).kinds);
  });
  return { value: made[0], low: made[1], high: made[2], runs: pairs.length };
};
const ownScore = (run) => {
  const method = run.asked[run.asked.length - 1], model = run.models[method];
  const answers = model && board.answers[model.answers[benchmark()]];
  return answers ? mean(answers.scores) : null;
};
const spent = (keys, what) => keys.reduce((sum, key) => sum + (board.stages[key]?.[what] ?? 0), 0);

// --- words
const percent = (value, digits = 1) => value === null || value === undefined ? "–" : (100 * value).toFixed(digits).replace(/^-(0(\.0+)?)$/, "$1");
const points = (value) => `${value >= 0 ? "+" : "−"}${Math.abs(100 * value).toFixed(1)}`;
const span = (one, write = percent) => one === null ? "–" : one.low === null ? `${write(one.value)}` : `${write(one.value)} [${write(one.low)}, ${write(one.high)}]`;
const duration = (seconds) => {
  if (seconds < 100) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = seconds / 60;
  return minutes < 100 ? `${Math.floor(minutes)} m ${Math.round(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${Math.round(minutes % 60)} m`;
};
const counted = (number) => number < 1000 ? String(number) : number < 1e6 ? `${(number / 1e3).toFixed(1)} k` : `${(number / 1e6).toFixed(1)} M`;
const dollars = (number) => number ? `$${number.toFixed(number < 1 ? 3 : 2)}` : "–";
const clock = (unix) => unix ? new Date(unix * 1000).toLocaleString("sv-SE").slice(5, 16) : "–";
const number = (value) => value === null || value === undefined ? "–" : Math.abs(value) >= 1e4 || (value && Math.abs(value) < 1e-3) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
