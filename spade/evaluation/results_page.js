(() => {
  const rows = [...document.querySelectorAll("article")];
  const count = document.getElementById("count");
  const all = count.textContent;
  const search = document.getElementById("search");
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.firstElementChild.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    count.textContent = shown === rows.length ? all : shown + " of " + all;
  };
  search.addEventListener("input", filter);
  document.getElementById("side").addEventListener("input", (event) => document.documentElement.style.setProperty("--side", event.target.value + "px"));
  filter();
})();
