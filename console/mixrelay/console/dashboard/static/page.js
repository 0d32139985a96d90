// The charts of the overview. Everything else works without a script but for the figures that
// htmx fetches anew; nothing here makes HTML out of what came from Redis.
"use strict";

const KEEP_MS = { hour: 10_000, day: 60_000 };
const INKS = ["--bad", "--odd", "--accent", "--quiet", "--good"];
const LATENCY_S = [0.1, 100_000];

function colour(name) {
  // A custom property answers with light-dark() unresolved: an element's colour does not.
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

// The lines of a chart: a label, a colour, and a value for each bucket.
function lines(kind, found) {
  // What has just begun has no rate yet.
  const begun = (at) => at === found.time.length - 1 && found.rough;
  const rate = (counts) => counts.map((count, at) => (begun(at) ? null : count / found.minutes[at]));
  if (kind === "rates") return [["received", "--quiet", rate(found.received)], ["delivered", "--good", rate(found.delivered)], ["redelivered", "--odd", rate(found.redelivered)]];
  if (kind === "backlog") return [["backlog", "--accent", found.backlog]];
  if (kind === "latency") return [["p50", "--good", found.p50], ["p95", "--odd", found.p95]];
  const reasons = Object.entries(found.reasons).slice(0, INKS.length);
  if (!reasons.length) return [["failed", "--bad", rate(found.dead)]];
  return reasons.map(([reason, counts], at) => [reason, INKS[at], rate(counts)]);
}

// A minute with none beside it makes no line: it is drawn as a point.
function alone(plot, place) {
  const values = plot.data[place];
  const lone = [...values.keys()].filter((i) => values[i] != null && values[i - 1] == null && values[i + 1] == null);
  return lone;
}

// The bucket that is not over yet is shaded.
function running(plot) {
  const times = plot.data[0];
  const from = Math.max(plot.valToPos(times.at(-2) ?? times.at(-1), "x", true), plot.bbox.left);
  const till = plot.bbox.left + plot.bbox.width;
  if (from >= till) return;
  plot.ctx.save();
  plot.ctx.globalAlpha = 0.12;
  plot.ctx.fillStyle = colour("--quiet");
  plot.ctx.fillRect(from, plot.bbox.top, till - from, plot.bbox.height);
  plot.ctx.restore();
}

function options(kind, width, drawn) {
  const clock = (_, times) => times.map((at) => new Date(at * 1000).toISOString().slice(11, 16));
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const unit = kind === "latency" ? " s" : "";
  const digits = { maximumFractionDigits: kind === "latency" ? 2 : 1 };
  const shown = (_, value) => (value == null ? "–" : value.toLocaleString("en", digits) + unit);
  const linear = { range: (_, low, high) => [0, Math.max(high ?? 0, 5) * 1.1] };
  const log = { distr: 3, range: (_, low, high) => [LATENCY_S[0], Math.min(10 ** Math.ceil(Math.log10(Math.max(high ?? 1, 1))), LATENCY_S[1])] };
  const powers = (_, splits) => splits.map((value) => (Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-6 ? value : null));
  return {
    width,
    height: 150,
    cursor: { sync: { key: "mixrelay", setSeries: false, scales: ["x", null] } },
    scales: { y: kind === "latency" ? log : linear },
    axes: [{ ...axis, size: 28, values: clock }, { ...axis, size: 60, ...(kind === "latency" ? { filter: powers, grid: { ...axis.grid, filter: powers } } : {}) }],
    series: [
      { label: "at", value: (_, at) => (at == null ? "–" : new Date(at * 1000).toISOString().slice(11, 16)) },
      ...drawn.map(([label, ink]) => ({ label, stroke: colour(ink), width: 2, value: shown, spanGaps: false, points: { filter: alone } })),
    ],
    hooks: { draw: [running] },
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
  };
}

function charts(section) {
  const spoken = section.querySelector("[data-spoken]");
  const drawn = new Map();
  let span = section.querySelector('[data-span][aria-pressed="true"]').dataset.span;
  let timer;

  function draw(found, anew) {
    for (const place of section.querySelectorAll("[data-chart]")) {
      const kind = place.dataset.chart;
      const parts = lines(kind, found);
      const values = [found.time, ...parts.map(([, , counts]) => counts)];
      const known = drawn.get(kind);
      const names = parts.map(([label]) => label).join();
      if (known && known.names === names && !anew) {
        // Who has zoomed in stays there.
        const { min, max } = known.plot.scales.x;
        const zoomed = known.plot.data[0].at(0) < min || known.plot.data[0].at(-1) > max;
        known.plot.setData(values, !zoomed);
        continue;
      }
      known?.plot.destroy();
      drawn.set(kind, { names, plot: new uPlot(options(kind, place.clientWidth, parts), values, place) });
    }
    const sum = (name) => found[name].reduce((all, one) => all + one, 0).toLocaleString("en");
    const slowest = found.p95.filter((one) => one != null);
    const within = slowest.length ? `; p95 at worst ${Math.max(...slowest)} s` : "";
    spoken.textContent = `In the last ${span}: ${sum("delivered")} delivered, ${sum("dead")} dead${within}.`;
  }

  async function look(anew = false) {
    clearTimeout(timer);
    try {
      const answer = await fetch(`${section.dataset.series}?span=${span}`, { headers: { Accept: "application/json" } });
      if (answer.ok) draw(await answer.json(), anew);
    } catch {
      // Nobody answers, which the figures above tell; it is asked again.
    } finally {
      timer = setTimeout(look, KEEP_MS[span]);
    }
  }

  for (const button of section.querySelectorAll("[data-span]")) {
    button.addEventListener("click", () => {
      span = button.dataset.span;
      for (const other of section.querySelectorAll("[data-span]")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      // A view can be kept and passed on.
      const address = new URL(location);
      address.searchParams.set("span", span);
      history.replaceState(null, "", address);
      look(true);
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => look(true));
  addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(() => look(true), 200); });
  look();
}

for (const section of document.querySelectorAll(".charts")) charts(section);

// A box that chooses all boxes of its table; with shift, all between two.
for (const form of document.querySelectorAll("form:has(input[data-all])")) {
  const boxes = [...form.querySelectorAll('input[type="checkbox"][name]')];
  const all = form.querySelector("input[data-all]");
  const many = form.querySelector("[data-chosen]");
  let last = null;
  const count = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    many.closest(".bar").classList.toggle("some", chosen > 0);
    many.textContent = chosen ? `${chosen} chosen` : "none chosen";
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  };
  all.addEventListener("change", () => { for (const box of boxes) box.checked = all.checked; count(); });
  form.addEventListener("click", (event) => {
    const at = boxes.indexOf(event.target);
    if (at < 0) return;
    if (event.shiftKey && last !== null) {
      for (const box of boxes.slice(Math.min(at, last), Math.max(at, last) + 1)) box.checked = event.target.checked;
    }
    last = at;
    count();
  });
  count();
}

// Copies what stands in an element. Without a script the text is there to be selected.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  const words = button.textContent;
  button.addEventListener("click", async () => {
    const from = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(from.textContent);
      button.textContent = "Copied";
    } catch {
      // Not over plain HTTP: chosen, so that a key copies it.
      getSelection().selectAllChildren(from);
      button.textContent = "Selected: copy it";
    }
    setTimeout(() => { button.textContent = words; }, 2000);
  });
}

// Keys, which may be turned off: somebody may speak to the computer.
const KEYS_OFF = "mixrelay-keys-off";
const keysOff = () => localStorage.getItem(KEYS_OFF) === "1";
const keys = document.querySelector("[data-keys]");
if (keys) {
  const button = keys.querySelector("[data-keys-off]");
  const show = () => { button.textContent = keysOff() ? "Turn on" : "Turn off"; };
  keys.hidden = false;
  show();
  button.addEventListener("click", () => { localStorage.setItem(KEYS_OFF, keysOff() ? "0" : "1"); show(); });
}
function step(by) {
  const rows = [...document.querySelectorAll("[data-row]")];
  if (!rows.length) return document.querySelector(by > 0 ? 'a[rel="next"]' : 'a[rel="prev"]')?.click();
  // The letters of a group come before the list of groups.
  const mine = new URLSearchParams(location.search).has("group") ? rows.filter((row) => !row.closest("section").querySelector("#groups-heading")) : rows;
  const at = mine.findIndex((row) => row.contains(document.activeElement));
  mine[Math.min(Math.max(at + by, 0), mine.length - 1)]?.querySelector("[data-open]").focus();
}
const PRESSED = {
  j: () => step(1),
  k: () => step(-1),
  x: () => document.activeElement.closest("[data-row]")?.querySelector('input[type="checkbox"]')?.click(),
  d: () => document.querySelector("[data-letters]")?.click(),
  "/": () => document.querySelector("[data-search]")?.focus(),
};
addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox]), textarea, select");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || keysOff()) return;
  const pressed = PRESSED[event.key.toLowerCase()];
  if (pressed) { event.preventDefault(); pressed(); }
});

// The tab says what the banner says.
const titled = document.title;
function state(mark, words) {
  const icon = document.querySelector('link[rel="icon"]');
  const href = icon.dataset[mark] ?? icon.dataset.good;
  if (icon.getAttribute("href") !== href) icon.setAttribute("href", href);
  const plain = `Overview · ${titled.split(" · ").slice(-2).join(" · ")}`;
  document.title = words ? `${words} · ${plain}` : plain;
}
function tell() {
  const found = document.querySelector("#live [data-state]");
  if (found) state(found.dataset.state, found.dataset.title);
}

// Figures that do not come anew must not look as if they did: no old banner, and no old green.
const now = () => new Date().toISOString().slice(11, 19);
let seen = now();
document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
  const note = document.querySelector("[data-stale]");
  if (!note) return;
  if (detail.successful) seen = now();
  const status = detail.xhr.status;
  const why = { 0: "the dashboard does not answer", 503: "the dashboard does not reach Redis" }[status];
  const said = `Unknown: ${why ?? `the dashboard answers ${status}`}`;
  note.textContent = `${said}. What is below is as it was at ${seen} UTC.`;
  note.hidden = detail.successful === true;
  note.className = note.hidden ? "" : "banner bad";
  for (const old of document.querySelectorAll("#live [data-state]")) old.hidden = !note.hidden;
  if (document.querySelector("#live") && !note.hidden) state("bad", said);
});
document.body.addEventListener("htmx:afterSettle", tell);

// A text that is being selected stays as it is: the figures come anew once nothing is selected.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const chosen = getSelection();
  if (chosen && !chosen.isCollapsed && event.detail.target.contains(chosen.anchorNode)) event.detail.shouldSwap = false;
});
