// Keeps pages up to date. Everything works without this file: it asks for the page
// again when something changed and puts its parts marked data-live in the place of
// the old ones, by their ids. What somebody is typing, what they opened, chose and
// where they are stays as it is. It stops in a tab that nobody sees, and says so
// when what is shown may be old.
"use strict";

(() => {
  const body = document.body;
  const address = body.dataset.refresh;
  const pollEvery = 5000, streamPatience = 25000, answerWithin = 15000;

  // Parts

  const typing = (element) => element && element.matches("input:not([type=checkbox], [type=radio]), textarea, select");

  // keep carries over what a person did in a part: what is open, chosen, typed.
  const keep = (from, to) => {
    for (const [i, old] of [...from.querySelectorAll("details")].entries()) {
      const now = old.id ? to.querySelector("#" + CSS.escape(old.id)) : to.querySelectorAll("details")[i];
      if (now) now.open = old.open;
    }
    for (const old of from.querySelectorAll("input[name], select[name], textarea[name]")) {
      if (old.type === "hidden") continue;
      const same = [...to.querySelectorAll(`[name="${CSS.escape(old.name)}"]`)];
      const now = old.type === "checkbox" || old.type === "radio" ? same.find((one) => one.value === old.value) : same.find((one) => one.id === old.id);
      if (!now) continue;
      if (old.type === "checkbox" || old.type === "radio") now.checked = old.checked;
      else if (old.value !== old.defaultValue) now.value = old.value;
    }
  };

  // twin finds in a new part what had the focus in the old one.
  const twin = (focused, part) => {
    if (focused.id) return part.querySelector("#" + CSS.escape(focused.id));
    const alike = (root) => [...root.querySelectorAll(focused.tagName)].filter((one) =>
      one.getAttribute("href") === focused.getAttribute("href") && one.getAttribute("name") === focused.getAttribute("name") &&
      one.getAttribute("value") === focused.getAttribute("value") && one.textContent === focused.textContent);
    const root = focused.closest("[data-live]");
    return alike(part)[alike(root).indexOf(focused)];
  };

  // stay keeps the focus in a part in which what had it is no more.
  const stay = (part) => {
    const head = part.querySelector("h1, h2") ?? part;
    head.tabIndex = -1;
    head.focus({ preventScroll: true });
  };

  const shown = new WeakMap(); // what the server sent, of parts that a person has changed since

  const swap = (page) => {
    for (const old of document.querySelectorAll("[data-live][id]")) {
      const next = page.getElementById(old.id);
      if (!next || next.outerHTML === shown.get(old) || next.isEqualNode(old)) continue;
      const focused = old.contains(document.activeElement) ? document.activeElement : null;
      if (typing(focused) || old.matches(":active")) continue; // not under their hands: with the next change
      const now = document.importNode(next, true);
      keep(old, now);
      shown.set(now, next.outerHTML);
      const goal = focused && twin(focused, now);
      old.replaceWith(now);
      if (goal) goal.focus({ preventScroll: true });
      if (focused && !now.contains(document.activeElement)) stay(now);
      prepare(now);
    }
    // What is new on the page, and what is not there any more, comes with a reload.
    const title = page.querySelector("title");
    if (title) document.title = title.textContent;
  };

  // Asking

  let asking = false, again = false, over = false;
  // When the page was made, by the server's clock.
  let freshAt = document.querySelector("#fresh time")?.textContent ?? "";

  const say = (text, link) => {
    const line = document.getElementById("stale");
    if (line.dataset.says === text) return; // spoken once
    line.dataset.says = text;
    line.textContent = text;
    if (link && text) {
      const a = document.createElement("a");
      a.href = link;
      a.textContent = body.dataset.login;
      line.append(" ", a);
    }
  };

  const stale = () => say(body.dataset.stale.replace("{time}", freshAt));

  const ended = () => {
    over = true;
    stop();
    say(body.dataset.ended, address);
  };

  const ask = async () => {
    if (asking) { again = true; return; }
    asking = true;
    try {
      const answer = await fetch(address, { headers: { "Segell-Live": "1" }, redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(answerWithin) });
      if (answer.status === 401) { ended(); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      swap(page);
      const fresh = page.getElementById("fresh");
      if (fresh) document.getElementById("fresh")?.replaceWith(document.importNode(fresh, true));
      freshAt = page.querySelector("#fresh time")?.textContent ?? freshAt;
      say("");
    } catch {
      stale();
    } finally {
      asking = false;
      if (again && !over) { again = false; setTimeout(ask, 500); }
    }
  };

  // Being told

  let stream = null, poll = 0, watch = 0;

  const polling = (on) => {
    if (on && poll) return; // a stream that fails again and again must not put it off
    clearInterval(poll);
    poll = on ? setInterval(ask, pollEvery) : 0;
  };

  // heard says that the stream stands; when it is silent for too long, the page asks
  // by itself.
  const heard = () => {
    polling(false);
    clearTimeout(watch);
    watch = setTimeout(() => { polling(true); ask(); }, streamPatience);
  };

  const start = () => {
    if (over || stream) return;
    polling(true); // until the stream stands
    if (!window.EventSource) return;
    stream = new EventSource("/live");
    stream.addEventListener("change", () => { heard(); ask(); });
    stream.addEventListener("beat", () => { heard(); ask(); });
    stream.addEventListener("end", ended);
    stream.onerror = () => {
      polling(true);
      if (stream && stream.readyState === EventSource.CLOSED) { // refused: as many as there may be, or no session
        stream = null;
        ask();
      }
    };
  };

  const stop = () => {
    polling(false);
    clearTimeout(watch);
    if (stream) stream.close();
    stream = null;
  };

  // Forms

  // prepare shows the boxes that choose all of a list, which need a script.
  const prepare = (root) => {
    for (const block of root.querySelectorAll("[data-choose-all]")) {
      block.hidden = false;
      block.querySelector("input").dataset.all = block.dataset.chooseAll || "id";
    }
    for (const all of root.querySelectorAll("input[data-all]")) {
      const boxes = () => [...(all.form ?? document).querySelectorAll(`input[type=checkbox][name="${CSS.escape(all.dataset.all)}"]`)];
      const reflect = () => {
        const chosen = boxes().filter((box) => box.checked).length;
        all.checked = chosen > 0 && chosen === boxes().length;
        all.indeterminate = chosen > 0 && chosen < boxes().length;
      };
      all.hidden = false;
      all.addEventListener("change", () => { for (const box of boxes()) box.checked = all.checked; });
      for (const box of boxes()) box.addEventListener("change", reflect);
      reflect();
    }
  };

  prepare(document);
  for (const summary of document.querySelectorAll("#faults")) summary.focus();
  // A form that was sent is not sent twice by a second press.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 10000);
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  if (address && document.querySelector("[data-live]")) {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) { stop(); return; }
      if (over) return;
      ask();
      start();
    });
    if (!document.hidden) start();
  }
})();
