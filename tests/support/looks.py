"""How a page of the studio looks to those who see it, and to those who have it read aloud."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "api" / "studio" / "node_modules" / "axe-core" / "axe.min.js"
# Elements of the page that are not to be seen whole, by id or text.
CUT_OFF = """() => [...document.querySelectorAll("button, label, select, input, h1, h2, h3, .line")]
  .filter((element) => element.checkVisibility() && !element.closest(".unseen"))
  .filter((element) => {
    const { left, right } = element.getBoundingClientRect();
    const holder = element.closest(".bar, #tools, #palette, header")?.getBoundingClientRect();
    const isOutside = holder && (left < holder.left - 1 || right > holder.right + 1);
    const isCut = element.scrollWidth > element.clientWidth + 2 && !element.matches("input, select, label");
    return isOutside || isCut;
  })
  .map((element) => element.id || element.textContent)"""


def serious_faults(page: Page) -> list[str]:
    """What axe finds wrong that is serious; the test is skipped where axe is not installed."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed; `make studio` does that")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    violations = json.loads(page.evaluate("axe.run().then((found) => JSON.stringify(found.violations))"))
    return [
        f"{violation['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
