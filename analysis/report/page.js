// Draws the figures to fit the window, makes their legends work from the keyboard, and opens the
// details that a link leads to.
"use strict";
const narrow = matchMedia("screen and (max-width: 48rem)");
const touched = matchMedia("(pointer: coarse)");
const options = {
  responsive: true,
  displaylogo: false,
  showTips: false,
  modeBarButtonsToRemove: ["lasso2d", "select2d"],
};
const PRINTED_WIDTH = 690;

for (const plot of document.querySelectorAll(".plot")) {
  const figure = JSON.parse(document.getElementById(plot.id.replace("plot", "data")).textContent);
  const layout = () => {
    const chosen = structuredClone(narrow.matches ? figure.narrow : figure.wide);
    if (touched.matches) {
      // A swipe moves the page, not the figure.
      chosen.dragmode = false;
      const axes = Object.keys(chosen).filter((name) => /^[xy]axis/.test(name));
      for (const name of axes) chosen[name].fixedrange = true;
    }
    return chosen;
  };
  const fit = (chosen) => {
    plot.style.minHeight = `${chosen.height}px`;
    return chosen;
  };
  Plotly.newPlot(plot, figure.data, fit(layout()), options).then(() => {
    plot.on("plotly_afterplot", () => operable(plot));
    operable(plot);
  });
  narrow.addEventListener("change", () => Plotly.react(plot, plot.data, fit(layout()), options));
  addEventListener("beforeprint", () => Plotly.relayout(plot, { width: PRINTED_WIDTH, autosize: false }));
  addEventListener("afterprint", () => Plotly.relayout(plot, { width: null, autosize: true }));
}

// Plotly redraws the legend after every change, so everything added to it has to be added again.
function operable(plot) {
  const focused = plot.dataset.focused;
  delete plot.dataset.focused;
  for (const item of plot.querySelectorAll(".legend .traces")) {
    const name = item.querySelector(".legendtext").textContent;
    item.setAttribute("tabindex", "0");
    item.setAttribute("role", "button");
    item.setAttribute("aria-label", name);
    item.setAttribute("aria-pressed", String(Number(item.style.opacity || 1) === 1));
    item.onkeydown = (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      plot.dataset.focused = name;
      toggle(plot, name);
    };
    if (name === focused) item.focus();
  }
}

// What a click on the legend's item does.
function toggle(plot, name) {
  const shown = (html) => new DOMParser().parseFromString(html, "text/html").body.textContent;
  const group = plot.data.find((trace) => trace.showlegend && shown(trace.name) === name).legendgroup;
  const members = plot.data.flatMap((trace, n) => (trace.legendgroup === group ? [n] : []));
  const hidden = plot.data[members[0]].visible === "legendonly";
  Plotly.restyle(plot, { visible: hidden ? true : "legendonly" }, members);
}

// Following a link to the current address fires no hashchange.
addEventListener("click", (event) => show(event.target.closest?.("a")?.hash));
addEventListener("hashchange", () => show(location.hash));
show(location.hash);

function show(hash) {
  const target = hash && document.getElementById(decodeURIComponent(hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
}
