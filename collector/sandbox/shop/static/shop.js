// The shop's own script: carries the readable reference into the checkout form, and keeps the report fresh.

function cookie(name) {
  const pair = document.cookie.split("; ").find((each) => each.startsWith(name + "="));
  return pair ? pair.slice(name.length + 1) : "";
}

for (const field of document.querySelectorAll("input[data-from-cookie]")) {
  const fill = () => { field.value = cookie(field.name); };
  fill();
  // The cookie may arrive after the page: look once more when it counts.
  field.form.addEventListener("submit", fill);
}

const report = document.getElementById("report");

async function refresh() {
  if (report.firstElementChild.dataset.state !== "sending") return;
  try {
    const response = await fetch(report.dataset.url);
    const text = await response.text();
    if (response.ok && text.trim() !== report.innerHTML.trim()) report.innerHTML = text;
  } catch {
    // The shop itself is away: the next round tries again.
  }
  setTimeout(refresh, 400);
}

if (report) setTimeout(refresh, 150);
