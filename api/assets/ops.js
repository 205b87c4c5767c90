// The page of operators: asks /ops/summary and /ops/charts again and again, and shows what they answer.

import { drawChart, shortNumber, spanOf } from "/ops/charts.js";

const SUMMARY_MILLISECONDS = 2000;
const CHARTS_MILLISECONDS = 10000;
const STALE_MILLISECONDS = 6000;
const SHORTEST_MILLISECONDS = 4000; // of which a rate is made
const KEY = "spade-metrics-key";
const part = (id) => document.getElementById(id);

let earlier = []; // summaries of the last ten seconds, from which rates come
let lastHeard = Date.now();
let wake = () => {}; // the loops, when there is a key

class KeyNeeded extends Error {}

async function ask(path) {
  const key = sessionStorage.getItem(KEY);
  const answer = await fetch(path, { headers: key ? { Authorization: `Bearer ${key}` } : {}, cache: "no-store" });
  if (answer.ok) return answer.json();
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401 || answer.status === 403) {
    throw new KeyNeeded(key ? "This key is not valid, or not of scope metrics." : "");
  }
  throw new Error([problem.title ?? `HTTP ${answer.status}`, problem.detail].filter(Boolean).join(": "));
}

function isOld() {
  const last = earlier.at(-1);
  return last && Date.now() - lastHeard > STALE_MILLISECONDS ? `Figures of ${new Date(Date.parse(last.time)).toLocaleTimeString()}. ` : "";
}

// Words

const total = (values) => Object.values(values).reduce((sum, value) => sum + value, 0);

function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 120) return `${+seconds.toPrecision(2)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let power = 0;
  while (count >= 1024 && power < units.length - 1) [count, power] = [count / 1024, power + 1];
  return `${+count.toPrecision(3)} ${units[power]}`;
}

const ago = (time, now) => `${duration(Math.max(0, (now - Date.parse(time)) / 1000))} ago`;

// Tables

function cell(column, row) {
  const made = document.createElement("td");
  const value = column.value(row);
  made.dataset.title = column.title; // shown where the table is cards
  made.className = [column.number && "number", column.wide && "wide", column.tone?.(row)].filter(Boolean).join(" ");
  if (column.code) made.append(Object.assign(document.createElement("code"), { textContent: value }));
  else made.textContent = value;
  return made;
}

function show(id, rows, columns, none) {
  if (!rows.length) {
    part(id).replaceChildren(Object.assign(document.createElement("p"), { textContent: none }));
    return;
  }
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const column of columns) {
    const title = document.createElement("th");
    title.scope = "col";
    title.textContent = column.title;
    if (column.number) title.className = "number";
    head.append(title);
  }
  const body = table.createTBody();
  for (const row of rows) body.insertRow().append(...columns.map((column) => cell(column, row)));
  part(id).replaceChildren(table);
}

const TONES = { gone: "bad", busy: "good", failed: "bad", succeeded: "good", expired: "warn" };

const COLUMNS = {
  workers: (now) => [
    { title: "worker", value: (row) => row.name, code: true },
    { title: "state", value: (row) => row.state, tone: (row) => TONES[row.state] },
    { title: "device", value: (row) => row.device },
    { title: "engine", value: (row) => row.engine },
    { title: "busy", value: (row) => `${Math.round(row.busy_share * 100)} %`, number: true },
    { title: "pictures", value: (row) => row.pictures, number: true },
    { title: "started", value: (row) => ago(row.started, now) },
    { title: "heard of", value: (row) => ago(row.seen, now) },
    { title: "models", value: (row) => row.models.join(", ") },
  ],
  queues: () => [
    { title: "model", value: (row) => row.model },
    { title: "interactive", value: (row) => row.waiting.interactive, number: true },
    { title: "normal", value: (row) => row.waiting.normal, number: true },
    { title: "bulk", value: (row) => row.waiting.bulk, number: true },
    { title: "oldest", value: (row) => duration(Math.max(...Object.values(row.oldest_seconds))), number: true },
    { title: "pixels a second", value: (row) => shortNumber(row.pixels_per_second), number: true },
    { title: "succeeded", value: (row) => row.succeeded, number: true },
    { title: "failed", value: (row) => row.failed, number: true, tone: (row) => row.failed && "bad" },
  ],
  jobs: (now) => [
    { title: "state", value: (row) => row.state, tone: (row) => TONES[row.state] },
    { title: "items", value: (row) => `${row.succeeded + row.failed} of ${row.total}`, number: true },
    { title: "failed", value: (row) => row.failed, number: true, tone: (row) => row.failed && "bad" },
    { title: "job", value: (row) => row.id, code: true },
    { title: "model", value: (row) => row.model },
    { title: "priority", value: (row) => row.priority },
    { title: "owner", value: (row) => row.owner },
    { title: "created", value: (row) => ago(row.created, now) },
    { title: "took", value: (row) => (row.finished ? duration((Date.parse(row.finished) - Date.parse(row.created)) / 1000) : ""), number: true },
  ],
  failures: () => [
    { title: "reason", value: (row) => row.reason, tone: () => "bad" },
    { title: "detail", value: (row) => row.detail ?? "", wide: true },
    { title: "job", value: (row) => row.job, code: true },
    { title: "item", value: (row) => row.index, number: true },
    { title: "model", value: (row) => row.model },
    { title: "owner", value: (row) => row.owner },
    { title: "attempts", value: (row) => row.attempts, number: true },
  ],
  owners: () => [
    { title: "owner", value: (row) => row.owner },
    { title: "pictures", value: (row) => row.pictures, number: true },
    { title: "pixels", value: (row) => shortNumber(row.pixels), number: true },
    { title: "open items", value: (row) => row.open_items, number: true },
    { title: "stored", value: (row) => bytes(row.stored_bytes), number: true },
  ],
};

// Figures

function figure(title, value, tone = "") {
  const made = document.createElement("div");
  made.className = "figure";
  const number = Object.assign(document.createElement("b"), { textContent: value, className: tone });
  made.append(number, Object.assign(document.createElement("span"), { textContent: title }));
  return made;
}

function picturesASecond(summary) {
  const made = (one) => one.queues.reduce((sum, queue) => sum + queue.succeeded, 0);
  const first = earlier[0];
  const seconds = (Date.parse(summary.time) - Date.parse(first.time)) / 1000;
  return seconds * 1000 < SHORTEST_MILLISECONDS ? "–" : shortNumber(Math.max(0, made(summary) - made(first)) / seconds);
}

function showFigures(summary) {
  const here = summary.workers.filter((worker) => worker.state !== "gone");
  const busy = here.length ? here.reduce((sum, worker) => sum + worker.busy_share, 0) / here.length : 0;
  const waiting = summary.queues.reduce((sum, queue) => sum + total(queue.waiting), 0);
  const oldest = Math.max(0, ...summary.queues.flatMap((queue) => Object.values(queue.oldest_seconds)));
  const pixels = summary.queues.reduce((sum, queue) => sum + queue.pixels_per_second, 0);
  const shown = [
    figure("pictures/s", picturesASecond(summary)),
    figure("pixels/s", shortNumber(pixels)),
    figure("items waiting", shortNumber(waiting)),
    figure("oldest item", duration(oldest)),
    figure(here.length === 1 ? "worker" : "workers", here.length, here.length ? "" : "bad"),
    figure("busy", `${Math.round(busy * 100)} %`),
    figure("dead letters", summary.dead_letters, summary.dead_letters ? "bad" : ""),
  ];
  if (summary.memory) {
    const { used_bytes: used, limit_bytes: limit } = summary.memory;
    shown.push(figure(limit ? `of Redis' ${bytes(limit)}` : "in Redis", bytes(used), limit && used > 0.85 * limit ? "bad" : ""));
  }
  part("figures").replaceChildren(...shown);
}

// The loop

function told(text, tone = "") {
  part("status").textContent = text;
  part("status").className = tone;
}

async function refreshSummary() {
  const summary = await ask("/ops/summary");
  const now = Date.parse(summary.time);
  lastHeard = Date.now();
  part("main").classList.remove("old");
  earlier = [...earlier.filter((one) => now - Date.parse(one.time) < 10500), summary];
  part("key").hidden = true;
  part("main").hidden = false;
  told(`version ${summary.version}, ${new Date(now).toLocaleTimeString()}`);
  showFigures(summary);
  show("workers", summary.workers, COLUMNS.workers(now), "No worker has said anything in the last ten minutes.");
  show("queues", summary.queues, COLUMNS.queues(), "No job was submitted yet.");
  show("jobs", summary.jobs, COLUMNS.jobs(now), "No job was submitted yet.");
  show("failures", summary.failures, COLUMNS.failures(), "None.");
  show("owners", summary.owners, COLUMNS.owners(), "Nobody has used the service yet.");
}

async function refreshCharts() {
  const answer = await ask("/ops/charts");
  part("source").textContent = answer.error
    ? `Prometheus does not answer: ${answer.error}`
    : answer.source === "prometheus" ? "from Prometheus" : "from this process, since it started";
  const now = Date.now() / 1000;
  const span = spanOf(answer.charts, now);
  part("charts-title").firstChild.data = `Last ${span === 3600 ? "hour" : `${span / 60} minutes`} `;
  part("charts").replaceChildren(...answer.charts.map((chart) => drawChart(chart, now, span)));
}

let woken = new Promise((resolve) => (wake = resolve));

function markOld() {
  if (isOld()) {
    part("main").classList.add("old");
    if (part("status").className !== "bad") told(`${isOld()}Nothing new was heard since.`, "bad");
  }
}

async function repeat(refresh, milliseconds) {
  for (;;) {
    try {
      if (!document.hidden && (part("key").hidden || sessionStorage.getItem(KEY))) await refresh();
    } catch (error) {
      if (error instanceof KeyNeeded) {
        sessionStorage.removeItem(KEY);
        part("key").hidden = false;
        part("main").hidden = true;
        told(error.message, "bad");
      } else {
        told(isOld() + (error instanceof TypeError ? "The service does not answer." : error.message), "bad");
      }
    }
    await Promise.race([new Promise((resolve) => setTimeout(resolve, milliseconds)), woken]);
  }
}

part("key").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, part("key-text").value.trim());
  part("key-text").value = "";
  told("Loading…");
  wake();
  woken = new Promise((resolve) => (wake = resolve));
});

setInterval(markOld, 1000);

repeat(refreshSummary, SUMMARY_MILLISECONDS);
repeat(refreshCharts, CHARTS_MILLISECONDS);
