"use strict";
(async () => {
  const panes = [...document.querySelectorAll(".plot")];
  const details = [...document.querySelectorAll("details")];
  try {
    if (panes.length) {
      const packed = atob(document.getElementById("plotly").textContent);
      const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      const script = document.createElement("script");
      script.textContent = await new Response(stream).text();
      document.head.append(script);
    }
    const plots = JSON.parse(document.getElementById("plots").textContent);
    const options = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"] };
    for (const pane of panes) {
      const plot = plots[pane.dataset.figure][Number(pane.dataset.panel)];
      await Plotly.newPlot(pane, plot.data, plot.layout, options);
    }
  } catch (error) {
    for (const pane of panes.filter((each) => !each.querySelector(".main-svg"))) {
      pane.classList.add("failed");
      pane.textContent = "This browser cannot draw the figure; its numbers are in the table below.";
    }
    details.forEach((each) => { each.open = true; });
  }
  const tell = () => document.querySelectorAll(".wide").forEach((each) => each.toggleAttribute("data-scrolls", each.scrollWidth > each.clientWidth + 1));
  tell();
  addEventListener("resize", tell);
  details.forEach((each) => each.addEventListener("toggle", tell));
  const opened = new Set();
  addEventListener("beforeprint", () => details.forEach((each) => { if (!each.open) { opened.add(each); each.open = true; } }));
  addEventListener("afterprint", () => { opened.forEach((each) => { each.open = false; }); opened.clear(); });
  document.body.dataset.ready = "yes";
})();
