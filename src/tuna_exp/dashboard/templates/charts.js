// Vega-Lite specifications. Only fixed names are fields; what runs wrote travels as values.

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const narrow = () => innerWidth < 640;
const theme = () => {
  const words = { labelColor: css("--text"), titleColor: css("--quiet"), labelFontSize: narrow() ? 11 : 12, titleFontSize: 12, titleFontWeight: 400, labelLimit: narrow() ? 165 : 215 };
  const line = css("--line");
  return {
    background: null, font: "system-ui, sans-serif", view: { stroke: null },
    axis: { ...words, gridColor: line, domainColor: line, tickColor: line },
    legend: words, text: { color: css("--text") }, rule: { color: css("--text") },
  };
};
const coloured = (list, field = "g") => ({ field, type: "nominal", legend: null, scale: { domain: list.map((one) => one.name), range: list.map((one) => one.colour) } });
const base = (height, rest) => ({ $schema: "https://vega.github.io/schema/vega-lite/v6.json", width: "container", height, autosize: { type: "fit", contains: "padding" }, ...rest });

// Invisible points carry what a line says where it is pointed at: with very many they only cost time.
const MANY_GROUPS = 20;
const lines = (rows, faint, list, title) => {
  const y = { field: "y", type: "quantitative", title: null, scale: { zero: false } };
  const xs = rows.map((row) => row.x), least = Math.min(...xs), most = Math.max(...xs);
  // Few steps: one tick for each, as there is no half a step.
  const ticks = most - least <= 6 ? { values: Array.from({ length: Math.floor(most) - Math.ceil(least) + 1 }, (_, i) => Math.ceil(least) + i) } : { tickCount: 5 };
  const x = { field: "x", type: "quantitative", title, axis: { ...ticks, format: "~s", grid: false }, scale: { nice: false } };
  const tooltip = [{ field: "g", title: "group" }, { field: "x", title, format: ",.6~g" }, { field: "y", title: "value", format: ".4g" }, { field: "low", format: ".4g" }, { field: "high", format: ".4g" }, { field: "n", title: "runs" }];
  const layer = [
    { mark: { type: "area", opacity: 0.18 }, transform: [{ filter: "datum.n > 1" }], encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color: coloured(list) } },
    { data: { values: faint }, mark: { type: "line", strokeWidth: 1, opacity: 0.3 }, encoding: { x, y, color: coloured(list), detail: { field: "r", type: "nominal" } } },
    { mark: { type: "line", strokeWidth: 1.8 }, encoding: { x, y, color: coloured(list) } },
    { mark: { type: "point", filled: true, size: 60, opacity: 0.001 }, encoding: { x, y, color: coloured(list), tooltip } },
  ];
  if (list.length > MANY_GROUPS) layer.pop();
  if (!faint.length) layer.splice(1, 1);
  if (!rows.some((row) => row.n > 1)) layer.shift();  // no band of nothing: Vega would complain
  return base(190, { data: { values: rows }, layer });
};

const spans = (rows, list, title, zero) => {
  const y = { field: "g", type: "nominal", title: null, sort: list.map((one) => one.name) };
  const x = { field: "low", type: "quantitative", title, axis: { tickCount: 6 }, scale: { zero: false, nice: true } };
  const tooltip = [{ field: "g", title: "group" }, { field: "shown", title }, { field: "runs", title: "runs" }];
  const layer = [
    { mark: { type: "rule", strokeWidth: 2.5 }, encoding: { y, x, x2: { field: "high" }, color: coloured(list), tooltip } },
    { mark: { type: "point", filled: true, size: 90, opacity: 1 }, encoding: { y, x: { ...x, field: "value" }, color: coloured(list), tooltip } },
  ];
  if (zero) layer.unshift({ data: { values: [{ at: 0 }] }, mark: { type: "rule", strokeDash: [4, 3] }, encoding: { x: { field: "at", type: "quantitative" } } });
  return base(40 + 28 * list.length, { data: { values: rows }, layer });
};

// Axes are made by hand: each has its own scale, numbers by size and words by order.
const parallel = (axes, entries) => {
  const scales = axes.map(({ values }) => {
    const numbers = values.map(Number), numeric = values.every((value, i) => value !== "" && value !== null && Number.isFinite(numbers[i]));
    if (numeric) {
      const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
      const distinct = [...new Set(numbers)];
      const ticks = (distinct.length <= 6 ? distinct : [low, (low + high) / 2, high]).map((value) => ({ at: high > low ? (value - low) / (high - low) : 0.5, label: number(value) }));
      return { of: (value) => high > low ? (Number(value) - low) / (high - low) : 0.5, ticks };
    }
    const words = [...new Set(values.map(shown))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    const of = (value) => words.length > 1 ? words.indexOf(shown(value)) / (words.length - 1) : 0.5;
    return { of, ticks: words.map((word) => ({ at: of(word), label: word.length > 14 ? `${word.slice(0, 13)}…` : word })) };
  });
  const points = entries.flatMap((entry, i) => axes.map((axis, a) => ({ run: i, a, name: axis.name, at: scales[a].of(axis.values[i]), what: shown(axis.values[i]), who: entry.name, score: entry.score, shown: percent(entry.score) })));
  const ticks = axes.flatMap((axis, a) => scales[a].ticks.map((tick) => ({ a, name: axis.name, ...tick })));
  const x = { field: "name", type: "ordinal", sort: axes.map((axis) => axis.name), title: null, scale: { type: "point", padding: 0.35 }, axis: { labelAngle: 0, domain: false, ticks: false, orient: "top", labelFontWeight: 600, labelPadding: 8, labelLimit: 110 } };
  const y = { field: "at", type: "quantitative", axis: null, scale: { domain: [-0.03, 1.03] } };
  const dark = css("--scheme") === "dark";
  const range = dark ? ["#4460a8", "#37a3a0", "#f4d35e"] : ["#b9c7e8", "#2f8fa8", "#12346b"];
  const color = { field: "score", type: "quantitative", scale: { range }, legend: { title: "score %", orient: "bottom", format: ".0%", gradientLength: 160, direction: "horizontal" } };
  const tooltip = [{ field: "who", title: "model" }, { field: "name", title: "setting" }, { field: "what", title: "value" }, { field: "shown", title: "score %" }];
  const over = { param: "over", empty: true };
  return base(330, {
    layer: [
      { data: { values: axes.map((axis) => ({ name: axis.name })) }, mark: { type: "rule", opacity: 0.35 }, encoding: { x } },
      { data: { values: points }, params: [{ name: "over", select: { type: "point", on: "pointerover", fields: ["run"], nearest: true, clear: "pointerout" } }],
        mark: { type: "point", filled: true, size: 30 }, encoding: { x, y, color, tooltip, opacity: { condition: { ...over, value: 0.9 }, value: 0.15 } } },
      { data: { values: points }, mark: { type: "line", strokeWidth: 1.8 }, encoding: { x, y, color, detail: { field: "run", type: "nominal" }, order: { field: "a" }, opacity: { condition: { ...over, value: 0.75 }, value: 0.08 } } },
      { data: { values: ticks }, mark: { type: "text", align: "left", dx: 7, fontSize: 11, stroke: css("--panel"), strokeWidth: 3, strokeJoin: "round" }, encoding: { x, y, text: { field: "label" } } },
      { data: { values: ticks }, mark: { type: "text", align: "left", dx: 7, fontSize: 11 }, encoding: { x, y, text: { field: "label" } } },
    ],
  });
};

const STAGE_COLOURS = { train: "#3a7fc1", sample: "#c8700a", rank: "#14916b", tokenise: "#858b94", proxy: "#c0519c", evaluate: "#8a6fd0", figures: "#9a7b2f", compare: "#5b8c2a", judge: "#d1495b", mix: "#1f8fa6" };
const stacked = (rows, order, title) => {
  const stages = [...new Set(rows.map((row) => row.stage))];
  return base(60 + 28 * order.length, {
    data: { values: rows }, mark: { type: "bar", size: 15 },
    encoding: {
      y: { field: "g", type: "nominal", sort: order, title: null }, x: { field: "value", type: "quantitative", title, axis: { tickCount: 5 } },
      color: { field: "stage", type: "nominal", scale: { domain: stages, range: stages.map((stage) => STAGE_COLOURS[stage] ?? "#858b94") }, legend: { title: null, orient: "top", columns: narrow() ? 2 : 4 } },
      tooltip: [{ field: "g", title: "group" }, { field: "stage" }, { field: "value", title, format: ",.4~g" }],
    },
  });
};
const scatter = (rows, list, title) => {
  const y = { field: "value", type: "quantitative", title: "score, %", scale: { zero: false }, axis: { tickCount: 5 } };
  const x = { field: "cost", type: "quantitative", title, axis: { tickCount: 5 } };
  const tooltip = [{ field: "g", title: "group" }, { field: "shown", title: "score %" }, { field: "cost", title, format: ",.4~g" }];
  return base(230, { data: { values: rows }, layer: [
    { mark: { type: "rule", strokeWidth: 2 }, encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color: coloured(list) } },
    { mark: { type: "point", filled: true, size: 100, opacity: 1 }, encoding: { x, y, color: coloured(list), tooltip } },
  ] });
};

// --- drawing: a chart is embedded when it comes into sight, and again when it has changed
let drawing = [];
const forget = () => { for (const one of drawing) { one.seen?.disconnect(); one.view?.finalize(); } drawing = []; };
const plot = (title, caption, spec) => {
  const place = make("div", { class: "plot", role: "img", "aria-label": title });
  place.style.minHeight = `${spec.height}px`;
  const one = { place };
  one.seen = new IntersectionObserver(async (entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    one.seen.disconnect();
    // Between two charts the page answers its reader.
    await new Promise((resolve) => { setTimeout(resolve); });
    if (!place.isConnected) return;
    const many = JSON.stringify(spec).length > 400000;
    const made = await vegaEmbed(place, spec, { actions: false, ast: true, renderer: many ? "canvas" : "svg", config: theme() });
    one.view = made.view;
    if (!place.isConnected) made.view.finalize();
  }, { rootMargin: "200px" });
  one.seen.observe(place);
  drawing.push(one);
  return make("figure", { class: "chart" }, make("h3", {}, title), caption ? make("p", { class: "caption" }, caption) : null, place);
};
