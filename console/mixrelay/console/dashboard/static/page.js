// The charts of the overview. Everything else works without a script but for the figures that
// htmx fetches anew; nothing here makes HTML out of what came from Redis.
"use strict";

const KEEP_MS = { hour: 10_000, day: 60_000 };
const LINES = {
  rates: [
    ["received", "--quiet", "received"],
    ["delivered", "--good", "delivered"],
    ["dead", "--bad", "dead"],
    ["redelivered", "--odd", "redelivered"],
  ],
  latency: [
    ["p50", "--good", "p50"],
    ["p95", "--odd", "p95"],
  ],
};

function colour(name) {
  // A custom property answers with light-dark() unresolved: an element's colour does not.
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

// A minute with none beside it makes no line: it is drawn as a point.
function alone(plot, place) {
  const values = plot.data[place];
  const lone = [...values.keys()].filter((i) => values[i] != null && values[i - 1] == null && values[i + 1] == null);
  return lone.length ? lone : null;
}

function options(kind, width) {
  const clock = (_, times) => times.map((at) => new Date(at * 1000).toISOString().slice(11, 16));
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const unit = kind === "latency" ? " s" : "";
  const shown = (_, value) => (value == null ? "–" : value.toLocaleString("en") + unit);
  return {
    width,
    height: 220,
    scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, kind === "latency" ? 1 : 10) * 1.1] } },
    axes: [{ ...axis, values: clock }, { ...axis, size: 60 }],
    series: [
      { label: "at", value: (_, at) => (at == null ? "–" : new Date(at * 1000).toISOString().slice(11, 16)) },
      ...LINES[kind].map(([, ink, label]) => ({ label, stroke: colour(ink), width: 2, value: shown, spanGaps: false, points: { filter: alone } })),
    ],
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
  };
}

function charts(section) {
  const spoken = section.querySelector("[data-spoken]");
  const drawn = new Map();
  let span = "hour";
  let timer;

  function draw(found) {
    for (const place of section.querySelectorAll("[data-chart]")) {
      const kind = place.dataset.chart;
      const values = [found.time, ...LINES[kind].map(([name]) => found[name])];
      drawn.get(kind)?.destroy();
      drawn.set(kind, new uPlot(options(kind, place.clientWidth), values, place));
    }
    const sum = (name) => found[name].reduce((all, one) => all + (one ?? 0), 0) * (span === "day" ? 15 : 1);
    const slowest = found.p95.filter((one) => one != null);
    const within = slowest.length ? `; p95 at worst ${Math.max(...slowest)} s` : "";
    spoken.textContent =
      `In the last ${span}: ${Math.round(sum("delivered")).toLocaleString("en")} delivered, ` +
      `${Math.round(sum("dead")).toLocaleString("en")} dead${within}.`;
  }

  async function look() {
    clearTimeout(timer);
    try {
      const answer = await fetch(`${section.dataset.series}?span=${span}`, { headers: { Accept: "application/json" } });
      if (answer.ok) draw(await answer.json());
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
      look();
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look);
  addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(look, 200); });
  look();
}

for (const section of document.querySelectorAll(".charts")) charts(section);

// A box that chooses all boxes of its table.
for (const all of document.querySelectorAll("input[data-all]")) {
  all.addEventListener("change", () => {
    for (const box of all.closest("form").querySelectorAll(`input[name="${all.dataset.all}"]`)) box.checked = all.checked;
  });
}

// Figures that do not come anew must not look as if they did.
const now = () => new Date().toISOString().slice(11, 19);
let seen = now();
document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
  const note = document.querySelector("[data-stale]");
  if (!note) return;
  if (detail.successful) seen = now();
  const status = detail.xhr.status;
  const why = { 0: "the dashboard does not answer", 503: "the dashboard does not reach Redis" }[status];
  note.textContent = `What is below is as it was at ${seen} UTC: ${why ?? `the dashboard answers ${status}`}.`;
  note.hidden = detail.successful === true;
  note.className = note.hidden ? "" : "banner bad";
});
