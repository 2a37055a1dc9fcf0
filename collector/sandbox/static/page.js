// Asks for rows newer than the last one shown, and puts them on top. Opened rows stay open.
const ROWS = 300;
const rows = document.getElementById("rows");
const head = document.getElementById("head");
const live = document.getElementById("live");
let last = Number(document.body.dataset.last);

function localTimes(root) {
  for (const time of root.querySelectorAll("time:not([data-local])")) {
    time.textContent = new Date(time.dateTime).toLocaleTimeString();
    time.dataset.local = "";
  }
}

async function poll() {
  try {
    const response = await fetch(`/sandbox/feed?after=${last}`);
    const feed = await response.json();
    if (feed.last < last) return location.reload(); // the sandbox was started anew
    if (feed.head !== head.dataset.shown) {
      head.innerHTML = feed.head;
      head.dataset.shown = feed.head;
    }
    if (feed.last > last) {
      const before = rows.firstElementChild;
      rows.insertAdjacentHTML("afterbegin", feed.rows);
      for (let row = rows.firstElementChild; row && row !== before; row = row.nextElementSibling) row.classList.add("new");
      while (rows.childElementCount > ROWS) rows.lastElementChild.remove();
      last = feed.last;
      localTimes(rows);
    }
    live.textContent = "live";
    live.className = "live on";
  } catch {
    live.textContent = "the sandbox does not answer";
    live.className = "live off";
  }
  setTimeout(poll, document.hidden ? 5000 : 1000);
}

for (const pre of document.querySelectorAll("#empty pre")) pre.textContent = pre.textContent.replace("$ORIGIN", location.origin);
localTimes(document);
poll();
