(() => {
  const root = document.documentElement;
  const kept = "spade-theme";
  try { root.dataset.theme = sessionStorage.getItem(kept) ?? ""; } catch { /* not every browser keeps it for files */ }
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { sessionStorage.setItem(kept, root.dataset.theme); } catch { /* as above */ }
  });
  const viewer = document.getElementById("viewer");
  let current = null;
  const show = (figure) => {
    current = figure;
    viewer.querySelector("img").src = figure.querySelector("img").src;
    viewer.querySelector("p").textContent = figure.querySelector("img").alt + " (arrow keys: other pictures; Esc: back)";
    if (!viewer.open) viewer.showModal();
  };
  document.querySelector("main").addEventListener("click", (event) => {
    const figure = event.target.closest("figure");
    if (figure) show(figure);
  });
  viewer.addEventListener("click", () => viewer.close());
  viewer.addEventListener("keydown", (event) => {
    const visible = [...document.querySelectorAll("article:has(figure)")].filter((row) => !row.hidden);
    const row = current.closest("article");
    const across = { ArrowRight: 1, ArrowLeft: -1 }[event.key] || 0;
    const down = { ArrowDown: 1, ArrowUp: -1 }[event.key] || 0;
    if (!across && !down) return;
    event.preventDefault();
    const figures = [...row.querySelectorAll("figure")];
    const column = (figures.indexOf(current) + across + figures.length) % figures.length;
    const next = visible[(visible.indexOf(row) + down + visible.length) % visible.length];
    const others = next.querySelectorAll("figure");
    show(others[Math.min(column, others.length - 1)]);
  });
  const seconds = Number(document.body.dataset.refresh);
  if (seconds) setInterval(() => viewer.open || location.reload(), 1000 * seconds);
})();
