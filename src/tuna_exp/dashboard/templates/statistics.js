// Numbers only: nothing here touches the page.

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values) => {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - middle) ** 2, 0) / (values.length - 1));
};
const variance = (values) => deviation(values) ** 2;
const quantile = (sorted, share) => {
  const at = (sorted.length - 1) * share, low = Math.floor(at);
  return sorted[low] + (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]) * (at - low);
};

const Z95 = 1.959963984540054;
// The 0.975 quantile of Student's t with n > 0 degrees of freedom: Hill (1970), algorithm 396.
const t95 = (n) => {
  const p = 0.05;
  if (!Number.isFinite(n)) return Z95;
  if (n < 1.0001) return 1 / Math.tan((p * Math.PI) / 2);
  if (Math.abs(n - 2) < 1e-4) return Math.sqrt(2 / (p * (2 - p)) - 2);
  const a = 1 / (n - 0.5), b = 48 / (a * a);
  let c = ((20700 * a / b - 98) * a - 16) * a + 96.36;
  const d = ((94.5 / (b + c) - 3) / b + 1) * Math.sqrt(a * Math.PI / 2) * n;
  let y = (d * p) ** (2 / n);
  if (y > 0.05 + a) {
    const x = -Z95;
    y = x * x;
    if (n < 5) c += 0.3 * (n - 4.5) * (x + 0.6);
    c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c;
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x;
    y = a * y * y;
    y = y > 0.002 ? Math.exp(y) - 1 : 0.5 * y * y + y;
  } else {
    y = ((1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)) * y - 1) * (n + 1) / (n + 2) + 1 / y;
  }
  return Math.sqrt(n * y);
};

// Pseudo-random numbers in [0, 1) that are the same at every drawing: mulberry32.
const randoms = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};

const RESAMPLES = 999, ENOUGH_TASKS = 6;
// Mean of runs[seed][item] with its 95 % interval over seeds, tasks and items, as `tuna-exp compare`
// makes it (comparison/paired_tests.py, hierarchical_bootstrap: percentiles, stretched for few seeds).
// Null ends where all values are the same: nothing is known of their spread then.
const interval = (runs, kinds) => {
  const seeds = runs.length, items = runs[0].length;
  const middle = mean(runs.map(mean));
  const all = runs.flat();
  if (items < 2 || all.every((value) => Math.abs(value - all[0]) < 1e-12)) return [middle, null, null];
  const tasks = new Map();
  const byTask = new Set(kinds).size >= ENOUGH_TASKS;
  kinds.forEach((kind, item) => {
    const name = byTask ? kind : "";
    if (!tasks.has(name)) tasks.set(name, []);
    tasks.get(name).push(item);
  });
  const members = [...tasks.values()], random = randoms(1), stretchSeeds = Math.sqrt(seeds / Math.max(seeds - 1, 1));
  const drawn = [];
  for (let b = 0; b < RESAMPLES; b++) {
    const weights = new Float64Array(seeds), sums = new Float64Array(seeds);
    for (let s = 0; s < seeds; s++) weights[Math.floor(random() * seeds)] += 1 / seeds;
    let count = 0;
    for (let t = 0; t < members.length; t++) {
      const task = members[Math.floor(random() * members.length)];
      count += task.length;
      for (let i = 0; i < task.length; i++) {
        const item = task[Math.floor(random() * task.length)];
        for (let s = 0; s < seeds; s++) sums[s] += runs[s][item];
      }
    }
    let total = 0;
    for (let s = 0; s < seeds; s++) total += sums[s] * (1 / seeds + (weights[s] - 1 / seeds) * stretchSeeds);
    drawn.push(total / count);
  }
  const whole = variance(drawn);
  if (!(whole > 0)) return [middle, null, null];
  const ofSeeds = seeds > 1 ? Math.min(variance(runs.map(mean)) / seeds, whole) : 0;
  const units = members.length > 1 ? members.length : items;
  const parts = (whole - ofSeeds) ** 2 / Math.max(units - 1, 1) + ofSeeds ** 2 / Math.max(seeds - 1, 1);
  const stretch = t95(whole ** 2 / parts) / Z95;
  drawn.sort((a, b) => a - b);
  return [middle, middle + stretch * (quantile(drawn, 0.025) - middle), middle + stretch * (quantile(drawn, 0.975) - middle)];
};

// An exponential mean whose early values are not pulled to 0 (as Adam's moments are corrected).
const smoothed = (values, weight) => {
  let kept = 0, correction = 1;
  return values.map((value) => {
    kept = weight * kept + (1 - weight) * value;
    correction *= weight;
    return kept / (1 - correction);
  });
};

// The value at x of a curve of [x, y], linear between its points; null outside of them.
const valueAt = (curve, x) => {
  let low = 0, high = curve.length - 1;
  if (high < 0 || x < curve[0][0] || x > curve[high][0]) return null;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (curve[middle][0] <= x) low = middle; else high = middle;
  }
  const [[x0, y0], [x1, y1]] = [curve[low], curve[high]];
  return x1 === x0 ? y0 : y0 + ((x - x0) / (x1 - x0)) * (y1 - y0);
};

const GRID = 240, COARSE_GRID = 80;
// Several curves as one: rows of {x, y, low, high, n}. `band` is range, error or t.
const pooledCurves = (curves, band, points = GRID) => {
  let grid = [...new Set(curves.flatMap((curve) => curve.map(([x]) => x)))].sort((a, b) => a - b);
  if (grid.length > points) {
    const [first, last] = [grid[0], grid[grid.length - 1]];
    grid = Array.from({ length: points }, (_, i) => first + ((last - first) * i) / (points - 1));
  }
  return grid.map((x) => {
    const values = curves.map((curve) => valueAt(curve, x)).filter((value) => value !== null);
    const y = mean(values);
    let [low, high] = [Math.min(...values), Math.max(...values)];
    if (band !== "range" && values.length > 1) {
      const half = (deviation(values) / Math.sqrt(values.length)) * (band === "t" ? t95(values.length - 1) : 1);
      [low, high] = [y - half, y + half];
    }
    return { x, y, low, high, n: values.length };
  });
};
