// Line charts over the last hour as SVG.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 380, HEIGHT = 150, LEFT = 40, RIGHT = 8, TOP = 10, BOTTOM = 20;
const COLOURS = 6;
const MOST_LINES = 12;

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** The smallest of 1, 2, 2.5, 5, 10, 20, ... that is not below `value`. */
function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}

export function shortNumber(value) {
  if (value >= 1e9) return `${+(value / 1e9).toPrecision(3)}G`;
  if (value >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
  if (value >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
  return `${+value.toPrecision(3)}`;
}

function line(points, x, y, gapSeconds) {
  let path = "", before = -Infinity;
  for (const [at, value] of points) {
    path += `${at - before > gapSeconds ? "M" : "L"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    before = at;
  }
  return path;
}

/** The shortest span, in seconds, that shows all points of the last hour. */
export function spanOf(charts, now) {
  const first = Math.min(now, ...charts.flatMap((chart) => chart.series.map((one) => one.points[0]?.[0] ?? now)));
  return [900, 1800, 3600].find((span) => now - first <= span) ?? 3600;
}

function plot(chart, now, span) {
  const values = chart.series.flatMap((one) => one.points.map(([, value]) => value));
  const top = niceCeiling(Math.max(...values, 1e-9) || 1) || 1;
  const ceiling = chart.unit === "%" ? 100 : values.some((value) => value > 0) ? top : 1;
  const x = (at) => LEFT + (WIDTH - LEFT - RIGHT) * (1 - (now - at) / span);
  const y = (value) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * Math.min(1, value / ceiling);
  const last = chart.series.map((one) => `${one.label} ${shortNumber(one.points.at(-1)?.[1] ?? 0)}`).join(", ");
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${chart.title}: ${last}` });
  for (const part of [0, 0.5, 1]) {
    svg.append(element("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(part * ceiling), y2: y(part * ceiling) }));
    svg.append(element("text", { x: LEFT - 6, y: y(part * ceiling) + 4, "text-anchor": "end" }, shortNumber(part * ceiling)));
  }
  for (const third of [3, 2, 1, 0]) {
    const anchor = third === 3 ? "start" : third === 0 ? "end" : "middle";
    const label = third === 0 ? "now" : `−${Math.round((third * span) / 180)} min`;
    svg.append(element("text", { x: x(now - (third * span) / 3), y: HEIGHT - 5, "text-anchor": anchor }, label));
  }
  chart.series.slice(0, MOST_LINES).forEach((one, number) => {
    const shown = one.points.filter(([at]) => at >= now - span);
    svg.append(element("path", { class: `line-${number % COLOURS}`, d: line(shown, x, y, 90) }));
    if (shown.length === 1) {
      svg.append(element("circle", { class: `line-${number % COLOURS}`, cx: x(shown[0][0]), cy: y(shown[0][1]), r: 2 }));
    }
  });
  return svg;
}

/** A <figure> of a chart as /ops/charts tells it, over the last `span` seconds. */
export function drawChart(chart, now, span) {
  const figure = document.createElement("figure");
  figure.className = "chart";
  const caption = document.createElement("figcaption");
  caption.textContent = chart.unit ? `${chart.title} (${chart.unit})` : chart.title;
  const legend = document.createElement("ul");
  legend.className = "legend";
  chart.series.slice(0, MOST_LINES).forEach((one, number) => {
    const entry = document.createElement("li");
    const mark = document.createElement("i");
    mark.className = `line-${number % COLOURS}`;
    entry.append(mark, `${one.label || "all"} ${shortNumber(one.points.at(-1)?.[1] ?? 0)}`);
    legend.append(entry);
  });
  if (!chart.series.length) legend.append(Object.assign(document.createElement("li"), { textContent: "nothing above 0" }));
  figure.append(caption, plot(chart, now, span), legend);
  return figure;
}
